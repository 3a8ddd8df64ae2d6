/** Which tenant a call is for: the one of its proof, unless `X-Tenant-ID` chooses another of those it allows. */
import { AosError } from '../core/errors.ts';
import { DEFAULT_TENANT } from '../runs/run.ts';

const TENANT_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** In place of a list: every tenant may be chosen. */
export const ANY_TENANT = '*';

export function isTenantId(text: string): boolean {
  return TENANT_ID.test(text);
}

/**
 * The tenant that a call names, undefined when it names none.
 * @throws AosError invalid_request for one that cannot be
 */
export function namedTenant(headers: Pick<Headers, 'get'>): string | undefined {
  const named = headers.get('x-tenant-id') || undefined;
  if (named === undefined || isTenantId(named)) return named;
  throw new AosError('invalid_request', 'X-Tenant-ID must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -');
}

/**
 * @param own the tenant of the token or key; undefined when it has none
 * @param others what else it may choose
 * @throws AosError forbidden when the call names one that is not among them
 */
export function chooseTenant(
  headers: Pick<Headers, 'get'>,
  { own, others }: { readonly own: string | undefined; readonly others: readonly string[] },
): string {
  const named = namedTenant(headers);
  if (named === undefined) return own ?? DEFAULT_TENANT;
  if (named === own || others.includes(named) || others.includes(ANY_TENANT)) return named;
  throw new AosError(
    'forbidden',
    'X-Tenant-ID names a tenant that your token or key does not allow: leave it out for your own.',
    { reason: 'TENANT_REFUSED' },
  );
}
