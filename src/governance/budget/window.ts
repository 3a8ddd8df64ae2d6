/** The windows of budgets: days, weeks from Monday and months of a time zone. */
import { findZone } from '../../core/zone.ts';

export const budgetWindows = ['run', 'day', 'week', 'month'] as const;
export type BudgetWindow = (typeof budgetWindows)[number];

const DAY_MS = 86_400_000;

export interface WindowPart {
  /** Unique among the windows of a budget: `2026-02-01`, or `2026-02` for a month. */
  readonly name: string;
  /** Epoch milliseconds; `ends` is exclusive. */
  readonly starts: number;
  readonly ends: number;
}

/** @param at epoch milliseconds */
export function windowAt(window: Exclude<BudgetWindow, 'run'>, zoneName: string, at: number): WindowPart {
  const zone = findZone(zoneName);
  if (zone === undefined) throw new Error(`there is no time zone "${zoneName}" any more`);
  const local = new Date(zone.localAt(at));
  const [year, month, day] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()];
  const [from, to] =
    window === 'month'
      ? [Date.UTC(year, month, 1), Date.UTC(year, month + 1, 1)]
      : window === 'week'
        ? weekOf(Date.UTC(year, month, day))
        : [Date.UTC(year, month, day), Date.UTC(year, month, day + 1)];
  const name = new Date(from).toISOString().slice(0, window === 'month' ? 7 : 10);
  return { name, starts: zone.instantOf(from), ends: zone.instantOf(to) };
}

function weekOf(day: number): [number, number] {
  const monday = day - ((new Date(day).getUTCDay() + 6) % 7) * DAY_MS;
  return [monday, monday + 7 * DAY_MS];
}
