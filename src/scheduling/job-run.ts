/**
 * A run of a job: what became of one planned time, or of being triggered by hand. Its task is submitted under an id that
 * follows from job and planned time, so that a firing that is done twice is one task.
 */
import { createHash } from 'node:crypto';
import type { Selectable } from 'kysely';
import type { JsonObject } from '../core/json.ts';
import type { JobRunTable } from '../store/tables/job.ts';
import type { TaskSubmission } from '../tasks/task.ts';
import { fillIn, type Job } from './job.ts';

export const jobRunStatuses = ['queued', 'running', 'completed', 'failed', 'cancelled', 'skipped', 'missed'] as const;
export type JobRunStatus = (typeof jobRunStatuses)[number];

/** Why it ran: its time came, its time had passed, somebody asked. */
export const jobRunCauses = ['schedule', 'catch_up', 'manual'] as const;
export type JobRunCause = (typeof jobRunCauses)[number];

/** Its tenant, its job and its planned time are its name. */
export interface JobRun {
  readonly tenantId: string;
  readonly jobId: string;
  /** All times ISO-8601 UTC. */
  readonly plannedAt: string;
  /** 1, 2, 3 …; null for a time that was not run. */
  readonly runNumber: number | null;
  readonly status: JobRunStatus;
  readonly cause: JobRunCause;
  readonly taskId: string | null;
  readonly noticedAt: string;
  /** When its task was submitted. */
  readonly submittedAt: string | null;
  readonly completedAt: string | null;
  readonly result: JsonObject | null;
  readonly error: string | null;
}

export function toJobRun(row: Selectable<JobRunTable>): JobRun {
  return {
    tenantId: row.tenant_id,
    jobId: row.job_id,
    plannedAt: row.planned_at.toISOString(),
    runNumber: row.run_number,
    status: row.status as JobRunStatus,
    cause: row.cause as JobRunCause,
    taskId: row.task_id,
    noticedAt: row.noticed_at.toISOString(),
    submittedAt: row.submitted_at?.toISOString() ?? null,
    completedAt: row.completed_at?.toISOString() ?? null,
    result: row.result,
    error: row.error,
  };
}

/** The task id of a run: a UUID made of the job's id and the planned time, in the job's tenant. */
export function taskIdFor(jobId: string, plannedAt: string): string {
  const bytes = createHash('sha256').update(`${jobId} ${plannedAt}`).digest().subarray(0, 16);
  // Version 8: a UUID of somebody's own making (RFC 9562).
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** What a run submits. */
export function taskOf(job: Job, run: { readonly plannedAt: string; readonly runNumber: number }): TaskSubmission {
  const { plannedAt, runNumber } = run;
  const origin = { job_id: job.id, job_name: job.name, run_number: runNumber };
  const payload = fillIn(job.task.payload, { plannedAt, runNumber, lastRunAt: job.lastRunAt });
  return {
    ...job.task,
    payload: job.task.task_type === 'scheduled_job' ? { ...payload, ...origin } : payload,
    scheduled_at: null,
    metadata: { ...job.task.metadata, ...origin, planned_at: plannedAt },
  };
}
