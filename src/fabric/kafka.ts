/**
 * Kafka. A command becomes one record: the entity orders it, a header carries the idempotency key, all in-sync replicas
 * have it before it counts as `accepted`. Brokers do a producer's own repetitions once, but nothing is repeated inside the
 * producer here, so an answer that got lost is an unknown outcome; consumers do a `command_id` once, and a plane whose
 * consumers are known to can say so (`dedupes`).
 *
 * The client library opens its own connections, to the brokers that are configured and those that the cluster names:
 * these are part of the plane, and the guard of the process is shown a permit for each.
 */
import { connect as connectPlain, isIP } from 'node:net';
import { connect as connectEncrypted } from 'node:tls';
import type { Admin, ISocketFactory, KafkaConfig, Producer, SASLOptions } from 'kafkajs';
import { z } from 'zod';
import { untilAborted } from '../core/abort.ts';
import { withEgressPermit } from '../egress/egress-permit.ts';
import { currentTraceparent } from '../telemetry/tracing.ts';
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
import { bindingOf } from './http-connector.ts';
import { kafkaFault } from './kafka-fault.ts';
import { commandMessage, partitionKey } from './message.ts';
import type { PlaneHealth, PlaneKind } from './plane.ts';
import { secretReference } from './secret-reference.ts';
import { withinTime } from './time-left.ts';

const sasl = z.discriminatedUnion('mechanism', [
  z.strictObject({
    mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
    username: z.string().min(1),
    password: secretReference,
  }),
  z.strictObject({ mechanism: z.literal('OAUTHBEARER'), token: secretReference }),
]);

const settings = z
  .strictObject({
    bootstrap_servers: z.array(z.string().regex(/^[^:@/\s]+:\d{1,5}$/, 'expected host:port')).min(1),
    security_protocol: z.enum(['SASL_SSL', 'SSL', 'SASL_PLAINTEXT', 'PLAINTEXT']).default('SASL_SSL'),
    sasl: sasl.optional(),
    /** The certificate of an authority of the operator's own, PEM. */
    ca: secretReference.optional(),
    client_id: z.string().min(1).max(200).default('aos'),
    compression: z.enum(['none', 'gzip']).default('none'),
    /** Topics that are missing come into being with the first record; never wanted where it matters. */
    create_topics: z.boolean().default(false),
    connect_timeout_ms: z.int().min(1).default(5_000),
    request_timeout_ms: z.int().min(1).default(20_000),
    /** Whether all consumers do a `command_id` once, so that repeating after an unknown outcome does no harm. */
    dedupes: z.boolean().default(false),
  })
  .refine((given) => (given.sasl !== undefined) === given.security_protocol.startsWith('SASL'), {
    error: '`sasl` belongs to the security protocols SASL_SSL and SASL_PLAINTEXT, and only to them',
    path: ['sasl'],
  });
type Settings = z.output<typeof settings>;

interface Client {
  readonly producer: Producer;
  readonly admin: Admin;
}

export const kafka = connectorKind({
  settings,
  origins: () => [],
  create: (given, parts, plane) => createKafka(given, parts, plane),
});

