/** Who calls through the platform: it names the end user; tenants are told apart at other doors. */
import type { CallContext } from '../host/inbound-call.ts';
import { type Caller, DEFAULT_TENANT } from '../runs/run.ts';

export function callerOf({ userId }: Pick<CallContext, 'userId'>): Caller {
  return { tenantId: DEFAULT_TENANT, userId };
}
