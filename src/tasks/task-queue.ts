/**
 * The line of tasks as callers see it: submit, look, cancel, try again. Every change tells its fact in the same
 * transaction; workers are woken afterwards.
 */
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Engine } from '../engine/engine.ts';
import type { Governor } from '../governance/governor.ts';
import type { Feed } from '../runs/feed.ts';
import type { OnQuota } from '../runs/quota.ts';
import { type Caller, enderOf } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import { attemptRunId, keyOfTask, type NewTask, type Task, type TaskKey, taskName, taskNamed } from './task.ts';
import { createTaskAdmission, type SubmitOptions } from './task-admission.ts';
import { listTasks, type TaskFilter, type TaskPage } from './task-list.ts';
import type { TaskSettingsStore } from './task-settings.ts';
import { isEnded } from './task-state.ts';
import { isCallers, loadTask, lockTask, rowOfTask, TASK_CHANNEL, tellFact, toTask } from './task-store.ts';
import { type Waiting, whyItWaits } from './waiting.ts';

export interface TaskQueue {
  /**
   * @throws AosError unprocessable (INVALID_TASK), overloaded (too many tasks wait), conflict (the id belongs to
   * another submission)
   */
  submit(task: NewTask, caller: Caller, options?: SubmitOptions): Promise<Task>;
  /** The task of that id if it is the caller's; a caller without user is the operator of its tenant and sees all of it. */
  find(id: string, caller: Caller): Promise<Task | undefined>;
  list(caller: Caller, filter: TaskFilter): Promise<TaskPage>;
  /**
   * Ends the task as cancelled and aborts its running code at once.
   * @returns undefined when the caller has none of that id
   * @throws AosError conflict (TASK_TERMINAL) when it has ended already
   */
  cancel(id: string, reason: string | undefined, caller: Caller): Promise<Task | undefined>;
  /**
   * Puts a failed or dead task back in line with all its retries.
   * @returns undefined when the caller has none of that id
   * @throws AosError conflict (TASK_NOT_FAILED) when it has not failed
   */
  requeue(id: string, caller: Caller): Promise<Task | undefined>;
  /** Why the task is not done yet; undefined when it has ended. */
  explain(task: Task): Promise<Waiting | undefined>;
  /**
   * Deletes tasks that ended before this time (ISO-8601 UTC); their runs are the run store's to delete.
   * @returns how many
   */
  prune(before: string): Promise<number>;
  /**
   * Calls the listener with every task that ends, in whatever process, from now on. Ends that happen while the
   * database is away are not told: whoever must know looks for itself, too.
   */
  onEnd(listener: (task: Task) => void): () => void;
  /** Listens for the ends of tasks. */
  start(): Promise<void>;
  stop(): void;
}

export interface TaskQueueParts {
  readonly database: Pick<Database, 'db' | 'tenant' | 'notifications'>;
  readonly engine: Pick<Engine, 'cancel'>;
  readonly feed: Pick<Feed, 'write'>;
  readonly settings: TaskSettingsStore;
  readonly clock: Clock;
  readonly log: Log;
  /** The fabric context of a tenant, kept with its tasks; left out where there is no fabric. */
  readonly fabric?: ((tenantId: string) => Promise<JsonObject>) | undefined;
  /** Whether the tenant has quotas that a submission may exceed; looked up for each when left out. */
  readonly hasQuotas?: ((tenantId: string) => boolean) | undefined;
  readonly onQuota?: OnQuota | undefined;
  /** Judges what is submitted. */
  readonly governor: Governor;
  /** Whether all tasks are simulated. */
  readonly simulation?: boolean | undefined;
}

