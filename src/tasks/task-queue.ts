/**
 * The line of tasks as callers see it: submit, look, cancel, try again. Every change tells its fact in the same
 * transaction; workers are woken afterwards.
 */
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { Engine } from '../engine/engine.ts';
import type { Feed } from '../runs/feed.ts';
import type { Caller } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import { rankOf } from './priority.ts';
import {
  agentOfTask,
  attemptRunId,
  hashSubmission,
  type NewTask,
  submissionOf,
  type Task,
  type TaskType,
} from './task.ts';
import type { TaskSettingsStore } from './task-settings.ts';
import { isEnded, type TaskStatus } from './task-state.ts';
import { isCallers, loadTask, lockTask, TASK_CHANNEL, tellFact, toTask } from './task-store.ts';
import { type Waiting, whyItWaits } from './waiting.ts';

export interface SubmitOptions {
  /** The caller's own id: the same id and the same submission give the task that exists. A new one by default. */
  readonly id?: string | undefined;
  readonly callId?: string | undefined;
  /** The W3C trace it belongs to. */
  readonly traceparent?: string | undefined;
  /** A transaction that the submission is part of; workers find the task when it is committed. */
  readonly within?: StoreScope | undefined;
}

export interface TaskFilter {
  readonly status?: TaskStatus | undefined;
  readonly taskType?: TaskType | undefined;
  readonly agentId?: string | undefined;
  /** Created at this time or later, epoch milliseconds. */
  readonly since?: number | undefined;
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface TaskPage {
  /** Newest first. */
  readonly items: readonly Task[];
  /** How many there are of the filter, on all pages. */
  readonly total: number;
  readonly nextCursor: string | null;
}

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
   * Calls the listener with every task that ends, in whatever process, from now on. Ends that happen while the
   * database is away are not told: whoever must know looks for itself, too.
   */
  onEnd(listener: (task: Task) => void): () => void;
  /** Listens for the ends of tasks. */
  start(): Promise<void>;
  stop(): void;
}

