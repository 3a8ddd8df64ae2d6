/** Who is asking, as the doors know it: the caller whose things are meant, what he may do, and how we know. */
import type { Caller } from '../runs/run.ts';
import type { Rights, Role } from './access.ts';

/** What `AUTH_MODE` may be. */
export const authModes = ['platform', 'jwt', 'api-key', 'off'] as const;
export type AuthMode = (typeof authModes)[number];

/**
 * How it is known who asks: the platform says so, a token was verified, a key was known; `none`: nobody had to prove
 * anything, either because authentication is off or because what is asked for is public.
 */
export type Proof = 'platform' | 'jwt' | 'api-key' | 'none';

export interface Principal {
  readonly caller: Caller;
  readonly roles: readonly Role[];
  readonly scopes: readonly string[];
  readonly rights: Rights;
  readonly proof: Proof;
  /** When the proof ends, in epoch milliseconds; undefined when it does not. What streams ends then. */
  readonly expiresAt: number | undefined;
  /** The other end of the connection; '' when unknown. */
  readonly address: string;
}

/** Whether it is certain which user asks: then nobody may speak in another's name. */
export function isProved(principal: Principal | undefined): principal is Principal {
  return principal !== undefined && principal.proof !== 'none';
}
