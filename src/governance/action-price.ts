/** What actions cost each time they are done, by their names: the other half of the table of prices. Pure. */
import { covers, precision } from './glob.ts';

/** US dollars of one call, by patterns of action names: `tool:lookup`, `fabric:finance:*`. */
export type ActionPriceTable = Readonly<Record<string, number>>;

/** The price of an action; undefined when the table has none for it. */
export type ActionPrices = (action: string) => number | undefined;

/** Of the patterns that cover a name the most precise holds, the first of equals. */
export function createActionPrices(table: ActionPriceTable): ActionPrices {
  const patterns = Object.entries(table).toSorted(([one], [other]) => precision(other) - precision(one));
  return (action) => patterns.find(([pattern]) => covers(pattern, action))?.[1];
}
