/**
 * Redis Streams as an event bus. A command becomes one entry of the tenant's stream; one script looks for the idempotency
 * key, appends and remembers the key, so a command is on the stream once however often it is sent. An entry's id says that
 * the bus has it (`accepted`), not that somebody did it. All keys of a tenant carry its name as hash tag: a cluster keeps
 * them in one slot, where a script may touch them together.
 */
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
  type Fault,
  type Outcome,
  type PlaneConnector,
  type RoutedAction,
} from './connector.ts';
import { connectorKind } from './connector-kind.ts';
import { bindingOf } from './http-connector.ts';
import { commandMessage, partitionKey } from './message.ts';
import { systemCode } from './network-fault.ts';
import type { PlaneHealth, PlaneKind } from './plane.ts';
import { secretReference } from './secret-reference.ts';
import { withinTime } from './time-left.ts';

const settings = z.strictObject({
  /** `redis://host:port` or, encrypted, `rediss://host:port`; the number of the database as its path. */
  url: z.url({ protocol: /^rediss?$/ }).refine((text) => !text.includes('@'), 'expected an address without a password'),
  username: z.string().min(1).optional(),
  password: secretReference.optional(),
  /** What the names of all keys begin with. */
  prefix: z.string().min(1).max(100).default('fabric'),
  /** One stream for a tenant, or one for each of its topics. */
  stream_per: z.enum(['tenant', 'topic']).default('tenant'),
  /** About how many entries a stream keeps; the oldest go. */
  max_length: z.int().min(1).default(100_000),
  /** How long a key is remembered. */
  dedupe_hours: z
    .number()
    .positive()
    .max(24 * 365)
    .default(48),
  connect_timeout_ms: z.int().min(1).default(5_000),
});
type Settings = z.output<typeof settings>;

const REDIS_PORT = 6379;
/** Of what is sent and not yet answered; beyond it calls are refused instead of piling up. */
const MAX_QUEUED = 1_000;

/** KEYS: stream, memory of the key. ARGV: about how many entries, memory in ms, then the fields of the entry. */
const APPEND_ONCE = `
local id = redis.call('GET', KEYS[2])
if id then return {id, 1} end
id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', unpack(ARGV, 3))
redis.call('SET', KEYS[2], id, 'PX', ARGV[2])
return {id, 0}`;

const appended = z.tuple([z.string(), z.number()]);

export const redisStreams = connectorKind({
  settings,
  origins: () => [],
  create: (given, parts, plane) => createRedisStreams(given, parts, plane),
});

function createRedisStreams(given: Settings, parts: ConnectorParts, plane: PlaneKind): PlaneConnector {
  const slot = createClientSlot(
    () => connect(given, parts),
    (client) => client.destroy(),
  );

  /** One command. What was written and not answered is unknown, and its connection is given up. */
  async function ask(args: readonly string[], signal: AbortSignal): Promise<unknown> {
    let client = await slot.take(signal);
    if (!client.isReady) {
      // It broke while nobody used it.
      slot.drop(client);
      client = await slot.take(signal);
    }
    try {
      return await untilAborted(client.sendCommand([...args]), signal);
    } catch (thrown) {
      if (signal.aborted) {
        slot.drop(client);
        throw new ConnectorError('ambiguous', 'Redis did not answer in time; the entry may be on the stream', {
          vendorCode: 'timeout',
          cause: signal.reason,
        });
      }
      const failure = faultOf(thrown);
      if (failure.fault === 'ambiguous' || failure.fault === 'not_sent') slot.drop(client);
      throw failure;
    }
  }

  return {
    plane,
    vendor: 'redis_streams',
    dedupes: true,
    async run(action: RoutedAction, call: ConnectorCall): Promise<ConnectorResult> {
      const keys = keysOf(given, action, call.idempotencyKey);
      const fields = Object.entries(fieldsOf(action, call.idempotencyKey)).flat();
      const memoryMs = Math.round(given.dedupe_hours * 3_600_000);
      const bounds = [String(given.max_length), String(memoryMs)];
      const command = ['EVAL', APPEND_ONCE, '2', keys.stream, keys.memory, ...bounds, ...fields];
      const reply = await withinTime(parts.clock, call, (signal) => ask(command, signal));
      const [id, known] = appended.parse(reply);
      return acceptedAs(keys.stream, id, known === 1);
    },
    async outcome(action: RoutedAction, call: ConnectorCall): Promise<Outcome> {
      const keys = keysOf(given, action, call.idempotencyKey);
      const id = await withinTime(parts.clock, call, (signal) => ask(['GET', keys.memory], signal));
      return typeof id === 'string' ? acceptedAs(keys.stream, id, true) : { kind: 'not_done' };
    },
    async health(signal: AbortSignal): Promise<PlaneHealth> {
      try {
        await ask(['PING'], signal);
        return { status: 'healthy' };
      } catch (thrown) {
        const failure = thrown instanceof ConnectorError ? thrown : undefined;
        const detail = failure?.vendorCode ?? failure?.fault ?? 'timeout';
        return { status: failure?.fault === 'unavailable' ? 'degraded' : 'down', detail };
      }
    },
    close: () => slot.close(),
  };
}

