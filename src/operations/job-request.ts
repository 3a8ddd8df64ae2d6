/**
 * The bodies that write down or change a job, and what they mean. A schedule may stand in a member of its own or its
 * members beside the others; where both say something, the inner one counts.
 */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { type JobPlan, overlapPolicies } from '../scheduling/job.ts';
import { misfirePolicies } from '../scheduling/misfire.ts';
import { checkSchedule, type Schedule, type ScheduleDraft, scheduleTypes } from '../scheduling/schedule.ts';
import { innerWork } from '../tasks/handler-scheduled-job.ts';
import { type Priority, priorities, priorityFrom } from '../tasks/priority.ts';
import {
  agentOfTask,
  type NewTask,
  retryBounds,
  submissionOf,
  type TaskSubmission,
  taskTypes,
  timeoutBounds,
} from '../tasks/task.ts';
import { agentId, freeForm, givenName, protocolId } from './field.ts';

const number = (description: string) => z.number().nullish().meta({ description });
const text = (description: string) => z.string().max(500).nullish().meta({ description });

/** Only kinds of values are checked here; what they may be is the schedule's to say (INVALID_SCHEDULE). */
const scheduleMembers = {
  schedule_type: text(`One of ${scheduleTypes.join(', ')}`),
  run_at: text('When `once` fires: ISO-8601, UTC when it names no offset'),
  interval_seconds: number('1 to 31536000; counted from when the job is written down, or from start_date'),
  minute: number('0 to 59, of `hourly` and `daily`; 0 when left out'),
  hour: number('0 to 23, of `daily`'),
  cron_expression: text(
    '5 fields (minute hour day-of-month month weekday) or 6 with seconds in front; names, lists, ranges, steps; @hourly … @annually',
  ),
  timezone: text(
    'IANA zone that hourly, daily and cron are read in; UTC when left out. A local time that a clock change skips runs when the clock is put forward, one that it repeats runs once',
  ),
  max_runs: number('1 or more; the job completes with the last of them'),
  start_date: text('No firing before'),
  end_date: text('No firing after'),
};

export const scheduleBody = z.object({ ...scheduleMembers, schedule: z.object(scheduleMembers).nullish() });

const priority = z
  .union([z.string(), z.number()])
  .transform((given, issues): Priority => {
    const known = priorityFrom(given);
    if (known !== undefined) return known;
    issues.addIssue({ code: 'custom', message: `must be one of ${priorities.join(', ')}, or a number from 1 to 10` });
    return z.NEVER;
  })
  .meta({ description: `One of ${priorities.join(', ')}, or its number, 1 to 10` });

const line = z.string().regex(/^\P{Cc}{0,200}$/u, { error: 'must be at most 200 characters on one line' });

const jobMembers = {
  description: z
    .string()
    .max(2000)
    .refine((said) => !said.includes('\0'), { error: 'must not contain U+0000' })
    .optional(),
  task_type: z.enum(taskTypes).optional(),
  target_system: line.nullish(),
  action_type: line.nullish(),
  payload: freeForm
    .optional()
    .meta({ description: 'Of the task; its texts may hold {{last_run_at}}, {{planned_at}} and {{run_number}}' }),
  priority: priority.optional(),
  agent_id: agentId.nullish(),
  timeout_seconds: z.int().min(timeoutBounds.min).max(timeoutBounds.max).optional(),
  max_retries: z.int().min(retryBounds.min).max(retryBounds.max).optional(),
  metadata: freeForm.optional(),
  simulation: z.boolean().optional(),
  misfire_policy: z
    .enum(misfirePolicies)
    .optional()
    .meta({ description: 'Times that were missed by more than the grace: run once for all, not at all, or each' }),
  misfire_grace_seconds: z.int().min(0).max(86_400).optional(),
  overlap_policy: z
    .enum(overlapPolicies)
    .optional()
    .meta({ description: 'A time that comes while max_concurrent_runs are under way' }),
  max_concurrent_runs: z.int().min(1).max(100).optional(),
  failure_threshold: z
    .int()
    .min(1)
    .max(1000)
    .nullish()
    .meta({ description: 'So many failed runs in a row end the job; none do when it is null' }),
};

export const jobBody = scheduleBody.extend({
  id: protocolId.optional().meta({ description: 'A name of your choice; a new UUID when left out' }),
  name: givenName,
  ...jobMembers,
  allow_past: z
    .boolean()
    .optional()
    .meta({ description: 'Takes a `once` whose time has passed; the misfire rule judges it' }),
});

