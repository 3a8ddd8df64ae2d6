/**
 * Work that is looked for from time to time: at the time the last round named, when somebody says that there is some,
 * and after `longestMs` in any case, because what is due may have been written by another process.
 */
import type { Clock, Timer } from './clock.ts';

export interface Rounds {
  /** The first round begins at once. */
  start(): void;
  /** There is work at this time (epoch milliseconds); one in the past or none is now. */
  due(at?: number): void;
  /** Resolves when the round that is under way, if one is, has ended; no other follows. */
  stop(): Promise<void>;
}

export interface RoundsParts {
  readonly clock: Clock;
  /** One round. @returns when the next is due (epoch milliseconds), undefined when nothing is in sight */
  readonly work: () => Promise<number | undefined>;
  readonly longestMs: number;
  /** A round failed; the next comes after `longestMs`. */
  readonly failed: (thrown: unknown) => void;
}

export function createRounds({ clock, work, longestMs, failed }: RoundsParts): Rounds {
  let timer: { readonly at: number; readonly alarm: Timer } | undefined;
  let running: Promise<void> | undefined;
  /** The earliest time that was named while a round was under way. */
  let named = Number.POSITIVE_INFINITY;
  let started = false;

  function arm(at: number): void {
    if (!started || (timer !== undefined && timer.at <= at)) return;
    timer?.alarm.cancel();
    const alarm = clock.after(Math.max(0, at - clock.now()), () => {
      timer = undefined;
      running = round();
    });
    timer = { at, alarm };
  }

  async function round(): Promise<void> {
    named = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    try {
      next = (await work()) ?? next;
    } catch (thrown) {
      failed(thrown);
    }
    running = undefined;
    arm(Math.min(next, named, clock.now() + longestMs));
  }

  return {
    start() {
      started = true;
      running = round();
    },
    due(at = clock.now()) {
      if (running === undefined) arm(at);
      else named = Math.min(named, at);
    },
    async stop() {
      started = false;
      timer?.alarm.cancel();
      timer = undefined;
      await running;
    },
  };
}
