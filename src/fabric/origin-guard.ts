/** Lets requests out to some origins and no others: a connector reaches what its operator configured. */
import { AosError } from '../core/errors.ts';
import type { GuardedFetch } from '../egress/guarded-fetch.ts';

/** @param origins `https://host[:port]`; a `*` as the first label of the host stands for one label */
export function originGuard(origins: readonly string[], fetch: GuardedFetch): GuardedFetch {
  const allowed = origins.map(patternOf);
  return async (request, signal) => {
    const origin = URL.parse(request.url)?.origin ?? '';
    if (allowed.some((pattern) => pattern.test(origin))) return fetch(request, signal);
    throw new AosError('invalid_request', `${origin || 'the address'} is not an address of this plane`, {
      reason: 'EGRESS_REFUSED',
    });
  };
}

function patternOf(origin: string): RegExp {
  const literal = origin.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${literal.replace(String.raw`//\*\.`, String.raw`//[a-z0-9_-]+\.`)}$`);
}
