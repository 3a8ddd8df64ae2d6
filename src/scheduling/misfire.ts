/**
 * What becomes of planned times that were not met: the process slept, or the clock was put forward. Pure.
 */
import { nextTime, type Schedule } from './schedule.ts';

export const misfirePolicies = ['run_once', 'skip', 'run_all'] as const;
export type MisfirePolicy = (typeof misfirePolicies)[number];

/** More of the past than this is not caught up. */
export const MAX_CATCH_UPS = 100;

export interface MisfireRule {
  readonly policy: MisfirePolicy;
  /** A time is missed when more than this has passed since. */
  readonly graceMs: number;
}

export interface Firing {
  readonly plannedAt: number;
  /** Whether its time was missed and it runs nevertheless. */
  readonly catchUp: boolean;
}

export interface Verdict {
  readonly fire: readonly Firing[];
  /** Planned times that are given up, at most the newest hundred of them. */
  readonly missed: readonly number[];
}

/**
 * Decides over planned times that have come, in ascending order.
 * - within the grace, every one fires
 * - later: `run_once` fires the newest alone, for all of them; `skip` gives up those that are too late; `run_all` fires
 *   every one
 * - what fires only once does so within the grace or never
 */
export function judgeDue(due: readonly number[], now: number, once: boolean, rule: MisfireRule): Verdict {
  const isLate = (time: number) => now - time > rule.graceMs;
  const firing = (plannedAt: number): Firing => ({ plannedAt, catchUp: isLate(plannedAt) });
  const late = due.filter(isLate);
  if (late.length === 0) return { fire: due.map(firing), missed: [] };
  if (once || rule.policy === 'skip') {
    return { fire: due.filter((time) => !isLate(time)).map(firing), missed: late.slice(-MAX_CATCH_UPS) };
  }
  if (rule.policy === 'run_all') {
    return { fire: due.slice(-MAX_CATCH_UPS).map(firing), missed: due.slice(0, -MAX_CATCH_UPS).slice(-MAX_CATCH_UPS) };
  }
  const newest = due.slice(-1);
  return {
    fire: newest.map((plannedAt) => ({ plannedAt, catchUp: true })),
    missed: due.slice(0, -1).slice(-MAX_CATCH_UPS),
  };
}

/** As many planned times as are ever looked at: those that may run, and as many that are told of. */
const NEWEST = 2 * MAX_CATCH_UPS;

/**
 * The newest planned times from `first` (a planned time) to `now`, in ascending order. Found by looking back in growing
 * windows, so that a year's sleep of a job that fires every second costs no more than an hour's.
 */
export function dueTimes(schedule: Schedule, anchor: number, first: number, now: number): readonly number[] {
  if (first > now) return [];
  for (let window = 5 * 60_000; ; window *= 4) {
    const from = Math.max(first, now - window);
    const times = timesBetween(schedule, anchor, from, now);
    if (from === first) return [first, ...times.filter((time) => time > first)].slice(-NEWEST);
    if (times.length >= NEWEST) return times.slice(-NEWEST);
  }
}

function timesBetween(schedule: Schedule, anchor: number, from: number, to: number): number[] {
  const times: number[] = [];
  for (let time = nextTime(schedule, anchor, from - 1); time !== undefined && time <= to; ) {
    times.push(time);
    time = nextTime(schedule, anchor, time);
  }
  return times;
}
