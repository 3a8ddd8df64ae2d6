/**
 * When a failed attempt is tried again, and whether at all. A task's attempts are its one retry; within an attempt only
 * steps repeat themselves.
 */
import { catalogue, type ErrorCode, type Retry } from '../core/errors.ts';
import type { TaskStatus } from './task-state.ts';

export interface RetryPace {
  /** Longest pause before the first retry; it doubles with each. */
  readonly baseSeconds: number;
  readonly maxSeconds: number;
}

/**
 * The pause before retry `n` (1, 2, 3 …): anything from nothing to min(max, base · 2^(n-1)), so that tasks which
 * failed together do not come back together.
 * @param random from 0 to below 1
 * @returns whole milliseconds
 */
export function retryDelayMs(n: number, { baseSeconds, maxSeconds }: RetryPace, random: number): number {
  const ceiling = Math.min(maxSeconds, baseSeconds * 2 ** Math.min(n - 1, 62));
  return Math.floor(ceiling * 1000 * random);
}

/** How an attempt went wrong. */
export interface AttemptFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Overrides the catalogue where one code covers both. */
  readonly retry?: Retry | undefined;
}

/** Where a task goes from a failed attempt. `retryCount` is how many retries it has had. */
export function afterFailure(
  failure: AttemptFailure,
  { retryCount, maxRetries }: { retryCount: number; maxRetries: number },
): Extract<TaskStatus, 'retrying' | 'dead' | 'failed'> {
  if ((failure.retry ?? catalogue[failure.code].retry) === 'never') return 'failed';
  return retryCount < maxRetries ? 'retrying' : 'dead';
}
