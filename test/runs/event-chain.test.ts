import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { RunEvent } from '../../src/runs/event.ts';
import { CHAIN_START, digestOf, linkHash, verifyEvents } from '../../src/runs/event-chain.ts';
import { DEFAULT_TENANT, keyOfRun, runKey } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

let database: Database;
let here: TestRuns;
/** A log as the database wrote it, and its run. */
let log: readonly RunEvent[];
let newest: { lastEvent: number; lastHash: string };

beforeAll(async () => {
  database = await openTestDatabase();
  here = createTestRuns(database);
  const { run } = await here.runs.admit(testAdmission());
  for (let offset = 0; offset < 6; offset++) {
    await here.events.append(keyOfRun(run), `delta:${offset}`, {
      type: 'turn.delta',
      data: { turn: 'chat/1', agent_id: 'ceo', offset, text: `nul \u0000, half \ud800 and 🙂 ${offset}` },
    });
  }
  await here.runs.move(keyOfRun(run), 'running', {});
  await here.runs.move(keyOfRun(run), 'completed', { event: { type: 'run.completed', data: { result: { n: 1e21 } } } });
  log = await here.events.read(keyOfRun(run), 0);
  const after = await here.runs.load(keyOfRun(run));
  newest = { lastEvent: after?.lastEvent ?? 0, lastHash: after?.lastHash ?? '' };
});

afterAll(() => database.close());

describe('the log of a run', () => {
  it('is a chain from its first event to the newest, and says who did what', () => {
    expect(log).toHaveLength(8);
    expect(log[0]?.prevHash).toBe(CHAIN_START);
    expect(log.map(({ actor }) => actor)).toEqual(['user:', ...Array(6).fill('agent:ceo'), 'system']);
    expect(verifyEvents(log, newest)).toBeUndefined();
    expect(verifyEvents([])).toBeUndefined();
  });

  it('breaks where an event was changed, whatever was changed of it', () => {
    const changes: ((event: RunEvent) => Partial<RunEvent>)[] = [
      () => ({ at: '2020-01-01T00:00:00.000Z' }),
      () => ({ actor: 'user:somebody-else' }),
      () => ({ key: 'other' }),
      () => ({ traceId: 'f'.repeat(32) }),
      () => ({ runId: 'other' }),
      ({ data }) => ({ data: { ...data, text: 'something else' } as never }),
      ({ type }) => ({ type: type === 'run.progress' ? 'run.failed' : ('run.progress' as never) }),
    ];
    for (const change of changes) {
      for (const index of log.keys()) {
        const forged = log.map((event, at) => (at === index ? ({ ...event, ...change(event) } as RunEvent) : event));
        expect(verifyEvents(forged)).toEqual({ seq: index + 1, problem: 'changed' });
      }
    }
  });

  it('breaks where a changed event was given a hash of its own', () => {
    for (const index of log.keys()) {
      const forged = [...log];
      const event = { ...log[index], actor: 'user:forger' } as RunEvent;
      const hash = linkHash(event.prevHash, event.seq, digestOf({ ...event, data: event.data as JsonObject }));
      forged[index] = { ...event, hash };
      const isLast = index === log.length - 1;
      expect(verifyEvents(forged, newest)).toEqual(
        isLast ? { seq: index + 2, problem: 'missing' } : { seq: index + 2, problem: 'unlinked' },
      );
    }
  });

  it('breaks when events are left out, swapped or put in', () => {
    const places = fc.nat({ max: 7 });
    const renumber = (events: readonly RunEvent[]) => events.map((event, index) => ({ ...event, seq: index + 1 }));
    fc.assert(
      fc.property(places, places, fc.boolean(), (one, other, renumbered) => {
        const polish = renumbered ? renumber : (events: readonly RunEvent[]) => events;
        const cut = log.filter((_, index) => index !== one);
        expect(verifyEvents(polish(cut), newest)).toBeDefined();
        const doubled = log.toSpliced(one, 0, log[other] as RunEvent);
        expect(verifyEvents(polish(doubled), newest)).toBeDefined();
        if (one === other) return;
        const swapped = log.with(one, log[other] as RunEvent).with(other, log[one] as RunEvent);
        expect(verifyEvents(polish(swapped), newest)).toBeDefined();
      }),
    );
  });

  it('notices a missing end only when it is told how far the log goes', () => {
    expect(verifyEvents(log.slice(0, 5))).toBeUndefined();
    expect(verifyEvents(log.slice(0, 5), newest)).toEqual({ seq: 6, problem: 'missing' });
  });
});

describe('data that is too large for an event', () => {
  it('is put beside the log, named by its hash, and the chain covers it', async () => {
    const { run } = await here.runs.admit(testAdmission());
    const text = 'é'.repeat(200_000);
    await here.events.append(keyOfRun(run), 'big', {
      type: 'turn.delta',
      data: { turn: 'chat/1', agent_id: 'ceo', offset: 0, text },
    });
    const events = await here.events.read(keyOfRun(run), 0);
    const { text: reference } = (events[1]?.data ?? {}) as { text?: { $payload: { sha256: string } } };
    expect(reference).toEqual({ $payload: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), bytes: 400_002 } });
    expect(await here.events.payload(keyOfRun(run), reference?.$payload.sha256 ?? '')).toBe(text);
    expect(
      await here.events.payload(runKey(DEFAULT_TENANT, 'another-run'), reference?.$payload.sha256 ?? ''),
    ).toBeUndefined();
    expect(verifyEvents(events)).toBeUndefined();
  });
});
