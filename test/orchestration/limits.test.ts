import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import {
  checkDepth,
  type Limits,
  limitsOf,
  nothingSpent,
  raised,
  type SpentName,
  usedUp,
  usualLimits,
  withUsage,
} from '../../src/orchestration/limits.ts';

const all: readonly SpentName[] = ['turns', 'tokens', 'cost_usd', 'tool_calls'];

describe('the limits of a request', () => {
  it('are the usual ones when it says nothing', () => {
    expect(limitsOf({}, 7)).toEqual(usualLimits);
  });

  it('are bounded by cost alone where the work has no end', () => {
    expect(limitsOf({}, Number.POSITIVE_INFINITY)).toMatchObject({ turns: Number.POSITIVE_INFINITY, cost_usd: 20 });
  });

  it('follow its settings, but never forbid what is planned', () => {
    expect(limitsOf({ max_turns: 3, max_tokens: 500, max_cost_usd: 0.5, max_tool_calls: 9, max_depth: 0 }, 5)).toEqual({
      turns: 5,
      tokens: 500,
      cost_usd: 0.5,
      tool_calls: 9,
      depth: 0,
    });
  });

  it.each<[JsonObject, string]>([
    [{ max_tokens: 0 }, '"config.max_tokens" must be a whole number from 1, got 0'],
    [{ max_tool_calls: 1.5 }, '"config.max_tool_calls" must be a whole number from 1, got 1.5'],
    [{ max_cost_usd: 0 }, '"config.max_cost_usd" must be a number above 0, got 0'],
    [{ max_cost_usd: 'much' }, '"config.max_cost_usd" must be a number above 0, got "much"'],
    [{ max_depth: -1 }, '"config.max_depth" must be a whole number from 0, got -1'],
  ])('are refused when they are %o', (config, message) => {
    expect(() => limitsOf(config, 1)).toThrow(expect.objectContaining({ code: 'invalid_request', message }));
  });
});

test.each([
  [0, 'passes'],
  [4, 'passes'],
  [5, 'limit_exceeded'],
])('a run at depth %s %s', (depth, outcome) => {
  const check = () => checkDepth(depth, usualLimits);
  if (outcome === 'passes') expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining({ code: outcome, facts: { limit: 'depth', used: 5, max: 4 } }));
});

test('costs add up exactly, and unknown ones count as nothing', () => {
  const usage = (cost_usd: number | null) => ({ tokens_input: 1, tokens_output: 2, cost_usd });
  const spent = [0.1, 0.2, null].reduce((sum, cost) => withUsage(sum, usage(cost)), nothingSpent);
  expect(spent).toMatchObject({ tokens: 9, cost_usd: 0.3 });
  expect(usedUp(spent, { ...usualLimits, cost_usd: 0.3 }, all)).toEqual({ limit: 'cost_usd', used: 0.3, max: 0.3 });
});

const amounts = fc.record({
  turns: fc.nat(200),
  tokens: fc.nat(3_000_000),
  cost_usd: fc.nat(3000).map((cents) => cents / 100),
  tool_calls: fc.nat(400),
});

test('something is in the way exactly when a limit is used up', () => {
  fc.assert(
    fc.property(amounts, (spent) => {
      const trip = usedUp(spent, usualLimits, all);
      expect(trip !== undefined).toBe(all.some((name) => spent[name] >= usualLimits[name]));
    }),
  );
});

test('letting a run go on always takes what was in the way out of it', () => {
  fc.assert(
    fc.property(amounts, amounts, (spent, extra) => {
      const trip = usedUp(spent, usualLimits, all);
      fc.pre(trip !== undefined);
      if (trip === undefined) return;
      const after: Limits = raised(usualLimits, trip, {}, usualLimits);
      expect(usedUp(spent, after, [trip.limit as SpentName])).toBeUndefined();
      const key = `max_${trip.limit}`;
      const asked = raised(usualLimits, trip, { [key]: extra.tokens + 1 }, usualLimits);
      expect(asked[trip.limit as SpentName]).toBe(extra.tokens + 1);
    }),
  );
});

test('a raise takes limits by either name, and nothing else', () => {
  const trip = { limit: 'loop', used: 3, max: 3 } as const;
  const raise = { max_turns: 7, tokens: 9, cost_usd: 'much', max_depth: -1, other: 3 };
  expect(raised(usualLimits, trip, raise, usualLimits)).toEqual({ ...usualLimits, turns: 7, tokens: 9 });
});
