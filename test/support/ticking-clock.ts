/** A clock on which every look at the monotonic time moves it on: work seems to take time, and no test waits. */
import { type Clock, systemClock } from '../../src/core/clock.ts';

const soon = () => new Promise<void>((resolve) => setImmediate(resolve));

export function tickingClock(stepMs: number): Clock {
  let elapsed = 0;
  return {
    ...systemClock,
    now: () => Date.UTC(2026, 1, 1, 10) + elapsed,
    monotonic: () => {
      elapsed += stepMs;
      return elapsed;
    },
    after(ms, run) {
      let live = true;
      void soon().then(() => {
        if (live) run();
        elapsed += ms;
      });
      return {
        cancel: () => {
          live = false;
        },
      };
    },
    async sleep(_ms, signal) {
      await soon();
      signal?.throwIfAborted();
    },
  };
}
