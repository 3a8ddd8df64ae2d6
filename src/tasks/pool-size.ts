/** The size of a pool over time: looks at the line and at the event loop, and sets the number of workers. */
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { Feed } from '../runs/feed.ts';
import { DEFAULT_TENANT } from '../runs/run.ts';
import type { StoreScope } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import { allowedWorkers, type Scaling, scaled } from './pool-scaling.ts';
import type { Line } from './task-claims.ts';
import type { TaskSettingsStore } from './task-settings.ts';
import type { WorkerRoster } from './worker-roster.ts';

export interface LastScaling {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

export interface PoolSize {
  /** How many workers may be at work with the event loop as busy as it is. */
  readonly allowed: number;
  /** Share of the event loop's time that was used before the last look, 0..1. */
  readonly loopLoad: number;
  readonly last: LastScaling | undefined;
  /** Looks at the event loop. */
  weigh(): void;
  /** Sets the size that the line asks for. */
  fit(line: Line): void;
  set(scaling: Scaling): void;
}

export interface PoolSizeParts {
  readonly poolId: string;
  readonly roster: WorkerRoster;
  readonly settings: Pick<TaskSettingsStore, 'current'>;
  readonly feed: Pick<Feed, 'write'>;
  readonly db: StoreScope;
  readonly clock: Clock;
  readonly log: Log;
  /** Share of the event loop's time that was used since it was asked last, 0..1. */
  readonly loopLoad: () => number;
}

export function createPoolSize(parts: PoolSizeParts): PoolSize {
  const { poolId, roster, settings, feed, db, clock, log } = parts;
  let allowed = Number.POSITIVE_INFINITY;
  let loopLoad = 0;
  let last: LastScaling | undefined;
  let grownAt: number | undefined;
  let changedAt = clock.monotonic();

  function set({ workers: to, reason }: Scaling): void {
    const from = roster.size;
    if (to === from || reason === undefined) return;
    roster.resize(to);
    changedAt = clock.monotonic();
    if (to > from) grownAt = changedAt;
    last = { at: clock.now(), from, to, reason };
    log.info('the worker pool was scaled', { pool_id: poolId, from, to, reason });
    const data = { pool_id: poolId, from, to, reason, policy: settings.current().policy };
    feed
      .write(db, { tenantId: DEFAULT_TENANT, type: 'pool.scaled', subject: poolId, data })
      .catch((failure: unknown) => {
        log.warn('a scaling was not told to the feed', { pool_id: poolId, reason: asError(failure).message });
      });
  }

  return {
    get allowed() {
      return Math.min(allowed, settings.current().max_workers);
    },
    get loopLoad() {
      return loopLoad;
    },
    get last() {
      return last;
    },
    set,
    weigh() {
      const { max_loop_load: maxLoad, max_workers: maxWorkers } = settings.current();
      loopLoad = parts.loopLoad();
      allowed = allowedWorkers(Math.min(allowed, maxWorkers), {
        load: loopLoad,
        busy: roster.busy,
        maxLoad,
        maxWorkers,
      });
    },
    fit(line) {
      const busy = Math.min(roster.busy, roster.size);
      set(
        scaled(settings.current(), {
          now: clock.monotonic(),
          workers: roster.size,
          busy,
          allowed,
          grownAt,
          changedAt,
          ...line,
        }),
      );
    },
  };
}
