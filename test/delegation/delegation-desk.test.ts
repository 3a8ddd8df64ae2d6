import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { type AgentCard, cardOf } from '../../src/delegation/agent-card.ts';
import type { Delegation } from '../../src/delegation/delegation.ts';
import type { DelegationRequest } from '../../src/delegation/delegation-request.ts';
import type { Caller } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import {
  ann,
  createTestDelegation,
  eve,
  letterFrom,
  other,
  requestFrom,
  type TestDelegation,
} from '../support/delegation.ts';
import { testRun } from '../support/run.ts';

let database: Database;
let parts: TestDelegation;
const run = testRun({ id: 'the-run', caller: ann, status: 'running' });
const over = testRun({ id: 'an-old-run', caller: ann, status: 'completed' });

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  for (const table of [
    'agent_cards',
    'agent_messages',
    'agent_inboxes',
    'delegations',
    'shared_contexts',
    'tasks',
  ] as const) {
    await database.db.deleteFrom(table).execute();
  }
  parts = createTestDelegation(database, { runs: [run, over] });
  for (const id of ['scout', 'porter']) await register(id);
});

function register(id: string, card: Partial<AgentCard> = {}, caller: Caller = ann) {
  return parts.directory.register(caller, id, cardOf(id, card));
}

async function hand(
  from: string,
  to: string | undefined,
  change: Partial<DelegationRequest> = {},
): Promise<Delegation> {
  return (await parts.desk.delegate(requestFrom(from, to, change))).delegation;
}

const nothing = { result: null, outputContext: null, failure: null, tokens: null, costUsd: null, steps: null };
const word = (agent: string, { id }: Delegation, caller: Caller = ann) => ({ caller, id, agent });
const letters = async (agentId: string, caller: Caller = ann) => {
  const agent = await parts.directory.need(caller.tenantId, agentId);
  return parts.mail.read({ agent, caller }, 0, 100);
};

