/**
 * Amazon EventBridge. A command becomes one event of a bus, named by its topic; the event's id says that the bus has it
 * (`accepted`). The bus does nothing once by itself: consumers do a `command_id` once, and a plane whose consumers are
 * known to can say so (`dedupes`).
 */
import { z } from 'zod';
import { baseAddress } from './base-address.ts';
import { createClientSlot } from './client-slot.ts';
import {
  type ConnectorCall,
  ConnectorError,
  type ConnectorParts,
  type ConnectorResult,
  type PlaneConnector,
  type RoutedAction,
} from './connector.ts';
import { connectorKind } from './connector-kind.ts';
import { eventBridgeFault, faultOfEntry } from './eventbridge-fault.ts';
import { guardedHandler } from './eventbridge-handler.ts';
import { bindingOf } from './http-connector.ts';
import { commandMessage } from './message.ts';
import type { PlaneHealth, PlaneKind } from './plane.ts';
import { secretReference } from './secret-reference.ts';

const settings = z.strictObject({
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'expected a region such as eu-central-1'),
  /** By default the service's own address in the region. */
  base_url: baseAddress.optional(),
  auth: z
    .discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('keys'),
        access_key_id: secretReference,
        secret_access_key: secretReference,
        session_token: secretReference.optional(),
      }),
      // AWS' usual chain: environment, web identity, the container's or machine's role.
      z.strictObject({ type: z.literal('aws_default') }),
    ])
    .default({ type: 'aws_default' }),
  /** Name or ARN. */
  event_bus: z.string().min(1).max(1600).default('default'),
  source: z
    .string()
    .min(1)
    .max(256)
    .refine((text) => !text.startsWith('aws.'), 'the names that begin with "aws." are AWS\' own')
    .default('aos.agent'),
  /** What AWS takes in one request. */
  max_bytes: z
    .int()
    .min(1)
    .default(256 * 1024),
  /** Whether all consumers do a `command_id` once, so that repeating after an unknown outcome does no harm. */
  dedupes: z.boolean().default(false),
});
type Settings = z.output<typeof settings>;

export const eventbridge = connectorKind({
  settings,
  origins: (given) => [
    new URL(addressOf(given)).origin,
    ...(given.auth.type === 'keys' ? [] : [`https://sts.${given.region}.amazonaws.com`]),
  ],
  create: createEventBridge,
});

const HEALTH_TIMEOUT_MS = 10_000;

function createEventBridge(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  const { clock } = parts;
  const slot = createClientSlot(
    () => open(given, parts),
    ({ client }) => client.destroy(),
  );

  /** A client that was refused is thrown away: the next one reads the secrets anew. */
  async function using<T>(
    work: (aws: Awaited<ReturnType<typeof open>>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const aws = await slot.take(signal);
    try {
      return await work(aws);
    } catch (thrown) {
      const failure = eventBridgeFault(thrown);
      if (failure.fault === 'auth') slot.drop(aws);
      throw failure;
    }
  }

  return {
    plane,
    vendor: 'eventbridge',
    dedupes: given.dedupes,
    async run(action: RoutedAction, call: ConnectorCall): Promise<ConnectorResult> {
      const { topic } = bindingOf(action, 'topic');
      const detail = JSON.stringify(commandMessage(action, call.idempotencyKey));
      const size = sizeOf(given.source, topic, detail);
      if (size > given.max_bytes) {
        throw new ConnectorError('too_large', `the event has ${size} bytes; AWS takes ${given.max_bytes}`);
      }
      const entry = {
        EventBusName: given.event_bus,
        Source: given.source,
        DetailType: topic,
        Detail: detail,
        Time: new Date(action.createdAt),
      };
      const options = { abortSignal: call.signal, requestTimeout: call.deadline - clock.now() };
      const { Entries: entries, $metadata: about } = await using(
        ({ client, PutEventsCommand }) => client.send(new PutEventsCommand({ Entries: [entry] }), options),
        call.signal,
      );
      const [written] = entries ?? [];
      if (written?.EventId === undefined) throw faultOfEntry(written?.ErrorCode, about.requestId);
      return {
        kind: 'accepted',
        externalId: written.EventId,
        data: { event_bus: given.event_bus, event_id: written.EventId },
        ...(about.requestId !== undefined && { vendorRequestId: about.requestId }),
      };
    },
    async health(signal: AbortSignal): Promise<PlaneHealth> {
      try {
        const options = { abortSignal: signal, requestTimeout: HEALTH_TIMEOUT_MS };
        await using(
          ({ client, DescribeEventBusCommand }) =>
            client.send(new DescribeEventBusCommand({ Name: given.event_bus }), options),
          signal,
        );
        return { status: 'healthy' };
      } catch (thrown) {
        const failure = thrown instanceof ConnectorError ? thrown : undefined;
        // Who may write need not be allowed to look.
        if (failure?.vendorCode === 'AccessDeniedException') return { status: 'healthy', detail: failure.vendorCode };
        const detail = failure?.vendorCode ?? failure?.fault ?? 'timeout';
        return { status: ['invalid', 'throttled'].includes(failure?.fault ?? '') ? 'degraded' : 'down', detail };
      }
    },
    close: () => slot.close(),
  };
}

function addressOf({ region, base_url: base }: Settings): string {
  return base ?? `https://events.${region}.amazonaws.com`;
}

async function open(given: Settings, parts: ConnectorParts) {
  const { EventBridgeClient, PutEventsCommand, DescribeEventBusCommand } = await import('@aws-sdk/client-eventbridge');
  const client = new EventBridgeClient({
    region: given.region,
    endpoint: addressOf(given),
    maxAttempts: 1,
    requestHandler: guardedHandler(parts),
    ...(given.auth.type === 'keys' && { credentials: keysOf(given.auth, parts) }),
  });
  return { client, PutEventsCommand, DescribeEventBusCommand };
}

function keysOf(auth: Extract<Settings['auth'], { type: 'keys' }>, { secret }: ConnectorParts) {
  return {
    accessKeyId: secret(auth.access_key_id),
    secretAccessKey: secret(auth.secret_access_key),
    ...(auth.session_token !== undefined && { sessionToken: secret(auth.session_token) }),
  };
}

/** As AWS counts: 14 bytes for the time, the rest as UTF-8. */
function sizeOf(...texts: readonly string[]): number {
  return texts.reduce((size, text) => size + Buffer.byteLength(text), 14);
}
