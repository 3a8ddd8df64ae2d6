/**
 * The job API: paths, statuses and members as the seed system's blueprint has them, and what it lacks.
 */
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import { jobRunStatuses } from '../scheduling/job-run.ts';
import { jobStatuses } from '../scheduling/job-state.ts';
import { scheduleTypes } from '../scheduling/schedule.ts';
import { taskTypes } from '../tasks/task.ts';
import { askedTime, cursor, nextCursor, pageSize, protocolId, time } from './field.ts';
import { jobBody, jobPatch, scheduleBody } from './job-request.ts';
import { jobRunView, jobView, schedulerView, scheduleView } from './job-view.ts';
import { type RestRoute, specify } from './operation.ts';

const BASE = '/api/v1/aoa/jobs';
const ID = '5d2b7c1e-8a57-4f0b-b2fd-6f6d4a3f9c10';
const one = z.object({ job_id: protocolId });
const total = z.int().meta({ description: 'On all pages' });

const rest = (method: RestRoute['method'], path: string, status = 200): RestRoute => ({
  method,
  path: `${BASE}${path}`,
  status,
  family: 'detail',
});

const schedule = {
  schedule_type: 'daily',
  run_at: null,
  interval_seconds: null,
  minute: 30,
  hour: 2,
  cron_expression: null,
  timezone: 'Europe/Berlin',
  max_runs: null,
  start_date: null,
  end_date: null,
};

const request = {
  name: 'nightly-crm-sync',
  description: 'Pull CRM deltas',
  schedule: { schedule_type: 'daily', hour: 2, minute: 30, timezone: 'Europe/Berlin' },
  task_type: 'fabric_action',
  target_system: 'crm',
  action_type: 'sync',
  payload: { entity_type: 'customer', data: { since: '{{last_run_at}}' } },
  priority: 'NORMAL',
  agent_id: 'coo',
  timeout_seconds: 300,
  max_retries: 3,
  misfire_policy: 'run_once',
  misfire_grace_seconds: 60,
  overlap_policy: 'skip',
  max_concurrent_runs: 1,
  metadata: {},
};

const upcoming = ['2026-02-02T01:30:00.000Z', '2026-02-03T01:30:00.000Z', '2026-02-04T01:30:00.000Z'];

const job: JsonObject = {
  ...request,
  id: ID,
  job_id: ID,
  schedule_type: 'daily',
  schedule: { ...schedule, run_count: 0 },
  priority: 'normal',
  priority_value: 5,
  primary_plane_id: null,
  fabric_preset: null,
  tenant_id: 'default',
  status: 'scheduled',
  enabled: true,
  created_at: '2026-02-01T10:00:00.000Z',
  updated_at: '2026-02-01T10:00:00.000Z',
  next_run_at: '2026-02-02T01:30:00.000Z',
  last_run_at: null,
  last_run_result: null,
  last_error: null,
  consecutive_failures: 0,
  failure_threshold: null,
  run_count: 0,
  max_runs: null,
  simulation: false,
  upcoming,
  links: { self: `${BASE}/${ID}`, runs: `${BASE}/${ID}/runs` },
};

const run = {
  job_id: ID,
  run_number: 1,
  status: 'completed',
  cause: 'schedule',
  planned_at: '2026-02-02T01:30:00.000Z',
  actual_at: '2026-02-02T01:30:00.004Z',
  lateness_ms: 4,
  completed_at: '2026-02-02T01:30:01.212Z',
  duration_ms: 1208,
  task_id: '9b1c7b0e-0a57-8f0b-b2fd-6f6d4a3f9c10',
  result: {},
  error: null,
};

export const createJob = specify({
  name: 'jobs.create',
  summary: 'Schedule a job',
  description:
    'Each firing submits the task that the body describes. The schedule stands in `schedule`, or its members beside ' +
    'the others. Planned times are counted from the schedule, never from when a run began or ended.',
  input: jobBody,
  output: jobView,
  rest: { ...rest('POST', '', 201), location: (output) => `${BASE}/${String(output['id'])}` },
  errors: ['conflict', 'unprocessable'],
  example: { input: request, output: job },
});

export const previewJob = specify({
  name: 'jobs.preview',
  summary: 'When a schedule would fire',
  access: 'read',
  description: 'Writes nothing down. The schedule is given as when a job is made.',
  input: scheduleBody.extend({
    count: z.int().min(1).max(100).default(10),
    after: askedTime.optional().meta({ description: 'Firings after this time; now when left out' }),
  }),
  output: z.object({ schedule: scheduleView, upcoming: z.array(time) }),
  rest: rest('POST', '/preview'),
  errors: ['unprocessable'],
  example: { input: { ...request.schedule, count: 3 }, output: { schedule, upcoming } },
});

