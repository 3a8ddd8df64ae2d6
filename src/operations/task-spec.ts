/** The task API of the seed system: paths, statuses and members as the reference has them. */
import { z } from 'zod';
import { isoTime } from '../core/clock.ts';
import type { JsonObject } from '../core/json.ts';
import { priorities, priorityFrom } from '../tasks/priority.ts';
import { retryBounds, taskTypes, timeoutBounds } from '../tasks/task.ts';
import { taskStatuses } from '../tasks/task-state.ts';
import { agentId, askedTime, cursor, freeForm, nextCursor, pageSize, protocolId, time } from './field.ts';
import { type RestRoute, specify } from './operation.ts';
import { TASKS_PATH, taskView } from './task-view.ts';

const ID = '7a0e4d0e-6a53-4c0c-9a3b-1f4f3f0f7d11';
const rest = (method: RestRoute['method'], path: string, status = 200): RestRoute => ({
  method,
  path: `${TASKS_PATH}${path}`,
  status,
  family: 'detail',
});

const shortText = z.string().max(256);
const names = z.array(shortText).max(100);

const priority = z
  .union([z.string(), z.number()])
  .transform((given, issues) => {
    const known = priorityFrom(given);
    if (known !== undefined) return known;
    issues.addIssue({ code: 'custom', message: `must be ${priorities.join(', ')} or a whole number from 1 to 10` });
    return z.NEVER;
  })
  .meta({ description: 'A name in any case, or 1 (most urgent) to 10; a number in between counts as the next class' });

export const taskSubmission = z
  .object({
    task_id: protocolId.max(200).nullish().meta({
      description: "The caller's name for it, which makes repeating the call harmless; else a new UUID",
    }),
    task_type: z.enum(taskTypes, { error: `must be one of ${taskTypes.join(', ')}` }).default('agent_run'),
    payload: freeForm.nullish(),
    priority: priority.nullish(),
    agent_id: agentId.nullish(),
    run_id: protocolId.nullish().meta({ description: "A run of the caller's that the task belongs to" }),
    scheduled_at: askedTime.nullish().meta({ description: 'Not before this time' }),
    timeout_seconds: z
      .number()
      .min(timeoutBounds.min)
      .max(timeoutBounds.max)
      .nullish()
      .meta({ description: 'Of each attempt' }),
    max_retries: z
      .int()
      .min(retryBounds.min)
      .max(retryBounds.max)
      .nullish()
      .meta({ description: 'After the first attempt' }),
    target_system: shortText.nullish(),
    action_type: shortText.nullish(),
    raci_responsible: shortText.nullish(),
    raci_accountable: shortText.nullish(),
    raci_consulted: names.nullish(),
    raci_informed: names.nullish(),
    metadata: freeForm.nullish(),
    simulation: z.boolean().nullish(),
  })
  .meta({ id: 'TaskSubmission', description: 'A task to be put in line' });

export type AskedTask = z.output<typeof taskSubmission>;

/** A time as it was asked, as everything here writes times. */
export function scheduledAt({ scheduled_at: at }: AskedTask): string | null {
  return at == null ? null : isoTime(at);
}

const one = z.object({ task_id: protocolId });

const pending = {
  id: ID,
  task_id: ID,
  task_type: 'agent_run',
  status: 'pending',
  status_message: null,
  priority: 'high',
  priority_value: 2,
  payload: { input: 'Draft the renewal offer for customer 1042.' },
  agent_id: 'cmo',
  tenant_id: 'acme',
  run_id: null,
  attempt: 1,
  attempt_run_id: null,
  scheduled_at: null,
  primary_plane_id: null,
  routed_plane_id: null,
  fabric_preset: null,
  fabric_context: null,
  raci_responsible: 'AOA',
  raci_accountable: 'Sales Operations',
  raci_consulted: ['cfo'],
  raci_informed: ['audit'],
  target_system: null,
  action_type: null,
  routed_action_id: null,
  worker_id: null,
  created_at: '2026-02-01T10:00:00.000Z',
  assigned_at: null,
  started_at: null,
  completed_at: null,
  timeout_seconds: 60,
  max_retries: 2,
  retry_count: 0,
  next_attempt_at: null,
  last_error: null,
  result: null,
  simulation: false,
  metadata: { ticket: 'OPS-77' },
  trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
  links: { self: `${TASKS_PATH}/${ID}`, events: `${TASKS_PATH}/${ID}/events` },
} satisfies JsonObject;

