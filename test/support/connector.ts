/** Actions on their way, and what connectors are made with, for tests of single connectors. */
import { systemClock } from '../../src/core/clock.ts';
import { newUuid } from '../../src/core/ids.ts';
import { createGuardedFetch } from '../../src/egress/guarded-fetch.ts';
import {
  type ConnectorCall,
  ConnectorError,
  type ConnectorParts,
  type RoutedAction,
} from '../../src/fabric/connector.ts';
import { createSecretReader } from '../../src/fabric/secret.ts';

export function routedAction(change: Partial<RoutedAction> = {}): RoutedAction {
  return {
    id: newUuid(),
    target: 'crm',
    type: 'update',
    entityId: 'cust_1042',
    entityType: 'customer',
    data: { customer_id: 'cust_1042', tier: 'gold' },
    metadata: {},
    tenantId: 'acme',
    agentId: 'cmo',
    correlationId: 'corr-1',
    preset: 'preset_1_full_enterprise',
    plane: 'event_bus',
    planeId: 'eventbus_acme',
    binding: { kind: 'topic', topic: 'aos.commands.crm.customer.update', key: 'customer_id' },
    createdAt: '2026-02-01T10:00:00.000Z',
    ...change,
  };
}

/** A call with a key of its own and `ms` to go. */
export function connectorCall(ms = 10_000, change: Partial<ConnectorCall> = {}): ConnectorCall {
  return {
    idempotencyKey: newUuid(),
    attempt: 1,
    deadline: systemClock.now() + ms,
    signal: AbortSignal.timeout(ms),
    ...change,
  };
}

/** With the secrets given, and a fetch that reaches this machine only. */
export function connectorParts(secrets: Readonly<Record<string, string>> = {}): ConnectorParts {
  return {
    clock: systemClock,
    fetch: createGuardedFetch({ clock: systemClock, allow: ['127.0.0.0/8'] }),
    secret: createSecretReader((name) => secrets[name]),
  };
}

/** The ConnectorError that the work ends with. */
export async function failureOf(work: Promise<unknown>): Promise<ConnectorError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof ConnectorError) return thrown;
  throw new Error('expected a ConnectorError', { cause: thrown });
}
