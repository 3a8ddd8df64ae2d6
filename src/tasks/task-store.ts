/**
 * Tasks as rows: what is read and how a row becomes a task. Changes are made by `task-queue.ts` for callers and by
 * `task-claims.ts` for workers.
 */
import { type RawBuilder, type Selectable, sql } from 'kysely';
import type { ErrorCode } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Feed } from '../runs/feed.ts';
import { type Caller, doneBy, reaches, type WaitReason } from '../runs/run.ts';
import type { StoreScope } from '../store/database.ts';
import type { TaskTable } from '../store/tables/task.ts';
import { priorityNumbers } from './priority.ts';
import { keyOfTask, type Task, type TaskKey, type TaskSubmission, taskName } from './task.ts';
import type { TaskStatus } from './task-state.ts';

export type TaskRow = Selectable<TaskTable>;

/** The channel on which pools hear that there is something to do, and listeners that a task has ended. */
export const TASK_CHANNEL = 'aos_tasks';

/** What happened to a task, as the feed tells it. */
export type TaskFact =
  | 'task.submitted'
  | 'task.assigned'
  | 'task.started'
  | 'task.completed'
  | 'task.failed'
  | 'task.retrying'
  | 'task.dead'
  | 'task.cancelled';

/** Type and status are written only by this room, from the types they are read back as. */
export function toTask(row: TaskRow): Task {
  return {
    id: row.id,
    seq: row.seq,
    caller: { tenantId: row.tenant_id, userId: row.user_id },
    submission: row.submission as TaskSubmission,
    status: row.status as TaskStatus,
    statusMessage: row.status_message,
    waitingFor: row.waiting_for as WaitReason | null,
    fabric: row.fabric,
    traceparent: row.traceparent,
    parentRunId: row.parent_run_id,
    held: row.held,
    callId: row.call_id,
    createdAt: row.created_at.toISOString(),
    dueAt: row.due_at.toISOString(),
    assignedAt: row.assigned_at?.toISOString() ?? null,
    startedAt: row.started_at?.toISOString() ?? null,
    completedAt: row.completed_at?.toISOString() ?? null,
    retryCount: row.retry_count,
    attempt: row.attempt,
    lastError: row.last_error as { code: ErrorCode; message: string } | null,
    result: row.result,
    workerId: row.worker_id,
    claim: row.claim,
    isClaimed: row.executor !== null,
  };
}

/** The columns that say which row a task is. */
export function rowOfTask({ tenantId, taskId }: TaskKey) {
  return { tenant_id: tenantId, id: taskId };
}

export async function loadTask(within: StoreScope, key: TaskKey): Promise<Task | undefined> {
  const row = await within
    .selectFrom('tasks')
    .selectAll()
    .where((eb) => eb.and(rowOfTask(key)))
    .executeTakeFirst();
  return row && toTask(row);
}

/** Whether these columns, of tenant and task, are one of the keys. */
export function isAnyTask(tenant: string, task: string, keys: readonly TaskKey[]): RawBuilder<boolean> {
  const tenants = keys.map(({ tenantId }) => tenantId);
  const ids = keys.map(({ taskId }) => taskId);
  return sql<boolean>`(${sql.ref(tenant)}, ${sql.ref(task)}) in (select * from unnest(${tenants}::text[], ${ids}::text[]))`;
}

/** @returns those that there are, by name */
export async function loadTasks(within: StoreScope, keys: readonly TaskKey[]): Promise<ReadonlyMap<string, Task>> {
  const rows = await within
    .selectFrom('tasks')
    .selectAll()
    .where(isAnyTask('tenant_id', 'id', keys))
    .execute();
  return new Map(rows.map(toTask).map((task) => [taskName(keyOfTask(task)), task]));
}

/** Locks the task for a change. */
export async function lockTask(within: StoreScope, key: TaskKey): Promise<Task | undefined> {
  const row = await within
    .selectFrom('tasks')
    .selectAll()
    .where((eb) => eb.and(rowOfTask(key)))
    .forNoKeyUpdate()
    .executeTakeFirst();
  return row && toTask(row);
}

/** Whether the task is the caller's; a caller without user is the operator of its tenant. */
export function isCallers({ caller: owner }: Task, caller: Caller): boolean {
  return reaches(caller, owner);
}

/** Tells a change in the transaction that makes it. @param by who made it, when it was not the owner or the server */
export function tellFact(
  feed: Pick<Feed, 'write'>,
  within: StoreScope,
  type: TaskFact,
  task: Task,
  by: Caller = task.caller,
): Promise<void> {
  const { submission, caller } = task;
  const data: JsonObject = {
    task_type: submission.task_type,
    priority: submission.priority,
    priority_value: priorityNumbers[submission.priority],
    agent_id: submission.agent_id,
    status: task.status,
    attempt: task.attempt,
    retry_count: task.retryCount,
    ...doneBy(caller, by),
    ...(task.workerId !== null && { worker_id: task.workerId }),
    ...(task.statusMessage !== null && { status_message: task.statusMessage }),
    ...(task.status === 'retrying' && { next_attempt_at: task.dueAt }),
    ...((type === 'task.failed' || type === 'task.dead' || type === 'task.retrying') && {
      error: task.lastError === null ? null : { ...task.lastError },
    }),
  };
  return feed.write(within, { tenantId: caller.tenantId, userId: caller.userId, type, subject: task.id, data });
}