export const listJobs = specify({
  name: 'jobs.list',
  summary: 'The jobs, by their next time; those without one last',
  input: z.object({
    status: z.enum(jobStatuses).optional(),
    enabled: z
      .union([z.boolean(), z.enum(['true', 'false', '1', '0'])])
      .transform((value) => value === true || value === 'true' || value === '1')
      .optional(),
    schedule_type: z.enum(scheduleTypes).optional(),
    task_type: z.enum(taskTypes).optional(),
    limit: pageSize,
    cursor,
  }),
  output: z.object({ items: z.array(jobView), total, next_cursor: nextCursor }),
  rest: rest('GET', ''),
  example: { output: { items: [job], total: 1, next_cursor: null } },
});

export const getJob = specify({
  name: 'jobs.get',
  summary: 'A job as it is',
  input: one,
  output: jobView,
  rest: rest('GET', '/{job_id}'),
  errors: ['not_found'],
  example: { output: job },
});

export const changeJob = specify({
  name: 'jobs.change',
  summary: 'Change a job',
  description:
    'What is left out stays. With another schedule the times are counted anew; one of another type keeps zone, ' +
    'bounds and max_runs unless the body says otherwise.',
  input: jobPatch.extend(one.shape),
  output: jobView,
  rest: rest('PATCH', '/{job_id}'),
  errors: ['not_found', 'conflict', 'unprocessable'],
  example: { input: { minute: 45 }, output: { ...job, schedule: { ...schedule, minute: 45, run_count: 0 } } },
});

export const pauseJob = specify({
  name: 'jobs.pause',
  governs: { kind: 'job', type: 'pause' },
  summary: 'Let a job fire no more until it is resumed',
  description: 'A run that is under way goes on. Pausing a paused job changes nothing.',
  input: one,
  output: jobView,
  rest: rest('POST', '/{job_id}/pause'),
  errors: ['not_found', 'conflict'],
  example: { input: {}, output: { ...job, status: 'paused', enabled: false, next_run_at: null, upcoming: [] } },
});

export const resumeJob = specify({
  name: 'jobs.resume',
  governs: { kind: 'job', type: 'resume' },
  summary: 'Let a paused job fire again',
  description: 'From the next time after now on; what passed during the pause is not run.',
  input: one,
  output: jobView,
  rest: rest('POST', '/{job_id}/resume'),
  errors: ['not_found', 'conflict'],
  example: { input: {}, output: job },
});

export const triggerJob = specify({
  name: 'jobs.trigger',
  governs: { kind: 'job', type: 'trigger' },
  summary: 'Run a job now, whatever its schedule says',
  description: 'The run waits while as many as may be are under way. It counts for max_runs.',
  input: one,
  output: jobView.extend({ triggered: jobRunView }),
  rest: rest('POST', '/{job_id}/trigger', 202),
  errors: ['not_found', 'conflict'],
});

export const cancelJob = specify({
  name: 'jobs.cancel',
  governs: { kind: 'job', type: 'cancel' },
  summary: 'End a job for good',
  description:
    'Its run is cancelled too while no worker has begun it. A job that has ended already is answered as it is.',
  input: one.extend({
    reason: z
      .string()
      .regex(/^\P{Cc}{0,500}$/u)
      .optional(),
  }),
  output: jobView,
  rest: rest('DELETE', '/{job_id}'),
  errors: ['not_found'],
  example: { output: { ...job, status: 'cancelled', enabled: false, next_run_at: null, upcoming: [] } },
});

export const listJobRuns = specify({
  name: 'jobs.runs',
  summary: 'What became of the times of a job, newest first',
  input: one.extend({ status: z.enum(jobRunStatuses).optional(), limit: pageSize, cursor }),
  output: z.object({ items: z.array(jobRunView), total, next_cursor: nextCursor }),
  rest: rest('GET', '/{job_id}/runs'),
  errors: ['not_found'],
  example: { output: { items: [run], total: 1, next_cursor: null } },
});

export const schedulerStats = specify({
  name: 'scheduler.stats',
  summary: 'What the scheduler does',
  input: z.object({}),
  output: schedulerView,
  rest: { method: 'GET', path: '/api/v1/aoa/scheduler/stats', status: 200, family: 'detail' },
  example: {
    output: {
      scheduler_id: 'aoa-scheduler-0c11f2aa',
      running: true,
      total_jobs: 4,
      active_jobs: 3,
      by_status: { scheduled: 2, running: 1, paused: 1 },
      by_schedule_type: { daily: 1, interval: 2, cron: 1 },
      total_runs: 57,
      runs_24h: { completed: 48, failed: 1, missed: 0, skipped: 0 },
      running_jobs: 1,
      max_concurrent_jobs: 10,
      next_due_at: '2026-02-01T10:05:00.000Z',
      lag_ms: 3,
      fabric_context: null,
    },
  },
});

export const jobSpecs = [
  createJob,
  previewJob,
  listJobs,
  getJob,
  changeJob,
  pauseJob,
  resumeJob,
  triggerJob,
  cancelJob,
  listJobRuns,
  schedulerStats,
];
