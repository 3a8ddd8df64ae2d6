/**
 * What the coming of a job's time makes of it: which planned times run, wait, are skipped or were missed, and where the
 * job stands then. Pure.
 */
import type { Insertable } from 'kysely';
import type { JobRunTable } from '../store/tables/job.ts';
import { type Job, keyOfJob, misfireRule, runsOfJob } from './job.ts';
import { settleJob } from './job-state.ts';
import { dueTimes, judgeDue } from './misfire.ts';
import { nextTime } from './schedule.ts';

/** Runs of one job that may wait for their turn. */
const MAX_QUEUED = 100;

export interface Noticed {
  readonly job: Job;
  readonly runs: readonly Insertable<JobRunTable>[];
  readonly status: Job['status'];
  readonly next: number | undefined;
  readonly runCount: number;
  readonly error: string | null;
}

/** A run that is there already: under way, or of a time that is due now. */
export interface KnownRun {
  readonly plannedAt: number;
  readonly status: string;
}

/** Decides over the due times of a job. */
export function notice(job: Job, known: readonly KnownRun[], now: number): Noticed {
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
      ...runsOfJob(keyOfJob(job)),
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
