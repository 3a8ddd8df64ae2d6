/**
 * How many workers there should be, as pure rules. Two things bound each other: what the line asks for (`scaled`), and
 * what the event loop of this process still has time for (`allowedWorkers`).
 */
import type { TaskSettings } from './task-settings.ts';

/** What is known when the pool looks at its size. Times are milliseconds on one clock. */
export interface PoolState {
  readonly now: number;
  readonly workers: number;
  readonly busy: number;
  /** How many workers the event loop allows. */
  readonly allowed: number;
  /** Tasks that are due and have no worker. */
  readonly backlog: number;
  readonly oldestWaitMs: number;
  /** When the pool last grew; undefined when it never has. */
  readonly grownAt: number | undefined;
  /** When the size last changed in whatever direction; at first, when the pool started. */
  readonly changedAt: number;
}

export interface Scaling {
  readonly workers: number;
  /** Why it is another number than before; undefined when it is not. */
  readonly reason?: string;
}

type ScalingSettings = Pick<
  TaskSettings,
  | 'policy'
  | 'min_workers'
  | 'max_workers'
  | 'initial_workers'
  | 'backlog_per_worker'
  | 'max_wait_seconds'
  | 'scale_up_cooldown_seconds'
  | 'scale_down_backlog'
  | 'scale_down_cooldown_seconds'
>;

/**
 * The size the pool should have. Only `auto` follows the line: up as far as the backlog asks at once, down by one idle
 * worker at a time; having shrunk never keeps it from growing. Idle workers beside waiting tasks mean that limits hold the tasks back, not that workers are missing.
 */
export function scaled(settings: ScalingSettings, state: PoolState): Scaling {
  const { workers } = state;
  if (settings.policy === 'fixed') {
    const { initial_workers: fixed } = settings;
    return fixed === workers ? { workers } : { workers: fixed, reason: 'fixed' };
  }
  const bounded = Math.min(Math.max(workers, settings.min_workers), settings.max_workers);
  if (bounded !== workers) return { workers: bounded, reason: 'bounds' };
  if (settings.policy === 'manual') return { workers };
  const idle = workers - state.busy;
  const sinceGrownMs = state.grownAt === undefined ? Number.POSITIVE_INFINITY : state.now - state.grownAt;

  const asked = Math.ceil(state.backlog / settings.backlog_per_worker);
  const tooMany = state.backlog > settings.backlog_per_worker * workers;
  const tooLong = state.backlog > 0 && state.oldestWaitMs > settings.max_wait_seconds * 1000;
  if ((tooMany || tooLong) && idle <= 0 && sinceGrownMs >= settings.scale_up_cooldown_seconds * 1000) {
    const ceiling = Math.min(settings.max_workers, state.allowed);
    const target = Math.min(Math.max(asked, workers + 1), ceiling);
    if (target > workers) return { workers: target, reason: tooMany ? 'backlog' : 'oldest_wait' };
  }
  if (
    state.backlog < settings.scale_down_backlog &&
    idle > 0 &&
    workers > settings.min_workers &&
    state.now - state.changedAt >= settings.scale_down_cooldown_seconds * 1000
  ) {
    return { workers: workers - 1, reason: 'idle' };
  }
  return { workers };
}

/** Below this share of the allowed load the loop has room again. */
const ROOM = 0.8;

/**
 * How many workers may be at work: one less than are at work while the loop is overloaded, one more as soon as it has
 * room again; never less than one, so that work always goes on.
 * @param allowed what it was when last looked at
 * @param load share of the loop's time that was used since then, 0..1
 */
export function allowedWorkers(
  allowed: number,
  { load, busy, maxLoad, maxWorkers }: { load: number; busy: number; maxLoad: number; maxWorkers: number },
): number {
  if (load > maxLoad) return Math.max(1, Math.min(allowed, busy, maxWorkers) - 1);
  if (load < maxLoad * ROOM) return Math.min(maxWorkers, allowed + 1);
  return Math.min(maxWorkers, allowed);
}
