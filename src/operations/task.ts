/** The task API over the line of tasks. */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Caller } from '../runs/run.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import type { NewTask, Task } from '../tasks/task.ts';
import { taskHistory } from '../tasks/task-history.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { currentTraceparent } from '../telemetry/tracing.ts';
import { type Operation, realize } from './operation.ts';
import {
  type AskedTask,
  cancelTask,
  getTask,
  listTasks,
  retryTask,
  scheduledAt,
  submitTask,
  taskEvents,
} from './task-spec.ts';
import { type TaskView, viewTask } from './task-view.ts';

export interface TaskOperationParts {
  readonly queue: TaskQueue;
  readonly tenant: TenantScopes;
}

export function createTaskOperations({ queue, tenant }: TaskOperationParts): readonly Operation[] {
  async function find(id: string, caller: Caller): Promise<Task> {
    return (await queue.find(id, caller)) ?? unknownTask(id);
  }

  const explained = async (task: Task): Promise<TaskView> => viewTask(task, (await queue.explain(task)) ?? null);

  return [
    realize(submitTask, async (asked, { caller, callId }) => {
      const options = { id: asked.task_id ?? undefined, callId, traceparent: currentTraceparent() };
      return viewTask(await queue.submit(taskOf(asked), caller, options));
    }),
    realize(listTasks, async ({ status, task_type: taskType, agent_id: agentId, since, limit, cursor }, { caller }) => {
      const { items, total, nextCursor } = await queue.list(caller, {
        status,
        taskType,
        agentId,
        since,
        limit,
        cursor,
      });
      return { items: items.map((task) => viewTask(task)), total, next_cursor: nextCursor };
    }),
    realize(getTask, async ({ task_id: id }, { caller }) => explained(await find(id, caller))),
    realize(cancelTask, async ({ task_id: id, reason }, { caller }) =>
      viewTask((await queue.cancel(id, reason ?? undefined, caller)) ?? unknownTask(id)),
    ),
    realize(retryTask, async ({ task_id: id }, { caller }) =>
      viewTask((await queue.requeue(id, caller)) ?? unknownTask(id)),
    ),
    realize(taskEvents, async ({ task_id: id, limit, cursor = '' }, { caller }) => {
      const happened = await taskHistory(tenant(caller.tenantId), await find(id, caller), {
        after: cursor,
        limit: limit + 1,
      });
      const page = happened.slice(0, limit);
      return {
        items: page.map(({ type, runId, seq, at, data }) => ({ type, run_id: runId, seq, at, data })),
        next_cursor: happened.length > limit ? (page.at(-1)?.position ?? null) : null,
      };
    }),
  ];
}

function unknownTask(id: string): never {
  throw new AosError('not_found', `Task ${id} not found`, { reason: 'TASK_NOT_FOUND' });
}

/** What was asked, without what was left open. */
function taskOf(asked: AskedTask): NewTask {
  const { task_id: _id, payload, metadata, scheduled_at: _at, ...plain } = asked;
  const given = Object.fromEntries(Object.entries(plain).filter(([, value]) => value != null));
  return {
    ...given,
    task_type: asked.task_type,
    scheduled_at: scheduledAt(asked),
    // What came as JSON is JSON.
    ...(payload != null && { payload: payload as JsonObject }),
    ...(metadata != null && { metadata: metadata as JsonObject }),
  };
}
