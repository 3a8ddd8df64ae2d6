/** What waits: runs that are put away and taken up again, by signals, by time, by the end of other runs. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AosError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { RunProgram, RunScope } from '../../src/engine/engine.ts';
import type { RunEvent } from '../../src/runs/event.ts';
import { verifyEvents } from '../../src/runs/event-chain.ts';
import { DEFAULT_TENANT, keyOfRun, runKey } from '../../src/runs/run.ts';
import { createTestDatabase } from '../support/database.ts';
import { startTestEngine, type TestEngine } from '../support/engine.ts';
import { ManualClock } from '../support/manual-clock.ts';

let url: string;
let here: TestEngine;
/** What runs do in the test at hand. */
let program: RunProgram;
const others: AsyncDisposable[] = [];

beforeAll(async () => {
  url = await createTestDatabase();
  here = await startTestEngine(url, (scope) => program(scope));
});

afterEach(async () => {
  for (const other of others.splice(0)) await other[Symbol.asyncDispose]();
});

afterAll(() => here[Symbol.asyncDispose]());

const signal = (name: string, payload: JsonObject = {}, id?: string) => ({
  name,
  payload,
  actor: 'user:ada',
  ...(id === undefined ? {} : { id }),
});
const typesOf = (events: readonly RunEvent[]) => events.map(({ type }) => type);

/** Counts how often the program is executed from its start. */
function counted(work: (scope: RunScope) => Promise<JsonObject>): { program: RunProgram; times: () => number } {
  let times = 0;
  return {
    times: () => times,
    program: (scope) => {
      times += 1;
      return work(scope);
    },
  };
}

