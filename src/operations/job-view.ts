/**
 * Jobs and their runs as callers see them.
 */
import { z } from 'zod';
import { isoTime } from '../core/clock.ts';
import { firingsOf, isEnabled, type Job, overlapPolicies } from '../scheduling/job.ts';
import type { JobCounts } from '../scheduling/job-reader.ts';
import { type JobRun, jobRunCauses, jobRunStatuses } from '../scheduling/job-run.ts';
import { jobStatuses } from '../scheduling/job-state.ts';
import { misfirePolicies } from '../scheduling/misfire.ts';
import { type Schedule, scheduleTypes } from '../scheduling/schedule.ts';
import type { SchedulerStats } from '../scheduling/scheduler.ts';
import { priorities, priorityNumbers } from '../tasks/priority.ts';
import { taskTypes } from '../tasks/task.ts';
import { freeForm, protocolId, time } from './field.ts';
import { textOf } from './task-view.ts';

/** Firings that a job shows beforehand. */
export const UPCOMING = 10;

export const scheduleView = z.object({
  schedule_type: z.enum(scheduleTypes),
  run_at: time.nullable(),
  interval_seconds: z.int().nullable(),
  minute: z.int().nullable(),
  hour: z.int().nullable(),
  cron_expression: z.string().nullable(),
  timezone: z.string(),
  max_runs: z.int().nullable(),
  start_date: time.nullable(),
  end_date: time.nullable(),
});

export const jobView = z.object({
  id: protocolId,
  job_id: protocolId,
  name: z.string(),
  description: z.string(),
  schedule_type: z.enum(scheduleTypes),
  schedule: scheduleView.extend({ run_count: z.int() }),
  task_type: z.enum(taskTypes),
  target_system: z.string().nullable(),
  action_type: z.string().nullable(),
  payload: freeForm,
  priority: z.enum(priorities),
  priority_value: z.int(),
  primary_plane_id: z.string().nullable(),
  fabric_preset: z.string().nullable(),
  agent_id: z.string().nullable(),
  tenant_id: z.string(),
  status: z.enum(jobStatuses),
  enabled: z.boolean().meta({ description: 'Whether it fires by itself: neither paused nor over' }),
  created_at: time,
  updated_at: time,
  next_run_at: time.nullable(),
  last_run_at: time.nullable(),
  last_run_result: freeForm.nullable(),
  last_error: z.string().nullable(),
  consecutive_failures: z.int(),
  failure_threshold: z.int().nullable(),
  run_count: z.int(),
  max_runs: z.int().nullable(),
  timeout_seconds: z.int(),
  max_retries: z.int(),
  misfire_policy: z.enum(misfirePolicies),
  misfire_grace_seconds: z.int(),
  overlap_policy: z.enum(overlapPolicies),
  max_concurrent_runs: z.int(),
  simulation: z.boolean(),
  metadata: freeForm,
  upcoming: z.array(time).meta({ description: `The next firings, at most ${UPCOMING}` }),
  links: z.object({ self: z.string(), runs: z.string() }),
});

