import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { AosError } from '../../src/core/errors.ts';
import type { Engine, RunProgram, RunScope } from '../../src/engine/engine.ts';
import { createEngine } from '../../src/engine/run-engine.ts';
import type { NewRunEvent, RunEvent } from '../../src/runs/event.ts';
import { DEFAULT_TENANT, keyOfRun, type Run, runKey } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { endEngineProcesses, startEngineProcess } from '../support/engine-process.ts';
import { recordingLog } from '../support/log.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

let database: Database;
let here: TestRuns;
let engine: Engine;
/** What runs do in the test at hand. */
let program: RunProgram;
const log = recordingLog();

beforeAll(async () => {
  database = await openTestDatabase();
  here = createTestRuns(database);
  const parts = { database, runs: here.runs, events: here.events, clock: systemClock, log };
  engine = createEngine({ ...parts, program: (scope) => program(scope) });
  await engine.start();
});

afterEach(endEngineProcesses);

afterAll(async () => {
  await engine.stop();
  await database.close();
});

async function begin(change = {}): Promise<Run> {
  const { run } = await here.runs.admit(testAdmission(change));
  await engine.begin(keyOfRun(run));
  return run;
}

async function watch({ id }: Run): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of here.events.follow(runKey(DEFAULT_TENANT, id), 0)) all.push(event);
  return all;
}

const typesOf = (events: readonly RunEvent[]) => events.map(({ type }) => type);
const started: NewRunEvent = { type: 'run.started', data: { plan: {} } };

/** A step that ends only by its signal, and a promise of its having begun. */
function stuckStep(scope: RunScope): { begun: Promise<void>; ended: Promise<unknown>; reason: () => unknown } {
  const begun = Promise.withResolvers<void>();
  let reason: unknown;
  const ended = scope.step('stuck', ({ signal }) => {
    begun.resolve();
    return new Promise<null>((_, reject) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
        reject(signal.reason);
      });
    });
  });
  return { begun: begun.promise, ended, reason: () => reason };
}