async function connect(given: Settings, { secret }: ConnectorParts) {
  const { createClient } = await import('@redis/client');
  const client = createClient({
    url: given.url,
    ...(given.username === undefined ? {} : { username: given.username }),
    ...(given.password === undefined ? {} : { password: secret(given.password) }),
    RESP: 2,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_QUEUED,
    socket: { connectTimeout: given.connect_timeout_ms, reconnectStrategy: false },
  });
  // Without a listener an error of the connection would end the process; the calls under way are told by themselves.
  client.on('error', () => undefined);
  try {
    const { hostname: host, port } = new URL(given.url);
    await withEgressPermit({ part: 'plane', host, port: Number(port) || REDIS_PORT }, () => client.connect());
    // Without a password nothing is said to a server that wants one; asked for much, it breaks the connection.
    await client.ping();
  } catch (thrown) {
    if (client.isOpen) client.destroy();
    const failure = faultOf(thrown);
    // No command had left yet.
    throw failure.fault === 'ambiguous' ? new ConnectorError('not_sent', failure.message, failure) : failure;
  }
  return client;
}

interface Keys {
  readonly stream: string;
  readonly memory: string;
}

function keysOf(given: Settings, action: RoutedAction, idempotencyKey: string): Keys {
  const tag = `${given.prefix}:{${encodeURIComponent(action.tenantId)}}`;
  const stream = given.stream_per === 'topic' ? bindingOf(action, 'topic').topic : 'actions';
  return { stream: `${tag}:${stream}`, memory: `${tag}:idem:${idempotencyKey}` };
}

function fieldsOf(action: RoutedAction, idempotencyKey: string): Record<string, string> {
  const { topic, key } = bindingOf(action, 'topic');
  const traceparent = currentTraceparent();
  return {
    command: JSON.stringify(commandMessage(action, idempotencyKey)),
    topic,
    key: partitionKey(action, key),
    'idempotency-key': idempotencyKey,
    'tenant-id': action.tenantId,
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

function acceptedAs(stream: string, id: string, deduplicated: boolean): ConnectorResult {
  return { kind: 'accepted', externalId: id, data: { stream, id }, deduplicated };
}

/** By the first word of Redis' errors. */
const faultsByWord: Readonly<Record<string, Fault>> = {
  WRONGPASS: 'auth',
  NOAUTH: 'auth',
  NOPERM: 'auth',
  OOM: 'throttled',
  READONLY: 'unavailable',
  LOADING: 'unavailable',
  MASTERDOWN: 'unavailable',
  CLUSTERDOWN: 'unavailable',
  NOREPLICAS: 'unavailable',
  MISCONF: 'unavailable',
  TRYAGAIN: 'unavailable',
  BUSY: 'unavailable',
};

function faultOf(thrown: unknown): ConnectorError {
  if (thrown instanceof ConnectorError) return thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const name = error.constructor.name;
  if (name === 'SimpleError' || name === 'BlobError' || name === 'ErrorReply') {
    const word = /^[A-Z]+/.exec(error.message)?.[0] ?? 'ERR';
    const fault = faultsByWord[word] ?? 'invalid';
    return new ConnectorError(fault, `Redis refused the command: ${word}`, { vendorCode: word, cause: error });
  }
  const code = systemCode(error);
  const unsent = ['ClientOfflineError', 'ClientClosedError', 'ConnectionTimeoutError'].includes(name);
  if (unsent || code?.sent === false || error.message === 'The queue is full') {
    const why = code?.code ?? (name === 'ConnectionTimeoutError' ? 'connect timeout' : 'no connection');
    return new ConnectorError('not_sent', `Redis cannot be reached (${why})`, { vendorCode: why, cause: error });
  }
  return new ConnectorError('ambiguous', 'the connection to Redis broke before it answered', {
    vendorCode: code?.code ?? 'connection lost',
    cause: error,
  });
}