export function showJob(job: Job): z.input<typeof jobView> {
  const { id, schedule, task } = job;
  return {
    id,
    job_id: id,
    name: job.name,
    description: job.description,
    schedule_type: schedule.schedule_type,
    schedule: { ...schedule, run_count: job.runCount },
    task_type: task.task_type,
    target_system: task.target_system,
    action_type: task.action_type,
    payload: task.payload,
    priority: task.priority,
    priority_value: priorityNumbers[task.priority],
    primary_plane_id: textOf(job.fabric, 'primary_plane_id'),
    fabric_preset: textOf(job.fabric, 'fabric_preset'),
    agent_id: task.agent_id,
    tenant_id: job.owner.tenantId,
    status: job.status,
    enabled: isEnabled(job),
    created_at: job.createdAt,
    updated_at: job.updatedAt,
    next_run_at: job.nextRunAt,
    last_run_at: job.lastRunAt,
    last_run_result: job.lastRunResult,
    last_error: job.lastError,
    consecutive_failures: job.consecutiveFailures,
    failure_threshold: job.failureThreshold,
    run_count: job.runCount,
    max_runs: schedule.max_runs,
    timeout_seconds: task.timeout_seconds,
    max_retries: task.max_retries,
    misfire_policy: job.misfirePolicy,
    misfire_grace_seconds: job.misfireGraceSeconds,
    overlap_policy: job.overlapPolicy,
    max_concurrent_runs: job.maxConcurrentRuns,
    simulation: task.simulation,
    metadata: task.metadata,
    upcoming: firingsOf(job, UPCOMING).map(isoTime),
    links: { self: `/api/v1/aoa/jobs/${id}`, runs: `/api/v1/aoa/jobs/${id}/runs` },
  };
}

export const jobRunView = z.object({
  job_id: protocolId,
  run_number: z.int().nullable().meta({ description: 'Null for a time that was not run' }),
  status: z.enum(jobRunStatuses),
  cause: z.enum(jobRunCauses),
  planned_at: time,
  actual_at: time.nullable().meta({ description: 'When its task was submitted' }),
  lateness_ms: z.int().nullable(),
  completed_at: time.nullable(),
  duration_ms: z.int().nullable(),
  task_id: protocolId.nullable(),
  result: freeForm.nullable(),
  error: z.string().nullable(),
});

export function showJobRun(run: JobRun): z.input<typeof jobRunView> {
  const { plannedAt, submittedAt, completedAt } = run;
  return {
    job_id: run.jobId,
    run_number: run.runNumber,
    status: run.status,
    cause: run.cause,
    planned_at: plannedAt,
    actual_at: submittedAt,
    lateness_ms: between(plannedAt, submittedAt),
    completed_at: completedAt,
    duration_ms: submittedAt === null ? null : between(submittedAt, completedAt),
    task_id: run.taskId,
    result: run.result,
    error: run.error,
  };
}

function between(from: string, to: string | null): number | null {
  return to === null ? null : Math.max(0, Date.parse(to) - Date.parse(from));
}

const counts = z.record(z.string(), z.int());

export const schedulerView = z.object({
  scheduler_id: z.string(),
  running: z.boolean(),
  total_jobs: z.int(),
  active_jobs: z.int().meta({ description: 'Jobs that fire by themselves' }),
  by_status: counts,
  by_schedule_type: counts,
  total_runs: z.int(),
  runs_24h: z.object({ completed: z.int(), failed: z.int(), missed: z.int(), skipped: z.int() }),
  running_jobs: z.int(),
  max_concurrent_jobs: z.int(),
  next_due_at: time.nullable(),
  lag_ms: z.int().meta({ description: 'How late the latest of the last firings was noticed' }),
  fabric_context: freeForm.nullable(),
});

export function showScheduler(stats: SchedulerStats, jobs: JobCounts): z.input<typeof schedulerView> {
  const { byStatus } = jobs;
  const total = Object.values(byStatus).reduce((sum, count) => sum + count, 0);
  return {
    scheduler_id: stats.schedulerId,
    running: stats.running,
    total_jobs: total,
    active_jobs: (byStatus['scheduled'] ?? 0) + (byStatus['running'] ?? 0),
    by_status: byStatus,
    by_schedule_type: jobs.byScheduleType,
    total_runs: jobs.runs,
    runs_24h: jobs.runsOfDay,
    running_jobs: jobs.runsUnderWay,
    max_concurrent_jobs: stats.maxConcurrentJobs,
    next_due_at: jobs.nextDueAt,
    lag_ms: Math.round(stats.lagMs),
    fabric_context: null,
  };
}

export function showSchedule(schedule: Schedule): z.input<typeof scheduleView> {
  return { ...schedule };
}
