/** Two tenants that call their tasks by the same ids: neither may notice the other. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Caller } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import type { AttemptEnding } from '../../src/tasks/attempt-outcome.ts';
import { keyOfTask, type NewTask, type Task } from '../../src/tasks/task.ts';
import { taskHistory } from '../../src/tasks/task-history.ts';
import { openTestDatabase } from '../support/database.ts';
import { createTestRuns, testAdmission } from '../support/runs.ts';
import { createTestTasks, newTask, soon, type TestTasks } from '../support/tasks.ts';

const ours: Caller = { tenantId: 'ours', userId: 'ada' };
const theirs: Caller = { tenantId: 'theirs', userId: 'ada' };
/** Two names of tenants and ids that run into one another where they are only put side by side. */
const sly = [
  { caller: { tenantId: 'a', userId: '' }, id: 'b.c' },
  { caller: { tenantId: 'a.b', userId: '' }, id: 'c' },
  { caller: { tenantId: 'a:b', userId: '' }, id: 'c' },
] as const;

let database: Database;
let tasks: TestTasks;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(clean);

async function clean(): Promise<void> {
  await database.db.deleteFrom('tasks').execute();
  await database.db.deleteFrom('task_turns').execute();
  tasks = createTestTasks(database);
}

const submit = (caller: Caller, id: string, change: Partial<NewTask> = {}) =>
  tasks.queue.submit(newTask({ max_retries: 0, payload: { whose: caller.tenantId }, ...change }), caller, { id });
const find = (caller: Caller, id: string) => tasks.queue.find(id, caller);
const claimAll = () => tasks.claims.claim('pool-a', ['w1', 'w2', 'w3', 'w4', 'w5', 'w6']);

async function begin(task: Task): Promise<Task> {
  const begun = await tasks.claims.begin(task, 'pool-a');
  if (begun === undefined) throw new Error('the claim was lost');
  return begun;
}

const waiting: AttemptEnding = { status: 'waiting', reason: 'input', message: 'waits for input' };

