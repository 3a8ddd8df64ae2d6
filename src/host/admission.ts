/**
 * Admission control, the rule (pure; `overload.ts` measures and obeys). Three questions:
 *
 * - *May this request start now?* Not when this turn of the event loop has already spent its budget on starting
 *   requests: the rest waits for the next turn, so that health checks, refusals and running work get through. And not
 *   while many were started a moment ago of which nobody knows yet what they will cost: a handler may compute only after
 *   it has waited, and what is started cannot be taken back.
 * - *May it wait?* Yes, as long as everybody who waits can be started within `maxWaitMs` at the rate at which requests
 *   are being started. Without evidence (requests have waited for less than `patienceMs`) the answer is always yes: a
 *   burst is not overload, a queue that stands is. So it is when the queue holds little work of this thread: then others
 *   have the processor, and the process would get done all it is asked with what it is given.
 * - *How many may start per second?* As many as come, unless the loop has been late several times in a row: then the
 *   work that requests leave for after their start is too much, and they are started no faster than they are finished.
 *
 * Requests that have been in flight for longer never speak against another: hundreds that wait for a model cost nothing.
 */

export interface AdmissionLimits {
  /** Milliseconds one turn of the event loop may spend on starting requests before the rest waits for the next turn. */
  readonly turnBudgetMs: number;
  /** The same for answering requests that are refused. */
  readonly refusalBudgetMs: number;
  /** Milliseconds spent on accepting connections before requests that wait are started. */
  readonly acceptBudgetMs: number;
  /** A loop later than this, in milliseconds, three samples in a row slows starts down. */
  readonly lagTargetMs: number;
  /** Requests must have waited for this long without interruption, in milliseconds, before any is refused. */
  readonly patienceMs: number;
  /** A request that would be started later than this after its arrival, in milliseconds, is refused instead. */
  readonly maxWaitMs: number;
  /** So many may wait in any case: a few dozen at once are a burst, whatever they cost and however busy the machine is. */
  readonly smallQueue: number;
  /** What else may wait in any case: requests that together take this thread no more than so many milliseconds of work. */
  readonly smallQueueMs: number;
  /** Work, in milliseconds, that requests started a moment ago and not finished may turn out to be. */
  readonly unprovenWorkMs: number;
  /** Requests that may wait whatever the rate: a bound on memory. */
  readonly maxWaiting: number;
}

export const defaultLimits: AdmissionLimits = {
  turnBudgetMs: 15,
  refusalBudgetMs: 10,
  acceptBudgetMs: 100,
  lagTargetMs: 60,
  patienceMs: 200,
  maxWaitMs: 600,
  smallQueue: 32,
  smallQueueMs: 150,
  unprovenWorkMs: 512,
  maxWaiting: 10_000,
};

/** What is known of the process at one moment. */
export interface Moment {
  /** How long the current turn of the event loop has lasted, in milliseconds; Infinity while the loop has to catch its breath. */
  readonly turnMs: number;
  /** By how many the requests in flight have become more in the last moments. */
  readonly unproven: number;
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
    moment.turnMs < limits.turnBudgetMs &&
    mayStartUnproven(moment.unproven, pace, limits)
  ) {
    return 'start';
  }
  return mayWait({ ahead: moment.waiting, ageMs: 0 }, moment.pressedMs, pace, limits) ? 'wait' : 'refuse';
}

/** Whether another may be started although what `unproven` others will cost is not known yet. */
export function mayStartUnproven(unproven: number, pace: Pace, limits: AdmissionLimits): boolean {
  return unproven < FEWEST_UNPROVEN || unproven * pace.provenMs < limits.unprovenWorkMs * pace.proven;
}

/** Someone in the queue: how many are ahead, and for how long they have waited already. */
export interface Place {
  readonly ahead: number;
  readonly ageMs: number;
}

/** Whether who has this place may keep it; the first few always may, so that whatever happens something is tried. */
export function mayWait(place: Place, pressedMs: number, pace: Pace, limits: AdmissionLimits): boolean {
  if (place.ahead < Math.max(1, limits.smallQueue)) return true;
  if (place.ahead >= limits.maxWaiting) return false;
  if (pressedMs < limits.patienceMs || pace.queue === undefined) return true;
  const { started, elapsedMs, workedMs } = pace.queue;
  const isSmall = place.ahead * workedMs <= limits.smallQueueMs * started;
  return isSmall || place.ahead * elapsedMs <= (limits.maxWaitMs - place.ageMs) * started;
}

/** Whether the loop waited for work while requests waited for it: then they wait for something else than its time. */
export function hasTimeToSpare(elapsedMs: number, busyMs: number): boolean {
  return busyMs < SPARE_SHARE * elapsedMs;
}

