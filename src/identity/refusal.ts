/** How this room says no. No sentence here quotes what was presented. */
import { AosError } from '../core/errors.ts';

/** Why somebody is not let in; the word that the audit log keeps. */
export type RefusalReason =
  | 'missing'
  | 'malformed'
  | 'signature'
  | 'expired'
  | 'not_yet_valid'
  | 'issuer'
  | 'audience'
  | 'algorithm'
  | 'claims'
  | 'tenant'
  | 'unknown_key';

/** 401: nobody is known to ask. */
export function unauthenticated(why: RefusalReason, sentence: string): AosError {
  return new AosError('unauthenticated', sentence, {
    reason: why === 'missing' ? 'CREDENTIALS_MISSING' : 'CREDENTIALS_REFUSED',
    facts: { why },
    // RFC 6750 §3.1: who shows nothing is told the scheme and no error.
    challenge: why === 'missing' ? 'Bearer' : 'Bearer error="invalid_token"',
  });
}

/** 503: it cannot be found out now whether the token is good. */
export function identityUnavailable(cause: unknown): AosError {
  return new AosError(
    'unavailable',
    'The keys that verify tokens cannot be had at the moment: try again; if it lasts, look at AUTH_JWKS_URL.',
    { reason: 'IDENTITY_UNAVAILABLE', cause },
  );
}
