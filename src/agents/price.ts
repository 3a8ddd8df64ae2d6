/**
 * What a model call costs. Providers do not say the price in their answers, so there is a table of list prices, which is
 * data (`price-file.ts`); a model that is not in it has an unknown price (null), never a made-up one. The same table has
 * what actions cost.
 */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { ActionPriceTable } from '../governance/action-price.ts';
import type { TurnUsage } from '../runs/event.ts';

/** US dollars per million tokens. */
export interface Price {
  readonly input: number;
  readonly output: number;
}

/** Prices by the names of models, or of deployments. */
export type PriceTable = Readonly<Record<string, Price>>;

export interface Prices {
  readonly models: PriceTable;
  readonly actions: ActionPriceTable;
}

const usd = z.number().min(0).max(1e6);
const priceFile = z.strictObject({
  version: z.literal(1),
  currency: z.literal('USD'),
  per_tokens: z.literal(1_000_000),
  as_of: z.string().optional(),
  note: z.string().optional(),
  models: z.record(z.string().min(1), z.strictObject({ input: usd, output: usd })).default({}),
  actions: z.record(z.string().min(1), usd).default({}),
});

/** The date a provider appends to the name of a model, as in `gpt-4o-2024-08-06`. */
const DATED = /-\d{4}-\d{2}-\d{2}$/;

/** @param what the table, for the sentence that refuses it @throws AosError invalid_request naming every fault */
export function readPrices(given: JsonValue, what: string): Prices {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new AosError('invalid_request', `${what} must be a JSON object`);
  }
  const { models, actions } = checkSchema(priceFile, given, what);
  return { models, actions };
}

/**
 * The price of a model.
 * @param models names it may be known by, most telling first (what the provider says answered, then what was asked for)
 * @returns null when none of the names is in the table
 */
export function priceOf(prices: PriceTable, models: readonly string[]): Price | null {
  for (const model of models) {
    for (const name of [model, model.replace(DATED, '')]) {
      if (Object.hasOwn(prices, name)) return prices[name] ?? null;
    }
  }
  return null;
}

/** The price of a call in US dollars; null when the price of the model is not known. */
export function costOf(price: Price | null, tokensInput: number, tokensOutput: number): number | null {
  if (price === null) return null;
  // Rounded to a millionth of a cent, so that sums of costs read as people expect.
  return Math.round(tokensInput * price.input * 100 + tokensOutput * price.output * 100) / 1e8;
}

export function sumOfUsages(usages: readonly TurnUsage[]): TurnUsage {
  return {
    tokens_input: usages.reduce((sum, usage) => sum + usage.tokens_input, 0),
    tokens_output: usages.reduce((sum, usage) => sum + usage.tokens_output, 0),
    cost_usd: sumOfCosts(usages.map((usage) => usage.cost_usd)),
  };
}

/** The sum of costs; unknown as soon as one of them is. */
export function sumOfCosts(costs: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const cost of costs) {
    if (cost === null) return null;
    sum += cost;
  }
  return Math.round(sum * 1e8) / 1e8;
}
