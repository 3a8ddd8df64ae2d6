import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { NewRunEvent, RunEvent } from '../../src/runs/event.ts';
import { DEFAULT_TENANT, runKey } from '../../src/runs/run.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

let database: Database;
let here: TestRuns;

beforeAll(async () => {
  database = await openTestDatabase();
  here = createTestRuns(database);
});

afterAll(() => database.close());

/** A run with its `run.queued` event (number 1). */
async function newRun(): Promise<string> {
  const { run } = await here.runs.admit(testAdmission());
  return run.id;
}

const delta = (offset: number): NewRunEvent => ({
  type: 'turn.delta',
  data: { turn: 'chat/1', agent_id: 'ceo', offset, text: `text ${offset}` },
});

const finish = async (id: string) => {
  await here.runs.move(runKey(DEFAULT_TENANT, id), 'running', { event: { type: 'run.started', data: { plan: {} } } });
  await here.runs.move(runKey(DEFAULT_TENANT, id), 'completed', {
    event: { type: 'run.completed', data: { result: {} } },
    result: {},
  });
};

async function collect(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const numbers = (events: readonly RunEvent[]) => events.map(({ seq }) => seq);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

describe('appending', () => {
  it('numbers events 1, 2, 3 and gives back what was written', async () => {
    const id = await newRun();
    expect(await here.events.append(runKey(DEFAULT_TENANT, id), 'a', delta(0))).toEqual({ seq: 2, appended: true });
    expect(await here.events.append(runKey(DEFAULT_TENANT, id), 'b', delta(7))).toEqual({ seq: 3, appended: true });
    const [queued, first, second] = await here.events.read(runKey(DEFAULT_TENANT, id), 0);
    expect(queued).toMatchObject({
      seq: 1,
      type: 'run.queued',
      data: { kind: 'orchestration', agent_ids: ['ceo', 'cfo'] },
    });
    expect(first).toMatchObject({ runId: id, seq: 2, ...delta(0) });
    expect(second).toMatchObject({ runId: id, seq: 3, ...delta(7) });
    expect(first?.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('writes a key once and answers the number it got', async () => {
    const id = await newRun();
    await here.events.append(runKey(DEFAULT_TENANT, id), 'a', delta(0));
    expect(await here.events.append(runKey(DEFAULT_TENANT, id), 'a', delta(99))).toEqual({ seq: 2, appended: false });
    expect(await here.events.read(runKey(DEFAULT_TENANT, id), 1)).toMatchObject([delta(0)]);
  });

  it('keeps text exactly, with U+0000, lone surrogates and the order of members', async () => {
    const id = await newRun();
    const event: NewRunEvent = {
      type: 'turn.delta',
      data: { turn: 'z', agent_id: 'a', offset: 0, text: 'nul \u0000 half \ud800 emoji 🙂 "quoted"\n' },
    };
    await here.events.append(runKey(DEFAULT_TENANT, id), 'a', event);
    const [read] = await here.events.read(runKey(DEFAULT_TENANT, id), 1);
    expect(JSON.stringify(read?.data)).toBe(JSON.stringify(event.data));
  });

  it('leaves no gap and no repeat when many append the same keys at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 40 }), async (keys) => {
        const id = await newRun();
        await Promise.all(keys.map((key) => here.events.append(runKey(DEFAULT_TENANT, id), `key-${key}`, delta(key))));
        const events = await here.events.read(runKey(DEFAULT_TENANT, id), 0);
        expect(numbers(events)).toEqual(upTo(1 + new Set(keys).size));
        expect((await here.runs.load(runKey(DEFAULT_TENANT, id)))?.lastEvent).toBe(events.length);
      }),
      { numRuns: 15 },
    );
  });

  it('takes nothing after the end', async () => {
    const id = await newRun();
    await finish(id);
    expect(await here.events.append(runKey(DEFAULT_TENANT, id), 'late', delta(0))).toEqual({
      seq: null,
      appended: false,
    });
    expect((await here.events.read(runKey(DEFAULT_TENANT, id), 0)).map(({ type }) => type)).toEqual([
      'run.queued',
      'run.started',
      'run.completed',
    ]);
  });

  it('leaves nothing behind when its transaction is rolled back', async () => {
    const id = await newRun();
    const broken = database.db.transaction().execute(async (trx) => {
      await here.events.appendWithin(trx, runKey(DEFAULT_TENANT, id), 'a', delta(0));
      throw new Error('changed my mind');
    });
    await expect(broken).rejects.toThrow('changed my mind');
    expect(await here.events.append(runKey(DEFAULT_TENANT, id), 'b', delta(1))).toEqual({ seq: 2, appended: true });
  });

  it('refuses a run that does not exist', async () => {
    await expect(here.events.append(runKey(DEFAULT_TENANT, 'nobody'), 'a', delta(0))).rejects.toThrow(
      'run nobody, which does not exist',
    );
  });
});

