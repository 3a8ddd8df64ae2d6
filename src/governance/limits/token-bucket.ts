/**
 * A token bucket as arithmetic (the generic cell rate algorithm): its whole state is one time, the one at which it would
 * be full. `aos.lease_tokens` does the same in the database.
 */

/** In any stretch of t minutes at most `perMinute` · t + `burst` are let through. */
export interface Rate {
  readonly perMinute: number;
  readonly burst: number;
}

/** Milliseconds in which one token comes back. */
export function intervalOf({ perMinute }: Rate): number {
  return 60_000 / perMinute;
}

/** Tokens there are. @param fullAt when the bucket would be full, as `now` epoch milliseconds */
export function tokensAt(rate: Rate, fullAt: number, now: number): number {
  const missing = Math.max(0, fullAt - now) / intervalOf(rate);
  // What is whole but for rounding is whole.
  return Math.floor(rate.burst - missing + 1e-6);
}

/** The bucket without so many tokens, also when there were fewer: what was spent is owed. A negative number comes back. */
export function without(rate: Rate, fullAt: number, count: number, now: number): number {
  const moved = (count < 0 ? fullAt : Math.max(fullAt, now)) + count * intervalOf(rate);
  return Math.max(moved, now);
}

/** Milliseconds until there is a token. */
export function untilToken(rate: Rate, fullAt: number, now: number): number {
  return Math.max(0, fullAt - (rate.burst - 1) * intervalOf(rate) - now);
}
