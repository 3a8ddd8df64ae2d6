/**
 * The line of tasks as workers see it: take one, and say what became of it. A worker's word counts only while its claim
 * is the task's last; whoever lost a task to a cancellation or to another process changes nothing.
 */
import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Feed } from '../runs/feed.ts';
import type { WaitReason } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import { type AttemptEnding, outcomeOf } from './attempt-outcome.ts';
import { attemptRunId, keyOfTask, type Task, type TaskKey, taskName } from './task.ts';
import type { TaskSettingsStore } from './task-settings.ts';
import { isEnded } from './task-state.ts';
import { isAnyTask, loadTask, rowOfTask, TASK_CHANNEL, type TaskRow, tellFact, toTask } from './task-store.ts';

/** What waits for workers. */
export interface Line {
  /** Tasks that are due. */
  readonly backlog: number;
  /** How long the oldest of them has waited for its first worker. */
  readonly oldestWaitMs: number;
}

export interface TaskClaims {
  /** Gives each worker the next task, as long as there are any that may run. */
  claim(pool: string, workers: readonly string[]): Promise<readonly Task[]>;
  /** The worker begins. @returns undefined when the claim is lost or the task was cancelled */
  begin(task: Task, pool: string): Promise<Task | undefined>;
  isCancelled(task: Task): Promise<boolean>;
  /** Says what became of the attempt and lets the task go. */
  settle(task: Task, pool: string, ending: AttemptEnding): Promise<void>;
  /** Puts tasks whose runs waited back in line: those of these keys, or all whose runs are to go on or have ended. */
  wake(tasks: readonly TaskKey[] | 'due'): Promise<number>;
  /** Puts all tasks of a pool back in line, with the same attempts. @returns how many */
  releaseAll(pool: string): Promise<number>;
  /** The pools that have claims. */
  owners(): Promise<readonly string[]>;
  line(): Promise<Line>;
  /** When the next task that is not due yet will be; epoch milliseconds. */
  nextDueAt(): Promise<number | undefined>;
}

export interface TaskClaimsParts {
  readonly database: Pick<Database, 'db' | 'notifications'>;
  readonly feed: Pick<Feed, 'write'>;
  readonly settings: TaskSettingsStore;
  readonly clock: Clock;
  /** From 0 to below 1. */
  readonly random: () => number;
}

