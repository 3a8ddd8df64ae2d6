/** What is said of a budget that has too little: to whoever wants to begin, to a run, and to whom is asked for more. */
import { AosError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Budget, Dimension } from './budget.ts';
import { rounded, type Shortage } from './budget-ledger.ts';

/** A top-up that is asked for is at least this share of the limit, so that nobody is asked at every step. */
const LEAST_SHARE = 0.25;

const UNITS: Readonly<Record<Dimension, string>> = {
  tokens: 'tokens',
  cost_usd: 'USD',
  tool_calls: 'tool calls',
  wall_clock_seconds: 'seconds',
  runs: 'runs',
};

/** Whether there would be room if everything that is set aside for others came back. */
export function isBusy({ committed, overdrawn, amount, thereIs }: Shortage): boolean {
  return rounded(committed + overdrawn + amount) <= thereIs;
}

/** One sentence: which budget, what is used of it, what is needed, when it renews. */
export function shortageText(budget: Budget, shortage: Shortage, renewsAt: string | null): string {
  const { committed, reserved, overdrawn, thereIs, amount, account } = shortage;
  const unit = UNITS[budget.dimension];
  const used = rounded(committed + overdrawn);
  const aside = reserved > 0 ? `, ${reserved} are set aside for what is under way` : '';
  const renews = renewsAt === null ? 'It does not renew' : `It renews at ${renewsAt}`;
  return (
    `The budget "${budget.id}" (${account}) has too little: ${used} of ${thereIs} ${unit} are used${aside}, and this ` +
    `needs up to ${amount}. ${renews}.`
  );
}

/** What somebody is asked to add. */
export function suggestedAmount({ dimension, limit }: Budget, shortage: Shortage): number {
  const { committed, reserved, overdrawn, thereIs, amount } = shortage;
  const wanted = Math.max(committed + reserved + overdrawn + amount - thereIs, limit * LEAST_SHARE);
  return dimension === 'cost_usd' ? Math.ceil(rounded(wanted * 100)) / 100 : Math.ceil(rounded(wanted));
}

/** A shortage as it is kept and told. */
export interface ToldShortage {
  readonly budget_id: string;
  readonly account: string;
  readonly dimension: Dimension;
  readonly there_is: number;
  readonly committed: number;
  readonly overdrawn: number;
  readonly reserved: number;
  readonly amount: number;
  /** ISO-8601 UTC. */
  readonly renews_at: string | null;
  readonly text: string;
}

/**
 * Why something is not begun, or a run fails.
 * @param why what has been tried, or what to do: sentences
 * @param retryAfterMs when the same may be asked again, where nobody has to do anything for it
 */
export function exceeded(told: ToldShortage, why: string, retryAfterMs?: number): AosError {
  const { budget_id, account, dimension, there_is, committed, overdrawn, reserved, amount, renews_at, text } = told;
  const used = rounded(committed + overdrawn);
  const facts: JsonObject = { budget_id, account, dimension, there_is, used, reserved, asked: amount, renews_at };
  const code = retryAfterMs === undefined ? 'limit_exceeded' : 'rate_limited';
  return new AosError(code, `${text} ${why}`, {
    reason: 'BUDGET_EXCEEDED',
    facts,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** A budget of money and a call that nobody knows the price of. */
export function unpriced(budget: Budget, what: string): AosError {
  return new AosError(
    'limit_exceeded',
    `The price of ${what} is not known, so the budget "${budget.id}" cannot be kept: name the price in the file of ` +
      'AOS_PRICES_FILE, or let such calls pass uncounted with "unpriced": "allow" in the budget.',
    { reason: 'PRICE_UNKNOWN', facts: { budget_id: budget.id } },
  );
}