function createKafka(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  const slot = createClientSlot(
    () => connect(given, parts),
    ({ producer, admin }) => Promise.all([producer.disconnect(), admin.disconnect()]),
  );

  /** One piece of work with the client; a client that broke, or was left waiting, is thrown away. */
  async function using<T>(work: (client: Client) => Promise<T>, signal: AbortSignal): Promise<T> {
    const client = await slot.take(signal);
    try {
      return await untilAborted(work(client), signal);
    } catch (thrown) {
      if (signal.aborted) {
        slot.drop(client);
        throw new ConnectorError('ambiguous', 'Kafka did not answer in time; the record may be on the topic', {
          vendorCode: 'timeout',
          cause: signal.reason,
        });
      }
      const failure = kafkaFault(thrown);
      if (['not_sent', 'ambiguous', 'auth'].includes(failure.fault)) slot.drop(client);
      throw failure;
    }
  }

  return {
    plane,
    vendor: 'kafka',
    dedupes: given.dedupes,
    async run(action: RoutedAction, call: ConnectorCall): Promise<ConnectorResult> {
      const { CompressionTypes } = await import('kafkajs');
      const { topic, key } = bindingOf(action, 'topic');
      const record = {
        topic,
        // All in-sync replicas.
        acks: -1,
        compression: given.compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None,
        messages: [
          {
            key: partitionKey(action, key),
            value: JSON.stringify(commandMessage(action, call.idempotencyKey)),
            headers: headersOf(action, call.idempotencyKey),
          },
        ],
      };
      const [written] = await withinTime(parts.clock, call, (signal) =>
        using(({ producer }) => producer.send(record), signal),
      );
      const { partition, baseOffset: offset } = written ?? {};
      if (partition === undefined || offset === undefined) {
        throw new ConnectorError('ambiguous', 'Kafka did not say where the record is');
      }
      return {
        kind: 'accepted',
        externalId: `${topic}/${partition}/${offset}`,
        data: { topic, partition, offset },
      };
    },
    async health(signal: AbortSignal): Promise<PlaneHealth> {
      try {
        const { brokers } = await using(({ admin }) => admin.describeCluster(), signal);
        return brokers.length > 0 ? { status: 'healthy' } : { status: 'down', detail: 'no brokers' };
      } catch (thrown) {
        const detail = thrown instanceof ConnectorError ? (thrown.vendorCode ?? thrown.fault) : 'timeout';
        return { status: 'down', detail };
      }
    },
    close: () => slot.close(),
  };
}

async function connect(given: Settings, { secret }: ConnectorParts): Promise<Client> {
  const { Kafka, logLevel, Partitioners } = await import('kafkajs');
  const client = new Kafka({ ...clientOptions(given, secret), logLevel: logLevel.NOTHING });
  const producer = client.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: given.create_topics,
  });
  const admin = client.admin();
  try {
    await Promise.all([producer.connect(), admin.connect()]);
  } catch (thrown) {
    await Promise.allSettled([producer.disconnect(), admin.disconnect()]);
    const failure = kafkaFault(thrown);
    // No record had left yet.
    throw failure.fault === 'ambiguous' ? new ConnectorError('not_sent', failure.message, failure) : failure;
  }
  return { producer, admin };
}

/** The settings in the library's words. The retries are ours, outside. */
export function clientOptions(given: Settings, secret: ConnectorParts['secret']): KafkaConfig {
  const encrypted = given.security_protocol.endsWith('SSL');
  return {
    brokers: given.bootstrap_servers,
    clientId: given.client_id,
    ssl: encrypted && given.ca !== undefined ? { ca: [secret(given.ca)] } : encrypted,
    ...(given.sasl === undefined ? {} : { sasl: saslOptions(given.sasl, secret) }),
    connectionTimeout: given.connect_timeout_ms,
    authenticationTimeout: given.connect_timeout_ms,
    requestTimeout: given.request_timeout_ms,
    enforceRequestTimeout: true,
    socketFactory: openBroker,
    retry: { retries: 0 },
  };
}

const KEEP_ALIVE_MS = 60_000;

const openBroker: ISocketFactory = ({ host, port, ssl, onConnect }) => {
  // What the library passes on is `true` where nothing special is wanted, whatever its types say.
  const options: unknown = ssl;
  const place = { host, port };
  const name = isIP(host) === 0 ? { servername: host } : {};
  const socket = withEgressPermit({ part: 'plane', ...place }, () =>
    options === undefined || options === null || options === false
      ? connectPlain(place, onConnect)
      : connectEncrypted({ ...place, ...name, ...(typeof options === 'object' && ssl) }, onConnect),
  );
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  return socket;
};

function saslOptions(given: z.output<typeof sasl>, secret: ConnectorParts['secret']): SASLOptions {
  switch (given.mechanism) {
    case 'OAUTHBEARER':
      return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: secret(given.token) }) };
    case 'PLAIN':
      return { mechanism: 'plain', username: given.username, password: secret(given.password) };
    case 'SCRAM-SHA-256':
      return { mechanism: 'scram-sha-256', username: given.username, password: secret(given.password) };
    case 'SCRAM-SHA-512':
      return { mechanism: 'scram-sha-512', username: given.username, password: secret(given.password) };
  }
}

function headersOf(action: RoutedAction, idempotencyKey: string): Record<string, string> {
  const traceparent = currentTraceparent();
  return {
    'idempotency-key': idempotencyKey,
    'tenant-id': action.tenantId,
    'correlation-id': action.correlationId,
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}
