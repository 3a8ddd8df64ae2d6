/**
 * Firing: the transactions that turn planned times into tasks. In one transaction a planned time becomes a run, the job
 * moves on to its next time, and the task is submitted, so whoever is killed in between has done nothing. A lock of the
 * database lets one process at a time do it; the run's key (job, planned time) and the task's id say it once more.
 */
import { type Insertable, sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { JobRunTable } from '../store/tables/job.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { endedTaskStatuses } from '../tasks/task-state.ts';
import { toTask } from '../tasks/task-store.ts';
import { type Job, misfireRule, toJob } from './job.ts';
import { type FactWriter, tellJob } from './job-fact.ts';
import { type JobRun, taskIdFor, taskOf, toJobRun } from './job-run.ts';
import { settleJob } from './job-state.ts';
import { dueTimes, judgeDue } from './misfire.ts';
import { endOfTask, endRuns, type RunEnd, runResult } from './run-end.ts';
import { nextTime } from './schedule.ts';

/** Number of the lock under which jobs fire; any constant does, as long as it stays. */
const FIRING_LOCK = 4_710_005;
/** Jobs that fire in one transaction. */
const BATCH = 100;
/** Runs of one job that may wait for their turn. */
const MAX_QUEUED = 100;

export interface FiringParts {
  readonly database: Pick<Database, 'db'>;
  readonly queue: Pick<TaskQueue, 'submit'>;
  readonly feed: FactWriter;
  readonly clock: Clock;
  /** Runs of all jobs that may be under way at a time. */
  readonly maxConcurrentJobs: number;
}

export interface Fired {
  /** Whether there may be more to do at once. */
  readonly more: boolean;
  readonly submitted: number;
  /** How long after its planned time the latest of the runs on time was noticed; undefined when none was. */
  readonly latenessMs: number | undefined;
}

export interface Firing {
  /** Turns up to a batch of due times into runs, and submits as many tasks as may be under way. */
  fire(): Promise<Fired>;
  /** Looks which runs have ended and writes it down. @returns whether any had */
  settle(): Promise<boolean>;
  /** The next planned time of all jobs, epoch milliseconds. */
  nextDue(): Promise<number | undefined>;
  /** Forgets runs that ended before an instant. */
  forget(before: number): Promise<void>;
}

export function createFiring(parts: FiringParts): Firing {
  const { queue, feed, clock, maxConcurrentJobs } = parts;
  const { db } = parts.database;

  function exclusively<T>(work: (trx: StoreScope) => Promise<T>): Promise<T> {
    return db.transaction().execute(async (trx) => {
      await sql`select pg_advisory_xact_lock(${FIRING_LOCK})`.execute(trx);
      return work(trx);
    });
  }

  async function claim(trx: StoreScope): Promise<{ readonly jobs: number; readonly latenessMs: number | undefined }> {
    const now = clock.now();
    const rows = await trx
      .selectFrom('jobs')
      .selectAll()
      .where('next_run_at', '<=', new Date(now))
      .orderBy('next_run_at')
      .orderBy('id')
      .limit(BATCH)
      .forNoKeyUpdate()
      .execute();
    if (rows.length === 0) return { jobs: 0, latenessMs: undefined };
    const jobs = rows.map(toJob);
    const known = await knownRuns(trx, jobs);
    const noticed = jobs.map((job) => notice(job, known.get(job.id) ?? [], now));
    const runs = noticed.flatMap((each) => each.runs);
    if (runs.length > 0) await trx.insertInto('job_runs').values(runs).execute();
    await moveOn(trx, noticed, now);
    for (const each of noticed) await tell(trx, each);
    const onTime = runs.filter(({ cause, status }) => cause === 'schedule' && status === 'queued');
    const lateness = onTime.map(({ planned_at: planned }) => now - new Date(planned).getTime());
    return { jobs: jobs.length, latenessMs: lateness.length === 0 ? undefined : Math.max(...lateness) };
  }

  async function tell(trx: StoreScope, { job, runs, status }: Noticed): Promise<void> {
    const planned = (wanted: string) =>
      runs.filter((run) => run.status === wanted).map((run) => new Date(run.planned_at).toISOString());
    const [missed, skipped] = [planned('missed'), planned('skipped')];
    if (missed.length > 0) {
      const [first = null] = missed;
      await tellJob(feed, trx, 'job.missed', job, {
        count: missed.length,
        first_planned_at: first,
        last_planned_at: missed.at(-1) ?? null,
      });
    }
    for (const plannedAt of skipped) await tellJob(feed, trx, 'job.skipped', job, { planned_at: plannedAt });
    if (status === 'completed') await tellJob(feed, trx, 'job.completed', job);
    if (status === 'failed') await tellJob(feed, trx, 'job.failed', job, { error: 'missed' });
  }

  /** Submits runs whose turn it is. A full task queue leaves the rest for later. */
  async function submit(trx: StoreScope): Promise<number> {
    const turns = await nextTurns(trx, maxConcurrentJobs);
    if (turns.length === 0) return 0;
    const jobs = await lockJobs(
      trx,
      turns.map(({ jobId }) => jobId),
    );
    const now = clock.now();
    const failed: RunEnd[] = [];
    let submitted = 0;
    for (const turn of turns) {
      const job = jobs.get(turn.jobId);
      // Cancelled since it was read, while its job was not locked yet.
      if (job === undefined || !(await isQueued(trx, turn))) continue;
      const taskId = taskIdFor(job.id, turn.plannedAt);
      const run = { plannedAt: turn.plannedAt, runNumber: turn.runNumber ?? job.runCount };
      try {
        await queue.submit(taskOf(job, run), job.owner, { id: taskId, within: trx });
      } catch (failure) {
        if (!(failure instanceof AosError)) throw failure;
        if (failure.code === 'overloaded') break;
        failed.push({ taskId, status: 'failed', at: isoTime(now), result: null, error: failure.message });
      }
      jobs.set(job.id, await noteSubmitted(trx, job, turn, taskId, now));
      submitted += 1;
    }
    await endRuns({ feed, now }, trx, failed);
    return submitted;
  }

  async function noteSubmitted(trx: StoreScope, job: Job, run: JobRun, taskId: string, now: number): Promise<Job> {
    await trx
      .updateTable('job_runs')
      .set({ status: 'running', task_id: taskId, submitted_at: new Date(now) })
      .where('job_id', '=', job.id)
      .where('planned_at', '=', new Date(run.plannedAt))
      .execute();
    const row = await trx
      .updateTable('jobs')
      .set({
        last_run_at: new Date(now),
        last_run_result: JSON.stringify(runResult(taskId, 'submitted', isoTime(now), null)),
        updated_at: new Date(now),
      })
      .where('id', '=', job.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await tellJob(feed, trx, 'job.fired', job, {
      task_id: taskId,
      planned_at: run.plannedAt,
      run_number: run.runNumber,
      cause: run.cause,
      lateness_ms: now - Date.parse(run.plannedAt),
    });
    return toJob(row);
  }

  return {
    fire: () =>
      exclusively(async (trx) => {
        const { jobs, latenessMs } = await claim(trx);
        const submitted = await submit(trx);
        return { more: jobs === BATCH || submitted === BATCH, submitted, latenessMs };
      }),
    async settle() {
      const ends = await endedRuns(db, clock.now());
      if (ends.length > 0) await exclusively((trx) => endRuns({ feed, now: clock.now() }, trx, ends));
      return ends.length > 0;
    },
    async nextDue() {
      const { next } = await db
        .selectFrom('jobs')
        .select(({ fn }) => fn.min('next_run_at').as('next'))
        .executeTakeFirstOrThrow();
      return (next as Date | null)?.getTime();
    },
    async forget(before) {
      await db
        .deleteFrom('job_runs')
        .where('noticed_at', '<', new Date(before))
        .where('status', 'not in', ['queued', 'running'])
        .execute();
    },
  };
}

/** What the coming of a job's time makes of it. */
interface Noticed {
  readonly job: Job;
  readonly runs: readonly Insertable<JobRunTable>[];
  readonly status: Job['status'];
  readonly next: number | undefined;
  readonly runCount: number;
  readonly error: string | null;
}

/** A run that is there already: under way, or of a time that is due now. */
interface KnownRun {
  readonly plannedAt: number;
  readonly status: string;
}

/** Decides over the due times of a job. Pure. */
function notice(job: Job, known: readonly KnownRun[], now: number): Noticed {
  const { schedule, anchor, maxConcurrentRuns, overlapPolicy } = job;
  const once = schedule.schedule_type === 'once';
  const running = known.filter(({ status }) => status === 'running').length;
  // A time that has a run, as by being triggered in the very millisecond, has been dealt with.
  const due = dueTimes(schedule, anchor, Date.parse(job.nextRunAt ?? ''), now).filter(
    (time) => !known.some(({ plannedAt }) => plannedAt === time),
  );
  const verdict = judgeDue(due, now, once, misfireRule(job));
  const runs: Insertable<JobRunTable>[] = [];
  const add = (plannedAt: number, status: string, cause: string, number: number | null, error: string | null) =>
    runs.push({
      job_id: job.id,
      planned_at: new Date(plannedAt),
      run_number: number,
      status,
      cause,
      noticed_at: new Date(now),
      error,
    });
  for (const plannedAt of verdict.missed) add(plannedAt, 'missed', 'schedule', null, 'its time had passed');
  let { runCount } = job;
  let queued = known.filter(({ status }) => status === 'queued').length;
  for (const { plannedAt, catchUp } of verdict.fire) {
    if (schedule.max_runs !== null && runCount >= schedule.max_runs) break;
    const free = running + queued < maxConcurrentRuns;
    // Catching up on everything means one run after the other.
    const waits = overlapPolicy === 'queue' || (catchUp && job.misfirePolicy === 'run_all');
    const cause = catchUp ? 'catch_up' : 'schedule';
    if (free || (waits && queued < MAX_QUEUED)) {
      runCount += 1;
      queued += 1;
      add(plannedAt, 'queued', cause, runCount, null);
    } else {
      add(plannedAt, 'skipped', cause, null, waits ? 'too many runs wait already' : 'an earlier run was under way');
    }
  }
  const spent = schedule.max_runs !== null && runCount >= schedule.max_runs;
  const next = spent ? undefined : nextTime(schedule, anchor, now);
  const missedForGood = once && verdict.missed.length > 0;
  const status = missedForGood
    ? 'failed'
    : settleJob({
        status: job.status,
        once,
        hasNext: next !== undefined,
        runCount,
        maxRuns: schedule.max_runs,
        activeRuns: running + queued,
        consecutiveFailures: job.consecutiveFailures,
        failureThreshold: null,
      });
  return { job, runs, status, next, runCount, error: missedForGood ? 'missed' : job.lastError };
}

/** Writes what was noticed to the jobs, in one statement. */
async function moveOn(trx: StoreScope, noticed: readonly Noticed[], now: number): Promise<void> {
  const ids = noticed.map(({ job }) => job.id);
  const statuses = noticed.map(({ status }) => status);
  const nexts = noticed.map(({ next }) => (next === undefined ? null : isoTime(next)));
  const counts = noticed.map(({ runCount }) => runCount);
  const errors = noticed.map(({ error }) => error);
  await sql`
    update aos.jobs as job
      set status = moved.status, next_run_at = moved.next, run_count = moved.count, last_error = moved.error,
          updated_at = ${new Date(now)}
      from unnest(${ids}::text[], ${statuses}::text[], ${nexts}::timestamptz[], ${counts}::integer[], ${errors}::text[])
        as moved (id, status, next, count, error)
      where job.id = moved.id`.execute(trx);
}

async function knownRuns(
  trx: StoreScope,
  jobs: readonly Job[],
): Promise<ReadonlyMap<string | undefined, readonly KnownRun[]>> {
  const earliest = Math.min(...jobs.map(({ nextRunAt }) => Date.parse(nextRunAt ?? '')));
  const rows = await trx
    .selectFrom('job_runs')
    .select(['job_id', 'planned_at', 'status'])
    .where(
      'job_id',
      'in',
      jobs.map(({ id }) => id),
    )
    .where((eb) => eb.or([eb('status', 'in', ['queued', 'running']), eb('planned_at', '>=', new Date(earliest))]))
    .execute();
  const known = rows.map((row) => ({ jobId: row.job_id, plannedAt: row.planned_at.getTime(), status: row.status }));
  return Map.groupBy(known, ({ jobId }) => jobId);
}

/** The runs that may start now: oldest first, as many as their job and all jobs together may have under way. */
async function nextTurns(trx: StoreScope, maxConcurrentJobs: number): Promise<readonly JobRun[]> {
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
    .limit(Math.min(free, BATCH))
    .execute();
  return rows.map(toJobRun);
}

async function lockJobs(trx: StoreScope, ids: readonly string[]): Promise<Map<string, Job>> {
  const rows = await trx
    .selectFrom('jobs')
    .selectAll()
    .where('id', 'in', [...new Set(ids)])
    .orderBy('id')
    .forNoKeyUpdate()
    .execute();
  return new Map(rows.map((row) => [row.id, toJob(row)]));
}

async function isQueued(trx: StoreScope, { jobId, plannedAt }: JobRun): Promise<boolean> {
  const row = await trx
    .selectFrom('job_runs')
    .select('status')
    .where('job_id', '=', jobId)
    .where('planned_at', '=', new Date(plannedAt))
    .executeTakeFirst();
  return row?.status === 'queued';
}

/** The runs that are written down as running although their task has ended, or is there no longer. */
async function endedRuns(db: StoreScope, now: number): Promise<readonly RunEnd[]> {
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
    return endedTaskStatuses.some((ended) => ended === task.status) ? [endOfTask(task, isoTime(now))] : [];
  });
}
