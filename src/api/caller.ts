/**
 * Who asks, at this door. There is no authentication yet: the tenant is the one the caller names, the user the one the
 * platform names. Everything that will one day check a token begins here and nowhere else.
 */
import { AosError } from '../core/errors.ts';
import type { Caller } from '../runs/run.ts';

/** The tenant of those who name none. */
export const DEFAULT_TENANT = 'default';
const TENANT_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** @throws AosError invalid_request for a tenant that cannot be one */
export function callerOf(headers: Headers): Caller {
  const tenantId = headers.get('x-tenant-id') || DEFAULT_TENANT;
  if (!TENANT_ID.test(tenantId)) {
    throw new AosError('invalid_request', 'X-Tenant-ID must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -');
  }
  return { tenantId, userId: headers.get('x-agent-user-id') ?? '' };
}
