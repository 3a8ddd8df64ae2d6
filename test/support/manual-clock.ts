/**
 * A clock that stands still until a test moves it. Timers fire in the order of their times; work they start is given
 * the chance to run before the next one fires.
 */
import type { Clock, Timer } from '../../src/core/clock.ts';

interface Alarm {
  at: number;
  readonly every: number | undefined;
  readonly run: () => void;
}

export class ManualClock implements Clock {
  #now: number;
  readonly #alarms = new Set<Alarm>();

  /** @param start epoch milliseconds */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Timer {
    return this.#arm({ at: this.#now + ms, every: undefined, run });
  }

  every(ms: number, run: () => void): Timer {
    return this.#arm({ at: this.#now + ms, every: ms, run });
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const timer = this.after(ms, resolve);
      signal?.addEventListener(
        'abort',
        () => {
          timer.cancel();
          reject(signal.reason);
        },
        { once: true },
      );
    });
  }

  /** Timers that are armed. */
  get armed(): number {
    return this.#alarms.size;
  }

  /** Moves time on by `ms`, firing what falls due on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#earliest(end); next !== undefined; next = this.#earliest(end)) {
      this.#now = next.at;
      if (next.every === undefined) this.#alarms.delete(next);
      else next.at += next.every;
      next.run();
      await settle();
    }
    this.#now = end;
  }

  #arm(alarm: Alarm): Timer {
    this.#alarms.add(alarm);
    return { cancel: () => this.#alarms.delete(alarm) };
  }

  #earliest(end: number): Alarm | undefined {
    let earliest: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at <= end && (earliest === undefined || alarm.at < earliest.at)) earliest = alarm;
    }
    return earliest;
  }
}

/** Lets promise callbacks that are ready run. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