describe('a run that waits for a signal', () => {
  it('is put away, goes on with the signal, and repeats no step', async () => {
    const bodies: string[] = [];
    const count = counted(async (scope) => {
      const first = await scope.step('first', async () => {
        bodies.push('first');
        return 1;
      });
      const answer = await scope.wait({ name: 'answer', reason: 'input', detail: { question: 'how many?' } });
      const second = await scope.step('second', async () => {
        bodies.push('second');
        return Number(answer?.payload['n']);
      });
      return { sum: first + second, by: answer?.actor ?? '' };
    });
    program = count.program;
    const run = await here.begin();
    await here.waits(run.id);
    expect(await here.runs.load(keyOfRun(run))).toMatchObject({ status: 'waiting', waitingFor: 'input', wakeAt: null });
    expect(here.engine.backlog()).toMatchObject({ executing: 0 });
    expect(await here.engine.signal(keyOfRun(run), signal('answer', { n: 41 }))).toBe(true);
    const events = await here.watch(run.id);
    expect(events.at(-1)?.data).toEqual({ result: { sum: 42, by: 'user:ada' } });
    expect(typesOf(events)).toEqual(['run.queued', 'run.waiting', 'run.resumed', 'run.completed']);
    expect(events[1]?.data).toEqual({
      reason: 'input',
      waits: [{ name: 'answer', reason: 'input', detail: { question: 'how many?' } }],
    });
    expect(verifyEvents(events)).toBeUndefined();
    expect(bodies).toEqual(['first', 'second']);
    expect(count.times()).toBe(2);
    expect(await here.engine.signal(keyOfRun(run), signal('answer'))).toBe(false);
  });

  it('does not wait for a signal that is there already', async () => {
    const begun = Promise.withResolvers<void>();
    const goOn = Promise.withResolvers<void>();
    program = async (scope) => {
      await scope.step('busy', async () => {
        begun.resolve();
        await goOn.promise;
        return null;
      });
      return { got: (await scope.wait({ name: 'early', reason: 'input' }))?.payload ?? null };
    };
    const run = await here.begin();
    await begun.promise;
    await here.engine.signal(keyOfRun(run), signal('early', { n: 1 }));
    goOn.resolve();
    expect(typesOf(await here.watch(run.id))).toEqual(['run.queued', 'run.completed']);
    expect((await here.runs.load(keyOfRun(run)))?.result).toEqual({ got: { n: 1 } });
  });

  it('takes a signal of one id once', async () => {
    program = async (scope) => {
      const first = await scope.wait({ name: 'one', signal: 'word', reason: 'input' });
      const second = await scope.wait({ name: 'two', signal: 'word', reason: 'input' });
      return { words: [first?.payload['word'] ?? null, second?.payload['word'] ?? null] };
    };
    const run = await here.begin();
    await here.waits(run.id);
    await here.engine.signal(keyOfRun(run), signal('word', { word: 'a' }, 'id-1'));
    await here.engine.signal(keyOfRun(run), signal('word', { word: 'again' }, 'id-1'));
    await here.waits(run.id);
    await here.engine.signal(keyOfRun(run), signal('word', { word: 'b' }, 'id-2'));
    expect((await here.ended(run.id)).result).toEqual({ words: ['a', 'b'] });
  });

  it('hears a signal while another branch is busy, without being put away', async () => {
    const goOn = Promise.withResolvers<void>();
    const heard = Promise.withResolvers<void>();
    program = async (scope) => {
      const [answer] = await Promise.all([
        scope.wait({ name: 'answer', reason: 'approval' }).then((given) => {
          heard.resolve();
          return given?.payload ?? null;
        }),
        scope.step('busy', async () => {
          await goOn.promise;
          return null;
        }),
      ]);
      return { answer };
    };
    const run = await here.begin();
    await expect.poll(async () => (await here.runs.load(keyOfRun(run)))?.status).toBe('running');
    const elsewhere = await startTestEngine(url, program);
    others.push(elsewhere);
    // From another process, so that the word has to travel.
    await elsewhere.engine.signal(keyOfRun(run), signal('answer', { yes: true }));
    await heard.promise;
    goOn.resolve();
    const events = await here.watch(run.id);
    expect(typesOf(events)).toEqual(['run.queued', 'run.completed']);
    expect(events.at(-1)?.data).toEqual({ result: { answer: { yes: true } } });
  });

  it('may wait for several at once, in any order, and each is there for good', async () => {
    program = async (scope) => {
      const names = ['a', 'b', 'c'];
      const answers = await Promise.all(names.map((name) => scope.wait({ name, reason: 'approval' })));
      return { answers: answers.map((answer) => answer?.payload['n'] ?? null) };
    };
    const run = await here.begin();
    for (const [index, name] of ['c', 'a', 'b'].entries()) {
      await here.waits(run.id);
      await here.engine.signal(keyOfRun(run), signal(name, { n: index }));
    }
    expect((await here.ended(run.id)).result).toEqual({ answers: [1, 2, 0] });
  });

  it('is woken by a signal that is part of a transaction, when that is committed', async () => {
    program = async (scope) => ({ got: (await scope.wait({ name: 'answer', reason: 'approval' }))?.payload ?? null });
    const run = await here.begin();
    await here.waits(run.id);
    await here.database.db
      .transaction()
      .execute(async (trx) => {
        await here.engine.signal(keyOfRun(run), signal('answer', { n: 'never' }), trx);
        throw new Error('changed my mind');
      })
      .catch(() => {});
    await here.database.db
      .transaction()
      .execute((trx) => here.engine.signal(keyOfRun(run), signal('answer', { n: 2 }), trx));
    expect((await here.ended(run.id)).result).toEqual({ got: { n: 2 } });
  });

  it('polls what came meanwhile, each signal once', async () => {
    program = async (scope) => {
      await scope.wait({ name: 'go', reason: 'input' });
      const first = await scope.poll('look-1', 'note');
      const second = await scope.poll('look-2', 'note');
      return { first: first.map(({ payload }) => payload['n'] ?? null), second: second.length };
    };
    const run = await here.begin();
    await here.waits(run.id);
    for (const n of [1, 2, 3]) await here.engine.signal(keyOfRun(run), signal('note', { n }));
    expect(await here.runs.load(keyOfRun(run))).toMatchObject({ status: 'waiting' });
    await here.engine.signal(keyOfRun(run), signal('go'));
    expect((await here.ended(run.id)).result).toEqual({ first: [1, 2, 3], second: 0 });
  });

  it('ends at once when it is cancelled, without being executed again', async () => {
    const count = counted(async (scope) => ({ got: (await scope.wait({ name: 'answer', reason: 'input' })) ?? null }));
    program = count.program;
    const run = await here.begin();
    await here.waits(run.id);
    expect(await here.engine.cancel(run.id, 'never mind', run.caller)).toMatchObject({ status: 'cancelled' });
    expect(typesOf(await here.watch(run.id))).toEqual([
      'run.queued',
      'run.waiting',
      'run.cancel_requested',
      'run.cancelled',
    ]);
    expect(count.times()).toBe(1);
  });
});

