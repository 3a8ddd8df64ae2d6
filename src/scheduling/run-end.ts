/**
 * The end of runs: what it makes of their jobs. A run has ended when its task has.
 */
import { isoTime } from '../core/clock.ts';
import type { JsonObject } from '../core/json.ts';
import type { StoreScope } from '../store/database.ts';
import { keyOfTask, type Task, taskName } from '../tasks/task.ts';
import { isEnded } from '../tasks/task-state.ts';
import { isAnyTask, loadTasks } from '../tasks/task-store.ts';
import { type Job, type JobKey, keyOfJob, rowOfJob, runsOfJob, toJob } from './job.ts';
import { type FactWriter, type JobFact, tellJob } from './job-fact.ts';
import { lockJobs } from './job-lock.ts';
import { type JobRun, toJobRun } from './job-run.ts';
import { isJobOver, settleJob } from './job-state.ts';

/** How a run ended, told by its task. */
export interface RunEnd {
  readonly tenantId: string;
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
  const end = { ...keyOfTask(task), at: task.completedAt ?? now, result };
  if (status === 'completed') return { ...end, status, error: null };
  if (status === 'cancelled') return { ...end, status, error: statusMessage ?? 'the task was cancelled' };
  return { ...end, status: 'failed', error: lastError?.message ?? statusMessage ?? 'the task failed' };
}

/** The runs that are written down as running although their task has ended, or is there no longer. */
export async function endedRuns(db: StoreScope, now: number): Promise<readonly RunEnd[]> {
  const running = await db
    .selectFrom('job_runs')
    .select(['tenant_id', 'task_id'])
    .where('status', '=', 'running')
    .execute();
  const keys = running.flatMap(({ tenant_id: tenantId, task_id: taskId }) =>
    taskId === null ? [] : [{ tenantId, taskId }],
  );
  if (keys.length === 0) return [];
  const tasks = await loadTasks(db, keys);
  return keys.flatMap((key): RunEnd[] => {
    const task = tasks.get(taskName(key));
    if (task === undefined) {
      return [{ ...key, status: 'failed', at: isoTime(now), result: null, error: 'its task is there no longer' }];
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
  const byTask = new Map(ends.map((end) => [taskName(end), end]));
  if (byTask.size === 0) return;
  const candidates = await trx
    .selectFrom('job_runs')
    .select(['tenant_id', 'job_id'])
    .where(isAnyTask('tenant_id', 'task_id', ends))
    .where('status', '=', 'running')
    .execute();
  if (candidates.length === 0) return;
  const jobs = await lockJobs(
    trx,
    candidates.map((row) => ({ tenantId: row.tenant_id, jobId: row.job_id })),
  );
  for (let job of jobs.values()) {
    const key = keyOfJob(job);
    const running = await trx
      .selectFrom('job_runs')
      .selectAll()
      .where((eb) => eb.and(runsOfJob(key)))
      .where('status', '=', 'running')
      .orderBy('planned_at')
      .execute();
    let active = await activeRuns(trx, key);
    for (const run of running.map(toJobRun)) {
      const end = run.taskId === null ? undefined : byTask.get(taskName({ ...key, taskId: run.taskId }));
      if (end === undefined) continue;
      active -= 1;
      job = await endRun(parts, trx, job, run, end, active);
    }
  }
}

async function activeRuns(trx: StoreScope, job: JobKey): Promise<number> {
  const { active } = await trx
    .selectFrom('job_runs')
    .select(({ fn }) => fn.countAll<string>().as('active'))
    .where((eb) => eb.and(runsOfJob(job)))
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
    .where((eb) => eb.and(runsOfJob(run)))
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
    .where((eb) => eb.and(rowOfJob(run)))
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
    await dropQueued(trx, run, now, `the job has ${status}`);
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
export async function dropQueued(trx: StoreScope, job: JobKey, now: number, why: string): Promise<void> {
  await trx
    .updateTable('job_runs')
    .set({ status: 'cancelled', completed_at: new Date(now), error: why })
    .where((eb) => eb.and(runsOfJob(job)))
    .where('status', '=', 'queued')
    .execute();
}
