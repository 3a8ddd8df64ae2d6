import { describe, expect, it, test } from 'vitest';
import { costOf, sumOfCosts } from '../../src/agents/price.ts';

describe('the price of a call', () => {
  test.each([
    [['gpt-4o'], 1_000_000, 0, 2.5],
    [['gpt-4o-2024-08-06', 'my-deployment'], 1000, 100, 0.0035],
    [['gpt-4o-mini'], 1_000_000, 1_000_000, 0.75],
    [['unheard-of', 'gpt-5-mini'], 0, 1_000_000, 2],
    [['my-deployment'], 1000, 100, null],
  ])('of %o for %i and %i tokens is %s', (models, input, output, cost) => {
    expect(costOf(models, input, output)).toBe(cost);
  });

  it('is unknown in sum as soon as one is unknown', () => {
    expect(sumOfCosts([0.1, 0.2])).toBe(0.3);
    expect(sumOfCosts([0.1, null])).toBeNull();
    expect(sumOfCosts([])).toBe(0);
  });
});
