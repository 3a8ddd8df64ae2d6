/**
 * What a model call costs. A small table of list prices, because providers do not say the price in their answers; a
 * model that is not in it has an unknown price (null), never a made-up one.
 */
import type { TurnUsage } from '../runs/event.ts';

/** US dollars per million tokens, list prices of OpenAI as of 2025-11; cached input and batch discounts are ignored. */
const PRICES: Readonly<Record<string, { readonly input: number; readonly output: number }>> = {
  'gpt-4o': { input: 2.5, output: 10 },
  'gpt-4o-mini': { input: 0.15, output: 0.6 },
  'gpt-4.1': { input: 2, output: 8 },
  'gpt-4.1-mini': { input: 0.4, output: 1.6 },
  'gpt-4.1-nano': { input: 0.1, output: 0.4 },
  'gpt-5': { input: 1.25, output: 10 },
  'gpt-5-mini': { input: 0.25, output: 2 },
  'gpt-5-nano': { input: 0.05, output: 0.4 },
  o3: { input: 2, output: 8 },
  'o4-mini': { input: 1.1, output: 4.4 },
};

/** The date a provider appends to the name of a model, as in `gpt-4o-2024-08-06`. */
const DATED = /-\d{4}-\d{2}-\d{2}$/;

/**
 * The price of a call in US dollars.
 * @param models names the model may be known by, most telling first (what the provider says answered, then what was asked for)
 * @returns null when none of the names is in the table
 */
export function costOf(models: readonly string[], tokensInput: number, tokensOutput: number): number | null {
  const known = models.map((model) => PRICES[model.replace(DATED, '')]).find((price) => price !== undefined);
  if (known === undefined) return null;
  // Rounded to a millionth of a cent, so that sums of costs read as people expect.
  return Math.round(tokensInput * known.input * 100 + tokensOutput * known.output * 100) / 1e8;
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