describe('a run', () => {
  it('goes from queued to completed, with the result of its program', async () => {
    program = async (scope) => {
      expect(scope.run).toMatchObject({ status: 'running', kind: 'orchestration' });
      await scope.emit('run.started', started);
      const answer = await scope.step('one', async () => 41);
      return { answer: answer + 1 };
    };
    const run = await begin();
    const events = await watch(run);
    expect(typesOf(events)).toEqual(['run.queued', 'run.started', 'run.completed']);
    expect(events.at(-1)?.data).toEqual({ result: { answer: 42 } });
    expect(await here.runs.load(keyOfRun(run))).toMatchObject({
      status: 'completed',
      result: { answer: 42 },
      error: null,
    });
  });

  it('is executed once, however often it is begun', async () => {
    let executions = 0;
    program = async () => {
      executions++;
      return {};
    };
    const { run } = await here.runs.admit(testAdmission());
    await Promise.all(Array.from({ length: 10 }, () => engine.begin(keyOfRun(run))));
    await watch(run);
    await engine.begin(keyOfRun(run));
    expect(executions).toBe(1);
  });

  it('fails with the code and message of an AosError', async () => {
    program = () => Promise.reject(new AosError('invalid_request', 'There is no agent "cxo".'));
    const run = await begin();
    expect((await watch(run)).at(-1)).toMatchObject({
      type: 'run.failed',
      data: { error: { code: 'invalid_request', message: 'There is no agent "cxo".' } },
    });
    expect(await here.runs.load(keyOfRun(run))).toMatchObject({ status: 'failed', error: { code: 'invalid_request' } });
  });

  it('fails without a word about an unexpected error', async () => {
    program = () => Promise.reject(new Error('secret path /etc/shadow'));
    const run = await begin();
    const last = (await watch(run)).at(-1);
    expect(last).toMatchObject({ type: 'run.failed', data: { error: { code: 'internal_error' } } });
    expect(JSON.stringify(last)).not.toContain('shadow');
    expect(log.lines.some(({ fields }) => fields?.['run_id'] === run.id)).toBe(true);
  });

  it('may go on after a step that failed', async () => {
    program = async (scope) => {
      const turns = await Promise.allSettled([
        scope.step('good', async () => 'fine'),
        scope.step('bad', () => Promise.reject(new AosError('model_failed', 'No.', { retry: 'never' }))),
      ]);
      const [, bad] = turns;
      if (bad.status !== 'rejected' || !(bad.reason instanceof AosError)) throw new Error('expected an AosError');
      return { good: turns[0].status, bad: bad.reason.code };
    };
    const run = await begin();
    expect((await watch(run)).at(-1)?.data).toEqual({ result: { good: 'fulfilled', bad: 'model_failed' } });
  });

  it('is given up when it has taken its process down a hundred times', async () => {
    program = () => Promise.reject(new Error('should not be executed again'));
    const { run } = await here.runs.admit(testAdmission());
    await database.db.updateTable('runs').set({ executions: 100 }).where('id', '=', run.id).execute();
    await engine.begin(keyOfRun(run));
    expect((await watch(run)).at(-1)).toMatchObject({
      type: 'run.failed',
      data: { error: { code: 'internal_error', message: 'The run was given up after 100 interrupted executions.' } },
    });
  });

  it('sees what it wrote of a turn, whole, also of a tool within it', async () => {
    const text = 'x'.repeat(300_000);
    program = async (scope) => {
      const seen = async (turn: string) => (await scope.history({ turn })).map(({ key }) => key);
      const before = await seen('chat/1');
      const delta = (key: string, said: string): [string, NewRunEvent] => [
        key,
        { type: 'turn.delta', data: { turn: 'chat/1', agent_id: 'ceo', offset: 0, text: said } },
      ];
      await scope.emit(...delta('chat/1:delta:0:0', text));
      await scope.emit(...delta('chat/1/tool-1/calculator:said', 'two'));
      const [event] = await scope.history({ turn: 'chat/1' });
      const whole = event?.type === 'turn.delta' ? event.data.text.length : 0;
      return { before, turn: await seen('chat/1'), tool: await seen('chat/1/tool-1/calculator'), whole };
    };
    const run = await begin();
    expect((await watch(run)).at(-1)?.data).toEqual({
      result: { before: [], turn: ['chat/1:delta:0:0'], tool: ['chat/1/tool-1/calculator:said'], whole: 300_000 },
    });
  });

  it('sees its own log', async () => {
    program = async (scope) => {
      await scope.emit('run.started', started);
      await scope.emit('run.started', started);
      return scope.step('look', async () => ({ seen: typesOf(await scope.history()) }));
    };
    const run = await begin();
    expect((await watch(run)).at(-1)?.data).toEqual({ result: { seen: ['run.queued', 'run.started'] } });
  });
});