export function createTaskClaims({ database, feed, settings, clock, random }: TaskClaimsParts): TaskClaims {
  const { db, notifications } = database;

  async function lockClaim(trx: StoreScope, task: Task, pool: string): Promise<TaskRow | undefined> {
    return trx
      .selectFrom('tasks')
      .selectAll()
      .where((eb) => eb.and(rowOfTask(keyOfTask(task))))
      .where('executor', '=', pool)
      .where('claim', '=', task.claim)
      .forNoKeyUpdate()
      .executeTakeFirst();
  }

  async function settle(task: Task, pool: string, ending: AttemptEnding): Promise<void> {
    const settled = await db.transaction().execute(async (trx) => {
      const row = await lockClaim(trx, task, pool);
      if (row === undefined) return undefined;
      const current = toTask(row);
      const { retry_delay_seconds: baseSeconds, max_retry_delay_seconds: maxSeconds } = settings.current();
      const terms = { now: new Date(clock.now()), pace: { baseSeconds, maxSeconds }, random: random() };
      const outcome = isEnded(current.status) ? undefined : outcomeOf(current, ending, terms);
      const after = await trx
        .updateTable('tasks')
        .set({ ...outcome?.set, executor: null })
        .where((eb) => eb.and(rowOfTask(keyOfTask(task))))
        .returningAll()
        .executeTakeFirstOrThrow();
      if (ending.status === 'waiting' && waitsForOthers(ending.reason)) await liftDeadline(trx, task);
      if (outcome?.fact !== undefined) await tellFact(feed, trx, outcome.fact, toTask(after));
      return { ends: outcome !== undefined && isEnded(toTask(after).status) };
    });
    if (settled === undefined) return;
    // Also what only freed a place under a limit is news to pools that found nothing to do before.
    const ended = `ended ${taskName(keyOfTask(task))}`;
    if (settled.ends) notifications.announce(TASK_CHANNEL, ended, ended);
    else notifications.announce(TASK_CHANNEL, 'work', 'work');
  }

  return {
    settle,
    claim: (pool, workers) =>
      db.transaction().execute(async (trx) => {
        const { rows } = await sql<TaskRow>`
          select * from aos.claim_tasks(
            ${pool}, ${workers}::text[], ${new Date(clock.now())}, ${settings.current().aging_seconds}::float8
          )`.execute(trx);
        const tasks = rows.map(toTask);
        for (const task of tasks) await tellFact(feed, trx, 'task.assigned', task);
        return tasks;
      }),
    begin: (task, pool) =>
      db.transaction().execute(async (trx) => {
        const now = new Date(clock.now());
        const row = await trx
          .updateTable('tasks')
          .set(({ fn, val }) => ({ status: 'running', started_at: fn.coalesce('started_at', val(now)) }))
          .where((eb) => eb.and(rowOfTask(keyOfTask(task))))
          .where('executor', '=', pool)
          .where('claim', '=', task.claim)
          .where('status', '=', 'assigned')
          // Should the machine lose power right now the task is simply in line again.
          .where(sql`set_config('synchronous_commit', 'off', true)`, '=', 'off')
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) return undefined;
        if (row.claim > 1) await resumeDeadline(trx, toTask(row), now);
        await tellFact(feed, trx, 'task.started', toTask(row));
        return toTask(row);
      }),
    isCancelled: async (task) => (await loadTask(db, keyOfTask(task)))?.status === 'cancelled',
    async wake(tasks) {
      if (tasks.length === 0) return 0;
      const which =
        tasks === 'due'
          ? sql`exists (select 1 from aos.runs r where r.tenant_id = t.tenant_id and r.id = t.id || '.' || t.attempt
                           and (r.status <> 'waiting' or r.wake_at <= ${new Date(clock.now())}))`
          : isAnyTask('t.tenant_id', 't.id', tasks);
      const { rows } = await sql<{ id: string }>`
        update aos.tasks t set status = 'pending', waiting_for = null, status_message = 'its wait is over; it waits for a worker'
         where t.waiting_for is not null and t.executor is null and t.status in ('running', 'awaiting_approval') and ${which}
        returning t.id`.execute(db);
      return rows.length;
    },
    async releaseAll(pool) {
      const { rows } = await sql<{ id: string }>`
        update aos.tasks set executor = null,
               status = case when status in ('assigned', 'running') then 'pending' else status end
         where executor = ${pool} returning id`.execute(db);
      if (rows.length > 0) notifications.announce(TASK_CHANNEL, 'work', 'work');
      return rows.length;
    },
    async owners() {
      const rows = await db
        .selectFrom('tasks')
        .select('executor')
        .distinct()
        .where('executor', 'is not', null)
        .execute();
      return rows.flatMap(({ executor }) => executor ?? []);
    },
    async line() {
      const now = new Date(clock.now());
      const { rows } = await sql<{ backlog: string; oldest: Date | null }>`
        select count(*) as backlog, min(due_at) filter (where claim = 0 or retry_count > 0) as oldest
          from aos.tasks where status in ('pending', 'retrying') and due_at <= ${now}`.execute(db);
      const [row] = rows;
      const oldest = row?.oldest ?? now;
      return { backlog: Number(row?.backlog ?? 0), oldestWaitMs: Math.max(0, now.getTime() - oldest.getTime()) };
    },
    async nextDueAt() {
      const row = await db
        .selectFrom('tasks')
        .select('due_at')
        .where('status', 'in', ['pending', 'retrying'])
        .where('due_at', '>', new Date(clock.now()))
        .orderBy('due_at')
        .limit(1)
        .executeTakeFirst();
      return row?.due_at.getTime();
    },
  };
}

/** The timeout bounds an attempt's work, not the time that people take to decide. */
function waitsForOthers(reason: WaitReason): boolean {
  return reason !== 'timer' && reason !== 'run';
}

/** While its run waits for people the attempt has no deadline; only what the wait itself says ends it. */
async function liftDeadline(trx: StoreScope, task: Task): Promise<void> {
  await sql`
    update aos.runs set deadline_at = null,
           wake_at = case when wake_at = 'epoch' then wake_at
                          else (select min(w.until) from json_to_recordset(waits) as w (until timestamptz)) end
     where tenant_id = ${task.caller.tenantId} and id = ${attemptRunId(task)} and status = 'waiting'`.execute(trx);
}

/** At work again, it has its whole time again. */
async function resumeDeadline(trx: StoreScope, task: Task, now: Date): Promise<void> {
  await trx
    .updateTable('runs')
    .set({ deadline_at: new Date(now.getTime() + task.submission.timeout_seconds * 1000) })
    .where('tenant_id', '=', task.caller.tenantId)
    .where('id', '=', attemptRunId(task))
    .where('deadline_at', 'is', null)
    .where('completed_at', 'is', null)
    .execute();
}
