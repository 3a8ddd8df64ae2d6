import { describe, expect, it, test } from 'vitest';
import { costOf, priceOf, readPrices, sumOfCosts } from '../../src/agents/price.ts';
import { loadPrices } from '../../src/agents/price-file.ts';

const { models: prices } = await loadPrices(undefined);

describe('the price of a call', () => {
  test.each([
    [['gpt-4o'], 1_000_000, 0, 2.5],
    [['gpt-4o-2024-08-06', 'my-deployment'], 1000, 100, 0.0035],
    [['gpt-4o-mini'], 1_000_000, 1_000_000, 0.75],
    [['unheard-of', 'gpt-5-mini'], 0, 1_000_000, 2],
    [['my-deployment'], 1000, 100, null],
    [['constructor'], 1000, 100, null],
  ])('of %o for %i and %i tokens is %s', (models, input, output, cost) => {
    expect(costOf(priceOf(prices, models), input, output)).toBe(cost);
  });

  it('is unknown in sum as soon as one is unknown', () => {
    expect(sumOfCosts([0.1, 0.2])).toBe(0.3);
    expect(sumOfCosts([0.1, null])).toBeNull();
    expect(sumOfCosts([])).toBe(0);
  });

  it('is read from a table that names every fault it has', () => {
    const models = { 'my-deployment': { input: 1, output: 2 } };
    const table = { version: 1, currency: 'USD', per_tokens: 1_000_000, models };
    expect(readPrices(table, 'the table')).toEqual({ models, actions: {} });
    const actions = { 'fabric:finance:*': 0.02 };
    expect(readPrices({ ...table, actions }, 'the table')).toEqual({ models, actions });
    const faulty = { ...table, currency: 'EUR', models: { m: { input: -1, output: 2 } } };
    expect(() => readPrices(faulty, 'the table')).toThrow(/the table/);
    expect(() => readPrices([], 'the table')).toThrow('the table must be a JSON object');
  });
});
