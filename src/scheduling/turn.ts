/**
 * Turns: which of the runs that wait may be submitted now, and writing down that they were.
 */
import { sql } from 'kysely';
import { isoTime } from '../core/clock.ts';
import type { StoreScope } from '../store/database.ts';
import { type Job, toJob } from './job.ts';
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
        .select(['job_id', 'planned_at', 'status'])
        .select(
          // Those under way come first, so that a waiting run's place says how many there would be with it.
          sql<number>`row_number() over (partition by job_id order by status = 'queued', planned_at)`.as('place'),
        )
        .where('status', 'in', ['queued', 'running']),
    )
    .selectFrom('active')
    .innerJoin('jobs', 'jobs.id', 'active.job_id')
    .innerJoin('job_runs', (join) =>
      join.onRef('job_runs.job_id', '=', 'active.job_id').onRef('job_runs.planned_at', '=', 'active.planned_at'),
    )
    .selectAll('job_runs')
    .where('active.status', '=', 'queued')
    .whereRef('active.place', '<=', 'jobs.max_concurrent_runs')
    .orderBy('active.planned_at')
    .orderBy('active.job_id')
    .limit(Math.min(free, atMost))
    .execute();
  return rows.map(toJobRun);
}

export async function lockJobs(trx: StoreScope, ids: readonly string[]): Promise<Map<string, Job>> {
  const rows = await trx
    .selectFrom('jobs')
    .selectAll()
    .where('id', 'in', [...new Set(ids)])
    .orderBy('id')
    .forNoKeyUpdate()
    .execute();
  return new Map(rows.map((row) => [row.id, toJob(row)]));
}

/** Of runs whose jobs are locked now, those that wait still: a job may have been cancelled before it was locked. */
export async function stillQueued(trx: StoreScope, turns: readonly JobRun[]): Promise<readonly JobRun[]> {
  const rows = await trx
    .selectFrom('job_runs')
    .select(['job_id', 'planned_at'])
    .where('status', '=', 'queued')
    .where(
      'job_id',
      'in',
      turns.map(({ jobId }) => jobId),
    )
    .execute();
  const queued = new Set(rows.map((row) => `${row.job_id} ${row.planned_at.toISOString()}`));
  return turns.filter(({ jobId, plannedAt }) => queued.has(`${jobId} ${plannedAt}`));
}

/** Writes down that tasks were submitted, oldest run first, in two statements. */
export async function noteSubmitted(
  trx: StoreScope,
  submitted: readonly { readonly run: JobRun; readonly taskId: string }[],
  now: number,
): Promise<void> {
  const at = new Date(now);
  const ids = submitted.map(({ run }) => run.jobId);
  const planned = submitted.map(({ run }) => run.plannedAt);
  const tasks = submitted.map(({ taskId }) => taskId);
  await sql`
    update aos.job_runs as run set status = 'running', task_id = turn.task, submitted_at = ${at}
      from unnest(${ids}::text[], ${planned}::timestamptz[], ${tasks}::text[]) as turn (job, planned, task)
      where run.job_id = turn.job and run.planned_at = turn.planned`.execute(trx);
  // Of several runs of one job the last is what it shows.
  const last = new Map(
    submitted.map(({ run, taskId }) => [run.jobId, runResult(taskId, 'submitted', isoTime(now), null)]),
  );
  const results = [...last.values()].map((result) => JSON.stringify(result));
  await sql`
    update aos.jobs as job set last_run_at = ${at}, last_run_result = shown.result::json, updated_at = ${at}
      from unnest(${[...last.keys()]}::text[], ${results}::text[]) as shown (job, result)
      where job.id = shown.job`.execute(trx);
}
