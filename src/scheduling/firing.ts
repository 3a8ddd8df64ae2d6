/**
 * Firing: the transactions that turn planned times into tasks. In one transaction a planned time becomes a run, the job
 * moves on to its next time, and the task is submitted, so whoever is killed in between has done nothing. A lock of the
 * database lets one process at a time do it; the run's key (tenant, job, planned time) and the task's id say it once more.
 */
import { sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import type { Database, StoreScope } from '../store/database.ts';
import { isConnectionFailure } from '../store/persist.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import type { Log } from '../telemetry/log.ts';
import { type Job, jobName, keyOfJob, runsOfJob, toJob } from './job.ts';
import { type FactWriter, tellJob } from './job-fact.ts';
import { isAnyOf, lockJobs } from './job-lock.ts';
import { type JobRun, taskIdFor, taskOf } from './job-run.ts';
import { type KnownRun, type Noticed, notice } from './notice.ts';
import { endedRuns, endRuns, type RunEnd } from './run-end.ts';
import { nextTurns, noteSubmitted, stillQueued } from './turn.ts';

/** Number of the lock under which jobs fire; any constant does, as long as it stays. */
const FIRING_LOCK = 4_710_005;
/** Jobs that fire in one transaction: many share its cost, and workers see the first of hundreds soon. */
const BATCH = 50;

export interface FiringParts {
  readonly database: Pick<Database, 'db'>;
  readonly queue: Pick<TaskQueue, 'submit'>;
  readonly feed: FactWriter;
  readonly clock: Clock;
  readonly log: Log;
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
  /**
   * Turns up to a batch of due times into runs, and submits as many tasks as may be under way.
   * @param carefully gives every submission a savepoint, so that one which the database refuses fails alone. Slower:
   * for when the batch has failed
   */
  fire(carefully?: boolean): Promise<Fired>;
  /** Looks which runs have ended and writes it down. @returns whether any had */
  settle(): Promise<boolean>;
  /** The next planned time of all jobs, epoch milliseconds. */
  nextDue(): Promise<number | undefined>;
  /** Forgets runs that ended before an instant. */
  forget(before: number): Promise<void>;
}

export function createFiring(parts: FiringParts): Firing {
  const { queue, feed, clock, log, maxConcurrentJobs } = parts;
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
      .orderBy('tenant_id')
      .orderBy('id')
      .limit(BATCH)
      .forNoKeyUpdate()
      .execute();
    if (rows.length === 0) return { jobs: 0, latenessMs: undefined };
    const jobs = rows.map(toJob);
    const known = await knownRuns(trx, jobs);
    const noticed = jobs.map((job) => noticeSafely(job, known.get(jobName(keyOfJob(job))) ?? [], now));
    const runs = noticed.flatMap((each) => each.runs);
    if (runs.length > 0) await trx.insertInto('job_runs').values(runs).execute();
    await moveOn(trx, noticed, now);
    for (const each of noticed) await tell(trx, each);
    const onTime = runs.filter(({ cause, status }) => cause === 'schedule' && status === 'queued');
    const lateness = onTime.map(({ planned_at: planned }) => now - new Date(planned).getTime());
    return { jobs: jobs.length, latenessMs: lateness.length === 0 ? undefined : Math.max(...lateness) };
  }

  /** A job whose schedule this build cannot read any more (a zone that is gone) ends, and stops no other. */
  function noticeSafely(job: Job, known: readonly KnownRun[], now: number): Noticed {
    try {
      return notice(job, known, now);
    } catch (failure) {
      log.error('the schedule of a job cannot be used', {
        ...runsOfJob(keyOfJob(job)),
        reason: asError(failure).message,
      });
      const error = 'its schedule cannot be used by this build';
      return { job, runs: [], status: 'failed', next: undefined, runCount: job.runCount, error };
    }
  }

  async function tell(trx: StoreScope, { job, runs, status, error }: Noticed): Promise<void> {
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
    if (status === 'failed') await tellJob(feed, trx, 'job.failed', job, { error });
  }

  /** Submits runs whose turn it is. A full task queue leaves the rest for later. */
  async function submit(trx: StoreScope, carefully: boolean): Promise<number> {
    const turns = await nextTurns(trx, maxConcurrentJobs, BATCH);
    if (turns.length === 0) return 0;
    const jobs = await lockJobs(trx, turns);
    const now = clock.now();
    const failed: RunEnd[] = [];
    const submitted: { readonly run: JobRun; readonly taskId: string }[] = [];
    for (const run of await stillQueued(trx, turns)) {
      const job = jobs.get(jobName(run));
      if (job === undefined) continue;
      const taskId = taskIdFor(job.id, run.plannedAt);
      const task = taskOf(job, { plannedAt: run.plannedAt, runNumber: run.runNumber ?? job.runCount });
      if (carefully) await sql`savepoint submission`.execute(trx);
      try {
        await queue.submit(task, job.owner, { id: taskId, within: trx });
      } catch (thrown) {
        const failure = asError(thrown);
        const isRefusal = failure instanceof AosError;
        if (!isRefusal && (!carefully || isConnectionFailure(failure))) throw failure;
        if (isRefusal && failure.code === 'overloaded') break;
        if (carefully) await sql`rollback to savepoint submission`.execute(trx);
        if (!isRefusal) log.error('a task was not taken', { ...runsOfJob(run), reason: failure.message });
        const error = isRefusal ? failure.message : 'its task could not be submitted';
        failed.push({ tenantId: run.tenantId, taskId, status: 'failed', at: isoTime(now), result: null, error });
      }
      submitted.push({ run, taskId });
      jobs.set(jobName(run), { ...job, lastRunAt: isoTime(now) });
      await tellJob(feed, trx, 'job.fired', job, {
        task_id: taskId,
        planned_at: run.plannedAt,
        run_number: run.runNumber,
        cause: run.cause,
        lateness_ms: now - Date.parse(run.plannedAt),
      });
    }
    if (submitted.length > 0) await noteSubmitted(trx, submitted, clock.now());
    await endRuns({ feed, now }, trx, failed);
    return submitted.length;
  }

  return {
    fire: (carefully = false) =>
      exclusively(async (trx) => {
        const { jobs, latenessMs } = await claim(trx);
        const submitted = await submit(trx, carefully);
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

/** Writes what was noticed to the jobs, in one statement. */
async function moveOn(trx: StoreScope, noticed: readonly Noticed[], now: number): Promise<void> {
  const tenants = noticed.map(({ job }) => job.owner.tenantId);
  const ids = noticed.map(({ job }) => job.id);
  const statuses = noticed.map(({ status }) => status);
  const nexts = noticed.map(({ next }) => (next === undefined ? null : isoTime(next)));
  const counts = noticed.map(({ runCount }) => runCount);
  const errors = noticed.map(({ error }) => error);
  await sql`
    update aos.jobs as job
      set status = moved.status, next_run_at = moved.next, run_count = moved.count, last_error = moved.error,
          updated_at = ${new Date(now)}
      from unnest(${tenants}::text[], ${ids}::text[], ${statuses}::text[], ${nexts}::timestamptz[], ${counts}::integer[],
                  ${errors}::text[]) as moved (tenant, id, status, next, count, error)
      where job.tenant_id = moved.tenant and job.id = moved.id`.execute(trx);
}

async function knownRuns(
  trx: StoreScope,
  jobs: readonly Job[],
): Promise<ReadonlyMap<string | undefined, readonly KnownRun[]>> {
  const earliest = Math.min(...jobs.map(({ nextRunAt }) => Date.parse(nextRunAt ?? '')));
  const ofJobs = trx
    .selectFrom('job_runs')
    .select(['tenant_id', 'job_id', 'planned_at', 'status'])
    .where(isAnyOf('tenant_id', 'job_id', jobs.map(keyOfJob)));
  // Each half has its index; with an "or" all the runs that the jobs ever had would be read.
  const rows = await ofJobs
    .where('status', 'in', ['queued', 'running'])
    .union(ofJobs.where('planned_at', '>=', new Date(earliest)))
    .execute();
  const known = rows.map((row) => ({
    job: jobName({ tenantId: row.tenant_id, jobId: row.job_id }),
    plannedAt: row.planned_at.getTime(),
    status: row.status,
  }));
  return Map.groupBy(known, ({ job }) => job);
}
