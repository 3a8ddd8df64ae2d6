/** The bucket against the plain model of one: a number of tokens that grows with time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intervalOf, type Rate, tokensAt, untilToken, without } from '../../../src/governance/limits/token-bucket.ts';

const rate: Rate = { perMinute: 300, burst: 60 };
const START = 1_000_000;

describe('a token bucket', () => {
  it('is full at first, and empty after its burst', () => {
    expect(tokensAt(rate, START, START)).toBe(60);
    const spent = without(rate, START, 60, START);
    expect(tokensAt(rate, spent, START)).toBe(0);
    expect(untilToken(rate, spent, START)).toBeCloseTo(200);
  });

  it.each([
    [0, 0],
    [199, 0],
    [200, 1],
    [1_000, 5],
    [12_000, 60],
    [99_000, 60],
  ])('has after %d ms %d tokens again', (passed, tokens) => {
    expect(tokensAt(rate, without(rate, START, 60, START), START + passed)).toBe(tokens);
  });

  it('owes what was spent beforehand, and is never fuller than full for what comes back', () => {
    const owing = without(rate, START, 70, START);
    expect(tokensAt(rate, owing, START)).toBe(-10);
    expect(untilToken(rate, owing, START)).toBeCloseTo(11 * 200);
    expect(tokensAt(rate, without(rate, START, -5, START), START)).toBe(60);
  });

  it('gives in any stretch of time no more than its rate and its burst, and refuses only when it has none', () => {
    const rates = fc.record({ perMinute: fc.integer({ min: 1, max: 6_000 }), burst: fc.integer({ min: 1, max: 100 }) });
    const pauses = fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 200 });
    fc.assert(
      fc.property(rates, pauses, (limit, waits) => {
        let [now, fullAt] = [START, START];
        const given: number[] = [];
        for (const wait of waits) {
          now += wait;
          const left = untilToken(limit, fullAt, now);
          if (tokensAt(limit, fullAt, now) < 1) {
            expect(left).toBeGreaterThan(-1e-3);
            expect(tokensAt(limit, fullAt, now + left + 0.001)).toBeGreaterThanOrEqual(1);
            continue;
          }
          fullAt = without(limit, fullAt, 1, now);
          given.push(now);
        }
        for (let from = 0; from < given.length; from++) {
          for (let to = from; to < given.length; to++) {
            const stretch = (given[to] ?? 0) - (given[from] ?? 0);
            expect(to - from + 1).toBeLessThanOrEqual(stretch / intervalOf(limit) + limit.burst + 1e-3);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
