import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { terminalTaskActions } from '../../../src/governance/audit/entry.ts';
import { actorOf, draftsOf, type Fact } from '../../../src/governance/audit/fact.ts';
import { auditedEvents, auditedFacts } from '../../../src/store/tables/audit.ts';
import { budgetEvents, budgetFacts } from '../../../src/store/tables/budget.ts';

const RUN = { kind: 'orchestration', userId: 'ann', simulation: true, rootId: 'r1' };

function event(type: string, data: JsonObject = {}, more: Partial<Fact> = {}): Fact {
  const place = { seq: 7, hash: 'ab', traceId: 't' };
  return {
    type,
    subject: 'r1',
    at: '2026-02-01T10:00:00.000Z',
    actor: 'system',
    userId: '',
    data,
    run: RUN,
    ...place,
    ...more,
  };
}

function fact(type: string, data: JsonObject = {}, more: Partial<Fact> = {}): Fact {
  const none = { actor: null, seq: null, hash: null, traceId: null };
  return { type, subject: 's1', at: '2026-02-01T10:00:00.000Z', userId: 'ann', data, ...none, ...more };
}

describe('what the audit log makes of what happened', () => {
  it.each([...auditedEvents, ...budgetEvents])('tells the event %s', (type) => {
    const [told] = draftsOf(event(type));
    expect(told).toMatchObject({
      run_id: 'r1',
      simulation: true,
      owner: 'ann',
      details: { event_seq: 7, event_hash: 'ab' },
    });
  });

  it.each([...auditedFacts, ...budgetFacts])('tells the fact %s', (type) => {
    expect(draftsOf(fact(type))).toMatchObject([{ owner: 'ann', timestamp: '2026-02-01T10:00:00.000Z' }]);
  });

  it('makes nothing of what it does not know', () => {
    expect(draftsOf(event('turn.delta'))).toEqual([]);
    expect(draftsOf(fact('task.touched'))).toEqual([]);
  });

  it.each<[string, JsonObject, string, string]>([
    ['approval.decided', { status: 'approved' }, 'APPROVAL_APPROVE', 'success'],
    ['approval.decided', { status: 'rejected' }, 'APPROVAL_REJECT', 'denied'],
    ['approval.decided', { status: 'timeout' }, 'APPROVAL_TIMEOUT', 'denied'],
    ['governance.decided', { verdict: 'allow' }, 'POLICY_DECISION', 'success'],
    ['governance.decided', { verdict: 'deny' }, 'POLICY_DECISION', 'denied'],
    ['governance.decided', { verdict: 'hold' }, 'POLICY_DECISION', 'pending'],
    ['run.timed_out', {}, 'ORCHESTRATION_FAIL', 'failure'],
  ])('tells %s %j as %s', (type, data, action, outcome) => {
    expect(draftsOf(event(type, data))[0]).toMatchObject({ action, outcome });
  });

  it('holds accountable whom the governor does', () => {
    const data = {
      verdict: 'deny',
      rule: 'refunds/limit',
      reason: 'too much for bob@example.com',
      accountable: 'Finance',
      responsible: ['cfo'],
      target: 'crm',
      type: 'update',
      user_id: 'ann',
    };
    const [told] = draftsOf(event('governance.decided', data));
    expect(told).toMatchObject({
      raci_accountable: 'Finance',
      raci_responsible: 'cfo',
      target_system: 'crm',
      action_type: 'update',
      reason: 'refunds/limit',
      people: { user_id: 'ann' },
    });
    expect(JSON.stringify(told)).not.toContain('example.com');
  });

  it('tells what becomes of an attempt at a task once, of the task, and anchors its run', () => {
    const run = { ...RUN, kind: 'task' };
    const told = draftsOf(event('run.failed', {}, { subject: 't1.2', run }));
    expect(told).toMatchObject([{ action: 'RUN_ANCHOR', task_id: 't1', details: { last_event: 7, last_hash: 'ab' } }]);
    expect(draftsOf(event('run.queued', {}, { subject: 't1.2', run }))).toEqual([]);
    const called = draftsOf(event('tool.called', { tool: 'x', arguments: { secret: 1 } }, { subject: 't1.2', run }));
    expect(called).toMatchObject([{ action: 'TOOL_CALL', task_id: 't1', details: { tool: 'x' } }]);
    expect(JSON.stringify(called)).not.toContain('secret');
  });

  it('knows a task that took too long, and what was said about it when it was submitted', () => {
    const submission = {
      target_system: 'crm',
      action_type: 'update',
      raci_accountable: 'Sales',
      raci_informed: ['audit'],
      simulation: true,
    };
    const task = { type: 'fabric_action', agentId: 'cmo', submission };
    const failed = draftsOf(fact('task.failed', { error: { code: 'timed_out', message: 'no' } }, { task }));
    expect(failed).toMatchObject([
      {
        action: 'TASK_TIMEOUT',
        reason: 'timed_out',
        actor: { type: 'agent', id: 'cmo' },
        task_id: 's1',
        task_type: 'fabric_action',
        target_system: 'crm',
        raci_accountable: 'Sales',
        raci_informed: ['audit'],
        simulation: true,
      },
    ]);
    const ends = ['task.completed', 'task.failed', 'task.dead', 'task.cancelled'];
    for (const type of ends) expect(terminalTaskActions).toContain(draftsOf(fact(type))[0]?.action);
  });

  it('tells what a plane did where the action was meant to go, and who changed the preset', () => {
    const data = {
      run_id: 't1.1',
      agent_id: 'cmo',
      target_system: 'crm',
      action_type: 'update',
      fabric_preset: 'preset_2_ipaas_first',
      Primary_Plane_ID: 'ipaas_acme',
      plane_id: 'gateway_acme',
      fallback_from: ['ipaas_acme'],
      simulation: true,
      detail: 'bob@example.com is not known',
    };
    const shared = { target_system: 'crm', action_type: 'update', Primary_Plane_ID: 'ipaas_acme', task_id: 't1' };
    const told = (type: string) => draftsOf(fact(type, data, { taskId: 't1' }));
    expect(told('route.routed')).toMatchObject([
      {
        ...shared,
        action: 'ROUTE_ACTION',
        outcome: 'success',
        run_id: 't1.1',
        actor: { type: 'agent', id: 'cmo' },
        fabric_preset: 'preset_2_ipaas_first',
        simulation: true,
        details: { plane_id: 'gateway_acme', fallback_from: ['ipaas_acme'] },
      },
    ]);
    expect(told('route.fallback')).toMatchObject([{ ...shared, action: 'ROUTE_FALLBACK' }]);
    expect(told('route.blocked')).toMatchObject([{ ...shared, action: 'ROUTE_BLOCKED', outcome: 'denied' }]);
    expect(JSON.stringify(told('route.fallback'))).not.toContain('example.com');
    const change = { fabric_preset: 'preset_4_event_bus_first', previous_preset: 'preset_2_ipaas_first' };
    const changed = (by: string) => draftsOf(fact('fabric.preset_changed', { ...change, changed_by: by }));
    expect(changed('ann')).toMatchObject([
      { action: 'PRESET_CHANGE', actor: { type: 'user', id: 'ann' }, fabric_preset: 'preset_4_event_bus_first' },
    ]);
    expect(changed('operator')).toMatchObject([{ actor: { type: 'user', id: 'anonymous' } }]);
  });

  it.each([
    ['user:ann', { type: 'user', id: 'ann' }],
    ['user:a:b', { type: 'user', id: 'a:b' }],
    ['user:', { type: 'user', id: 'anonymous' }],
    ['agent:ceo', { type: 'agent', id: 'ceo' }],
    ['system', { type: 'system', id: 'system' }],
    ['clock', { type: 'system', id: 'clock' }],
  ])('reads the actor %s', (text, actor) => {
    expect(actorOf(text)).toEqual(actor);
  });
});
