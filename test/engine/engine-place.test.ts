/** Who executes which run, and when: places, priorities, sessions, several engines on one database. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunProgram } from '../../src/engine/engine.ts';
import { DEFAULT_TENANT, keyOfRun, type Run, runKey } from '../../src/runs/run.ts';
import type { RunAdmission } from '../../src/runs/run-store.ts';
import { createTestDatabase } from '../support/database.ts';
import { startTestEngine, type TestEngine, type TestEngineOptions } from '../support/engine.ts';
import { testAdmission } from '../support/runs.ts';

let url: string;
const engines: TestEngine[] = [];

beforeEach(async () => {
  url = await createTestDatabase();
});

afterEach(async () => {
  for (const each of engines.splice(0)) await each[Symbol.asyncDispose]();
});

async function start(program: RunProgram, options: TestEngineOptions = {}): Promise<TestEngine> {
  const engine = await startTestEngine(url, program, options);
  engines.push(engine);
  return engine;
}

/** A program that says when it begins and ends when it is told. */
function gated(): { program: RunProgram; begun: string[]; most: () => number; end(id: string): void; endAll(): void } {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  let open = false;
  let now = 0;
  let most = 0;
  return {
    begun,
    most: () => most,
    end: (id) => ends.get(id)?.(),
    endAll() {
      open = true;
      for (const end of ends.values()) end();
    },
    program: async (scope) => {
      now += 1;
      most = Math.max(most, now);
      begun.push(scope.run.id);
      await scope.step('held', () =>
        open ? Promise.resolve(null) : new Promise<null>((resolve) => ends.set(scope.run.id, () => resolve(null))),
      );
      now -= 1;
      return {};
    },
  };
}

const chat = (id: string, change: Partial<RunAdmission> = {}): Partial<RunAdmission> => ({
  id,
  kind: 'chat',
  request: { message: id },
  ...change,
});

describe('the places of a process', () => {
  it('are never more than allowed, and the rest follows by priority and then in order of admission', async () => {
    const gate = gated();
    const here = await start(gate.program, { maxRuns: 2 });
    const runs: Run[] = [];
    for (const [id, priority] of [
      ['a', 3],
      ['b', 3],
      ['c', 4],
      ['d', 3],
      ['e', 1],
      ['f', 3],
    ] as const) {
      runs.push(await here.begin({ id, priority }));
    }
    await expect.poll(() => gate.begun.toSorted()).toEqual(['a', 'b']);
    expect(here.engine.backlog()).toMatchObject({ executing: 2, queued: 4 });
    expect(here.engine.backlog().oldestWaitMs).toBeGreaterThanOrEqual(0);
    expect(await here.runs.load(runKey(DEFAULT_TENANT, 'f'))).toMatchObject({ status: 'queued' });
    for (const next of ['e', 'd', 'f', 'c']) {
      gate.end(gate.begun[gate.begun.length - 2] ?? '');
      await expect.poll(() => gate.begun.at(-1)).toBe(next);
    }
    gate.endAll();
    for (const { id } of runs) expect(await here.ended(id)).toMatchObject({ status: 'completed' });
    expect(gate.most()).toBe(2);
    expect(here.engine.backlog()).toEqual({ executing: 0, queued: 0, oldestWaitMs: 0 });
  });

  it('bring a hundred runs through two of them', async () => {
    let most = 0;
    let now = 0;
    const here = await start(
      async (scope) => {
        now += 1;
        most = Math.max(most, now);
        await scope.step('one', async () => 1);
        now -= 1;
        return {};
      },
      { maxRuns: 2 },
    );
    const runs = await Promise.all(Array.from({ length: 100 }, () => here.begin()));
    for (const { id } of runs) expect(await here.ended(id)).toMatchObject({ status: 'completed' });
    expect(most).toBe(2);
  });

  it('are not taken by tasks, which only a worker performs', async () => {
    const here = await start(async (scope) => scope.step('work', async () => ({ done: true })), { maxRuns: 1 });
    const task = await here.begin({ kind: 'task' });
    const other = await here.begin();
    await here.ended(other.id);
    expect(await here.runs.load(keyOfRun(task))).toMatchObject({ status: 'queued' });
    expect(await here.engine.perform(keyOfRun(task))).toMatchObject({ status: 'completed', result: { done: true } });
    expect(await here.engine.perform(keyOfRun(task))).toMatchObject({ status: 'completed' });
  });

  it('perform gives a waiting run back, and its workers hear when it is due', async () => {
    const here = await start(async (scope) => ({
      got: (await scope.wait({ name: 'go', reason: 'input' }))?.payload ?? null,
    }));
    const heard: string[] = [];
    await here.database.notifications.listen('aos_tasks', { heard: (id) => heard.push(id), missed() {} });
    const task = await here.begin({ kind: 'task' });
    expect(await here.engine.perform(keyOfRun(task))).toMatchObject({ status: 'waiting' });
    expect(await here.engine.perform(keyOfRun(task))).toMatchObject({ status: 'waiting' });
    await here.engine.signal(keyOfRun(task), { name: 'go', payload: { n: 1 }, actor: 'user:ada' });
    await expect.poll(() => heard).toContain(keyOfRun(task));
    expect(await here.engine.perform(keyOfRun(task))).toMatchObject({ status: 'completed', result: { got: { n: 1 } } });
  });
});

