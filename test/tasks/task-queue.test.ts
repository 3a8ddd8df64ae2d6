import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { keyOfTask, type NewTask, type Task } from '../../src/tasks/task.ts';
import { openTestDatabase } from '../support/database.ts';
import { acme, createTestTasks, newTask, type TestTasks } from '../support/tasks.ts';

let database: Database;
let tasks: TestTasks;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.db.deleteFrom('tasks').execute();
  await database.db.deleteFrom('task_turns').execute();
  await database.db.deleteFrom('task_limits').execute();
  await database.db.deleteFrom('task_settings').execute();
  tasks = createTestTasks(database);
});

const of = (tenantId: string): Caller => ({ tenantId, userId: '' });
const claimOne = async () => (await tasks.claims.claim('pool-a', ['worker-1']))[0];
/** Claims all there are, one after the other. */
async function claimAll(): Promise<Task[]> {
  const claimed: Task[] = [];
  for (let task = await claimOne(); task !== undefined; task = await claimOne()) claimed.push(task);
  return claimed;
}

describe('submitting', () => {
  it('fills in what was left out and tells the fact', async () => {
    const task = await tasks.queue.submit(newTask(), acme);
    expect(task).toMatchObject({ status: 'pending', caller: acme, attempt: 1, retryCount: 0 });
    expect(task.submission).toMatchObject({
      priority: 'normal',
      timeout_seconds: 300,
      max_retries: 3,
      raci_responsible: 'AOA',
    });
    expect(tasks.facts).toMatchObject([{ type: 'task.submitted', tenantId: 'acme', userId: 'ada', subject: task.id }]);
  });

  it('gives the same task for the same id and submission, and refuses the id for another or for another user', async () => {
    const first = await tasks.queue.submit(newTask({ payload: { a: 1, b: 2 } }), acme, { id: 'mine' });
    const again = await tasks.queue.submit(newTask({ payload: { b: 2, a: 1 } }), acme, { id: 'mine' });
    expect(again).toEqual(first);
    expect(tasks.facts).toHaveLength(1);
    await expect(tasks.queue.submit(newTask({ payload: { a: 2 } }), acme, { id: 'mine' })).rejects.toMatchObject({
      code: 'conflict',
    });
    await expect(
      tasks.queue.submit(newTask({ payload: { a: 1, b: 2 } }), { ...acme, userId: 'bob' }, { id: 'mine' }),
    ).rejects.toMatchObject({ code: 'conflict' });
  });

  it.each<[NewTask, string | RegExp]>([
    [{ task_type: 'fabric_action', target_system: 'crm' }, 'fabric_action needs target_system and action_type'],
    [{ task_type: 'agent_run', payload: { input: 'hello' } }, 'agent_run needs agent_id or payload.agent'],
    [{ task_type: 'agent_run', agent_id: 'ceo' }, 'agent_run needs payload.input, a text or an object'],
    [
      { task_type: 'evaluation', agent_id: 'ceo', payload: { cases: [] } },
      'evaluation needs payload.cases, a list of at least one',
    ],
    [{ task_type: 'orchestration' }, /^orchestration needs a payload/],
    [{ task_type: 'health_check', agent_id: 'a b' }, /"a b" is no agent id/],
  ])('refuses %j', async (given, message) => {
    await expect(tasks.queue.submit(given, acme)).rejects.toMatchObject({
      code: 'unprocessable',
      reason: 'INVALID_TASK',
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
  });

  it('refuses more when as many wait as may', async () => {
    tasks = createTestTasks(database, { settings: { max_pending: 2 } });
    await tasks.queue.submit(newTask(), acme);
    await tasks.queue.submit(newTask(), acme);
    await expect(tasks.queue.submit(newTask(), acme)).rejects.toMatchObject({
      code: 'overloaded',
      reason: 'QUEUE_FULL',
    });
  });
});

describe('looking', () => {
  it("finds and lists only the caller's tasks; the operator of a tenant sees all of it", async () => {
    const ada = await tasks.queue.submit(newTask(), acme);
    const bob = await tasks.queue.submit(newTask(), { tenantId: 'acme', userId: 'bob' });
    await tasks.queue.submit(newTask(), of('other'));
    expect(await tasks.queue.find(bob.id, acme)).toBeUndefined();
    expect(await tasks.queue.find(bob.id, of('other'))).toBeUndefined();
    expect(await tasks.queue.find(bob.id, of('acme'))).toEqual(bob);
    expect((await tasks.queue.list(acme, { limit: 10 })).items).toEqual([ada]);
    expect((await tasks.queue.list(of('acme'), { limit: 10 })).items).toEqual([bob, ada]);
  });

  it('lists newest first, page by page, with the total of the filter', async () => {
    for (let n = 0; n < 5; n++) await tasks.queue.submit(newTask({ agent_id: n % 2 === 0 ? 'ceo' : 'cfo' }), acme);
    const first = await tasks.queue.list(acme, { limit: 2, agentId: 'ceo' });
    const second = await tasks.queue.list(acme, { limit: 2, agentId: 'ceo', cursor: first.nextCursor ?? '' });
    expect([first.total, first.items.length, second.items.length, second.nextCursor]).toEqual([3, 2, 1, null]);
    const times = [...first.items, ...second.items].map((task) => Number(task.seq));
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    expect((await tasks.queue.list(acme, { limit: 9, status: 'dead' })).total).toBe(0);
    expect((await tasks.queue.list(acme, { limit: 9, taskType: 'evaluation' })).total).toBe(0);
    expect((await tasks.queue.list(acme, { limit: 9, since: Date.now() + 60_000 })).total).toBe(0);
    await expect(tasks.queue.list(acme, { limit: 9, cursor: 'x' })).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('the order of claims', () => {
  it('is by priority, then due time, then submission', async () => {
    const names = ['background', 'normal', 'critical', 'low', 'high', 'normal'] as const;
    const submitted: Task[] = [];
    for (const priority of names) submitted.push(await tasks.queue.submit(newTask({ priority }), acme));
    const order = (await claimAll()).map(({ id }) => submitted.findIndex((task) => task.id === id));
    expect(order).toEqual([2, 4, 1, 5, 3, 0]);
  });

  it('leaves alone what is scheduled for later', async () => {
    await tasks.queue.submit(newTask({ scheduled_at: new Date(Date.now() + 3_600_000).toISOString() }), acme);
    expect(await claimOne()).toBeUndefined();
    expect(await tasks.claims.nextDueAt()).toBeGreaterThan(Date.now() + 3_000_000);
  });

  it('lets no class starve: what has waited long enough comes before newer tasks of a more urgent class', async () => {
    const old = await tasks.queue.submit(newTask({ priority: 'background' }), acme);
    await database.db
      .updateTable('tasks')
      .set({ due_at: new Date(Date.now() - 4 * 300_000) })
      .execute();
    await tasks.queue.submit(newTask({ priority: 'critical' }), acme);
    expect((await claimOne())?.id).toBe(old.id);
  });

  it('is fair between tenants within a class: few running first, then longest unserved', async () => {
    for (let n = 0; n < 6; n++) await tasks.queue.submit(newTask(), of('big'));
    for (let n = 0; n < 2; n++) await tasks.queue.submit(newTask(), of('small'));
    const first = await claimAll();
    expect(first.map(({ caller }) => caller.tenantId)).toEqual([
      'big',
      'small',
      'big',
      'small',
      'big',
      'big',
      'big',
      'big',
    ]);
  });

  it('serves a tenant with few tasks within its share, however many another has in line', async () => {
    await tasks.queue.submit(newTask(), of('flood'));
    // As many as somebody who means it would send; one by one that takes a while.
    await database.pool.query(`insert into aos.tasks (id, tenant_id, user_id, submission, request_hash, task_type, rank,
        status, agent_id, target_system, call_id, created_at, due_at, max_retries)
      select 'flood-' || n, tenant_id, user_id, submission, request_hash, task_type, rank, status, agent_id,
        target_system, call_id, created_at, due_at, max_retries
        from aos.tasks, generate_series(1, 10000) n`);
    for (let n = 0; n < 10; n++) await tasks.queue.submit(newTask(), of('small'));
    const waits: number[] = [];
    for (let served = 1; waits.length < 10 && served <= 100; served++) {
      const task = await claimOne();
      if (task === undefined) break;
      if (task.caller.tenantId === 'small') waits.push(served);
      const begun = await tasks.claims.begin(task, 'pool-a');
      if (begun !== undefined) await tasks.claims.settle(begun, 'pool-a', { status: 'completed', result: {} });
    }
    // Every other turn is theirs.
    expect(waits).toHaveLength(10);
    expect(waits.at(-1)).toBeLessThanOrEqual(20);
  });

  it('serves the tenant first that was served longest ago when as many of each run', async () => {
    for (const tenant of ['a', 'a', 'b', 'b']) await tasks.queue.submit(newTask(), of(tenant));
    const served: string[] = [];
    for (let n = 0; n < 4; n++) {
      const task = await claimOne();
      if (task === undefined) break;
      served.push(task.caller.tenantId);
      const begun = await tasks.claims.begin(task, 'pool-a');
      if (begun !== undefined) await tasks.claims.settle(begun, 'pool-a', { status: 'completed', result: {} });
    }
    expect(served).toEqual(['a', 'b', 'a', 'b']);
  });

  it('keeps to the limits of agent, tenant and target, and goes past those that are held', async () => {
    await tasks.settings.change({
      limits: { agent: { names: { ceo: 2 } }, tenant: { names: { small: 1 } }, target: { default: 1 } },
    });
    for (let n = 0; n < 3; n++) await tasks.queue.submit(newTask({ agent_id: 'ceo' }), of('big'));
    for (let n = 0; n < 2; n++) await tasks.queue.submit(newTask(), of('small'));
    for (let n = 0; n < 2; n++) await tasks.queue.submit(newTask({ target_system: 'crm' }), of('big'));
    await tasks.queue.submit(newTask({ target_system: 'crm' }), of('other'));
    const claimed = await claimAll();
    const counts = (of: (task: Task) => string) =>
      Object.fromEntries(Object.entries(Object.groupBy(claimed, of)).map(([key, list]) => [key, list?.length]));
    expect(
      counts(({ submission, caller }) => `${submission.agent_id ?? submission.target_system ?? ''}@${caller.tenantId}`),
    ).toEqual({
      'ceo@big': 2,
      '@small': 1,
      'crm@big': 1,
      'crm@other': 1,
    });
  });
});

describe('cancelling', () => {
  it('ends a waiting task with the reason, and an ended one is a conflict that says its status', async () => {
    const { id } = await tasks.queue.submit(newTask(), acme);
    expect(await tasks.queue.cancel(id, 'duplicate', of('other'))).toBeUndefined();
    const cancelled = await tasks.queue.cancel(id, 'duplicate', acme);
    expect(cancelled).toMatchObject({
      status: 'cancelled',
      statusMessage: 'duplicate',
      completedAt: expect.any(String),
    });
    await expect(tasks.queue.cancel(id, undefined, acme)).rejects.toMatchObject({
      code: 'conflict',
      reason: 'TASK_TERMINAL',
      facts: { status: 'cancelled' },
    });
    expect(tasks.facts.map(({ type }) => type)).toEqual(['task.submitted', 'task.cancelled']);
  });

  it('is never overwritten by the worker, whose place under the limits it keeps until its code has ended', async () => {
    const { id } = await tasks.queue.submit(newTask(), acme);
    const claimed = await claimOne();
    if (claimed === undefined) throw new Error('nothing was claimed');
    await tasks.claims.begin(claimed, 'pool-a');
    expect(await tasks.queue.cancel(id, undefined, acme)).toMatchObject({ status: 'cancelled', isClaimed: true });
    await tasks.claims.settle(claimed, 'pool-a', { status: 'completed', result: { late: true } });
    expect(await tasks.queue.find(id, acme)).toMatchObject({ status: 'cancelled', result: null, isClaimed: false });
  });
});

describe('what a worker says', () => {
  async function running(change: Parameters<typeof newTask>[0] = {}): Promise<Task> {
    await tasks.queue.submit(newTask(change), acme);
    const claimed = await claimOne();
    const begun = claimed && (await tasks.claims.begin(claimed, 'pool-a'));
    if (begun === undefined) throw new Error('nothing was begun');
    return begun;
  }
  const failure = (code: 'model_failed' | 'invalid_request') =>
    ({ status: 'failed', failure: { code, message: 'no' } }) as const;
  const now = async ({ id }: Task) => tasks.queue.find(id, acme);

  it('counts only while its claim is the last', async () => {
    const task = await running();
    await tasks.claims.releaseAll('pool-a');
    const [again] = await tasks.claims.claim('pool-b', ['worker-9']);
    await tasks.claims.settle(task, 'pool-a', { status: 'completed', result: {} });
    expect(await now(task)).toMatchObject({ status: 'assigned', workerId: 'worker-9', claim: 2, attempt: 1 });
    expect(again?.id).toBe(task.id);
  });

  it('sends a failure that may pass back for another attempt, and gives up after the last', async () => {
    await tasks.settings.change({ retry_delay_seconds: 0 });
    let task = await running({ max_retries: 1 });
    await tasks.claims.settle(task, 'pool-a', failure('model_failed'));
    expect(await now(task)).toMatchObject({
      status: 'retrying',
      retryCount: 1,
      attempt: 2,
      lastError: { code: 'model_failed' },
    });
    const claimed = await claimOne();
    task = (claimed && (await tasks.claims.begin(claimed, 'pool-a'))) ?? task;
    await tasks.claims.settle(task, 'pool-a', failure('model_failed'));
    expect(await now(task)).toMatchObject({ status: 'dead', retryCount: 1, completedAt: expect.any(String) });
    expect(tasks.facts.map(({ type }) => type)).toEqual([
      'task.submitted',
      'task.assigned',
      'task.started',
      'task.retrying',
      'task.assigned',
      'task.started',
      'task.dead',
    ]);
  });

  it('fails a task for good when trying again is no use; it can be put back in line by hand', async () => {
    const task = await running();
    await tasks.claims.settle(task, 'pool-a', failure('invalid_request'));
    expect(await now(task)).toMatchObject({ status: 'failed', statusMessage: 'no' });
    expect(await tasks.queue.requeue(task.id, acme)).toMatchObject({
      status: 'pending',
      attempt: 2,
      retryCount: 0,
      completedAt: null,
    });
    await expect(tasks.queue.requeue(task.id, acme)).rejects.toMatchObject({ reason: 'TASK_NOT_FAILED' });
  });

  it('puts a task aside whose run waits, until the run is woken', async () => {
    const task = await running();
    await tasks.claims.settle(task, 'pool-a', {
      status: 'waiting',
      reason: 'approval',
      message: 'waits for an approval',
    });
    expect(await now(task)).toMatchObject({ status: 'awaiting_approval', waitingFor: 'approval', isClaimed: false });
    expect(await claimOne()).toBeUndefined();
    expect(await tasks.claims.wake([keyOfTask(task)])).toBe(1);
    expect(await claimOne()).toMatchObject({ id: task.id, attempt: 1, waitingFor: null });
  });

  it('shows a task as running whose run waits for anything but a person', async () => {
    const task = await running();
    await tasks.claims.settle(task, 'pool-a', {
      status: 'waiting',
      reason: 'timer',
      message: 'waits for a time to come',
    });
    expect(await now(task)).toMatchObject({
      status: 'running',
      statusMessage: 'waits for a time to come',
      isClaimed: false,
    });
  });
});

describe('pruning', () => {
  it('deletes what ended before a time, and nothing that goes on', async () => {
    const old = await tasks.queue.submit(newTask(), acme);
    await tasks.queue.cancel(old.id, undefined, acme);
    const waiting = await tasks.queue.submit(newTask(), acme);
    const later = new Date(Date.now() + 1_000).toISOString();
    expect(await tasks.queue.prune(old.createdAt)).toBe(0);
    expect(await tasks.queue.prune(later)).toBe(1);
    expect((await tasks.queue.list(acme, { limit: 9 })).items).toEqual([waiting]);
  });
});

describe('why a task waits', () => {
  const explain = (task: Task | undefined) => (task === undefined ? undefined : tasks.queue.explain(task));

  it('is its place in line', async () => {
    await tasks.queue.submit(newTask({ priority: 'high' }), acme);
    await tasks.queue.submit(newTask(), of('other'));
    const task = await tasks.queue.submit(newTask(), acme);
    expect(await explain(task)).toMatchObject({
      reason: 'line',
      position: 2,
      sentence: 'It waits for a free worker as number 2 in line.',
    });
  });

  it('is the limit that is used up', async () => {
    await tasks.settings.change({ limits: { agent: { names: { ceo: 1 } } } });
    await tasks.queue.submit(newTask({ agent_id: 'ceo' }), acme);
    const task = await tasks.queue.submit(newTask({ agent_id: 'ceo' }), acme);
    await claimAll();
    expect(await explain(task)).toMatchObject({
      reason: 'limit',
      position: 1,
      limit: { kind: 'agent', name: 'ceo', running: 1, max: 1 },
      sentence: 'It waits for the limit of agent ceo: 1 of 1 are running.',
    });
  });

  it('is its time', async () => {
    const at = new Date(Date.now() + 60_000).toISOString();
    expect(await explain(await tasks.queue.submit(newTask({ scheduled_at: at }), acme))).toMatchObject({
      reason: 'scheduled',
      until: at,
    });
  });

  it('is the worker that has it, the pause before a retry, or the approval; and nothing when it has ended', async () => {
    const { id } = await tasks.queue.submit(newTask(), acme);
    const claimed = await claimOne();
    expect(await explain(claimed)).toMatchObject({ reason: 'worker', worker_id: 'worker-1' });
    const begun = claimed && (await tasks.claims.begin(claimed, 'pool-a'));
    if (begun === undefined) throw new Error('nothing was begun');
    await tasks.claims.settle(begun, 'pool-a', { status: 'failed', failure: { code: 'model_failed', message: 'no' } });
    expect(await explain(await tasks.queue.find(id, acme))).toMatchObject({
      reason: 'retry',
      until: expect.any(String),
    });
    await tasks.queue.cancel(id, undefined, acme);
    expect(await explain(await tasks.queue.find(id, acme))).toBeUndefined();
  });
});
