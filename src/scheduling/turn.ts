/**
 * Turns: which of the runs that wait may be submitted now, and writing down that they were.
 */
import { sql } from 'kysely';
import { isoTime } from '../core/clock.ts';
import type { StoreScope } from '../store/database.ts';
import { type JobKey, jobName } from './job.ts';
import { isAnyOf } from './job-lock.ts';
import { type JobRun, toJobRun } from './job-run.ts';
import { runResult } from './run-end.ts';

/** The runs that may start now: oldest first, as many as their job and all jobs together may have under way. */
export async function nextTurns(
  trx: StoreScope,
  maxConcurrentJobs: number,
  atMost: number,
): Promise<readonly JobRun[]> {
  const { running } = await trx
    .selectFrom('job_runs')
    .select(({ fn }) => fn.countAll<string>().as('running'))
    .where('status', '=', 'running')
    .executeTakeFirstOrThrow();
  const free = maxConcurrentJobs - Number(running);
  if (free <= 0) return [];
  const rows = await trx
    .with('active', (with_) =>
      with_
        .selectFrom('job_runs')
        .select(['tenant_id', 'job_id', 'planned_at', 'status'])
        .select(
          // Those under way come first, so that a waiting run's place says how many there would be with it.
          sql<number>`row_number() over (partition by tenant_id, job_id order by status = 'queued', planned_at)`.as(
            'place',
          ),
        )
        .where('status', 'in', ['queued', 'running']),
    )
    .selectFrom('active')
    .innerJoin('jobs', (join) =>
      join.onRef('jobs.tenant_id', '=', 'active.tenant_id').onRef('jobs.id', '=', 'active.job_id'),
    )
    .innerJoin('job_runs', (join) =>
      join
        .onRef('job_runs.tenant_id', '=', 'active.tenant_id')
        .onRef('job_runs.job_id', '=', 'active.job_id')
        .onRef('job_runs.planned_at', '=', 'active.planned_at'),
    )
    .selectAll('job_runs')
    .where('active.status', '=', 'queued')
    .whereRef('active.place', '<=', 'jobs.max_concurrent_runs')
    .orderBy('active.planned_at')
    .orderBy('active.tenant_id')
    .orderBy('active.job_id')
    .limit(Math.min(free, atMost))
    .execute();
  return rows.map(toJobRun);
}

/** Of runs whose jobs are locked now, those that wait still: a job may have been cancelled before it was locked. */
export async function stillQueued(trx: StoreScope, turns: readonly JobRun[]): Promise<readonly JobRun[]> {
  const rows = await trx
    .selectFrom('job_runs')
    .select(['tenant_id', 'job_id', 'planned_at'])
    .where('status', '=', 'queued')
    .where(isAnyOf('tenant_id', 'job_id', turns))
    .execute();
  const nameOf = (job: JobKey, plannedAt: string) => `${jobName(job)} ${plannedAt}`;
  const queued = new Set(
    rows.map((row) => nameOf({ tenantId: row.tenant_id, jobId: row.job_id }, row.planned_at.toISOString())),
  );
  return turns.filter((turn) => queued.has(nameOf(turn, turn.plannedAt)));
}

/** Writes down that tasks were submitted, oldest run first, in two statements. */
export async function noteSubmitted(
  trx: StoreScope,
  submitted: readonly { readonly run: JobRun; readonly taskId: string }[],
  now: number,
): Promise<void> {
  const at = new Date(now);
  const tenants = submitted.map(({ run }) => run.tenantId);
  const ids = submitted.map(({ run }) => run.jobId);
  const planned = submitted.map(({ run }) => run.plannedAt);
  const tasks = submitted.map(({ taskId }) => taskId);
  await sql`
    update aos.job_runs as run set status = 'running', task_id = turn.task, submitted_at = ${at}
      from unnest(${tenants}::text[], ${ids}::text[], ${planned}::timestamptz[], ${tasks}::text[])
        as turn (tenant, job, planned, task)
      where run.tenant_id = turn.tenant and run.job_id = turn.job and run.planned_at = turn.planned`.execute(trx);
  // Of several runs of one job the last is what it shows.
  const last = [...new Map(submitted.map((each) => [jobName(each.run), each])).values()];
  const results = last.map(({ taskId }) => JSON.stringify(runResult(taskId, 'submitted', isoTime(now), null)));
  await sql`
    update aos.jobs as job set last_run_at = ${at}, last_run_result = shown.result::json, updated_at = ${at}
      from unnest(${last.map(({ run }) => run.tenantId)}::text[], ${last.map(({ run }) => run.jobId)}::text[],
                  ${results}::text[]) as shown (tenant, job, result)
      where job.tenant_id = shown.tenant and job.id = shown.job`.execute(trx);
}
