/**
 * The limits of a run: how many turns, tokens, US dollars and tool calls it may spend and how deep its sub-runs may
 * nest. Pure: what was spent against what is allowed. The limit of time is the run's deadline, which the engine keeps.
 */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { TurnUsage } from '../runs/event.ts';
import { invalid } from './plan.ts';

/** What a run uses up. Costs that are not known (null) count as nothing. */
export interface Spent {
  readonly turns: number;
  readonly tokens: number;
  readonly cost_usd: number;
  readonly tool_calls: number;
}

export type SpentName = keyof Spent;

export const nothingSpent: Spent = { turns: 0, tokens: 0, cost_usd: 0, tool_calls: 0 };

export interface Limits extends Spent {
  /** Of the run among its ancestors: 0 for one that nobody's run began. */
  readonly depth: number;
}

/** What holds when the request says nothing; generous, because they are there for work that has gone astray. */
export const usualLimits: Limits = { turns: 100, tokens: 2_000_000, cost_usd: 20, tool_calls: 200, depth: 4 };

/** Work without an end is bounded by its cost alone. */
export const endlessLimits: Limits = {
  ...usualLimits,
  turns: Number.POSITIVE_INFINITY,
  tokens: Number.POSITIVE_INFINITY,
  tool_calls: Number.POSITIVE_INFINITY,
};

/** The member of `config`, and of a raise, that sets each limit. */
export const limitKeys: Readonly<Record<keyof Limits, string>> = {
  turns: 'max_turns',
  tokens: 'max_tokens',
  cost_usd: 'max_cost_usd',
  tool_calls: 'max_tool_calls',
  depth: 'max_depth',
};

const limitNames = Object.keys(limitKeys) as readonly (keyof Limits)[];

/**
 * The limits of a request.
 * @param plannedTurns turns that the plan has anyway are never too many
 * @throws AosError invalid_request
 */
export function limitsOf(config: JsonObject, plannedTurns: number): Limits {
  const otherwise = Number.isFinite(plannedTurns) ? usualLimits : endlessLimits;
  const asked = { ...otherwise, ...valuesIn(config) };
  return Number.isFinite(plannedTurns) ? { ...asked, turns: Math.max(asked.turns, plannedTurns) } : asked;
}

/** A limit that stands in the way of spending more. */
export interface Trip {
  readonly limit: SpentName | 'loop';
  readonly used: number;
  readonly max: number;
}

/** The first limit that is used up, of those in `among`: nothing more may be spent of it. */
export function usedUp(spent: Spent, limits: Limits, among: readonly SpentName[]): Trip | undefined {
  for (const limit of among) {
    if (spent[limit] >= limits[limit]) return { limit, used: spent[limit], max: limits[limit] };
  }
  return undefined;
}

export function withUsage(spent: Spent, usage: TurnUsage): Spent {
  return {
    ...spent,
    tokens: spent.tokens + usage.tokens_input + usage.tokens_output,
    // Sums of binary fractions drift; a limit of 0.3 is reached by 0.1 + 0.2.
    cost_usd: Math.round((spent.cost_usd + (usage.cost_usd ?? 0)) * 1e8) / 1e8,
  };
}

/**
 * The limits after somebody let a run go on.
 * @param raise new maxima by their config keys; what is in the way is granted once more as much as `first` when it is left out
 */
export function raised(limits: Limits, trip: Trip, raise: JsonObject, first: Limits): Limits {
  const given = acceptable(raise);
  if (trip.limit === 'loop' || given[trip.limit] !== undefined) return { ...limits, ...given };
  return { ...limits, ...given, [trip.limit]: Math.max(limits[trip.limit], trip.used) + first[trip.limit] };
}

/** @throws AosError limit_exceeded when the run is nested deeper than it may */
export function checkDepth(depth: number, limits: Limits): void {
  if (depth <= limits.depth) return;
  throw new AosError(
    'limit_exceeded',
    `sub-runs may be nested ${limits.depth} deep (config.max_depth), this one is at depth ${depth}`,
    { facts: { limit: 'depth', used: depth, max: limits.depth } },
  );
}

function valuesIn(config: JsonObject): Partial<Limits> {
  const values: { -readonly [Name in keyof Limits]?: number } = {};
  for (const name of limitNames) {
    const value = config[limitKeys[name]];
    if (value === undefined || value === null) continue;
    const whole = name !== 'cost_usd';
    const least = name === 'depth' ? 0 : 1;
    if (typeof value !== 'number' || (whole ? !Number.isInteger(value) || value < least : value <= 0)) {
      throw invalid(`config.${limitKeys[name]}`, whole ? `a whole number from ${least}` : 'a number above 0', value);
    }
    values[name] = value;
  }
  return values;
}

/** What of a raise is a limit; the rest says nothing. */
function acceptable(raise: JsonObject): Partial<Limits> {
  return Object.fromEntries(
    limitNames.flatMap((name) => {
      const value = raise[limitKeys[name]] ?? raise[name];
      return typeof value === 'number' && value > 0 ? [[name, value]] : [];
    }),
  );
}
