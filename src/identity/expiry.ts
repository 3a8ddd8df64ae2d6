/** The end of a proof: what goes on for long under a token ends when the token does. */
import type { Clock, Timer } from '../core/clock.ts';
import type { Principal } from './principal.ts';

/** Timers of the system count no further. */
const LONGEST_WAIT_MS = 2_000_000_000;

export interface Expiry {
  /** Fires when the proof ends. */
  readonly signal: AbortSignal;
  /** Nobody waits for it any more. */
  cancel(): void;
}

/** What a stream says last when it ends for this reason. */
export const EXPIRED = {
  code: 'token_expired',
  message: 'The token has expired, and with it this stream: come back with a new token and the last id you have.',
} as const;

const NEVER: Expiry = { signal: new AbortController().signal, cancel: () => {} };

/** @returns an expiry that never fires for a proof without an end */
export function watchExpiry({ expiresAt }: Pick<Principal, 'expiresAt'>, clock: Clock): Expiry {
  if (expiresAt === undefined) return NEVER;
  const over = new AbortController();
  let timer: Timer | undefined;
  const look = () => {
    const leftMs = expiresAt - clock.now();
    if (leftMs <= 0) over.abort();
    else timer = clock.after(Math.min(leftMs, LONGEST_WAIT_MS), look);
  };
  look();
  return { signal: over.signal, cancel: () => timer?.cancel() };
}
