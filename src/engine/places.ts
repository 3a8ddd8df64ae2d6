/**
 * The places for runs in this process, and the queue before them. The queue itself is in the database, in the order of
 * priority and admission; here it is only known which of its runs were begun here, and that there may be more.
 */
import type { Clock } from '../core/clock.ts';
import type { RunKey } from '../runs/run.ts';
import type { Backlog } from './engine.ts';

export interface Places {
  readonly free: number;
  /** Takes a place for a run that is not counted yet. */
  take(run: RunKey): void;
  give(run: RunKey): void;
  has(run: RunKey): boolean;
  /** The run was to begin here and found no place. */
  queue(run: RunKey): void;
  /** There may be runs in the database that wait for a place. */
  expectMore(): void;
  readonly expectsMore: boolean;
  /** The queue in the database was looked at: nothing but these is left, or these are the first when there are more. */
  settle(left: readonly RunKey[], areAll: boolean): void;
  backlog(): Backlog;
}

export function createPlaces(maxRuns: number, clock: Clock): Places {
  const taken = new Set<RunKey>();
  /** When each began to wait, oldest first. */
  const queued = new Map<RunKey, number>();
  let more = false;
  return {
    get free() {
      return Math.max(0, maxRuns - taken.size);
    },
    take(run) {
      taken.add(run);
      queued.delete(run);
    },
    give: (run) => void taken.delete(run),
    has: (run) => taken.has(run),
    queue(run) {
      if (!queued.has(run)) queued.set(run, clock.monotonic());
      more = true;
    },
    expectMore() {
      more = true;
    },
    get expectsMore() {
      return more;
    },
    settle(left, areAll) {
      more = left.length > 0 || !areAll;
      if (areAll) for (const run of queued.keys()) if (!left.includes(run)) queued.delete(run);
    },
    backlog() {
      const [oldest] = queued.values();
      const oldestWaitMs = oldest === undefined ? 0 : clock.monotonic() - oldest;
      return { executing: taken.size, queued: queued.size, oldestWaitMs };
    },
  };
}
