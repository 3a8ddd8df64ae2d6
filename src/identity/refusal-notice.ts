/**
 * Tells of refusals without letting whoever is refused fill the audit log: of one address and one reason, one in a
 * minute, with how many there were since the last.
 */
import type { Clock } from '../core/clock.ts';
import type { Refusal } from './entrance.ts';

const QUIET_MS = 60_000;
/** Addresses are many and cheap: beyond this many in a minute they are told of as one. */
const MAX_WATCHED = 1000;

export interface RefusalNotice extends Refusal {
  /** How many like it there were since the last notice, this one counted. */
  readonly count: number;
}

/** @param tell gets at most one notice a minute for each address and reason */
export function createRefusalNotices(clock: Clock, tell: (notice: RefusalNotice) => void): (refusal: Refusal) => void {
  const watched = new Map<string, { toldAt: number; unseen: number }>();

  function forgetOld(now: number): void {
    for (const [key, { toldAt, unseen }] of watched) {
      if (unseen === 0 && now - toldAt >= QUIET_MS) watched.delete(key);
    }
  }

  return (refusal) => {
    const now = clock.now();
    let key = `${refusal.why} ${refusal.address}`;
    if (!watched.has(key) && watched.size >= MAX_WATCHED) {
      forgetOld(now);
      if (watched.size >= MAX_WATCHED) key = `${refusal.why} *`;
    }
    const before = watched.get(key);
    if (before !== undefined && now - before.toldAt < QUIET_MS) {
      before.unseen++;
      return;
    }
    watched.set(key, { toldAt: now, unseen: 0 });
    tell({
      ...refusal,
      address: key.endsWith(' *') ? '*' : refusal.address,
      count: 1 + (before?.unseen ?? 0),
    });
  };
}
