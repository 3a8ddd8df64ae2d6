/** A task on the wire: every member the seed system's class has, and what ours adds. */
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import { priorities, priorityNumbers } from '../tasks/priority.ts';
import { attemptRunId, type Task, taskTypes } from '../tasks/task.ts';
import { taskStatuses } from '../tasks/task-state.ts';
import type { Waiting } from '../tasks/waiting.ts';
import { traceIdOf } from '../telemetry/tracing.ts';
import { agentId, freeForm, protocolId, time } from './field.ts';

export const TASKS_PATH = '/api/v1/aoa/tasks';

const atSubmission = { description: 'As it was when the task was submitted' };
const ofAction = { description: 'Of a fabric_action that a plane has done or taken' };

export const waitingView = z
  .object({
    reason: z.string().meta({
      description:
        'scheduled · retry · limit · line · worker (it has one) · or what its run waits for: approval, timer, run, …',
    }),
    sentence: z.string().meta({ description: 'The same for people' }),
    position: z.int().nullable().meta({ description: 'Place in the line of its tenant; 1 is next' }),
    until: time.nullable(),
    limit: z
      .object({ kind: z.enum(['agent', 'tenant', 'target']), name: z.string(), running: z.int(), max: z.int() })
      .nullable(),
    approval_id: z.string().nullable(),
    worker_id: z.string().nullable(),
  })
  .meta({ id: 'TaskWaiting', description: 'Why a task is not done yet' });

export const taskView = z
  .object({
    id: protocolId,
    task_id: protocolId.meta({ description: 'The same as id' }),
    task_type: z.enum(taskTypes),
    status: z.enum(taskStatuses),
    status_message: z.string().nullable(),
    priority: z.enum(priorities),
    priority_value: z.int().meta({ description: '1 critical · 2 high · 5 normal · 8 low · 10 background' }),
    payload: freeForm,
    agent_id: agentId.nullable(),
    tenant_id: z.string(),
    run_id: z.string().nullable().meta({ description: 'As submitted' }),
    attempt: z.int().min(1),
    attempt_run_id: protocolId.nullable().meta({ description: 'The run of the last attempt; null before the first' }),
    scheduled_at: time.nullable(),
    primary_plane_id: z.string().nullable().meta(atSubmission),
    routed_plane_id: z.string().nullable().meta(ofAction),
    fabric_preset: z.string().nullable().meta(atSubmission),
    fabric_context: freeForm.nullable().meta(atSubmission),
    raci_responsible: z.string(),
    raci_accountable: z.string().nullable(),
    raci_consulted: z.array(z.string()),
    raci_informed: z.array(z.string()),
    target_system: z.string().nullable(),
    action_type: z.string().nullable(),
    routed_action_id: z.string().nullable().meta(ofAction),
    worker_id: z.string().nullable().meta({ description: 'The worker that has it, or had it last' }),
    created_at: time,
    assigned_at: time.nullable(),
    started_at: time.nullable(),
    completed_at: time.nullable(),
    timeout_seconds: z.number(),
    max_retries: z.int(),
    retry_count: z.int(),
    next_attempt_at: time.nullable(),
    last_error: z.string().nullable(),
    result: freeForm.nullable(),
    simulation: z.boolean(),
    metadata: freeForm,
    trace_id: z.string().nullable(),
    links: z.object({ self: z.string(), events: z.string() }),
    waiting: waitingView.nullable().optional().meta({ description: 'Only of one task; null when it has ended' }),
  })
  .meta({ id: 'Task', description: 'A unit of work that waits in line for a worker' });

export type TaskView = z.infer<typeof taskView>;

export function viewTask(task: Task, waiting?: Waiting | null): TaskView {
  const { submission: given, lastError, fabric } = task;
  const action = given.task_type === 'fabric_action' ? task.result : null;
  return {
    id: task.id,
    task_id: task.id,
    task_type: given.task_type,
    status: task.status,
    status_message: task.statusMessage,
    priority: given.priority,
    priority_value: priorityNumbers[given.priority],
    payload: given.payload,
    agent_id: given.agent_id,
    tenant_id: task.caller.tenantId,
    run_id: given.run_id,
    attempt: task.attempt,
    attempt_run_id: lastRunOf(task),
    scheduled_at: given.scheduled_at,
    primary_plane_id: textOf(fabric, 'primary_plane_id'),
    routed_plane_id: textOf(action, 'routed_plane_id'),
    fabric_preset: textOf(fabric, 'fabric_preset'),
    fabric_context: fabric,
    raci_responsible: given.raci_responsible,
    raci_accountable: given.raci_accountable,
    raci_consulted: given.raci_consulted,
    raci_informed: given.raci_informed,
    target_system: given.target_system,
    action_type: given.action_type,
    routed_action_id: textOf(action, 'id'),
    worker_id: task.workerId,
    created_at: task.createdAt,
    assigned_at: task.assignedAt,
    started_at: task.startedAt,
    completed_at: task.completedAt,
    timeout_seconds: given.timeout_seconds,
    max_retries: given.max_retries,
    retry_count: task.retryCount,
    next_attempt_at: task.status === 'retrying' ? task.dueAt : null,
    last_error: lastError?.message ?? null,
    result: task.result,
    simulation: given.simulation,
    metadata: given.metadata,
    trace_id: traceIdOf(task.traceparent ?? undefined) ?? null,
    links: { self: `${TASKS_PATH}/${task.id}`, events: `${TASKS_PATH}/${task.id}/events` },
    ...(waiting !== undefined && { waiting }),
  };
}

/** The run of the attempt under way, or of the one before when the next has not begun. */
function lastRunOf(task: Task): string | null {
  if (task.startedAt === null) return null;
  const begun = task.status !== 'retrying' && !(task.status === 'pending' && task.lastError !== null);
  return attemptRunId({ id: task.id, attempt: begun ? task.attempt : Math.max(1, task.attempt - 1) });
}

/** A member of what is stored as JSON that is a text; null when it is none. */
export function textOf(object: JsonObject | null, member: string): string | null {
  const value = object?.[member];
  return typeof value === 'string' ? value : null;
}