describe('following', () => {
  it('replays, follows and ends with the last event, without gap or repeat', async () => {
    const id = await newRun();
    await here.events.append(runKey(DEFAULT_TENANT, id), 'before', delta(0));
    const followed = collect(here.events.follow(runKey(DEFAULT_TENANT, id), 0));
    for (let offset = 1; offset <= 50; offset++)
      await here.events.append(runKey(DEFAULT_TENANT, id), `delta-${offset}`, delta(offset));
    await finish(id);
    const events = await followed;
    expect(numbers(events)).toEqual(upTo(54));
    expect(events.at(-1)?.type).toBe('run.completed');
  });

  it('starts after the number it is given', async () => {
    const id = await newRun();
    await finish(id);
    expect(numbers(await collect(here.events.follow(runKey(DEFAULT_TENANT, id), 1)))).toEqual([2, 3]);
    expect(await collect(here.events.follow(runKey(DEFAULT_TENANT, id), 3))).toEqual([]);
    expect(await collect(here.events.follow(runKey(DEFAULT_TENANT, id), 999))).toEqual([]);
  });

  it('pages through a long log', async () => {
    const id = await newRun();
    for (let batch = 0; batch < 1200; batch += 100) {
      await Promise.all(
        upTo(100).map((n) => here.events.append(runKey(DEFAULT_TENANT, id), `k${batch + n}`, delta(batch + n))),
      );
    }
    await finish(id);
    expect(numbers(await collect(here.events.follow(runKey(DEFAULT_TENANT, id), 0)))).toEqual(upTo(1203));
  });

  it('has nothing to say about a run that does not exist', async () => {
    expect(await collect(here.events.follow(runKey(DEFAULT_TENANT, 'nobody'), 0))).toEqual([]);
  });

  it('is woken by what another process writes', async () => {
    const elsewhereDatabase = await openDatabase({ url: database.url, clock: systemClock, log: silentLog });
    const elsewhere = createTestRuns(elsewhereDatabase);
    const id = await newRun();
    // One event is written only after the one before has arrived, so the safety poll would take far too long.
    let seen = 0;
    for await (const event of here.events.follow(runKey(DEFAULT_TENANT, id), 0)) {
      seen = event.seq;
      if (event.seq < 20)
        await elsewhere.events.append(runKey(DEFAULT_TENANT, id), `delta-${event.seq}`, delta(event.seq));
      else break;
    }
    expect(seen).toBe(20);
    await elsewhereDatabase.close();
  });

  it('serves many followers of one run, each from its own place', async () => {
    const id = await newRun();
    for (let offset = 0; offset < 10; offset++)
      await here.events.append(runKey(DEFAULT_TENANT, id), `early-${offset}`, delta(offset));
    const followers = upTo(11).map((after) => collect(here.events.follow(runKey(DEFAULT_TENANT, id), after)));
    for (let offset = 0; offset < 10; offset++)
      await here.events.append(runKey(DEFAULT_TENANT, id), `late-${offset}`, delta(offset));
    await finish(id);
    const all = await Promise.all(followers);
    for (const [index, events] of all.entries()) expect(numbers(events)).toEqual(upTo(23).slice(index + 1));
  });

  it('stops when its signal fires, also while it waits', async () => {
    const id = await newRun();
    const abort = new AbortController();
    const events: RunEvent[] = [];
    for await (const event of here.events.follow(runKey(DEFAULT_TENANT, id), 0, abort.signal)) {
      events.push(event);
      systemClock.after(1, () => abort.abort());
    }
    expect(numbers(events)).toEqual([1]);
  });

  it('holds no connection while it waits', async () => {
    const id = await newRun();
    const abort = new AbortController();
    const waiting = upTo(50).map(() => collect(here.events.follow(runKey(DEFAULT_TENANT, id), 1, abort.signal)));
    await expect.poll(() => database.pool.totalCount === database.pool.idleCount).toBe(true);
    await here.events.append(runKey(DEFAULT_TENANT, id), 'a', delta(0));
    await finish(id);
    for (const events of await Promise.all(waiting)) expect(numbers(events)).toEqual([2, 3, 4]);
  });

  it('finds what it missed when the listening connection broke', async () => {
    const id = await newRun();
    const events: number[] = [];
    const followed = (async () => {
      for await (const event of here.events.follow(runKey(DEFAULT_TENANT, id), 0)) events.push(event.seq);
    })();
    await expect.poll(() => events).toEqual([1]);
    await database.pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %' and datname = current_database()`,
    );
    await here.events.append(runKey(DEFAULT_TENANT, id), 'a', delta(0));
    await finish(id);
    await followed;
    expect(events).toEqual([1, 2, 3, 4]);
  });
});