describe('the chat runs of one session', () => {
  it('are executed one at a time, in order, whichever process they were sent to', async () => {
    const gate = gated();
    const [one, two] = [await start(gate.program), await start(gate.program)];
    for (const [index, id] of ['m1', 'm2', 'm3', 'm4'].entries()) await (index % 2 === 0 ? one : two).begin(chat(id));
    await one.begin(chat('elsewhere', { sessionId: 'another' }));
    await expect.poll(() => gate.begun.toSorted()).toEqual(['elsewhere', 'm1']);
    gate.end('elsewhere');
    for (const id of ['m1', 'm2', 'm3', 'm4']) {
      await expect.poll(() => gate.begun.at(-1) === id || gate.begun.includes(id), { timeout: 10_000 }).toBe(true);
      expect(gate.begun.filter((each) => each.startsWith('m')).at(-1)).toBe(id);
      await expect
        .poll(async () => {
          gate.end(id);
          return (await one.runs.load(runKey(DEFAULT_TENANT, id)))?.status;
        })
        .toBe('completed');
    }
  });

  it('go on with the next when one that waits is cancelled', async () => {
    const here = await start(async (scope) => {
      if (scope.run.id === 'first') await scope.wait({ name: 'never', reason: 'input' });
      return { id: scope.run.id };
    });
    const first = await here.begin(chat('first'));
    await here.waits('first');
    await here.begin(chat('second'));
    expect(await here.runs.load(runKey(DEFAULT_TENANT, 'second'))).toMatchObject({ status: 'queued' });
    await here.engine.cancel('first', 'enough', first.caller);
    expect(await here.ended('second')).toMatchObject({ status: 'completed' });
  });

  it('are refused while another is under way when the policy says so, except the same again', async () => {
    const gate = gated();
    const here = await start(gate.program);
    await here.begin(chat('first', { sessionPolicy: 'reject' }));
    await expect(here.begin(chat('second', { sessionPolicy: 'reject' }))).rejects.toMatchObject({
      code: 'conflict',
      reason: 'SESSION_BUSY',
    });
    expect((await here.runs.admit(testAdmission(chat('first', { sessionPolicy: 'reject' })))).outcome).toBe('joined');
    expect(await here.runs.activeInSession({ tenantId: 'default', userId: '' }, 'session-1')).toHaveLength(1);
    gate.endAll();
    await here.ended('first');
    await here.begin(chat('second', { sessionPolicy: 'reject' }));
    expect(await here.ended('second')).toMatchObject({ status: 'completed' });
  });

  it('give way to the newest when the policy says so', async () => {
    const gate = gated();
    const here = await start(gate.program);
    await here.begin(chat('first'));
    await here.begin(chat('second'));
    await expect.poll(() => gate.begun).toEqual(['first']);
    await here.begin(chat('third', { sessionPolicy: 'interrupt' }));
    expect(await here.ended('first')).toMatchObject({ status: 'cancelled' });
    expect(await here.ended('second')).toMatchObject({ status: 'cancelled' });
    await expect.poll(() => gate.begun).toEqual(['first', 'third']);
    gate.endAll();
    expect(await here.ended('third')).toMatchObject({ status: 'completed' });
  });
});

