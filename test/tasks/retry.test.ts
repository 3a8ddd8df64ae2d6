import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { afterFailure, retryDelayMs } from '../../src/tasks/retry.ts';

const pace = { baseSeconds: 30, maxSeconds: 600 };

describe('the pause before a retry', () => {
  it.each([
    [1, 0.5, 15_000],
    [2, 0.5, 30_000],
    [3, 0.5, 60_000],
    [5, 0.5, 240_000],
    [6, 0.5, 300_000],
    [50, 0.5, 300_000],
    [1, 0, 0],
  ])('before retry %i at random %f is %i ms', (n, random, expected) => {
    expect(retryDelayMs(n, pace, random)).toBe(expected);
  });

  it('is anywhere below its ceiling, which never exceeds the maximum', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.double({ min: 0, max: 0.999999, noNaN: true }),
        (n, random) => {
          const delay = retryDelayMs(n, pace, random);
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThan(600_000);
        },
      ),
    );
  });
});

describe('after a failed attempt', () => {
  it.each([
    ['timed_out', undefined, 0, 3, 'retrying'],
    ['model_failed', undefined, 2, 3, 'retrying'],
    ['model_failed', undefined, 3, 3, 'dead'],
    ['internal_error', undefined, 0, 0, 'dead'],
    ['model_failed', 'never', 0, 3, 'failed'],
    ['invalid_request', undefined, 0, 3, 'failed'],
    ['not_supported', undefined, 0, 3, 'failed'],
    ['invalid_request', 'later', 0, 3, 'retrying'],
  ] as const)(
    '%s (retry: %s) with %i of %i retries used, the task is %s',
    (code, retry, retryCount, maxRetries, next) => {
      expect(afterFailure({ code, message: '', retry }, { retryCount, maxRetries })).toBe(next);
    },
  );
});
