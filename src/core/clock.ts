/**
 * Time as a port. `Date.now` and timers live only here, so that tests and the simulation can move time by hand.
 * Wall time is for what people read and what is stored; elapsed time is always measured on the monotonic clock.
 */

/** A timer that can be called off. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall time, milliseconds since the epoch. */
  now(): number;
  /** Milliseconds on a clock that never goes backwards; only differences mean anything. */
  monotonic(): number;
  /** Calls `run` once after `ms` milliseconds. The timer does not keep the process alive. */
  after(ms: number, run: () => void): Timer;
  /** Calls `run` every `ms` milliseconds until cancelled. The timer does not keep the process alive. */
  every(ms: number, run: () => void): Timer;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when it fires first. Keeps the process alive. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms).unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(ms, run) {
    const timer = setInterval(run, ms).unref();
    return { cancel: () => clearInterval(timer) };
  },
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
};

/** ISO-8601 in UTC with milliseconds, as every wire format of ours writes times. */
export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** Milliseconds the event loop of this thread has spent waiting for something to do, so far. */
export function loopIdleMs(): number {
  return performance.nodeTiming.idleTime;
}

/** Runs `task` once, after the I/O events that are ready in this turn of the event loop. */
export function afterTurn(task: () => void): void {
  setImmediate(task);
}
