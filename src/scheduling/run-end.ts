/**
 * The end of runs: what it makes of their jobs. A run has ended when its task has.
 */
import { isoTime } from '../core/clock.ts';
import type { JsonObject } from '../core/json.ts';
import type { StoreScope } from '../store/database.ts';
import type { Task } from '../tasks/task.ts';
import { isEnded } from '../tasks/task-state.ts';
import { toTask } from '../tasks/task-store.ts';
import { type Job, toJob } from './job.ts';
import { type FactWriter, type JobFact, tellJob } from './job-fact.ts';
import { type JobRun, toJobRun } from './job-run.ts';
import { isJobOver, settleJob } from './job-state.ts';

/** How a run ended. */
export interface RunEnd {
  readonly taskId: string;
  readonly status: 'completed' | 'failed' | 'cancelled';
  /** ISO-8601 UTC. */
  readonly at: string;
  readonly result: JsonObject | null;
  readonly error: string | null;
}

/** What the end of a task is for the run that submitted it. */
export function endOfTask(task: Task, now: string): RunEnd {
  const { status, lastError, statusMessage, result } = task;
  const end = { taskId: task.id, at: task.completedAt ?? now, result };
  if (status === 'completed') return { ...end, status, error: null };
  if (status === 'cancelled') return { ...end, status, error: statusMessage ?? 'the task was cancelled' };
  return { ...end, status: 'failed', error: lastError?.message ?? statusMessage ?? 'the task failed' };
}

/** The runs that are written down as running although their task has ended, or is there no longer. */
export async function endedRuns(db: StoreScope, now: number): Promise<readonly RunEnd[]> {
  const running = await db.selectFrom('job_runs').select('task_id').where('status', '=', 'running').execute();
  const ids = running.flatMap(({ task_id: id }) => id ?? []);
  if (ids.length === 0) return [];
  const rows = await db.selectFrom('tasks').selectAll().where('id', 'in', ids).execute();
  const tasks = new Map(rows.map((row) => [row.id, toTask(row)]));
  return ids.flatMap((taskId): RunEnd[] => {
    const task = tasks.get(taskId);
    if (task === undefined) {
      return [{ taskId, status: 'failed', at: isoTime(now), result: null, error: 'its task is there no longer' }];
    }
    return isEnded(task.status) ? [endOfTask(task, isoTime(now))] : [];
  });
}

/** Writes down the ends of running runs; those that are no longer running, or never were, are left as they are. */
export async function endRuns(
  parts: { readonly feed: FactWriter; readonly now: number },
  trx: StoreScope,
  ends: readonly RunEnd[],
): Promise<void> {
  const byTask = new Map(ends.map((end) => [end.taskId, end]));
  if (byTask.size === 0) return;
  const candidates = await trx
    .selectFrom('job_runs')
    .select('job_id')
    .where('task_id', 'in', [...byTask.keys()])
    .where('status', '=', 'running')
    .execute();
  const ids = [...new Set(candidates.map(({ job_id }) => job_id))];
  if (ids.length === 0) return;
  const jobs = await trx.selectFrom('jobs').selectAll().where('id', 'in', ids).orderBy('id').forNoKeyUpdate().execute();
  for (const row of jobs) {
    let job = toJob(row);
    const running = await trx
      .selectFrom('job_runs')
      .selectAll()
      .where('job_id', '=', job.id)
      .where('status', '=', 'running')
      .orderBy('planned_at')
      .execute();
    let active = await activeRuns(trx, job.id);
    for (const run of running.map(toJobRun)) {
      const end = run.taskId === null ? undefined : byTask.get(run.taskId);
      if (end === undefined) continue;
      active -= 1;
      job = await endRun(parts, trx, job, run, end, active);
    }
  }
}

async function activeRuns(trx: StoreScope, jobId: string): Promise<number> {
  const { active } = await trx
    .selectFrom('job_runs')
    .select(({ fn }) => fn.countAll<string>().as('active'))
    .where('job_id', '=', jobId)
    .where('status', 'in', ['queued', 'running'])
    .executeTakeFirstOrThrow();
  return Number(active);
}

async function endRun(
  { feed, now }: { readonly feed: FactWriter; readonly now: number },
  trx: StoreScope,
  job: Job,
  run: JobRun,
  end: RunEnd,
  active: number,
): Promise<Job> {
  // PostgreSQL keeps no U+0000 in texts, and models do say it.
  const error = end.error?.replaceAll('\0', '\uFFFD') ?? null;
  await trx
    .updateTable('job_runs')
    .set({
      status: end.status,
      completed_at: new Date(end.at),
      result: end.result === null ? null : JSON.stringify(end.result),
      error,
    })
    .where('job_id', '=', job.id)
    .where('planned_at', '=', new Date(run.plannedAt))
    .execute();
  const failures = { completed: 0, failed: job.consecutiveFailures + 1, cancelled: job.consecutiveFailures };
  const consecutiveFailures = failures[end.status];
  const status = settleJob({
    status: job.status,
    once: job.schedule.schedule_type === 'once',
    hasNext: job.nextRunAt !== null,
    runCount: job.runCount,
    maxRuns: job.schedule.max_runs,
    activeRuns: active,
    consecutiveFailures,
    failureThreshold: job.failureThreshold,
  });
  const over = isJobOver(status);
  const row = await trx
    .updateTable('jobs')
    .set({
      status,
      consecutive_failures: consecutiveFailures,
      ...(over && { next_run_at: null }),
      ...(end.status !== 'cancelled' && { last_error: error }),
      // A later run of the job may have been submitted meanwhile; its result is the last.
      ...((job.lastRunResult === null || job.lastRunResult['task_id'] === end.taskId) && {
        last_run_result: JSON.stringify(runResult(end.taskId, end.status, run.submittedAt, end.at)),
      }),
      updated_at: new Date(now),
    })
    .where('id', '=', job.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const fact: JobFact = `job.run_${end.status}`;
  await tellJob(feed, trx, fact, job, {
    task_id: end.taskId,
    planned_at: run.plannedAt,
    run_number: run.runNumber,
    ...(error !== null && { error }),
  });
  if (over && !isJobOver(job.status)) {
    await dropQueued(trx, job.id, now, `the job has ${status}`);
    const type = status === 'failed' ? 'job.failed' : 'job.completed';
    await tellJob(feed, trx, type, job, { ...(error !== null && { error }) });
  }
  return toJob(row);
}

/** What a job shows of its last run. */
export function runResult(
  taskId: string,
  status: string,
  submittedAt: string | null,
  completedAt: string | null,
): JsonObject {
  return {
    task_id: taskId,
    status,
    submitted_at: submittedAt,
    completed_at: completedAt,
    primary_plane_id: null,
  };
}

/** Gives up the runs of a job that wait to be submitted. */
export async function dropQueued(trx: StoreScope, jobId: string, now: number, why: string): Promise<void> {
  await trx
    .updateTable('job_runs')
    .set({ status: 'cancelled', completed_at: new Date(now), error: why })
    .where('job_id', '=', jobId)
    .where('status', '=', 'queued')
    .execute();
}
