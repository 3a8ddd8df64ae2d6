import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runKey } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import {
  acme,
  createTestTasks,
  failed,
  newTask,
  soon,
  type TestTasks,
  type TestTasksOptions,
  untilEnded,
} from '../support/tasks.ts';

let database: Database;
let tasks: TestTasks;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  for (const table of ['tasks', 'task_turns', 'task_limits', 'task_settings'] as const) {
    await database.db.deleteFrom(table).execute();
  }
});
afterEach(() => tasks.pool.stop());

async function start(options: TestTasksOptions = {}): Promise<void> {
  tasks = createTestTasks(database, options);
  await tasks.pool.start();
}
const types = (of: string) => tasks.facts.filter(({ subject }) => subject === of).map(({ type }) => type);

describe('a worker', () => {
  it('is woken by a submission and brings the task to its end, telling every move', async () => {
    await start();
    const task = await tasks.queue.submit(newTask(), acme);
    expect(await untilEnded(tasks.queue, task)).toMatchObject({
      status: 'completed',
      result: { done: true },
      workerId: expect.stringMatching(/^pool-[0-9a-f]{8}-worker-[01]$/),
    });
    expect(types(task.id)).toEqual(['task.submitted', 'task.assigned', 'task.started', 'task.completed']);
    expect(tasks.performed).toEqual([`${task.id}.1`]);
  });

  it('takes a task that was scheduled when its time has come', async () => {
    await start();
    const at = new Date(Date.now() + 150);
    const task = await tasks.queue.submit(newTask({ scheduled_at: at.toISOString() }), acme);
    const ended = await untilEnded(tasks.queue, task);
    expect(Date.parse(ended.assignedAt ?? '')).toBeGreaterThanOrEqual(at.getTime());
  });

  it('tries again what may pass, as another run, and gives up after the last retry', async () => {
    await start({ attempt: () => failed('model_failed'), settings: { retry_delay_seconds: 0 } });
    const task = await tasks.queue.submit(newTask({ max_retries: 2 }), acme);
    expect(await untilEnded(tasks.queue, task)).toMatchObject({
      status: 'dead',
      retryCount: 2,
      statusMessage: 'given up after 3 attempts: it was model_failed',
    });
    expect(tasks.performed).toEqual([1, 2, 3].map((attempt) => `${task.id}.${attempt}`));
  });

  it('asks for agreement in the first attempt alone', async () => {
    const held: boolean[] = [];
    const options: TestTasksOptions = {
      attempt: (run) => {
        held.push(run.held);
        return failed('model_failed');
      },
      settings: { retry_delay_seconds: 0 },
    };
    tasks = createTestTasks(database, options);
    const task = await tasks.queue.submit(newTask({ max_retries: 2 }), acme);
    await database.db.updateTable('tasks').set({ held: true }).execute();
    await tasks.pool.start();
    await untilEnded(tasks.queue, task);
    expect(held).toEqual([true, false, false]);
  });

  it('counts an attempt that took too long as one that may be tried again', async () => {
    await start({ attempt: () => ({ status: 'timed_out' }), settings: { retry_delay_seconds: 0 } });
    const task = await tasks.queue.submit(newTask({ max_retries: 1 }), acme);
    expect(await untilEnded(tasks.queue, task)).toMatchObject({ status: 'dead', lastError: { code: 'timed_out' } });
  });

  it('does not try again what can never succeed', async () => {
    await start({ attempt: () => failed('invalid_request') });
    const task = await tasks.queue.submit(newTask(), acme);
    expect(await untilEnded(tasks.queue, task)).toMatchObject({ status: 'failed', retryCount: 0 });
    expect(tasks.performed).toHaveLength(1);
  });

  it('lets go of a task that is cancelled: its code is aborted at once and the task stays cancelled', async () => {
    const begun = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<string>();
    await start({
      attempt: async (_run, signal) => {
        begun.resolve();
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        aborted.resolve(signal.reason.message);
        return { status: 'completed', result: {} };
      },
    });
    const task = await tasks.queue.submit(newTask(), acme);
    await begun.promise;
    await tasks.queue.cancel(task.id, 'no longer wanted', acme);
    expect(await aborted.promise).toBe('no longer wanted');
    await expect
      .poll(async () => tasks.queue.find(task.id, acme), soon)
      .toMatchObject({ status: 'cancelled', isClaimed: false });
    expect(types(task.id)).toEqual(['task.submitted', 'task.assigned', 'task.started', 'task.cancelled']);
  });

  it('holds no task while its run waits, and goes on with it when the run is woken', async () => {
    let woken = false;
    await start({
      settings: { policy: 'fixed', min_workers: 1, initial_workers: 1 },
      attempt: ({ request }) =>
        request['payload'] !== null && JSON.stringify(request['payload']) === '{"wait":true}' && !woken
          ? { status: 'waiting', waitingFor: 'approval' }
          : { status: 'completed', result: {} },
    });
    const waiting = await tasks.queue.submit(newTask({ payload: { wait: true } }), acme);
    await expect
      .poll(async () => tasks.queue.find(waiting.id, acme), soon)
      .toMatchObject({ status: 'awaiting_approval', isClaimed: false });
    const other = await tasks.queue.submit(newTask(), acme);
    await untilEnded(tasks.queue, other);
    woken = true;
    database.notifications.announce('aos_tasks', 'a run', runKey(acme.tenantId, `${waiting.id}.1`));
    expect(await untilEnded(tasks.queue, waiting)).toMatchObject({ status: 'completed', attempt: 1 });
  });

  it('goes on with a task whose run was woken before the task was put aside', async () => {
    let asked = 0;
    await start({
      attempt: ({ id }) => {
        asked += 1;
        if (asked > 1) return { status: 'completed', result: {} };
        database.notifications.announce('aos_tasks', 'a run', runKey(acme.tenantId, id));
        return new Promise((resolve) => setImmediate(resolve, { status: 'waiting', waitingFor: 'input' }));
      },
    });
    const task = await tasks.queue.submit(newTask(), acme);
    expect(await untilEnded(tasks.queue, task)).toMatchObject({ status: 'completed' });
  });
});

