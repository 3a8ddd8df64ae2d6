/**
 * How a waiting run is woken: by a timer of this process when its time has come, and by a word to the other processes
 * when a signal came for it.
 */
import { sql } from 'kysely';
import type { Clock, Timer } from '../core/clock.ts';
import type { Told } from '../runs/aftermath.ts';
import type { StoreScope } from '../store/database.ts';
import type { Notifications } from '../store/standing-connection.ts';

const MAX_TIMER_MS = 2_147_483_647;

export interface Wakes {
  /** A wait ends by itself at this time (epoch milliseconds), if it is given. */
  expect(at: number | undefined): void;
  stop(): void;
}

/** One timer, set to the earliest time that is expected; whoever is called by it says what comes next. */
export function createWakes(clock: Clock, onTime: () => void): Wakes {
  let earliest = Number.POSITIVE_INFINITY;
  let timer: Timer | undefined;
  let stopped = false;

  function arm(): void {
    timer?.cancel();
    if (stopped || earliest === Number.POSITIVE_INFINITY) return;
    const left = Math.max(0, earliest - clock.now());
    timer = clock.after(Math.min(left, MAX_TIMER_MS), () => {
      if (clock.now() < earliest) return arm();
      earliest = Number.POSITIVE_INFINITY;
      onTime();
    });
  }

  return {
    expect(at) {
      if (at === undefined || at >= earliest) return;
      earliest = at;
      arm();
    },
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}

/** Channel for a run that was given a signal: whoever executes it, whoever has room for it, or the workers of tasks. */
function channelFor({ woken, kind, executor }: Told): string | undefined {
  if (woken) return kind === 'task' ? 'aos_tasks' : 'aos_wakes';
  return executor === null ? undefined : 'aos_signals';
}

/** Tells the other processes (and, within a transaction, this one too) where a signal went. */
export function announceTold(by: Notifications, told: Told): void;
export function announceTold(by: StoreScope, told: Told): Promise<void>;
export function announceTold(by: Notifications | StoreScope, told: Told): void | Promise<void> {
  const channel = channelFor(told);
  if (channel === undefined) return;
  const { run } = told;
  if ('announce' in by) return by.announce(channel, run, run);
  return sql`select pg_notify(${channel}, ${run})`.execute(by).then(() => {});
}
