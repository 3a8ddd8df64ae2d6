/**
 * Watches what requests do to the event loop while there is traffic, and knows from it how many may be started
 * (`admission.ts` has the rules). Between traffic it does nothing at all.
 */
import type { Clock } from '../core/clock.ts';
import {
  type AdmissionLimits,
  adaptPace,
  hasTimeToSpare,
  type LoopSample,
  mayStartUnproven,
  type Pace,
  unhurried,
} from './admission.ts';
import { createLagMeter, type LagSample } from './event-loop.ts';

export interface PacemakerOptions {
  readonly limits: AdmissionLimits;
  readonly clock: Clock;
  /** Milliseconds of processor time this thread has used. */
  workedMs(): number;
  /** Requests that are being served. */
  inFlight(): number;
  /** Called after each look at the loop. @returns whether there is anything left to look out for without new traffic */
  onLook(now: number): boolean;
}

export interface Pacemaker {
  readonly pace: Pace;
  /** By how many the requests in flight have become more in the last moments. */
  unproven(): number;
  /** For how long requests have waited without interruption, in milliseconds. */
  pressedMs(now: number): number;
  /** Whether one of those that wait may be started. With nothing in flight a start can do no harm, whatever the pace. */
  mayStart(now: number): boolean;

  // What it is told.
  arrived(now: number): void;
  started(): void;
  spentOnRefusals(ms: number): void;
  /** Whether requests wait. */
  pressed(now: number, isPressed: boolean): void;
}

const LOOK_EVERY_MS = 50;
/** A request in flight for so many looks has shown that it waits rather than computes. */
const UNPROVEN_LOOKS = 3;

export function createPacemaker(options: PacemakerOptions): Pacemaker {
  const { limits, clock, workedMs, inFlight } = options;
  const lag = createLagMeter(clock, LOOK_EVERY_MS, look);
  const allowance = createAllowance();
  let pace = unhurried;
  let isLooking = false;
  let pressedSince: number | undefined;
  /** Requests in flight at the last looks, the oldest first. */
  let inFlightLately: readonly number[] = [0];
  // Since the last look.
  let arrivals = 0;
  let starts = 0;
  let refusingMs = 0;
  let workedBefore = 0;
  let inFlightBefore = 0;

  function begin(now: number): void {
    isLooking = true;
    workedBefore = workedMs();
    inFlightBefore = inFlight();
    inFlightLately = [inFlightBefore];
    lag.start(now);
  }

  function look({ now, previous, lagMs, busyMs }: LagSample): void {
    if (hasTimeToSpare(now - previous, busyMs)) pressedSince = undefined;
    const workedNow = workedMs();
    const worked = workedNow - workedBefore;
    workedBefore = workedNow;
    const inFlightNow = inFlight();
    const finished = Math.max(0, starts - (inFlightNow - inFlightBefore));
    inFlightBefore = inFlightNow;
    inFlightLately = [...inFlightLately, inFlightNow].slice(-UNPROVEN_LOOKS);
    const sample: LoopSample = {
      elapsedMs: now - previous,
      // Later than it has worked the loop can only be through no fault of its own.
      lagMs: Math.min(lagMs, worked),
      busyMs: Math.max(0, busyMs - refusingMs),
      workedMs: Math.max(0, worked - refusingMs),
      started: starts,
      finished,
      pressed: pressedSince !== undefined && pressedSince <= previous,
    };
    pace = adaptPace(pace, sample, limits);
    const isQuiet = arrivals === 0;
    arrivals = 0;
    starts = 0;
    refusingMs = 0;
    if (options.onLook(now) || !isQuiet) return;
    isLooking = false;
    lag.stop();
  }

  const unproven = () => inFlight() - (inFlightLately[0] ?? 0);

  return {
    get pace() {
      return pace;
    },
    unproven,
    pressedMs: (now) => (pressedSince === undefined ? 0 : now - pressedSince),
    mayStart: (now) =>
      inFlight() === 0 || (mayStartUnproven(unproven(), pace, limits) && allowance.allows(now, pace.startsPerSecond)),
    arrived(now) {
      arrivals++;
      if (!isLooking) begin(now);
    },
    started() {
      starts++;
      allowance.take();
    },
    spentOnRefusals(ms) {
      refusingMs += ms;
    },
    pressed(now, isPressed) {
      pressedSince = isPressed ? (pressedSince ?? now) : undefined;
    },
  };
}

/** Starts that may be made now when starts per second are limited. What is not used between two looks lapses. */
function createAllowance() {
  let left = 0;
  let countedAt = 0;
  return {
    allows(now: number, perSecond: number): boolean {
      if (perSecond === Number.POSITIVE_INFINITY) return true;
      const most = Math.max(1, (perSecond * LOOK_EVERY_MS) / 1000);
      left = Math.min(most, left + ((now - countedAt) * perSecond) / 1000);
      countedAt = now;
      return left >= 1;
    },
    take(): void {
      left = Math.max(0, left - 1);
    },
  };
}
