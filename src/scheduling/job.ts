/**
 * A job: a schedule, and the task that each of its firings submits. What may become of a firing is `job-run.ts`.
 */
import type { Selectable } from 'kysely';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { Caller } from '../runs/run.ts';
import type { JobTable } from '../store/tables/job.ts';
import type { TaskSubmission } from '../tasks/task.ts';
import { isJobOver, type JobStatus } from './job-state.ts';
import type { MisfirePolicy, MisfireRule } from './misfire.ts';
import { type Schedule, upcoming } from './schedule.ts';

export const overlapPolicies = ['skip', 'queue'] as const;
export type OverlapPolicy = (typeof overlapPolicies)[number];

/** What a caller decides of a job. */
export interface JobPlan {
  readonly name: string;
  readonly description: string;
  readonly schedule: Schedule;
  /** Its texts may hold `{{last_run_at}}`, `{{planned_at}}` and `{{run_number}}`. */
  readonly task: TaskSubmission;
  readonly misfirePolicy: MisfirePolicy;
  readonly misfireGraceSeconds: number;
  readonly overlapPolicy: OverlapPolicy;
  readonly maxConcurrentRuns: number;
  /** So many failed runs in a row end the job; null: none do. */
  readonly failureThreshold: number | null;
}

/** Which job, among those of all tenants: ids are chosen by callers, and each tenant has its own. */
export type JobKey = { readonly tenantId: string; readonly jobId: string };

export function keyOfJob({ id, owner }: Pick<Job, 'id' | 'owner'>): JobKey {
  return { tenantId: owner.tenantId, jobId: id };
}

/** A key as one word, for maps: `<tenant>/<id>`. Names of tenants have no slash. */
export function jobName({ tenantId, jobId }: JobKey): string {
  return `${tenantId}/${jobId}`;
}

/** The columns that say which row a job is. */
export function rowOfJob({ tenantId, jobId }: JobKey) {
  return { tenant_id: tenantId, id: jobId };
}

/** The columns that say whose a row of a job's runs is. */
export function runsOfJob({ tenantId, jobId }: JobKey) {
  return { tenant_id: tenantId, job_id: jobId };
}

export interface Job extends JobPlan {
  /** Unique within its tenant. */
  readonly id: string;
  readonly owner: Caller;
  readonly status: JobStatus;
  /** What intervals are counted from, epoch milliseconds. */
  readonly anchor: number;
  /** Times ISO-8601 UTC. */
  readonly nextRunAt: string | null;
  readonly lastRunAt: string | null;
  readonly lastRunResult: JsonObject | null;
  readonly lastError: string | null;
  readonly consecutiveFailures: number;
  readonly runCount: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** The fabric context of its tenant when it was written down; null where there is no fabric. */
  readonly fabric: JsonObject | null;
}

export type JobRow = Selectable<JobTable>;

/** Only this room writes jobs, from the types they are read back as. */
export function toJob(row: JobRow): Job {
  return {
    id: row.id,
    owner: { tenantId: row.tenant_id, userId: row.user_id },
    name: row.name,
    description: row.description,
    schedule: row.schedule as Schedule,
    task: row.task as TaskSubmission,
    misfirePolicy: row.misfire_policy as MisfirePolicy,
    misfireGraceSeconds: row.misfire_grace_seconds,
    overlapPolicy: row.overlap_policy as OverlapPolicy,
    maxConcurrentRuns: row.max_concurrent_runs,
    failureThreshold: row.failure_threshold,
    status: row.status as JobStatus,
    anchor: row.anchor_at.getTime(),
    nextRunAt: row.next_run_at?.toISOString() ?? null,
    lastRunAt: row.last_run_at?.toISOString() ?? null,
    lastRunResult: row.last_run_result,
    lastError: row.last_error,
    consecutiveFailures: row.consecutive_failures,
    runCount: row.run_count,
    fabric: row.fabric,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

/** What a plan is as columns. */
export function planColumns(plan: JobPlan) {
  return {
    name: plan.name,
    description: plan.description,
    schedule: JSON.stringify(plan.schedule),
    schedule_type: plan.schedule.schedule_type,
    task: JSON.stringify(plan.task),
    misfire_policy: plan.misfirePolicy,
    misfire_grace_seconds: plan.misfireGraceSeconds,
    overlap_policy: plan.overlapPolicy,
    max_concurrent_runs: plan.maxConcurrentRuns,
    failure_threshold: plan.failureThreshold,
  };
}

export function misfireRule({ misfirePolicy, misfireGraceSeconds }: JobPlan): MisfireRule {
  return { policy: misfirePolicy, graceMs: misfireGraceSeconds * 1000 };
}

/** Whether the job fires by itself: neither paused nor over. */
export function isEnabled({ status }: Job): boolean {
  return status !== 'paused' && !isJobOver(status);
}

/** The next firings of a job as epoch milliseconds, the planned one first; none while it is paused or over. */
export function firingsOf(job: Job, count: number): readonly number[] {
  if (job.nextRunAt === null || !isEnabled(job)) return [];
  const { max_runs: max } = job.schedule;
  const left = Math.min(count, max === null ? count : max - job.runCount);
  const first = Date.parse(job.nextRunAt);
  return left <= 0 ? [] : [first, ...upcoming(job.schedule, job.anchor, first, left - 1)];
}

/** What a payload's texts may name. */
export interface Occasion {
  readonly plannedAt: string;
  readonly lastRunAt: string | null;
  readonly runNumber: number;
}

/**
 * The payload with its texts filled in. `{{last_run_at}}` of a job that never ran is null where it is the whole text,
 * and nothing inside a longer one.
 */
export function fillIn(payload: JsonObject, occasion: Occasion): JsonObject {
  const values: Readonly<Record<string, string | null>> = {
    last_run_at: occasion.lastRunAt,
    planned_at: occasion.plannedAt,
    run_number: String(occasion.runNumber),
  };
  const fill = (value: JsonValue): JsonValue => {
    if (typeof value === 'string') return fillText(value, values);
    if (Array.isArray(value)) return value.map(fill);
    return isJsonObject(value) ? fillMembers(value) : value;
  };
  const fillMembers = (object: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(object).map(([key, value]) => [key, fill(value)]));
  return fillMembers(payload);
}

const PLACE = /\{\{\s*(last_run_at|planned_at|run_number)\s*\}\}/g;

function fillText(text: string, values: Readonly<Record<string, string | null>>): string | null {
  const whole = /^\{\{\s*(\w+)\s*\}\}$/.exec(text)?.[1];
  if (whole !== undefined && values[whole] === null) return null;
  return text.replace(PLACE, (_place, name: string) => values[name] ?? '');
}
