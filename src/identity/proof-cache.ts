/**
 * What was verified a moment ago, by the hash of the token: verifying costs hundreds of microseconds, and a client sends
 * the same token again and again. Tokens themselves are not kept.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import type { Holder } from './token-claims.ts';

/** So soon a key that was withdrawn counts no more. */
const LONGEST_MS = 5 * 60_000;
const MAX_KEPT = 10_000;

export interface ProofCache {
  /** The holder of the token as it was verified, or as `verify` finds; nothing is kept of a refusal. */
  holderOf(token: string, verify: () => Promise<Holder>): Promise<Holder>;
}

export function createProofCache({ clock }: { clock: Clock }): ProofCache {
  const kept = new Map<string, { readonly holder: Holder; readonly until: number }>();
  return {
    async holderOf(token, verify) {
      const key = createHash('sha256').update(token).digest('base64');
      const known = kept.get(key);
      if (known !== undefined && clock.now() < known.until) return known.holder;
      if (known !== undefined) kept.delete(key);
      const holder = await verify();
      const until = Math.min(holder.expiresAt, clock.now() + LONGEST_MS);
      if (clock.now() >= until) return holder;
      // Entries are in the order in which they came: the first is the oldest.
      const [oldest] = kept.size >= MAX_KEPT ? kept.keys() : [];
      if (oldest !== undefined) kept.delete(oldest);
      kept.set(key, { holder, until });
      return holder;
    },
  };
}