export function createTaskQueue(parts: TaskQueueParts): TaskQueue {
  const { engine, feed, settings, clock, log } = parts;
  const { db, tenant, notifications } = parts.database;
  const endListeners = new Set<(task: Task) => void>();
  let stopListening: (() => void) | undefined;

  const submit = createTaskAdmission(parts);

  function announceWork(): void {
    notifications.announce(TASK_CHANNEL, 'work', 'work');
  }

  async function find(id: string, caller: Caller): Promise<Task | undefined> {
    const task = await loadTask(tenant(caller.tenantId), { tenantId: caller.tenantId, taskId: id });
    return task !== undefined && isCallers(task, caller) ? task : undefined;
  }

  /** Locks the caller's task, changes it and tells the fact. */
  function change(
    id: string,
    caller: Caller,
    to: (task: Task, trx: StoreScope) => Promise<Task>,
  ): Promise<Task | undefined> {
    return tenant(caller.tenantId)
      .transaction()
      .execute(async (trx) => {
        const task = await lockTask(trx, { tenantId: caller.tenantId, taskId: id });
        return task !== undefined && isCallers(task, caller) ? to(task, trx) : undefined;
      });
  }

  async function cancel(
    id: string,
    reason = 'The caller cancelled the task.',
    caller: Caller,
  ): Promise<Task | undefined> {
    const cancelled = await change(id, caller, async (task, trx) => {
      if (isEnded(task.status)) {
        throw new AosError('conflict', `Task is already ${task.status}`, {
          reason: 'TASK_TERMINAL',
          facts: { status: task.status },
        });
      }
      // A worker that has it keeps its claim until its code has ended: limits count what really runs.
      const row = await trx
        .updateTable('tasks')
        .set({ status: 'cancelled', status_message: reason, completed_at: new Date(clock.now()), waiting_for: null })
        .where((eb) => eb.and(rowOfTask(keyOfTask(task))))
        .returningAll()
        .executeTakeFirstOrThrow();
      await tellFact(feed, trx, 'task.cancelled', toTask(row), caller);
      return toTask(row);
    });
    if (cancelled === undefined) return undefined;
    await engine.cancel(attemptRunId(cancelled), reason, enderOf(cancelled.caller, caller));
    const ended = `ended ${taskName(keyOfTask(cancelled))}`;
    notifications.announce(TASK_CHANNEL, ended, ended);
    return cancelled;
  }

  async function requeue(id: string, caller: Caller): Promise<Task | undefined> {
    const again = await change(id, caller, async (task, trx) => {
      const { status, attempt } = task;
      if (status !== 'failed' && status !== 'dead') {
        throw new AosError('conflict', `Only a failed or dead task can be tried again; this one is ${status}`, {
          reason: 'TASK_NOT_FAILED',
          facts: { status },
        });
      }
      const row = await trx
        .updateTable('tasks')
        .set({
          status: 'pending',
          status_message: `tried again by hand after attempt ${attempt}`,
          attempt: attempt + 1,
          retry_count: 0,
          due_at: new Date(clock.now()),
          completed_at: null,
          result: null,
        })
        .where((eb) => eb.and(rowOfTask(keyOfTask(task))))
        .returningAll()
        .executeTakeFirstOrThrow();
      await tellFact(feed, trx, 'task.retrying', toTask(row), caller);
      return toTask(row);
    });
    if (again !== undefined) announceWork();
    return again;
  }

  async function tellEnd(key: TaskKey): Promise<void> {
    if (endListeners.size === 0) return;
    const task = await loadTask(db, key);
    if (task === undefined || !isEnded(task.status)) return;
    for (const listener of endListeners) listener(task);
  }

  return {
    submit,
    find,
    list: (caller, filter) => listTasks(tenant(caller.tenantId), caller, filter),
    cancel,
    requeue,
    explain: (task) => whyItWaits(db, settings.current(), task, isoTime(clock.now())),
    async prune(before) {
      const { numDeletedRows } = await db
        .deleteFrom('tasks')
        .where('completed_at', '<', new Date(before))
        .where('executor', 'is', null)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
    onEnd(listener) {
      endListeners.add(listener);
      return () => endListeners.delete(listener);
    },
    async start() {
      stopListening = await notifications.listen(TASK_CHANNEL, {
        heard(payload) {
          if (!payload.startsWith('ended ')) return;
          tellEnd(taskNamed(payload.slice('ended '.length))).catch((error: unknown) => {
            log.warn('the end of a task was not told', { reason: String(error) });
          });
        },
        missed() {},
      });
    },
    stop: () => stopListening?.(),
  };
}