/** What the samples so far have taught. */
export interface Pace {
  /** Requests that may be started per second; Infinity, the normal state, is no limit. */
  readonly startsPerSecond: number;
  /** How the queue moves; undefined until there has been one for a whole sample. */
  readonly queue: QueueProgress | undefined;
  /** Samples in a row in which the loop was late, and in which it was neither late nor anybody waiting. */
  readonly lateSamples: number;
  readonly easySamples: number;
  /** Milliseconds the loop worked and requests it finished, the older the less. */
  readonly busyMs: number;
  readonly finished: number;
  /** The same over a longer time: the work that so many requests have proved to be. */
  readonly provenMs: number;
  readonly proven: number;
}

/** Requests started while others waited, and the milliseconds that took, by the clock and of this thread's work. */
export interface QueueProgress {
  readonly started: number;
  readonly elapsedMs: number;
  readonly workedMs: number;
}

export const unhurried: Pace = {
  startsPerSecond: Number.POSITIVE_INFINITY,
  queue: undefined,
  lateSamples: 0,
  easySamples: 0,
  busyMs: 0,
  finished: 0,
  // Until there is evidence a request is taken to cost 4 ms, so that 128 may start at once.
  provenMs: 40,
  proven: 10,
};

/** One look at the event loop, taken several times a second while there is traffic; all since the look before. */
export interface LoopSample {
  /** Milliseconds; greater than 0. */
  readonly elapsedMs: number;
  /** How much later than asked the loop called back, in milliseconds. */
  readonly lagMs: number;
  /** Milliseconds the loop did not wait for anything, without what refusals took. */
  readonly busyMs: number;
  /** How much of that this thread had the processor. */
  readonly workedMs: number;
  /** Requests started, and requests finished. */
  readonly started: number;
  readonly finished: number;
  /** Whether requests waited for the loop all the while. */
  readonly pressed: boolean;
}

/** One late sample may be a pause (a collection of garbage, one heavy request); a row of them is a state. */
const LATE_SAMPLES = 3;
/** So is one in which this many requests were finished: their work together is what made the loop late. */
const LATE_FINISHES = 3;
/** So many samples without trouble end a limit: as many as cover the time a request may do nothing before it computes. */
const EASY_SAMPLES = 10;
/** After this many milliseconds, what was measured counts half. */
const HALF_LIFE_MS = 150;
const PROVEN_HALF_LIFE_MS = 2000;
/** So few may always be started before anything is known of them. */
const FEWEST_UNPROVEN = 32;
/** The share of the time that requests may take when they have been too much. */
const SHARE = 0.9;
/** A loop that works less than this share of the time is not what requests wait for. */
const SPARE_SHARE = 0.5;
const SLOWEST_STARTS_PER_SECOND = 10;
const STRONGEST_BRAKE = 0.1;

export function adaptPace(pace: Pace, sample: LoopSample, limits: AdmissionLimits): Pace {
  const late = sample.lagMs > limits.lagTargetMs;
  const lateSamples = late ? pace.lateSamples + 1 : 0;
  const easySamples = late || sample.pressed ? 0 : pace.easySamples + 1;
  const memory = 0.5 ** (sample.elapsedMs / HALF_LIFE_MS);
  const busyMs = pace.busyMs * memory + sample.busyMs;
  const finished = pace.finished * memory + sample.finished;
  const isLimited = pace.startsPerSecond !== Number.POSITIVE_INFINITY;
  const isTooMuch = lateSamples >= LATE_SAMPLES || (late && sample.finished >= LATE_FINISHES);
  const limit = isLimited ? easySamples < EASY_SAMPLES : isTooMuch;
  return {
    startsPerSecond: limit ? sustainableStarts(busyMs, finished, sample.lagMs, limits) : Number.POSITIVE_INFINITY,
    queue: sample.pressed ? addProgress(pace.queue, sample) : undefined,
    lateSamples,
    easySamples,
    busyMs,
    finished,
    ...prove(pace, sample),
  };
}

/** Without evidence what was known stays known. */
function prove(pace: Pace, { elapsedMs, busyMs, finished }: LoopSample) {
  if (finished === 0) return { provenMs: pace.provenMs, proven: pace.proven };
  const memory = 0.5 ** (elapsedMs / PROVEN_HALF_LIFE_MS);
  return { provenMs: pace.provenMs * memory + busyMs, proven: pace.proven * memory + finished };
}

/** What was before counts half. */
function addProgress(before: QueueProgress | undefined, { started, elapsedMs, workedMs }: LoopSample): QueueProgress {
  if (before === undefined) return { started, elapsedMs, workedMs };
  return {
    started: before.started / 2 + started,
    elapsedMs: before.elapsedMs / 2 + elapsedMs,
    workedMs: before.workedMs / 2 + workedMs,
  };
}

/** What a request costs, start to end, is the time the loop works divided by the requests it finishes in that time. */
function sustainableStarts(busyMs: number, finished: number, lagMs: number, limits: AdmissionLimits): number {
  const sustainable = busyMs === 0 ? Number.POSITIVE_INFINITY : (SHARE * 1000 * finished) / busyMs;
  const brake = lagMs <= limits.lagTargetMs ? 1 : Math.max(STRONGEST_BRAKE, limits.lagTargetMs / lagMs);
  return Math.max(SLOWEST_STARTS_PER_SECOND, sustainable * brake);
}