describe('an id that two tenants use', () => {
  it('is a task of each, with the content that each gave it', async () => {
    const [one, other] = [await submit(ours, 'report'), await submit(theirs, 'report', { priority: 'low' })];
    expect(await submit(ours, 'report')).toEqual(one);
    expect(await submit(theirs, 'report', { priority: 'low' })).toEqual(other);
    await expect(submit(theirs, 'report')).rejects.toMatchObject({ code: 'conflict' });
    expect(await find(ours, 'report')).toEqual(one);
    expect(await find(theirs, 'report')).toEqual(other);
    expect((await tasks.queue.list(ours, { limit: 9 })).items).toEqual([one]);
    expect((await tasks.queue.list(theirs, { limit: 9 })).items).toEqual([other]);
  });

  it('is claimed for each once, and what becomes of one attempt is not told of the other', async () => {
    await submit(ours, 'report');
    await submit(theirs, 'report');
    const claimed = await claimAll();
    expect(claimed.map(({ caller }) => caller.tenantId).toSorted()).toEqual(['ours', 'theirs']);
    for (const task of claimed) await begin(task);
    for (const task of claimed) {
      const { tenantId } = task.caller;
      const done: AttemptEnding =
        tenantId === 'ours'
          ? { status: 'completed', result: { whose: tenantId } }
          : { status: 'failed', failure: { code: 'model_failed', message: 'no' } };
      await tasks.claims.settle(task, 'pool-a', done);
    }
    expect(await find(ours, 'report')).toMatchObject({ status: 'completed', result: { whose: 'ours' } });
    expect(await find(theirs, 'report')).toMatchObject({ status: 'dead', result: null });
    expect(await tasks.queue.requeue('report', theirs)).toMatchObject({ status: 'pending', attempt: 2 });
    await expect(tasks.queue.requeue('report', ours)).rejects.toMatchObject({ reason: 'TASK_NOT_FAILED' });
    expect(await find(ours, 'report')).toMatchObject({ status: 'completed', attempt: 1 });
  });

  it('is claimed for the one whose time has come', async () => {
    const later = { scheduled_at: new Date(Date.now() + 3_600_000).toISOString() };
    await submit(theirs, 'a', later);
    await submit(ours, 'a');
    await submit(theirs, 'b');
    await submit(ours, 'b', later);
    const claimed = (await claimAll()).map(({ id, caller }) => `${caller.tenantId} ${id}`);
    expect(claimed.toSorted()).toEqual(['ours a', 'theirs b']);
  });

  it('is cancelled for the one that asks', async () => {
    await submit(ours, 'report');
    await submit(theirs, 'report');
    expect(await tasks.queue.cancel('report', 'enough', theirs)).toMatchObject({ status: 'cancelled' });
    expect(await find(ours, 'report')).toMatchObject({ status: 'pending' });
    expect((await claimAll()).map(({ caller }) => caller)).toEqual([ours]);
  });

  it('is woken for the one whose run goes on', async () => {
    const both = [await submit(ours, 'report'), await submit(theirs, 'report')];
    for (const task of await claimAll()) await tasks.claims.settle(await begin(task), 'pool-a', waiting);
    expect(await tasks.claims.wake(both.slice(0, 1).map(keyOfTask))).toBe(1);
    expect(await find(ours, 'report')).toMatchObject({ status: 'pending', waitingFor: null });
    expect(await find(theirs, 'report')).toMatchObject({ status: 'running', waitingFor: 'input' });
    expect(await tasks.claims.wake(both.map(keyOfTask))).toBe(1);
  });

  it('is found to go on for the one whose run has ended', async () => {
    const { runs } = createTestRuns(database);
    for (const caller of [ours, theirs]) {
      await submit(caller, 'slow');
      await runs.admit(testAdmission({ id: 'slow.1', kind: 'task', caller }));
    }
    for (const task of await claimAll()) await tasks.claims.settle(await begin(task), 'pool-a', waiting);
    const stands = (tenantId: string, status: string) =>
      database.db.updateTable('runs').set({ status }).where('tenant_id', '=', tenantId).execute();
    await stands('ours', 'waiting');
    await stands('theirs', 'running');
    expect(await tasks.claims.wake('due')).toBe(1);
    expect(await find(ours, 'slow')).toMatchObject({ status: 'running', waitingFor: 'input' });
    expect(await find(theirs, 'slow')).toMatchObject({ status: 'pending', waitingFor: null });
  });

  it('is told to have ended of the one that has', async () => {
    const heard: string[] = [];
    await tasks.queue.start();
    tasks.queue.onEnd(({ caller, id }) => heard.push(`${caller.tenantId} ${id}`));
    for (const { caller, id } of sly) await submit(caller, id);
    for (const { caller, id } of sly.toReversed()) {
      await tasks.queue.cancel(id, undefined, caller);
      await expect.poll(() => heard.at(-1), soon).toBe(`${caller.tenantId} ${id}`);
    }
    tasks.queue.stop();
    expect(heard).toHaveLength(sly.length);
  });

  it('has a history for each', async () => {
    const [one, other] = [await submit(ours, 'report'), await submit(theirs, 'report')];
    await database.db
      .insertInto('feed')
      .values(
        [one, other].map(({ id, caller }) => ({
          tenant_id: caller.tenantId,
          user_id: caller.userId,
          type: 'task.submitted',
          subject: id,
          at: new Date(),
          data: JSON.stringify({ whose: caller.tenantId }),
        })),
      )
      .execute();
    for (const task of [one, other]) {
      const history = () => taskHistory(database.db, task, { after: '', limit: 9 });
      // It is told when every transaction before it is over, whoever's.
      await expect
        .poll(async () => (await history()).map(({ data }) => data), soon)
        .toEqual([{ whose: task.caller.tenantId }]);
    }
  });

  it('takes room in the quota of the tenant that sends it first, whoever else has one of that id', async () => {
    await database.db
      .insertInto('governance_documents')
      .values({
        tenant_id: 'theirs',
        kind: 'limits',
        hash: '',
        content: JSON.stringify({ quotas: { queued_tasks: 1 } }),
        written_by: '',
        written_at: new Date(),
      })
      .execute();
    await submit(ours, 'first');
    await submit(ours, 'second');
    await submit(theirs, 'first');
    await submit(theirs, 'first');
    await expect(submit(theirs, 'second')).rejects.toMatchObject({ code: 'rate_limited' });
    await database.db.deleteFrom('governance_documents').execute();
  });
});

