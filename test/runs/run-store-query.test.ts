/** Looking runs up: pages, tenants, families, forks, and what is deleted in the end. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createRunLedger } from '../../src/engine/run-ledger.ts';
import { type Caller, DEFAULT_TENANT, type Run, runKey } from '../../src/runs/run.ts';
import type { RunAdmission } from '../../src/runs/run-store.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

let database: Database;
let stores: TestRuns;

beforeAll(async () => {
  database = await openTestDatabase();
  stores = createTestRuns(database);
});

afterAll(() => database.close());

const admit = async (change: Partial<RunAdmission>): Promise<Run> =>
  (await stores.runs.admit(testAdmission(change))).run;
const ids = (runs: readonly Run[]) => runs.map(({ id }) => id);
const complete = async (id: string, tenantId = DEFAULT_TENANT) => {
  await stores.runs.move(runKey(tenantId, id), 'running', {});
  await stores.runs.move(runKey(tenantId, id), 'completed', {
    event: { type: 'run.completed', data: { result: {} } },
    result: {},
  });
};

describe('a list of runs', () => {
  const ann: Caller = { tenantId: 'lists', userId: 'ann' };
  const operator: Caller = { tenantId: 'lists', userId: '' };

  it('comes in pages, newest first, and is not disturbed by newer runs', async () => {
    for (let n = 1; n <= 5; n++) await admit({ id: `page-${n}`, caller: ann, sessionId: 'pages' });
    const first = await stores.runs.list(ann, { sessionId: 'pages', limit: 2 });
    expect(ids(first.items)).toEqual(['page-5', 'page-4']);
    await admit({ id: 'page-6', caller: ann, sessionId: 'pages' });
    const cursor = first.nextCursor ?? '';
    const second = await stores.runs.list(ann, { sessionId: 'pages', limit: 2, cursor });
    expect(ids(second.items)).toEqual(['page-3', 'page-2']);
    const last = await stores.runs.list(ann, { sessionId: 'pages', limit: 2, cursor: second.nextCursor ?? '' });
    expect([ids(last.items), last.nextCursor]).toEqual([['page-1'], null]);
  });

  it('has what the filter says', async () => {
    await admit({ id: 'chat', caller: ann, kind: 'chat', sessionId: 'filters' });
    await admit({ id: 'child', caller: ann, sessionId: 'filters', parentId: 'chat' });
    await complete('child', ann.tenantId);
    const list = async (filter: object) =>
      ids((await stores.runs.list(ann, { limit: 10, sessionId: 'filters', ...filter })).items);
    expect(await list({})).toEqual(['child', 'chat']);
    expect(await list({ kind: 'chat' })).toEqual(['chat']);
    expect(await list({ status: 'completed' })).toEqual(['child']);
    expect(await list({ status: ['queued', 'running'] })).toEqual(['chat']);
    expect(await list({ parentId: 'chat' })).toEqual(['child']);
    expect(await list({ since: new Date(Date.now() + 60_000).toISOString() })).toEqual([]);
    await expect(list({ cursor: 'the next' })).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('shows a user their own runs, the operator those of the tenant, and nobody those of another', async () => {
    await admit({ id: 'of-ann', caller: { tenantId: 'seen', userId: 'ann' } });
    await admit({ id: 'of-bob', caller: { tenantId: 'seen', userId: 'bob' } });
    const seen = async (userId: string, tenantId = 'seen') =>
      ids((await stores.runs.list({ tenantId, userId }, { limit: 10 })).items);
    expect(await seen('ann')).toEqual(['of-ann']);
    expect(await seen('')).toEqual(['of-bob', 'of-ann']);
    expect(await seen('ann', 'elsewhere')).toEqual([]);
    const found = async (caller: Caller) => (await stores.runs.findInTenant('of-ann', caller))?.id;
    expect(await found({ tenantId: 'seen', userId: 'ann' })).toBe('of-ann');
    expect(await found({ tenantId: 'seen', userId: '' })).toBe('of-ann');
    expect(await found({ tenantId: 'seen', userId: 'bob' })).toBeUndefined();
    expect(await found(operator)).toBeUndefined();
    expect(await stores.runs.find('of-ann', { tenantId: 'seen', userId: '' })).toBeUndefined();
  });
});

describe('a run made from another', () => {
  it('knows its parent, its family and its depth', async () => {
    const root = await admit({ id: 'root' });
    const child = await admit({ id: 'root.a', parentId: 'root' });
    const leaf = await admit({ id: 'root.a.b', parentId: 'root.a', actor: 'run:root.a', priority: 1 });
    expect(root).toMatchObject({ parentId: null, rootId: 'root', depth: 0, actor: 'user:', priority: 3 });
    expect(child).toMatchObject({ parentId: 'root', rootId: 'root', depth: 1 });
    expect(leaf).toMatchObject({ parentId: 'root.a', rootId: 'root', depth: 2, actor: 'run:root.a', priority: 1 });
  });

  it('begins with the results of the steps that are kept', async () => {
    const ledger = createRunLedger({ database, events: stores.events, clock: systemClock, executorId: 'me' });
    await admit({ id: 'original' });
    const claimed = await ledger.claim(runKey(DEFAULT_TENANT, 'original'), false);
    if (claimed === undefined) throw new Error('it was free');
    for (const name of ['one', 'two', 'three']) {
      const outcome = { value: { of: name } };
      await ledger.storeStep(claimed.hold, {
        name,
        outcome,
        effect: 'read',
        startedAt: claimed.run.createdAt,
        events: [],
      });
    }
    const forkOf = { runId: 'original', step: 'three' };
    const fork = await admit({ id: 'fork', forkOf, keepSteps: ['one', 'two'] });
    expect(fork.forkOf).toEqual(forkOf);
    expect(await stores.runs.steps(fork)).toMatchObject([
      { name: 'one', ordinal: 1, effect: 'read', outcome: { value: { of: 'one' } } },
      { name: 'two', ordinal: 2, effect: 'read', outcome: { value: { of: 'two' } } },
    ]);
    const begun = await ledger.claim(runKey(DEFAULT_TENANT, 'fork'), false);
    expect([...(begun?.steps.keys() ?? [])]).toEqual(['one', 'two']);
  });
});

describe('what is kept no longer', () => {
  it('goes by families that have ended, with everything that belongs to them', async () => {
    const fresh = await openTestDatabase();
    const here = createTestRuns(fresh);
    const end = async (id: string) => {
      await here.runs.move(runKey(DEFAULT_TENANT, id), 'running', {});
      await here.runs.move(runKey(DEFAULT_TENANT, id), 'completed', {
        event: { type: 'run.completed', data: { result: {} } },
        result: {},
      });
    };
    for (const [id, parentId] of [['old'], ['old.child', 'old'], ['half'], ['half.child', 'half'], ['open']] as const) {
      await here.runs.admit(testAdmission({ id, parentId }));
    }
    for (const id of ['old', 'old.child', 'half.child']) await end(id);
    await here.events.append(runKey(DEFAULT_TENANT, 'open'), 'big', {
      type: 'turn.delta',
      data: { turn: 't', agent_id: 'a', offset: 0, text: 'x'.repeat(300_000) },
    });
    expect(await here.runs.prune(new Date(Date.now() - 60_000).toISOString())).toBe(0);
    expect(await here.runs.prune(new Date(Date.now() + 60_000).toISOString())).toBe(2);
    expect(ids((await here.runs.list({ tenantId: 'default', userId: '' }, { limit: 10 })).items)).toEqual([
      'open',
      'half.child',
      'half',
    ]);
    expect(await here.events.read(runKey(DEFAULT_TENANT, 'old'), 0)).toEqual([]);
    await fresh.close();
  });
});