describe('two engines on one database', () => {
  it('execute each of many runs exactly once, also those that wait', async () => {
    const bodies = new Map<string, number>();
    const program: RunProgram = async (scope) => {
      const before = await scope.step('before', async () => {
        bodies.set(scope.run.id, (bodies.get(scope.run.id) ?? 0) + 1);
        return 1;
      });
      const answer = await scope.wait({ name: 'answer', reason: 'approval' });
      const after = await scope.step('after', async () => {
        bodies.set(scope.run.id, (bodies.get(scope.run.id) ?? 0) + 1);
        return Number(answer?.payload['n']);
      });
      return { sum: before + after };
    };
    const [one, two] = [await start(program, { maxRuns: 3 }), await start(program, { maxRuns: 3 })];
    const runs = await Promise.all(Array.from({ length: 30 }, (_, n) => (n % 2 === 0 ? one : two).begin()));
    await Promise.all(
      runs.map(async ({ id }, n) => {
        await one.waits(id);
        // Sent to both, under one id: whoever has room takes the run up, and only one of them.
        const signal = { id: 'answer', name: 'answer', payload: { n }, actor: 'user:ada' };
        await Promise.all([
          one.engine.signal(runKey(DEFAULT_TENANT, id), signal),
          two.engine.signal(runKey(DEFAULT_TENANT, id), signal),
        ]);
      }),
    );
    for (const [n, { id }] of runs.entries()) {
      expect(await two.ended(id)).toMatchObject({ status: 'completed', result: { sum: 1 + n } });
      expect(bodies.get(id)).toBe(2);
    }
  });

  it('leave a wake that finds no room to the other', async () => {
    const gate = gated();
    const waiting: RunProgram = async (scope) => {
      if (scope.run.id !== 'waiting') return gate.program(scope);
      return { got: (await scope.wait({ name: 'go', reason: 'input' }))?.payload ?? null };
    };
    const full = await start(waiting, { maxRuns: 1 });
    await full.begin({ id: 'waiting' });
    await full.waits('waiting');
    await full.begin({ id: 'blocker' });
    await expect.poll(() => gate.begun).toEqual(['blocker']);
    const free = await start(waiting, { maxRuns: 1 });
    await full.engine.signal(runKey(DEFAULT_TENANT, 'waiting'), { name: 'go', payload: { n: 1 }, actor: 'user:ada' });
    expect(await free.ended('waiting')).toMatchObject({ result: { got: { n: 1 } } });
    gate.endAll();
  });

  it('refuse what an execution writes that was taken for dead, and nothing of it is seen', async () => {
    const goOn = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const zombie = await start(async (scope) => {
      await scope.step('one', async () => {
        begun.resolve();
        await goOn.promise;
        return 'from the zombie';
      });
      await scope.emit('late', { type: 'run.progress', data: { progress: 1 } });
      return { by: 'the zombie' };
    });
    const run = await zombie.begin();
    await begun.promise;
    // What another process does when it finds the lock of the first one free.
    await zombie.database.db.updateTable('runs').set({ executor: null }).where('id', '=', run.id).execute();
    const heir = await start(async (scope) => ({ by: await scope.step('one', async () => 'from the heir') }));
    expect(await heir.ended(run.id)).toMatchObject({ status: 'completed', result: { by: 'from the heir' } });
    goOn.resolve();
    await expect.poll(() => zombie.engine.backlog().executing).toBe(0);
    expect((await heir.watch(run.id)).map(({ type }) => type)).toEqual(['run.queued', 'run.completed']);
    expect((await heir.runs.steps(run)).map(({ outcome }) => outcome)).toEqual([{ value: 'from the heir' }]);
  });

  it('pass on what one of them lets go of when it stops', async () => {
    const gate = gated();
    const first = await start(gate.program, { stopGraceMs: 0 });
    const second = await start(async () => ({ by: 'the second' }));
    const run = await first.begin();
    await expect.poll(() => gate.begun).toEqual([run.id]);
    engines.splice(engines.indexOf(first), 1);
    await first[Symbol.asyncDispose]();
    expect(await second.ended(run.id)).toMatchObject({ result: { by: 'the second' } });
  });
});

describe('a thousand waiting runs', () => {
  it('are not looked at when a process starts', async () => {
    const first = await start(async () => ({}));
    await first.database.pool.query(`
      insert into aos.runs (id, kind, session_id, user_id, request, request_hash, status, call_id, simulated, created_at,
          root_id, waiting_for, wake_at, waits, waiting_on)
        select 'w' || n, 'orchestration', 's', '', '{}', 'h', 'waiting', '', true, now(), 'w' || n, 'approval',
          now() + interval '1 day', '[{"name":"a","signal":"a"}]', '{a}' from generate_series(1, 1000) n`);
    let executions = 0;
    const second = await start(async () => {
      executions += 1;
      return {};
    });
    expect(second.engine.backlog()).toEqual({ executing: 0, queued: 0, oldestWaitMs: 0 });
    await second.engine.signal(runKey(DEFAULT_TENANT, 'w500'), { name: 'a', payload: {}, actor: 'user:ada' });
    expect(await second.ended('w500')).toMatchObject({ status: 'completed' });
    expect(executions).toBe(1);
  });
});
