/**
 * Admission control, the rule (pure; `overload.ts` measures and obeys). Three questions:
 *
 * - *May this request start now?* Not when this turn of the event loop has already spent its budget on starting
 *   requests: the rest waits for the next turn, so that health checks, refusals and running work get through.
 * - *May it wait?* Yes, as long as everybody who waits can be started within `maxWaitMs` at the rate at which requests
 *   are being started. Without evidence (requests have waited for less than `patienceMs`) the answer is always yes: a
 *   burst is not overload, a queue that stands is.
 * - *How many may start per second?* As many as come, unless the loop has been late several times in a row: then the
 *   work that requests leave behind after they have started is too much, and starts are slowed until the loop keeps up.
 *
 * The number of requests in flight never speaks against a request: hundreds that wait for a model cost nothing.
 */

export interface AdmissionLimits {
  /** Milliseconds one turn of the event loop may spend on starting requests before the rest waits for the next turn. */
  readonly turnBudgetMs: number;
  /** A loop later than this, in milliseconds, three samples in a row slows starts down. */
  readonly lagTargetMs: number;
  /** Requests must have waited for this long without interruption, in milliseconds, before any is refused. */
  readonly patienceMs: number;
  /** The longest wait, in milliseconds, a request is let into the queue with. */
  readonly maxWaitMs: number;
  /** Requests that may wait whatever the rate: a bound on memory. */
  readonly maxWaiting: number;
}

export const defaultLimits: AdmissionLimits = {
  turnBudgetMs: 15,
  lagTargetMs: 60,
  patienceMs: 100,
  maxWaitMs: 500,
  maxWaiting: 10_000,
};

/** What is known of the process at one moment. */
export interface Moment {
  /** How long the current turn of the event loop has lasted, in milliseconds. */
  readonly turnMs: number;
  /** Requests that wait to be started. */
  readonly waiting: number;
  /** For how long, without interruption, there have been such requests; 0 when there are none. */
  readonly pressedMs: number;
}

export type Verdict = 'start' | 'wait' | 'refuse';

/** What becomes of a request that arrives now. */
export function judgeArrival(moment: Moment, pace: Pace, limits: AdmissionLimits): Verdict {
  if (
    moment.waiting === 0 &&
    pace.startsPerSecond === Number.POSITIVE_INFINITY &&
    moment.turnMs < limits.turnBudgetMs
  ) {
    return 'start';
  }
  return moment.waiting < roomToWait(moment.pressedMs, pace, limits) ? 'wait' : 'refuse';
}

/** How many requests may wait; at least one, so that whatever happens something is tried. */
export function roomToWait(pressedMs: number, pace: Pace, limits: AdmissionLimits): number {
  if (pressedMs < limits.patienceMs || pace.drainPerSecond === undefined) return limits.maxWaiting;
  return Math.min(limits.maxWaiting, Math.max(1, Math.floor((pace.drainPerSecond * limits.maxWaitMs) / 1000)));
}

/** What the last samples taught. */
export interface Pace {
  /** Requests that may be started per second; Infinity is no limit, and the normal state. */
  readonly startsPerSecond: number;
  /** Requests started per second while others waited; undefined until that has lasted for a whole sample. */
  readonly drainPerSecond: number | undefined;
  /** Samples in a row in which the loop was late. */
  readonly lateSamples: number;
}

export const unhurried: Pace = {
  startsPerSecond: Number.POSITIVE_INFINITY,
  drainPerSecond: undefined,
  lateSamples: 0,
};

/** One look at the event loop, taken several times a second while there is traffic. */
export interface LoopSample {
  /** Since the sample before, in milliseconds; greater than 0. */
  readonly elapsedMs: number;
  /** How much later than asked the loop called back, in milliseconds. */
  readonly lagMs: number;
  /** Requests started since the sample before. */
  readonly started: number;
  /** Whether requests have waited all the while since the sample before. */
  readonly pressed: boolean;
}

/** One late sample is a pause (a collection of garbage, one heavy request), a row of them is a state. */
const LATE_SAMPLES = 3;
const SLOWEST_STARTS_PER_SECOND = 10;
const SLOW_DOWN_AT_MOST = 0.25;
const SPEED_UP = 1.25;
/** A limit this many times what is asked for limits nothing and is lifted. */
const LIFT_FACTOR = 4;

export function adaptPace(pace: Pace, sample: LoopSample, limits: AdmissionLimits): Pace {
  const lateSamples = sample.lagMs > limits.lagTargetMs ? pace.lateSamples + 1 : 0;
  const started = (sample.started * 1000) / sample.elapsedMs;
  return {
    startsPerSecond: adaptStarts(pace.startsPerSecond, lateSamples, started, sample.lagMs, limits),
    drainPerSecond: sample.pressed ? (started + (pace.drainPerSecond ?? started)) / 2 : undefined,
    lateSamples,
  };
}

function adaptStarts(
  limit: number,
  lateSamples: number,
  started: number,
  lagMs: number,
  limits: AdmissionLimits,
): number {
  if (lateSamples >= LATE_SAMPLES) {
    const slowed = Math.min(limit, started) * Math.max(SLOW_DOWN_AT_MOST, limits.lagTargetMs / lagMs);
    return Math.max(SLOWEST_STARTS_PER_SECOND, slowed);
  }
  if (lateSamples > 0) return limit;
  const raised = limit * SPEED_UP;
  return raised > LIFT_FACTOR * started + SLOWEST_STARTS_PER_SECOND * LIFT_FACTOR ? Number.POSITIVE_INFINITY : raised;
}
