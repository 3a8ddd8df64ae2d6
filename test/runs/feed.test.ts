import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createFeed, type Feed, type FeedItem } from '../../src/runs/feed.ts';
import { type Caller, keyOfRun } from '../../src/runs/run.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

let database: Database;
let here: TestRuns;
let feed: Feed;

beforeAll(async () => {
  database = await openTestDatabase();
  here = createTestRuns(database);
  feed = createFeed({ database, clock: systemClock });
});

afterAll(() => database.close());

const operator = (tenantId: string): Caller => ({ tenantId, userId: '' });

async function all(caller: Caller, after = ''): Promise<readonly FeedItem[]> {
  return feed.read(caller, after, 1000);
}

/** What is there once `count` are: older transactions anywhere on the server hold newer facts back. */
function visible(count: number, caller: Caller): Promise<readonly FeedItem[]> {
  return vi.waitFor(
    async () => {
      const items = await all(caller);
      expect(items.length).toBeGreaterThanOrEqual(count);
      return items;
    },
    { timeout: 20_000 },
  );
}

const words = (items: readonly FeedItem[]) => items.map(({ type, subject }) => `${type} ${subject}`);

describe('the feed of a tenant', () => {
  it('has the events of its runs and the facts that belong to no run, in one order', async () => {
    const tenantId = 'mixed';
    await feed.write(database.db, { tenantId, type: 'task.queued', subject: 'task-1', data: { priority: 3 } });
    const { run } = await here.runs.admit(testAdmission({ id: 'mixed-1', caller: operator(tenantId) }));
    await here.events.append(keyOfRun(run), 'delta', {
      type: 'turn.delta',
      data: { turn: 'chat/1', agent_id: 'ceo', offset: 0, text: 'on its way' },
    });
    await feed.write(database.db, { tenantId, type: 'task.completed', subject: 'task-1', data: {} });
    const items = await visible(3, operator(tenantId));
    expect(words(items)).toEqual(['task.queued task-1', 'run.queued mixed-1', 'task.completed task-1']);
    expect(items[0]).toMatchObject({ data: { priority: 3 }, at: expect.stringMatching(/Z$/) });
    expect(items[1]).toMatchObject({ seq: 1, data: { kind: 'orchestration' } });
    expect(words(await all(operator(tenantId), items[0]?.position))).toEqual(words(items.slice(1)));
    expect(await all(operator(tenantId), items[2]?.position)).toEqual([]);
  });

  it('shows a user what is theirs and what concerns everybody, and nothing to another tenant', async () => {
    const tenantId = 'private';
    await here.runs.admit(testAdmission({ id: 'private-ann', caller: { tenantId, userId: 'ann' } }));
    await here.runs.admit(testAdmission({ id: 'private-bob', caller: { tenantId, userId: 'bob' } }));
    await feed.write(database.db, { tenantId, userId: 'bob', type: 'task.queued', subject: 't-bob', data: {} });
    await feed.write(database.db, { tenantId, type: 'pool.scaled', subject: 'pool', data: {} });
    expect(await visible(4, operator(tenantId))).toHaveLength(4);
    expect(words(await all({ tenantId, userId: 'ann' }))).toEqual(['run.queued private-ann', 'pool.scaled pool']);
    expect(await all(operator('elsewhere'))).toEqual([]);
  });

  it('never skips what a slow transaction writes, though quicker ones are committed before it', async () => {
    const tenantId = 'slow';
    const written = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    const slow = database.db.transaction().execute(async (trx) => {
      await feed.write(trx, { tenantId, type: 'task.queued', subject: 'slow', data: {} });
      written.resolve();
      await goOn.promise;
    });
    await written.promise;
    await feed.write(database.db, { tenantId, type: 'task.queued', subject: 'quick', data: {} });
    const early = await all(operator(tenantId));
    expect(early).toEqual([]);
    goOn.resolve();
    await slow;
    expect(words(await visible(2, operator(tenantId)))).toEqual(['task.queued slow', 'task.queued quick']);
  });

  it('refuses a position that is none', async () => {
    await expect(all(operator('x'), 'yesterday')).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('following the feed', () => {
  it('gives what is there and then what comes, also from another process, each once', async () => {
    const caller = operator('followed');
    const other = await openDatabase({ url: database.url, clock: systemClock, log: silentLog });
    const elsewhere = createFeed({ database: other, clock: systemClock });
    const abort = new AbortController();
    const fact = (n: number) => ({ tenantId: 'followed', type: 'task.queued', subject: `t${n}`, data: {} });
    await feed.write(database.db, fact(1));
    const seen: string[] = [];
    // One is written only after the one before has arrived.
    for await (const item of feed.follow(caller, '', abort.signal)) {
      seen.push(item.subject);
      if (seen.length === 6) abort.abort();
      else if (seen.length % 2 === 0) await feed.write(database.db, fact(seen.length + 1));
      else await elsewhere.write(other.db, fact(seen.length + 1));
    }
    expect(seen).toEqual(['t1', 't2', 't3', 't4', 't5', 't6']);
    await other.close();
  });

  it('begins with what is new when asked to', async () => {
    const caller = operator('newest');
    await feed.write(database.db, { tenantId: 'newest', type: 'job.fired', subject: 'old', data: {} });
    const position = await feed.newest();
    await feed.write(database.db, { tenantId: 'newest', type: 'job.fired', subject: 'new', data: {} });
    await expect.poll(async () => words(await all(caller, position))).toEqual(['job.fired new']);
  });
});