describe('cancelling', () => {
  it('reaches the step that is running', async () => {
    const stuck = Promise.withResolvers<ReturnType<typeof stuckStep>>();
    program = async (scope) => {
      await scope.emit('run.started', started);
      const step = stuckStep(scope);
      stuck.resolve(step);
      await step.ended;
      return {};
    };
    const run = await begin();
    const step = await stuck.promise;
    await step.begun;
    const asked = await engine.cancel(run.id, 'the board changed its mind', { tenantId: 'default', userId: '' });
    expect(asked).toMatchObject({ status: 'running', cancelReason: 'the board changed its mind' });
    const events = await watch(run);
    expect(typesOf(events)).toEqual(['run.queued', 'run.started', 'run.cancel_requested', 'run.cancelled']);
    expect(events.at(-1)?.data).toEqual({ reason: 'the board changed its mind' });
    expect(step.reason()).toMatchObject({ code: 'cancelled', message: 'the board changed its mind' });
  });

  it('reaches a step that runs in another process', async () => {
    // Never started, on a database of its own: nobody here takes the run up, however long the other one needs to begin.
    const apart = await openTestDatabase();
    const { runs, events } = createTestRuns(apart);
    const refuse = () => Promise.reject(new Error('this process should not execute it'));
    const afar = createEngine({ database: apart, runs, events, clock: systemClock, log, program: refuse });
    const { run } = await runs.admit(testAdmission({ request: { steps: ['stuck'] } }));
    const other = startEngineProcess(apart.url, { begin: run.id, stuckIn: 'stuck' });
    await other.said('step stuck');
    await afar.cancel(run.id, 'from afar', { tenantId: 'default', userId: '' });
    const told = await Array.fromAsync(events.follow(keyOfRun(run), 0));
    expect(told.at(-1)).toMatchObject({ type: 'run.cancelled', data: { reason: 'from afar' } });
    await other.said('aborted stuck cancelled');
    await endEngineProcesses();
    await apart.close();
  });

  it('ends a program that catches everything', async () => {
    const begun = Promise.withResolvers<void>();
    program = async (scope) => {
      const step = stuckStep(scope);
      step.begun.then(begun.resolve);
      await step.ended.catch(() => {});
      return { pretends: 'all is well' };
    };
    const run = await begin();
    await begun.promise;
    await engine.cancel(run.id, 'enough', { tenantId: 'default', userId: '' });
    expect((await watch(run)).at(-1)?.type).toBe('run.cancelled');
  });

  it('ends a run that was never begun', async () => {
    program = async (scope) => {
      await scope.step('never', async () => null);
      return {};
    };
    const { run } = await here.runs.admit(testAdmission());
    await engine.cancel(run.id, 'before it began', { tenantId: 'default', userId: '' });
    expect(typesOf(await watch(run))).toEqual(['run.queued', 'run.cancel_requested', 'run.cancelled']);
  });

  it('leaves an ended run as it is', async () => {
    program = async () => ({ done: true });
    const run = await begin();
    await watch(run);
    expect(await engine.cancel(run.id, 'late', { tenantId: 'default', userId: '' })).toMatchObject({
      status: 'completed',
      cancelReason: null,
    });
  });

  it("does not find another caller's run", async () => {
    program = async () => ({});
    const run = await begin({ caller: { tenantId: 'default', userId: 'alice' } });
    expect(await engine.cancel(run.id, 'mine', { tenantId: 'default', userId: 'mallory' })).toBeUndefined();
    expect((await watch(run)).at(-1)?.type).toBe('run.completed');
  });
});

describe('a deadline', () => {
  it('ends the run as timed out', async () => {
    program = async (scope) => {
      await stuckStep(scope).ended;
      return {};
    };
    const deadlineAt = new Date(Date.now() + 200).toISOString();
    const run = await begin({ deadlineAt });
    expect((await watch(run)).at(-1)).toMatchObject({
      type: 'run.timed_out',
      data: { error: { code: 'timed_out', message: `The run did not end before its deadline ${deadlineAt}.` } },
    });
    expect(await here.runs.load(keyOfRun(run))).toMatchObject({ status: 'timed_out', error: { code: 'timed_out' } });
  });

  it('that is far away does not fire early', async () => {
    program = async (scope) => {
      await scope.step('quick', async () => null);
      return {};
    };
    const run = await begin({ deadlineAt: '2199-01-01T00:00:00.000Z' });
    expect((await watch(run)).at(-1)?.type).toBe('run.completed');
  });
});

describe('the database going away for a moment', () => {
  it('does not end a run', async () => {
    program = async (scope) => {
      await scope.emit('run.started', started);
      await scope.step('cut', async () => {
        await database.pool.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid()`,
        );
        return null;
      });
      return { survived: true };
    };
    const run = await begin();
    expect((await watch(run)).at(-1)).toMatchObject({ type: 'run.completed', data: { result: { survived: true } } });
  });
});
