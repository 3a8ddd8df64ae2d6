/**
 * How much goes to a plane: so many calls a second, so many at a time, so many that wait for their turn. A plane that
 * hangs holds its own places and nobody else's.
 */
import type { Clock } from '../core/clock.ts';

export interface TrafficOptions {
  /** Calls a second, with as many at once after a pause; undefined: no limit. */
  readonly perSecond?: number | undefined;
  /** Calls under way at a time. */
  readonly atOnce: number;
  /** Calls that may wait for their turn; the next one is turned away. */
  readonly inLine: number;
}

export interface Traffic {
  /**
   * A place; to be given back by calling what is returned.
   * @returns undefined when too many wait, or no turn came before `patienceMs` were over
   */
  enter(patienceMs: number, signal: AbortSignal): Promise<(() => void) | undefined>;
  readonly busy: number;
  readonly waiting: number;
}

export function createTraffic(clock: Clock, { perSecond, atOnce, inLine }: TrafficOptions): Traffic {
  const line: (() => void)[] = [];
  const burst = Math.max(1, perSecond ?? 1);
  let tokens = burst;
  let filledAt = clock.monotonic();
  let busy = 0;

  /** Takes a token. @returns how long to wait before it counts, in milliseconds */
  function token(): number {
    if (perSecond === undefined) return 0;
    const now = clock.monotonic();
    tokens = Math.min(burst, tokens + ((now - filledAt) / 1000) * perSecond);
    filledAt = now;
    tokens -= 1;
    return tokens >= 0 ? 0 : (-tokens / perSecond) * 1000;
  }

  function leave(): void {
    const next = line.shift();
    // The place goes from hand to hand, so that nobody steps in between.
    if (next === undefined) busy -= 1;
    else next();
  }

  async function place(patienceMs: number, signal: AbortSignal): Promise<boolean> {
    if (busy < atOnce) {
      busy += 1;
      return true;
    }
    if (line.length >= inLine) return false;
    const turn = Promise.withResolvers<boolean>();
    const mine = () => turn.resolve(true);
    const giveUp = () => {
      const at = line.indexOf(mine);
      if (at >= 0) line.splice(at, 1);
      turn.resolve(false);
    };
    line.push(mine);
    const timer = clock.after(patienceMs, giveUp);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await turn.promise;
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', giveUp);
    }
  }

  return {
    get busy() {
      return busy;
    },
    get waiting() {
      return line.length;
    },
    async enter(patienceMs, signal) {
      signal.throwIfAborted();
      const began = clock.monotonic();
      if (!(await place(patienceMs, signal))) {
        signal.throwIfAborted();
        return undefined;
      }
      const pause = token();
      if (pause > patienceMs - (clock.monotonic() - began)) {
        // Not taken: the next caller may have it.
        tokens += 1;
        leave();
        return undefined;
      }
      try {
        if (pause > 0) await clock.sleep(pause, signal);
      } catch (aborted) {
        leave();
        throw aborted;
      }
      let left = false;
      return () => {
        if (!left) leave();
        left = true;
      };
    },
  };
}