describe('a run that waits for a time', () => {
  it('sleeps in no memory and goes on at its time, in its own or the other process', async () => {
    const clock = new ManualClock();
    const ownUrl = await createTestDatabase();
    const at = new Date(clock.now() + 3_600_000).toISOString();
    const work: RunProgram = async (scope) => {
      await scope.sleepUntil('nap', at);
      return { woke: new Date(clock.now()).toISOString() };
    };
    const first = await startTestEngine(ownUrl, work, { clock });
    const run = await first.begin();
    await first.waits(run.id);
    expect(await first.runs.load(keyOfRun(run))).toMatchObject({ waitingFor: 'timer', wakeAt: at });
    await first[Symbol.asyncDispose]();
    const second = await startTestEngine(ownUrl, work, { clock });
    others.push(second);
    await clock.advance(3_599_000);
    expect(await second.runs.load(keyOfRun(run))).toMatchObject({ status: 'waiting' });
    await clock.advance(1_000);
    expect((await second.ended(run.id)).result).toEqual({ woke: at });
  });

  it('gets nothing when the time of a wait passes first, also while another branch is busy', async () => {
    const clock = new ManualClock();
    const until = new Date(clock.now() + 60_000).toISOString();
    const goOn = Promise.withResolvers<void>();
    const other = await startTestEngine(
      await createTestDatabase(),
      async (scope) => {
        const [answer] = await Promise.all([
          scope.wait({ name: 'answer', reason: 'approval', until }).finally(goOn.resolve),
          scope.step('busy', async () => {
            await goOn.promise;
            return null;
          }),
        ]);
        return { timed_out: answer === undefined };
      },
      { clock },
    );
    others.push(other);
    const run = await other.begin();
    await expect.poll(() => clock.armed).toBeGreaterThan(1);
    await expect
      .poll(async () => {
        await clock.advance(10_000);
        return (await other.runs.load(keyOfRun(run)))?.result;
      })
      .toEqual({ timed_out: true });
  });

  it('ends as timed out when its deadline passes while it waits', async () => {
    const clock = new ManualClock();
    const count = counted(async (scope) => {
      await scope.wait({ name: 'never', reason: 'approval' });
      return {};
    });
    const other = await startTestEngine(await createTestDatabase(), count.program, { clock });
    others.push(other);
    const deadlineAt = new Date(clock.now() + 90_000).toISOString();
    const run = await other.begin({ deadlineAt });
    await other.waits(run.id);
    expect(await other.runs.load(keyOfRun(run))).toMatchObject({ wakeAt: deadlineAt });
    await clock.advance(89_000);
    expect(await other.runs.load(keyOfRun(run))).toMatchObject({ status: 'waiting' });
    await clock.advance(2_000);
    expect((await other.ended(run.id)).error).toMatchObject({ code: 'timed_out' });
    expect(count.times()).toBe(1);
  });
});

describe('a run that starts others', () => {
  const family: RunProgram = async (scope) => {
    if (scope.run.depth === 2) return { leaf: scope.run.request['n'] ?? null };
    if (scope.run.request['fails'] === true) throw new AosError('model_failed', 'No.', { retry: 'never' });
    const works = (scope.run.request['children'] ?? []) as JsonObject[];
    const ended = await Promise.all(works.map((request, n) => scope.child(`part ${n}`, { request })));
    return { parts: ended.map(({ id, status, result }) => ({ id, status, result })) };
  };

  it('gets them back ended, whatever became of them', async () => {
    program = family;
    const run = await here.begin({ request: { children: [{ children: [{ n: 1 }] }, { fails: true }] } });
    const { result } = await here.ended(run.id);
    expect(result).toEqual({
      parts: [
        {
          id: `${run.id}.part-0`,
          status: 'completed',
          result: { parts: [{ id: `${run.id}.part-0.part-0`, status: 'completed', result: { leaf: 1 } }] },
        },
        { id: `${run.id}.part-1`, status: 'failed', result: null },
      ],
    });
    const leaf = await here.runs.load(runKey(DEFAULT_TENANT, `${run.id}.part-0.part-0`));
    expect(leaf).toMatchObject({
      parentId: `${run.id}.part-0`,
      rootId: run.id,
      depth: 2,
      actor: `run:${run.id}.part-0`,
    });
  });

  it('needs no more than one place for all of them', async () => {
    await using narrow = await startTestEngine(await createTestDatabase(), family, { maxRuns: 1 });
    const run = await narrow.begin({ request: { children: [{ children: [{ n: 1 }] }, { children: [] }] } });
    expect(await narrow.ended(run.id)).toMatchObject({ status: 'completed' });
  });

  it('takes them with it when it is cancelled', async () => {
    program = async (scope) => {
      if (scope.run.depth === 0) return { child: (await scope.child('c', { request: {} })).status };
      await scope.wait({ name: 'never', reason: 'input' });
      return {};
    };
    const run = await here.begin();
    await expect
      .poll(async () => (await here.runs.load(runKey(DEFAULT_TENANT, `${run.id}.c`)))?.status)
      .toBe('waiting');
    await here.engine.cancel(run.id, 'stop it all', run.caller);
    expect(await here.ended(`${run.id}.c`)).toMatchObject({ status: 'cancelled', cancelReason: 'stop it all' });
    expect(await here.ended(run.id)).toMatchObject({ status: 'cancelled' });
  });
});

describe('a program without end', () => {
  it('goes on from its last checkpoint and forgets the steps before it', async () => {
    const bodies: number[] = [];
    program = async (scope) => {
      let cycle = Number(scope.checkpointed?.['cycle'] ?? 0);
      for (; cycle < 4; ) {
        const n = cycle;
        await scope.step('work', async () => {
          bodies.push(n);
          return n;
        });
        cycle += 1;
        await scope.checkpoint({ cycle });
        if (cycle === 2) await scope.wait({ name: 'pause', reason: 'input' });
      }
      return { cycles: cycle };
    };
    const run = await here.begin();
    await here.waits(run.id);
    expect(await here.runs.steps(run)).toEqual([]);
    await here.engine.signal(keyOfRun(run), signal('pause'));
    expect((await here.ended(run.id)).result).toEqual({ cycles: 4 });
    expect(bodies).toEqual([0, 1, 2, 3]);
  });
});