/** The same with everything optional. */
export const jobPatch = scheduleBody.extend({ name: givenName.optional(), ...jobMembers });

type ScheduleBody = z.output<typeof scheduleBody>;
type JobMembers = Omit<z.output<typeof jobPatch>, keyof ScheduleBody>;

function scheduleDraft({ schedule, ...body }: ScheduleBody): ScheduleDraft {
  const members = Object.keys(scheduleMembers) as (keyof Schedule)[];
  const given = members.flatMap((member) => {
    const value = schedule?.[member] === undefined ? body[member] : schedule[member];
    return value === undefined ? [] : [[member, value] as const];
  });
  return Object.fromEntries(given);
}

/** @throws AosError unprocessable (INVALID_SCHEDULE) */
export function scheduleOf(body: ScheduleBody): Schedule {
  return checkSchedule(scheduleDraft(body));
}

/** @throws AosError unprocessable (INVALID_SCHEDULE, INVALID_TASK) */
export function planOf(body: z.output<typeof jobBody>): JobPlan {
  return {
    name: body.name,
    description: body.description ?? '',
    schedule: scheduleOf(body),
    task: checkTask({ ...taskMembers(body), task_type: body.task_type ?? 'scheduled_job' }),
    misfirePolicy: body.misfire_policy ?? 'run_once',
    misfireGraceSeconds: body.misfire_grace_seconds ?? 60,
    overlapPolicy: body.overlap_policy ?? 'skip',
    maxConcurrentRuns: body.max_concurrent_runs ?? 1,
    failureThreshold: body.failure_threshold ?? null,
  };
}

/**
 * The plan with a patch applied. A schedule of another type begins anew, but keeps zone, bounds and `max_runs` unless
 * the patch says otherwise.
 */
export function patchedPlan(plan: JobPlan, patch: z.output<typeof jobPatch>): JobPlan {
  const draft = scheduleDraft(patch);
  if (Object.keys(draft).length === 0 && Object.values(patch).every((value) => value === undefined)) {
    throw new AosError('invalid_request', 'there is nothing to change: expected at least one member of a job');
  }
  const { timezone, max_runs, start_date, end_date, ...timing } = plan.schedule;
  const sameType = draft.schedule_type === undefined || draft.schedule_type === timing.schedule_type;
  const schedule = { timezone, max_runs, start_date, end_date, ...(sameType && timing), ...draft };
  return {
    name: patch.name ?? plan.name,
    description: patch.description ?? plan.description,
    schedule: Object.keys(draft).length === 0 ? plan.schedule : checkSchedule(schedule),
    task: checkTask({ ...plan.task, ...taskMembers(patch) }),
    misfirePolicy: patch.misfire_policy ?? plan.misfirePolicy,
    misfireGraceSeconds: patch.misfire_grace_seconds ?? plan.misfireGraceSeconds,
    overlapPolicy: patch.overlap_policy ?? plan.overlapPolicy,
    maxConcurrentRuns: patch.max_concurrent_runs ?? plan.maxConcurrentRuns,
    failureThreshold: patch.failure_threshold === undefined ? plan.failureThreshold : patch.failure_threshold,
  };
}

/** A task that could never run is refused now, rather than every time its job fires. */
function checkTask(task: NewTask): TaskSubmission {
  const submission = submissionOf(task);
  const { task_type: type, payload } = submission;
  if (type === 'scheduled_job') innerWork({ type, payload, agentId: agentOfTask(submission) });
  return submission;
}

/** What a body says of the task; what it leaves out is left out. */
function taskMembers(body: JobMembers): Partial<TaskSubmission> {
  const { payload, metadata } = body;
  return {
    ...(body.task_type !== undefined && { task_type: body.task_type }),
    ...(body.target_system !== undefined && { target_system: body.target_system }),
    ...(body.action_type !== undefined && { action_type: body.action_type }),
    // They came as JSON.
    ...(payload !== undefined && { payload: payload as JsonObject }),
    ...(metadata !== undefined && { metadata: metadata as JsonObject }),
    ...(body.priority !== undefined && { priority: body.priority }),
    ...(body.agent_id !== undefined && { agent_id: body.agent_id }),
    ...(body.timeout_seconds !== undefined && { timeout_seconds: body.timeout_seconds }),
    ...(body.max_retries !== undefined && { max_retries: body.max_retries }),
    ...(body.simulation !== undefined && { simulation: body.simulation }),
  };
}