describe('the pool', () => {
  const held = () => {
    const gate = Promise.withResolvers<void>();
    return { gate, attempt: async () => gate.promise.then(() => ({ status: 'completed', result: {} }) as const) };
  };
  const states = () => tasks.pool.stats().workers.map(({ status }) => status);

  it('grows with the line, within its bounds, and never gives a worker an id that was used', async () => {
    const { gate, attempt } = held();
    await start({ attempt, settings: { max_workers: 4, scale_up_cooldown_seconds: 0, backlog_per_worker: 1 } });
    for (let n = 0; n < 12; n++) await tasks.queue.submit(newTask(), acme);
    await expect.poll(states, soon).toEqual(Array(4).fill('processing'));
    const before = tasks.pool.stats().workers.map(({ worker_id }) => worker_id);
    gate.resolve();
    await expect.poll(() => tasks.pool.stats().totals.completed, soon).toBe(12);
    await tasks.pool.scale(1);
    await tasks.pool.scale(3);
    const after = tasks.pool.stats().workers.map(({ worker_id }) => worker_id);
    expect(after).toHaveLength(3);
    expect(after.filter((id) => before.includes(id))).toHaveLength(1);
    expect(
      tasks.facts
        .filter(({ type }) => type === 'pool.scaled')
        .map(({ data }) => [data['from'], data['to'], data['reason']]),
    ).toEqual([
      [2, 4, 'backlog'],
      [4, 1, 'asked'],
      [1, 3, 'asked'],
    ]);
  });

  it('lets busy workers finish when it shrinks', async () => {
    const { gate, attempt } = held();
    await start({ attempt, settings: { policy: 'manual' } });
    const both = [await tasks.queue.submit(newTask(), acme), await tasks.queue.submit(newTask(), acme)];
    await expect.poll(states, soon).toEqual(['processing', 'processing']);
    await tasks.pool.scale(1);
    expect(states()).toEqual(['processing', 'processing']);
    gate.resolve();
    for (const task of both) expect(await untilEnded(tasks.queue, task)).toMatchObject({ status: 'completed' });
    await expect.poll(states, soon).toHaveLength(1);
  });

  it('holds workers back that the event loop has no time for', async () => {
    const { gate, attempt } = held();
    let load = 0;
    await start({ attempt, loopLoad: () => load, settings: { policy: 'manual', initial_workers: 3 } });
    load = 1;
    await expect.poll(() => tasks.pool.stats().allowed, soon).toBe(1);
    for (let n = 0; n < 3; n++) await tasks.queue.submit(newTask(), acme);
    await expect.poll(states, soon).toEqual(['processing', 'idle', 'idle']);
    load = 0;
    await expect.poll(states, soon).toEqual(Array(3).fill('processing'));
    gate.resolve();
  });

  it('refuses sizes out of bounds, settings that do not hold together, and any size when it is fixed', async () => {
    await start();
    await expect(tasks.pool.scale(11)).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(tasks.pool.change({ min_workers: 8, max_workers: 4 })).rejects.toMatchObject({
      code: 'invalid_request',
    });
    await tasks.pool.change({ policy: 'fixed' });
    await expect(tasks.pool.scale(3)).rejects.toMatchObject({ code: 'conflict', reason: 'POOL_FIXED' });
  });

  it('takes settings over that were changed elsewhere', async () => {
    await start();
    const elsewhere = createTestTasks(database);
    await elsewhere.settings.load();
    await elsewhere.settings.change({ min_workers: 4, initial_workers: 4, limits: { agent: { names: { ceo: 1 } } } });
    await expect.poll(() => tasks.pool.stats().workers.length, soon).toBe(4);
    expect(tasks.pool.stats().settings.limits.agent).toEqual({ default: null, names: { ceo: 1 } });
  });

  it('puts tasks back in line that are not done when it stops', async () => {
    const { attempt } = held();
    await start({ attempt });
    const task = await tasks.queue.submit(newTask(), acme);
    await expect.poll(states, soon).toContain('processing');
    await tasks.pool.stop();
    expect(await tasks.queue.find(task.id, acme)).toMatchObject({ status: 'pending', isClaimed: false, attempt: 1 });
  });
});

describe('a cancellation between claim and begin', () => {
  it('ends the run that was admitted meanwhile, and nothing of it is executed', async () => {
    tasks = createTestTasks(database);
    const task = await tasks.queue.submit(newTask(), acme);
    const [claimed] = await tasks.claims.claim('pool-a', ['worker-1']);
    await tasks.queue.cancel(task.id, 'too late', acme);
    expect(claimed && (await tasks.claims.begin(claimed, 'pool-a'))).toBeUndefined();
    expect(claimed && (await tasks.claims.isCancelled(claimed))).toBe(true);
    await tasks.claims.releaseAll('pool-a');
    expect(await tasks.queue.find(task.id, acme)).toMatchObject({ status: 'cancelled', isClaimed: false });
  });
});
