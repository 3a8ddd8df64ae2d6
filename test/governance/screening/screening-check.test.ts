import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { GovernedAction } from '../../../src/governance/action.ts';
import type { CheckContext } from '../../../src/governance/governor.ts';
import { createDataGuard } from '../../../src/governance/screening/data-guard.ts';
import { defaultPolicy, type ScreeningAction } from '../../../src/governance/screening/policy.ts';
import { createScreen } from '../../../src/governance/screening/screen.ts';
import { createScreeningCheck } from '../../../src/governance/screening/screening-check.ts';
import { rulesOf } from '../../../src/governance/screening/screening-document.ts';
import type { NewFeedItem } from '../../../src/runs/feed.ts';

const context: CheckContext = { scope: undefined, demands: [], accountable: null, responsible: [] };

function guarded(action: ScreeningAction, floor = action) {
  const told: NewFeedItem[] = [];
  const guard = createDataGuard({
    screen: createScreen({ clock: systemClock }),
    book: { of: () => rulesOf({ policy: { ...defaultPolicy, action }, floor }) },
    tell: async (item) => void told.push(item),
  });
  const check = createScreeningCheck(guard);
  return { guard, told, check: async (asked: GovernedAction) => check.check(asked, context) };
}

const what = { type: 'submit', target: null, actionClass: null } as const;
const caller = { tenantId: 'acme', userId: 'ann' };
function action(args: JsonObject, change: Partial<GovernedAction> = {}): GovernedAction {
  const base = { name: 'submit', agentId: null, runId: 'run-1', caller, environment: 'test', at: 0 } as const;
  return { ...base, what: { ...what, kind: 'run', effect: 'write' }, args, ...change };
}

const args = {
  agent_ids: ['jo@example.com'],
  callback_url: 'https://u:secret99@h.example/',
  task: { note: 'jo@example.com' },
};

describe('the check', () => {
  it('changes what came where values are redacted, and leaves how the work is done', async () => {
    const { check, told } = guarded('REDACT');
    expect(await check(action(args))).toEqual({
      kind: 'pass',
      rule: 'redacted',
      reason: expect.stringContaining('email'),
      args: { ...args, task: { note: '[EMAIL]' } },
      obligations: [{ kind: 'redacted', types: ['email'] }],
    });
    expect(told).toMatchObject([
      { tenantId: 'acme', userId: 'ann', type: 'screening.redacted', subject: 'run-1', data: { paths: ['task.note'] } },
    ]);
    expect(JSON.stringify(told)).not.toContain('jo@');
  });

  it('denies where values are blocked, with the scan', async () => {
    const { check } = guarded('BLOCK');
    const denied = await check(action(args));
    expect(denied).toMatchObject({
      kind: 'deny',
      rule: 'blocked',
      code: 'unprocessable',
      refusal: { reason: 'PII_BLOCKED', facts: { scan: { match_count: 1 } } },
    });
    expect(JSON.stringify(denied)).not.toContain('jo@');
  });

  it('passes and tells where values are warned about', async () => {
    const { check, told } = guarded('WARN');
    expect(await check(action(args))).toEqual({ kind: 'pass', rule: 'warned' });
    expect(told.map(({ type }) => type)).toEqual(['screening.warned']);
  });

  it.each<[string, Partial<GovernedAction>]>([
    ['settings', { what: { ...what, kind: 'admin', effect: 'write' } }],
    ['messages of agents, which come screened', { agentId: 'ceo', what: { ...what, kind: 'a2a', effect: 'write' } }],
    ['reads that no model had a word in', { what: { ...what, kind: 'tool', effect: 'read' } }],
  ])('does not look at %s', async (_what, change) => {
    const { check, told, guard } = guarded('BLOCK');
    expect(await check(action(args, change))).toEqual({ kind: 'pass', rule: 'nothing' });
    expect(told).toEqual([]);
    expect(guard.statistics('acme').total_scans).toBe(0);
  });

  it('looks at what a model wants to read with', async () => {
    const { check } = guarded('BLOCK');
    const read = { agentId: 'cfo', what: { ...what, kind: 'tool', effect: 'read' } } as const;
    expect(await check(action({ query: 'jo@example.com' }, read))).toMatchObject({ kind: 'deny' });
  });
});

describe('what asks for a policy of its own', () => {
  it('gets no less than the floor', async () => {
    const { guard } = guarded('BLOCK', 'REDACT');
    const { data, scan } = await guard.screenIngress(
      { a: 'jo@example.com' },
      { caller, where: 'a2a', action: 'ALLOW' },
    );
    expect(data).toEqual({ a: '[EMAIL]' });
    expect(scan).toMatchObject({ policy_applied: 'REDACT', tenant_id: 'acme' });
    await expect(guard.screenIngress('jo@example.com', { caller, where: 'a2a' })).rejects.toMatchObject({
      status: 422,
      reason: 'PII_BLOCKED',
    });
    expect(guard.statistics('acme')).toEqual({
      total_scans: 2,
      pii_detections: 2,
      blocks: 1,
      redactions: 1,
      detection_rate: 1,
      default_policy: 'BLOCK',
      tenant_id: 'acme',
    });
  });
});
