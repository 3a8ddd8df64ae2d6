/** How busy the event loop of this process is: the share of time in which it had something to do. */
import { type Clock, loopIdleMs } from '../core/clock.ts';

/**
 * @param idleMs milliseconds the loop has been idle so far
 * @returns a probe: the load since it was asked last, 0..1
 */
export function createLoopLoad(clock: Pick<Clock, 'monotonic'>, idleMs: () => number = loopIdleMs): () => number {
  let before = { at: clock.monotonic(), idle: idleMs() };
  return () => {
    const now = { at: clock.monotonic(), idle: idleMs() };
    const passed = now.at - before.at;
    const load = passed <= 0 ? 0 : 1 - (now.idle - before.idle) / passed;
    before = now;
    return Math.min(1, Math.max(0, load));
  };
}
