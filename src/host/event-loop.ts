/**
 * Two measures of the event loop, both cheap enough to be always on: how long the current turn has lasted, and how late
 * the loop is with what it was asked to do.
 */
import { afterTurn, type Clock, loopIdleMs, type Timer } from '../core/clock.ts';

/** Turns are told apart at most this often, in milliseconds: a marker in every turn would cost the fastest requests. */
const MARK_EVERY_MS = 5;

export interface TurnMeter {
  /** Milliseconds the current turn has lasted, as far as known: never too much, and too little by a few at most. */
  elapsed(now: number): number;
  /** Milliseconds of work, all turns together, since this was asked last; lags a few behind. */
  takeBusyMs(): number;
}

export function createTurnMeter(clock: Clock): TurnMeter {
  let markedAt: number | undefined;
  let endedAt = clock.monotonic();
  let idleMs = loopIdleMs();
  let busyMs = 0;
  const count = (now: number, since: number) => {
    const idleNow = loopIdleMs();
    busyMs += now - since - (idleNow - idleMs);
    idleMs = idleNow;
  };
  const end = () => {
    endedAt = clock.monotonic();
    count(endedAt, markedAt ?? endedAt);
    markedAt = undefined;
  };
  return {
    elapsed(now) {
      if (markedAt !== undefined) return now - markedAt;
      if (now - endedAt > MARK_EVERY_MS) {
        count(now, endedAt);
        markedAt = now;
        afterTurn(end);
      }
      return 0;
    },
    takeBusyMs() {
      const taken = busyMs;
      busyMs = 0;
      return taken;
    },
  };
}

export interface LagSample {
  readonly now: number;
  /** When the sample before was taken. */
  readonly previous: number;
  /** Milliseconds since then in which the loop did not wait. */
  readonly busyMs: number;
  /** How much later than asked the sample was taken, in milliseconds. */
  readonly lagMs: number;
}

export interface LagMeter {
  /** Takes samples from now on; harmless when it does already. */
  start(now: number): void;
  stop(): void;
}

/** @param intervalMs between samples, on time */
export function createLagMeter(clock: Clock, intervalMs: number, onSample: (sample: LagSample) => void): LagMeter {
  let timer: Timer | undefined;
  let previous = 0;
  let idleMs = 0;
  const sample = () => {
    const now = clock.monotonic();
    const idleNow = loopIdleMs();
    const elapsedMs = now - previous;
    const taken = { now, previous, busyMs: elapsedMs - (idleNow - idleMs), lagMs: Math.max(0, elapsedMs - intervalMs) };
    previous = now;
    idleMs = idleNow;
    onSample(taken);
  };
  return {
    start(now) {
      if (timer !== undefined) return;
      previous = now;
      idleMs = loopIdleMs();
      timer = clock.every(intervalMs, sample);
    },
    stop() {
      timer?.cancel();
      timer = undefined;
    },
  };
}