describe('handing work on', () => {
  it('to an agent of this server makes a task, which is accepted', async () => {
    const delegation = await hand('scout', 'clerk', { priority: 10, maxSteps: 3, runId: run.id });
    expect(delegation).toMatchObject({ status: 'accepted', chain: ['scout'], parentRunId: run.id });
    const task = await parts.tasks.queue.find(delegation.taskId ?? '', ann);
    expect(task).toMatchObject({
      parentRunId: run.id,
      submission: {
        task_type: 'agent_run',
        agent_id: 'clerk',
        priority: 'critical',
        payload: { input: 'Do it.', max_steps: 3, max_cost_usd: 1 },
        metadata: { delegation_id: delegation.id },
        max_retries: 0,
      },
    });
  });

  it('as async is no child of the run: it may end after it', async () => {
    const { taskId } = await hand('scout', 'clerk', { kind: 'async', runId: run.id });
    expect(await parts.tasks.queue.find(taskId ?? '', ann)).toMatchObject({ parentRunId: null });
  });

  it('gives along what the agent was told in the same matter, by the same user', async () => {
    const place = { from: 'scout', to: 'clerk', correlationId: 'matter', scan: null };
    const share = (id: string, caller: Caller, expiresAt: string | null = null) =>
      parts.contexts.share(database.db, { id, caller, context: { told: id }, expiresAt, ...place });
    await share('known', ann);
    await share('expired', ann, new Date(parts.clock.now() - 1).toISOString());
    await share('of-eve', eve);
    const { taskId } = await hand('scout', 'clerk', { reason: 'numbers' });
    const task = await parts.tasks.queue.find(taskId ?? '', ann);
    expect(task?.submission.payload['context']).toEqual({
      delegated_by: 'scout',
      delegation_reason: 'numbers',
      shared_contexts: [{ told: 'known' }],
    });
  });

  test.each<[string, [string, string | undefined, Partial<DelegationRequest>?], string]>([
    ['of an agent that is not there', ['nobody', 'porter'], 'AGENT_NOT_FOUND'],
    ['of somebody else’s agent', ['scout', 'porter', { caller: eve }], 'AGENT_NOT_FOUND'],
    ['of another tenant’s agent', ['scout', 'porter', { caller: other }], 'AGENT_NOT_FOUND'],
    ['to an agent that is not there', ['scout', 'nobody'], 'CROSS_TENANT'],
    ['from a run that is not there', ['scout', 'clerk', { runId: 'nothing' }], 'RUN_NOT_FOUND'],
    ['from a run that has ended', ['scout', 'clerk', { runId: over.id }], 'RUN_TERMINAL'],
    ['as a part of nothing', ['scout', 'clerk', { parentId: 'nothing' }], 'DELEGATION_NOT_FOUND'],
    ['that nobody can do', ['scout', undefined, { capability: 'levitate' }], 'NOT_DELEGABLE'],
  ])('%s is refused', async (_what, args, reason) => {
    await expect(hand(...args)).rejects.toMatchObject({ reason });
    expect(await database.db.selectFrom('delegations').select('id').execute()).toEqual([]);
  });

  test('to an agent of another tenant is refused as if there were none', async () => {
    await register('spy', {}, other);
    const foreign = await hand('scout', 'spy').catch((thrown: unknown) => thrown);
    const absent = await hand('scout', 'spi').catch((thrown: unknown) => thrown);
    expect(String(foreign)).toBe(String(absent).replace('spi', 'spy'));
  });

  test('against the rules is written down as rejected, and the delegator is told', async () => {
    const delegation = await hand('scout', 'scout');
    expect(delegation).toMatchObject({ status: 'rejected', failure: { code: 'SELF_DELEGATION' } });
    expect((await letters('scout')).map(({ type }) => type)).toEqual(['delegate', 'delegate_reject']);
    expect(parts.entries.map(({ action, outcome }) => [action, outcome])).toEqual([
      ['AGENT_REGISTER', 'success'],
      ['AGENT_REGISTER', 'success'],
      ['A2A_DELEGATE', 'denied'],
      ['A2A_DELEGATE_REJECT', 'denied'],
    ]);
  });

  test('in a circle or too deep is seen through what is recorded, whatever the delegator says', async () => {
    let parent = await hand('scout', 'porter');
    const back = await hand('porter', 'scout', { parentId: parent.id, chain: [] });
    expect(back).toMatchObject({ status: 'rejected', failure: { code: 'DELEGATION_CYCLE' } });
    for (const [from, to] of [
      ['porter', 'c'],
      ['c', 'd'],
      ['d', 'e'],
      ['e', 'f'],
    ] as const) {
      await register(to);
      parent = await hand(from, to, { parentId: parent.id });
      expect(parent.status).toBe('pending');
    }
    expect(await hand('f', 'clerk', { parentId: parent.id })).toMatchObject({ failure: { code: 'DELEGATION_DEPTH' } });
  });

  test('to one agent at once never gives it more than it takes', async () => {
    await register('porter', { maxConcurrent: 3 });
    const all = await Promise.all(Array.from({ length: 10 }, () => hand('scout', 'porter')));
    expect(all.filter(({ status }) => status === 'pending')).toHaveLength(3);
    expect(all.filter(({ failure }) => failure?.code === 'DELEGATEE_BUSY')).toHaveLength(7);
  });

  test('without a name finds the next one that has room', async () => {
    await register('best', { trust: 100, maxConcurrent: 1 });
    await register('good', { trust: 99 });
    const asked = { capability: 'execute' };
    expect(await hand('scout', undefined, asked)).toMatchObject({ to: 'best' });
    // The agent of this server is as trusted as the best.
    expect(await hand('scout', undefined, asked)).toMatchObject({ to: 'clerk' });
    await register('scout', { preferred: ['good'] });
    expect(await hand('scout', undefined, asked)).toMatchObject({ to: 'clerk' });
  });

  test('at once never spends more than the parent has', async () => {
    const parent = await hand('scout', 'porter', { maxCostUsd: 1, maxSteps: 10 });
    const parts_ = await Promise.all(
      Array.from({ length: 8 }, () => hand('porter', 'clerk', { parentId: parent.id, maxCostUsd: 0.3, maxSteps: 2 })),
    );
    const taken = parts_.filter(({ status }) => status === 'accepted');
    expect(taken).toHaveLength(3);
    expect(parts_.filter(({ failure }) => failure?.code === 'BUDGET_EXCEEDED')).toHaveLength(5);
    const rest = await hand('porter', 'clerk', { parentId: parent.id });
    expect(rest.budget).toEqual({ steps: 4, costUsd: 0.1 });
  });

  test('from a run spends no more than the run may', async () => {
    const bounded = { ...run, kind: 'task' as const, request: { payload: { max_cost_usd: 0.5, max_steps: 4 } } };
    parts = createTestDelegation(database, { runs: [bounded] });
    const from = { runId: run.id };
    expect(await hand('scout', 'clerk', { ...from, maxCostUsd: 0.6 })).toMatchObject({
      status: 'rejected',
      failure: { code: 'BUDGET_EXCEEDED' },
    });
    expect((await hand('scout', 'clerk', { ...from, maxCostUsd: 0.4, maxSteps: 3 })).status).toBe('accepted');
    expect((await hand('scout', 'clerk', from)).budget).toEqual({ steps: 1, costUsd: 0.1 });
  });

  test('has no longer than its parent', async () => {
    const parent = await hand('scout', 'porter', { timeoutSeconds: 60 });
    const child = await hand('porter', 'clerk', { parentId: parent.id, timeoutSeconds: 3600 });
    expect(child.deadlineAt).toBe(parent.deadlineAt);
  });
});