type Move =
  | { readonly who: 'ours' | 'theirs'; readonly move: 'submit' | 'cancel' | 'requeue'; readonly id: string }
  | { readonly who: 'workers'; readonly ends: readonly AttemptEnding['status'][] };

const ids = fc.constantFrom('x', 'y', 'x.1');
const moves: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    who: fc.constantFrom('ours' as const, 'theirs' as const),
    move: fc.constantFrom('submit' as const, 'cancel' as const, 'requeue' as const),
    id: ids,
  }),
  fc.record({
    who: fc.constant('workers' as const),
    ends: fc.array(fc.constantFrom('completed' as const, 'failed' as const, 'waiting' as const), {
      minLength: 3,
      maxLength: 3,
    }),
  }),
);

/** What a tenant sees of all that happens: the answers it gets, its facts, and how its tasks stand in the end. */
async function seenBy(tenant: 'ours' | 'theirs', all: readonly Move[]): Promise<readonly unknown[]> {
  const seen: unknown[] = [];
  const caller = { ours, theirs }[tenant];
  const told = (task: Task | undefined) =>
    task && {
      ...task,
      seq: '',
      createdAt: '',
      dueAt: '',
      assignedAt: '',
      startedAt: '',
      completedAt: '',
      workerId: '',
    };
  for (const step of all) {
    if (step.who === 'workers') {
      for (const task of await claimAll()) {
        const end = step.ends[['x', 'y', 'x.1'].indexOf(task.id)] ?? 'completed';
        await tasks.claims.settle(await begin(task), 'pool-a', endingOf(end, task));
      }
      continue;
    }
    const as = { ours, theirs }[step.who];
    const answer = await act(step.move, step.id, as).catch((failure: unknown) => asError(failure).message);
    if (step.who === tenant) seen.push(typeof answer === 'string' ? answer : told(answer));
  }
  const { items } = await tasks.queue.list(caller, { limit: 50 });
  const facts = tasks.facts.filter(({ tenantId }) => tenantId === tenant);
  return [
    ...seen,
    ...items.map(told),
    ...facts.map(({ data: { worker_id: _, ...data }, ...fact }) => ({ ...fact, data })),
  ];
}

function act(move: 'submit' | 'cancel' | 'requeue', id: string, caller: Caller): Promise<Task | undefined> {
  if (move === 'submit') return submit(caller, id);
  return move === 'cancel' ? tasks.queue.cancel(id, undefined, caller) : tasks.queue.requeue(id, caller);
}

function endingOf(status: AttemptEnding['status'], { caller }: Task): AttemptEnding {
  const result: JsonObject = { whose: caller.tenantId };
  if (status === 'completed') return { status, result };
  if (status === 'failed') return { status, failure: { code: 'model_failed', message: 'no' } };
  return waiting;
}

describe('whatever two tenants do with the same ids', () => {
  it('each sees what it would see alone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(moves, { minLength: 4, maxLength: 14 }), async (all) => {
        for (const tenant of ['ours', 'theirs'] as const) {
          await clean();
          const together = await seenBy(tenant, all);
          await clean();
          const alone = await seenBy(
            tenant,
            all.filter(({ who }) => who === tenant || who === 'workers'),
          );
          expect(together).toEqual(alone);
        }
      }),
      { numRuns: 40, interruptAfterTimeLimit: 15_000 },
    );
  });
});
