/** Two times that are asked for together. */
import { isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';

/** Epoch milliseconds; open on the side that is left out. */
export interface AskedSpan {
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

/**
 * @param names of the two members, as the caller knows them
 * @throws AosError invalid_request when it ends before it begins: nothing could ever be in it
 */
export function checkSpan({ since, until }: AskedSpan, names: readonly [string, string] = ['since', 'until']): void {
  if (since === undefined || until === undefined || since <= until) return;
  const [from, to] = names;
  throw new AosError(
    'invalid_request',
    `"${from}" (${isoTime(since)}) is later than "${to}" (${isoTime(until)}): swap them`,
  );
}