export interface TaskQueueParts {
  readonly database: Pick<Database, 'db' | 'notifications'>;
  readonly engine: Pick<Engine, 'cancel'>;
  readonly feed: Pick<Feed, 'write'>;
  readonly settings: TaskSettingsStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a count of the waiting tasks is good enough for the bound on their number. */
const COUNT_AGE_MS = 1_000;

export function createTaskQueue(parts: TaskQueueParts): TaskQueue {
  const { engine, feed, settings, clock, log } = parts;
  const { db, notifications } = parts.database;
  const endListeners = new Set<(task: Task) => void>();
  let counted = { at: Number.NEGATIVE_INFINITY, waiting: 0 };
  let stopListening: (() => void) | undefined;

  /** The bound protects the database, so a count that is a second old, plus what came since, will do. */
  async function checkRoom(): Promise<void> {
    const { max_pending: max } = settings.current();
    if (clock.monotonic() - counted.at > COUNT_AGE_MS) {
      const at = clock.monotonic();
      const { waiting } = await db
        .selectFrom('tasks')
        .select(({ fn }) => fn.countAll<string>().as('waiting'))
        .where('status', '=', 'pending')
        .executeTakeFirstOrThrow();
      counted = { at, waiting: Number(waiting) };
    }
    if (counted.waiting >= max) {
      throw new AosError(
        'overloaded',
        `The queue is full: ${counted.waiting} tasks wait (at most ${max} may). Try again later.`,
        {
          reason: 'QUEUE_FULL',
          facts: { pending: counted.waiting, max_pending: max },
        },
      );
    }
    counted.waiting += 1;
  }

  async function submit(given: NewTask, caller: Caller, options: SubmitOptions = {}): Promise<Task> {
    const submission = submissionOf(given);
    const id = options.id ?? newUuid();
    const now = clock.now();
    const scheduledAt = submission.scheduled_at === null ? null : new Date(submission.scheduled_at);
    const requestHash = hashSubmission(submission);
    const enter = async (trx: StoreScope): Promise<Task> => {
      const created = await trx
        .insertInto('tasks')
        .values({
          id,
          tenant_id: caller.tenantId,
          user_id: caller.userId,
          submission: JSON.stringify(submission),
          request_hash: requestHash,
          task_type: submission.task_type,
          rank: rankOf(submission.priority),
          status: 'pending',
          agent_id: agentOfTask(submission) ?? '',
          target_system: submission.target_system ?? '',
          call_id: options.callId ?? '',
          traceparent: options.traceparent ?? null,
          created_at: new Date(now),
          scheduled_at: scheduledAt,
          // A time that has passed brings no advantage in line.
          due_at: new Date(Math.max(now, scheduledAt?.getTime() ?? now)),
          max_retries: submission.max_retries,
        })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returningAll()
        .executeTakeFirst();
      if (created !== undefined) {
        const task = toTask(created);
        await tellFact(feed, trx, 'task.submitted', task);
        return task;
      }
      const existing = await trx.selectFrom('tasks').selectAll().where('id', '=', id).executeTakeFirst();
      const isSame =
        existing?.tenant_id === caller.tenantId &&
        existing.user_id === caller.userId &&
        existing.request_hash === requestHash;
      if (existing !== undefined && isSame) return toTask(existing);
      throw new AosError(
        'conflict',
        `The id "${id}" already belongs to another task: repeat that submission exactly to get its task, or use a new id.`,
      );
    };
    await checkRoom();
    const task = await (options.within === undefined ? db.transaction().execute(enter) : enter(options.within));
    if (task.status === 'pending') announceWork();
    return task;
  }

  function announceWork(): void {
    notifications.announce(TASK_CHANNEL, 'work', 'work');
  }

  async function find(id: string, caller: Caller): Promise<Task | undefined> {
    const task = await loadTask(db, id);
    return task !== undefined && isCallers(task, caller) ? task : undefined;
  }

  /** Locks the caller's task, changes it and tells the fact. */
  function change(
    id: string,
    caller: Caller,
    to: (task: Task, trx: StoreScope) => Promise<Task>,
  ): Promise<Task | undefined> {
    return db.transaction().execute(async (trx) => {
      const task = await lockTask(trx, id);
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
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow();
      await tellFact(feed, trx, 'task.cancelled', toTask(row));
      return toTask(row);
    });
    if (cancelled === undefined) return undefined;
    await engine.cancel(attemptRunId(cancelled), reason, cancelled.caller);
    notifications.announce(TASK_CHANNEL, `ended ${id}`, `ended ${id}`);
    return cancelled;
  }

  async function requeue(id: string, caller: Caller): Promise<Task | undefined> {
    const task = await change(id, caller, async ({ status, attempt }, trx) => {
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
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow();
      await tellFact(feed, trx, 'task.retrying', toTask(row));
      return toTask(row);
    });
    if (task !== undefined) announceWork();
    return task;
  }

  async function list(caller: Caller, filter: TaskFilter): Promise<TaskPage> {
    const { status, taskType, agentId, since, limit, cursor } = filter;
    if (cursor !== undefined && !/^\d{1,18}$/.test(cursor)) {
      throw new AosError('invalid_request', `"cursor" must be the next_cursor of the page before, got "${cursor}"`);
    }
    let query = db.selectFrom('tasks').where('tenant_id', '=', caller.tenantId);
    if (caller.userId !== '') query = query.where('user_id', '=', caller.userId);
    if (status !== undefined) query = query.where('status', '=', status);
    if (taskType !== undefined) query = query.where('task_type', '=', taskType);
    if (agentId !== undefined) query = query.where('agent_id', '=', agentId);
    if (since !== undefined) query = query.where('created_at', '>=', new Date(since));
    const page = cursor === undefined ? query : query.where('seq', '<', cursor);
    const [{ total }, rows] = await Promise.all([
      query.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
      page
        .selectAll()
        .orderBy('seq', 'desc')
        .limit(limit + 1)
        .execute(),
    ]);
    const items = rows.slice(0, limit).map(toTask);
    return { items, total: Number(total), nextCursor: rows.length > limit ? (items.at(-1)?.seq ?? null) : null };
  }

  async function tellEnd(id: string): Promise<void> {
    if (endListeners.size === 0) return;
    const task = await loadTask(db, id);
    if (task === undefined || !isEnded(task.status)) return;
    for (const listener of endListeners) listener(task);
  }

  return {
    submit,
    find,
    list,
    cancel,
    requeue,
    explain: (task) => whyItWaits(db, settings.current(), task, isoTime(clock.now())),
    onEnd(listener) {
      endListeners.add(listener);
      return () => endListeners.delete(listener);
    },
    async start() {
      stopListening = await notifications.listen(TASK_CHANNEL, {
        heard(payload) {
          if (!payload.startsWith('ended ')) return;
          tellEnd(payload.slice('ended '.length)).catch((error: unknown) => {
            log.warn('the end of a task was not told', { reason: String(error) });
          });
        },
        missed() {},
      });
    },
    stop: () => stopListening?.(),
  };
}