describe('an agent that is not ours', () => {
  it('alone accepts, once, and brings the result, once', async () => {
    const delegation = await hand('scout', 'porter');
    for (const [agent, caller] of [
      ['scout', ann],
      ['clerk', ann],
      ['porter', eve],
      ['porter', other],
    ] as const) {
      await expect(parts.desk.accept(word(agent, delegation, caller))).rejects.toMatchObject({ code: 'not_found' });
    }
    await expect(parts.desk.complete(word('porter', delegation), nothing)).rejects.toMatchObject({
      reason: 'DELEGATION_NOT_READY',
    });
    await parts.desk.accept(word('porter', delegation));
    expect((await parts.desk.accept(word('porter', delegation))).status).toBe('accepted');
    const no = { code: 'REJECTED', message: 'no' };
    await expect(parts.desk.reject(word('porter', delegation), no)).rejects.toMatchObject({
      reason: 'DELEGATION_NOT_READY',
    });
    const done = await parts.desk.complete(word('porter', delegation), { ...nothing, result: 7, costUsd: 0.2 });
    expect(done).toMatchObject({ status: 'completed', result: 7, costUsd: 0.2 });
    await expect(parts.desk.complete(word('porter', delegation), nothing)).rejects.toMatchObject({
      reason: 'DELEGATION_TERMINAL',
    });
    await expect(parts.desk.cancel(ann, delegation.id, 'late')).rejects.toMatchObject({
      reason: 'DELEGATION_TERMINAL',
    });
  });

  it('that accepts too late finds it timed out', async () => {
    const delegation = await hand('scout', 'porter', { timeoutSeconds: 30 });
    await parts.clock.advance(30_000);
    await expect(parts.desk.accept(word('porter', delegation))).rejects.toMatchObject({ reason: 'DELEGATION_TIMEOUT' });
    expect(await parts.desk.find(ann, delegation.id)).toMatchObject({ status: 'timeout' });
  });

  it('may accept no longer than the message holds', async () => {
    const expiresAt = new Date(parts.clock.now() + 5_000).toISOString();
    const delegation = await hand('scout', 'porter', { letter: letterFrom('scout', { type: 'delegate', expiresAt }) });
    expect(delegation.acceptBy).toBe(expiresAt);
    await parts.clock.advance(5_000);
    await expect(parts.desk.accept(word('porter', delegation))).rejects.toMatchObject({ reason: 'DELEGATION_TIMEOUT' });
    expect((await letters('porter')).map(({ type }) => type)).toEqual(['cancel']);
  });

  test('of two words at once one counts', async () => {
    const delegation = await hand('scout', 'porter');
    await parts.desk.accept(word('porter', delegation));
    const ends = await Promise.allSettled([
      parts.desk.complete(word('porter', delegation), { ...nothing, result: 1 }),
      parts.desk.cancel(ann, delegation.id, 'not needed'),
      parts.desk.complete(word('porter', delegation), { ...nothing, result: 2 }),
    ]);
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await letters('scout')).filter(({ type }) => type === 'delegate_result')).toHaveLength(1);
  });
});

describe('a delegation', () => {
  it('that is cancelled takes its task and its parts along', async () => {
    const parent = await hand('scout', 'porter');
    const part = await hand('porter', 'clerk', { parentId: parent.id });
    await parts.desk.cancel(ann, parent.id, 'not needed');
    expect(await parts.desk.find(ann, part.id)).toMatchObject({ status: 'cancelled' });
    expect(await parts.tasks.queue.find(part.taskId ?? '', ann)).toMatchObject({ status: 'cancelled' });
  });

  it('is seen by whoever has to do with it, and by nobody else', async () => {
    await register('eves', {}, eve);
    const delegation = await hand('scout', 'eves');
    const operator = { tenantId: 'acme', userId: '' };
    for (const caller of [ann, eve, operator]) expect(await parts.desk.find(caller, delegation.id)).toBeDefined();
    const mallory = { tenantId: 'acme', userId: 'mallory' };
    for (const caller of [other, mallory, { tenantId: 'other', userId: '' }]) {
      expect(await parts.desk.find(caller, delegation.id)).toBeUndefined();
      await expect(parts.desk.cancel(caller, delegation.id, 'mine now')).rejects.toMatchObject({ code: 'not_found' });
    }
    // Who was given it does not cancel it: that is the delegator's.
    await expect(parts.desk.cancel(eve, delegation.id, 'no')).rejects.toMatchObject({ code: 'not_found' });
    const agent = await parts.directory.need('acme', 'eves');
    const list = (caller: Caller) => parts.desk.list(caller, { agent, direction: 'received', limit: 10 });
    expect((await list(eve)).items).toHaveLength(1);
    expect((await list(mallory)).items).toHaveLength(0);
  });
});