export const submitTask = specify({
  name: 'tasks.submit',
  summary: 'Put a task in line',
  description:
    'It waits for a worker by priority, then due time; waiting makes it more urgent. What each type needs: agent_run ' +
    '`agent_id` and `payload.input` · orchestration a payload like the body of POST /api/orchestrations · evaluation ' +
    '`agent_id` (or `payload.run_id`) and `payload.cases` · scheduled_job `payload.run`, a task in itself · ' +
    'fabric_action `target_system` and `action_type`, and in the payload `entity_id`, `entity_type`, `data` · health_check nothing.',
  input: taskSubmission,
  output: taskView,
  rest: { ...rest('POST', '', 202), location: (output) => `${TASKS_PATH}/${String(output['id'])}` },
  errors: ['unprocessable', 'conflict', 'overloaded'],
  example: {
    input: {
      task_type: 'agent_run',
      payload: { input: 'Draft the renewal offer for customer 1042.' },
      priority: 'HIGH',
      agent_id: 'cmo',
      timeout_seconds: 60,
      max_retries: 2,
      raci_accountable: 'Sales Operations',
      raci_consulted: ['cfo'],
      raci_informed: ['audit'],
      metadata: { ticket: 'OPS-77' },
    },
    output: pending,
  },
});

export const listTasks = specify({
  name: 'tasks.list',
  summary: 'The tasks, newest first',
  input: z.object({
    status: z.enum(taskStatuses).optional(),
    task_type: z.enum(taskTypes).optional(),
    agent_id: agentId.optional(),
    since: askedTime.optional().meta({ description: 'Only those created at this time or later' }),
    limit: pageSize,
    cursor,
  }),
  output: z.object({ items: z.array(taskView), total: z.int(), next_cursor: nextCursor }),
  rest: rest('GET', ''),
  example: { output: { items: [pending], total: 1, next_cursor: null } },
});

export const getTask = specify({
  name: 'tasks.get',
  summary: 'A task as it is, and why it waits',
  input: one,
  output: taskView,
  rest: rest('GET', '/{task_id}'),
  errors: ['not_found'],
  example: {
    output: {
      ...pending,
      waiting: {
        reason: 'limit',
        sentence: 'It waits for the limit of agent cmo: 2 of 2 are running.',
        position: 1,
        until: null,
        limit: { kind: 'agent', name: 'cmo', running: 2, max: 2 },
        approval_id: null,
        worker_id: null,
      },
    },
  },
});

export const cancelTask = specify({
  name: 'tasks.cancel',
  governs: { kind: 'task', type: 'cancel' },
  summary: 'End a task as cancelled',
  description: 'Code that is running is aborted at once. Refused (409, with the `status`) when the task has ended.',
  input: one.extend({
    reason: z.string().min(1).max(500).nullish().meta({ description: 'Why; becomes its status_message' }),
  }),
  output: taskView,
  rest: rest('DELETE', '/{task_id}'),
  errors: ['not_found', 'conflict'],
  example: {
    output: {
      ...pending,
      status: 'cancelled',
      status_message: 'duplicate',
      completed_at: '2026-02-01T10:00:00.090Z',
    },
  },
});

export const retryTask = specify({
  name: 'tasks.retry',
  governs: { kind: 'task', type: 'retry' },
  summary: 'Put a failed or dead task back in line',
  description: 'With all its retries again. Refused (409, with the `status`) when it has not failed.',
  input: one,
  output: taskView,
  rest: { ...rest('POST', '/{task_id}/retry', 202), location: (output) => `${TASKS_PATH}/${String(output['id'])}` },
  errors: ['not_found', 'conflict'],
  example: { input: {}, output: { ...pending, attempt: 2, attempt_run_id: `${ID}.1` } },
});

const happening = z
  .object({
    type: z.string().meta({ description: '`task.…` of the task itself, otherwise of the run of an attempt' }),
    run_id: protocolId.nullable(),
    seq: z.int().nullable().meta({ description: 'Its number in the log of that run' }),
    at: time,
    data: freeForm,
  })
  .meta({ id: 'TaskHappening', description: 'Something that happened to a task' });

export const taskEvents = specify({
  name: 'tasks.events',
  summary: 'What happened to a task and in its attempts, in order',
  description: 'Pieces of text as it is written are left out; the finished turn says it all.',
  input: one.extend({ limit: pageSize.default(200), cursor }),
  output: z.object({ items: z.array(happening), next_cursor: nextCursor }),
  rest: rest('GET', '/{task_id}/events'),
  errors: ['not_found'],
  example: {
    output: {
      items: [
        {
          type: 'task.submitted',
          run_id: null,
          seq: null,
          at: '2026-02-01T10:00:00.000Z',
          data: { task_type: 'agent_run', priority: 'high' },
        },
      ],
      next_cursor: null,
    },
  },
});

export const taskSpecs = [submitTask, listTasks, getTask, cancelTask, retryTask, taskEvents];
