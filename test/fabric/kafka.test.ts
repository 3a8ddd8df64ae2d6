import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PlaneConnector } from '../../src/fabric/connector.ts';
import { clientOptions, kafka } from '../../src/fabric/kafka.ts';
import { connectorCall, connectorParts, failureOf, routedAction } from '../support/connector.ts';
import { type KafkaCluster, missingForKafka, startKafkaCluster } from '../support/kafka-cluster.ts';
import { freePort, titled } from '../support/program.ts';
import { connectorContract } from './connector-contract.ts';

const TOPIC = 'aos.commands.crm.customer.update';
const PRODUCE = 0;

function connectorTo(brokers: readonly string[], change: Record<string, unknown> = {}): PlaneConnector {
  const given = { bootstrap_servers: brokers, security_protocol: 'PLAINTEXT', ...change };
  return kafka.create(kafka.settings.parse(given), connectorParts(), 'event_bus');
}

const missing = missingForKafka();

describe.skipIf(missing !== undefined)(titled('Kafka', missing), () => {
  let cluster: KafkaCluster;
  let connector: PlaneConnector;

  beforeAll(async () => {
    cluster = await startKafkaCluster(2);
    await cluster.tell(`topic ${TOPIC} 3`);
  });
  beforeEach(() => {
    connector = connectorTo(cluster.brokers, { request_timeout_ms: 1_000 });
  });
  afterEach(() => connector.close());
  afterAll(() => cluster.close());

  const recordsOf = async (key: string) =>
    (await cluster.records(TOPIC)).filter(({ headers }) => headers[headers.indexOf('idempotency-key') + 1] === key);

  test('writes a command with its key and headers, and says where it is', async () => {
    const call = connectorCall();
    const result = await connector.run(routedAction(), call);
    const [record, ...others] = await recordsOf(call.idempotencyKey);
    expect(others).toEqual([]);
    expect(result).toEqual({
      kind: 'accepted',
      externalId: `${TOPIC}/${record?.partition}/${record?.offset}`,
      data: { topic: TOPIC, partition: record?.partition, offset: String(record?.offset) },
    });
    expect(record).toMatchObject({
      key: 'cust_1042',
      headers: ['idempotency-key', call.idempotencyKey, 'tenant-id', 'acme', 'correlation-id', 'corr-1'],
    });
    expect(JSON.parse(record?.payload ?? '')).toMatchObject({
      command_id: call.idempotencyKey,
      command_type: 'crm.update',
      entity_id: 'cust_1042',
      metadata: { tenant_id: 'acme', source: 'aos_agent' },
    });
  });

  test('keeps the commands of one entity in one partition, in order', async () => {
    const calls = [connectorCall(), connectorCall(), connectorCall()];
    const places = [];
    for (const call of calls) places.push((await connector.run(routedAction(), call)).externalId?.split('/') ?? []);
    expect(new Set(places.map(([, partition]) => partition)).size).toBe(1);
    const offsets = places.map(([, , offset]) => Number(offset));
    expect(offsets).toEqual(offsets.toSorted((one, other) => one - other));
  });

  test('writes packed records when told to', async () => {
    await connector.close();
    connector = connectorTo(cluster.brokers, { compression: 'gzip' });
    const call = connectorCall();
    await connector.run(routedAction(), call);
    expect(await recordsOf(call.idempotencyKey)).toHaveLength(1);
  });

  test.each([
    ['NOT_LEADER_FOR_PARTITION', 6, 'unavailable'],
    ['NOT_ENOUGH_REPLICAS', 19, 'unavailable'],
    ['REQUEST_TIMED_OUT', 7, 'ambiguous'],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 20, 'ambiguous'],
    ['MESSAGE_TOO_LARGE', 10, 'too_large'],
    ['TOPIC_AUTHORIZATION_FAILED', 29, 'auth'],
    ['INVALID_TOPIC_EXCEPTION', 17, 'invalid'],
    ['POLICY_VIOLATION', 44, 'rejected'],
  ])('takes %s as one attempt that failed, and the next attempt is taken', async (vendorCode, code, fault) => {
    const call = connectorCall();
    await cluster.tell(`fail ${PRODUCE} ${code}`);
    expect(await failureOf(connector.run(routedAction(), call))).toMatchObject({ fault, vendorCode });
    expect(await recordsOf(call.idempotencyKey)).toEqual([]);
    expect(await connector.run(routedAction(), { ...call, attempt: 2 })).toMatchObject({ kind: 'accepted' });
    expect(await recordsOf(call.idempotencyKey)).toHaveLength(1);
  });

  test('calls a record ambiguous whose answer does not come, and repeats nothing', async () => {
    await connector.health(AbortSignal.timeout(5_000));
    await connector.run(routedAction(), connectorCall());
    const call = connectorCall();
    for (const broker of [1, 2]) await cluster.tell(`delay ${broker} 3000`);
    const failure = await failureOf(connector.run(routedAction(), call));
    for (const broker of [1, 2]) await cluster.tell(`delay ${broker} 0`);
    expect(failure).toMatchObject({ fault: 'ambiguous', vendorCode: 'timeout' });
    expect(await recordsOf(call.idempotencyKey)).toHaveLength(1);
    expect(await connector.run(routedAction(), connectorCall())).toMatchObject({ kind: 'accepted' });
  });

  test('sends nothing when it is called off before', async () => {
    const reason = new Error('called off');
    const call = connectorCall(1_000, { signal: AbortSignal.abort(reason) });
    await expect(connector.run(routedAction(), call)).rejects.toBe(reason);
    expect(await recordsOf(call.idempotencyKey)).toEqual([]);
  });

  test('says not_sent while the brokers are down, and goes on when they are back', async () => {
    await connector.run(routedAction(), connectorCall());
    for (const broker of [1, 2]) await cluster.tell(`down ${broker}`);
    const failures = [
      await failureOf(connector.run(routedAction(), connectorCall())),
      await failureOf(connector.run(routedAction(), connectorCall())),
    ];
    const health = await connector.health(AbortSignal.timeout(5_000));
    for (const broker of [1, 2]) await cluster.tell(`up ${broker}`);
    expect(failures.map(({ fault }) => fault)).toEqual(['not_sent', 'not_sent']);
    expect(health.status).toBe('down');
    expect(await connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'healthy' });
    expect(await connector.run(routedAction(), connectorCall())).toMatchObject({ kind: 'accepted' });
  });

  test('says invalid for a topic that is not there', async () => {
    await cluster.tell('topic aos.commands.gone 1');
    await cluster.tell('topicfail aos.commands.gone 3');
    const action = routedAction({ binding: { kind: 'topic', topic: 'aos.commands.gone', key: 'tenant_id' } });
    expect(await failureOf(connector.run(action, connectorCall()))).toMatchObject({
      fault: 'invalid',
      vendorCode: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
  });
});

test('says not_sent when no broker is there', async () => {
  const connector = connectorTo([`127.0.0.1:${await freePort()}`]);
  expect(await failureOf(connector.run(routedAction(), connectorCall()))).toMatchObject({
    fault: 'not_sent',
    vendorCode: 'ECONNREFUSED',
  });
  expect(await connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'down', detail: 'ECONNREFUSED' });
  await connector.close();
});

describe('the settings of Kafka', () => {
  const servers = { bootstrap_servers: ['one:9092'] };
  const { secret } = connectorParts({ KAFKA_PASSWORD: 'pass', KAFKA_CA: '-----BEGIN CERTIFICATE-----' });
  const password = { $env: 'KAFKA_PASSWORD' };

  test.each([
    ['PLAIN', 'plain'],
    ['SCRAM-SHA-256', 'scram-sha-256'],
    ['SCRAM-SHA-512', 'scram-sha-512'],
  ])('with %s become an encrypted connection with name and password', (mechanism, name) => {
    const given = kafka.settings.parse({ ...servers, sasl: { mechanism, username: 'aos', password } });
    expect(clientOptions(given, secret)).toMatchObject({
      brokers: ['one:9092'],
      ssl: true,
      sasl: { mechanism: name, username: 'aos', password: 'pass' },
      retry: { retries: 0 },
    });
  });

  test('with OAUTHBEARER hand over the token as it is when a connection is made', async () => {
    const given = kafka.settings.parse({ ...servers, sasl: { mechanism: 'OAUTHBEARER', token: password } });
    const { sasl } = clientOptions(given, secret);
    if (sasl === undefined || !('oauthBearerProvider' in sasl)) throw new Error('expected a provider of tokens');
    expect(await sasl.oauthBearerProvider()).toEqual({ value: 'pass' });
  });

  test("take an authority of the operator's own", () => {
    const given = kafka.settings.parse({ ...servers, security_protocol: 'SSL', ca: { $env: 'KAFKA_CA' } });
    expect(clientOptions(given, secret).ssl).toEqual({ ca: ['-----BEGIN CERTIFICATE-----'] });
  });

  test.each([
    ['a password without SASL', { security_protocol: 'SSL', sasl: { mechanism: 'PLAIN', username: 'aos', password } }],
    ['SASL without a name', { security_protocol: 'SASL_SSL' }],
    ['a server that is an address', { bootstrap_servers: ['https://one:9092/'], security_protocol: 'SSL' }],
    ['a secret itself', { sasl: { mechanism: 'PLAIN', username: 'aos', password: 'pass' } }],
  ])('do not take %s', (_what, change) => {
    expect(kafka.settings.safeParse({ ...servers, ...change }).success).toBe(false);
  });
});

const faults = [
  'has too few replicas',
  'says nothing',
  'finds the record too large',
  'does not let us write',
  'does not know such a topic',
];
if (missing === undefined) {
  connectorContract('the Kafka connector', faults, async () => {
    const cluster = await startKafkaCluster(1);
    await cluster.tell(`topic ${TOPIC} 1`);
    const connector = connectorTo(cluster.brokers);
    return {
      connector,
      action: routedAction(),
      kind: 'accepted',
      secrets: [],
      keys: async () => (await cluster.records(TOPIC)).map(({ headers }) => headers[1]),
      faults: [
        { when: 'has too few replicas', fault: 'unavailable', inject: () => cluster.tell(`fail ${PRODUCE} 19`) },
        { when: 'says nothing', fault: 'ambiguous', timeMs: 200, inject: () => cluster.tell('delay 1 600') },
        { when: 'finds the record too large', fault: 'too_large', inject: () => cluster.tell(`fail ${PRODUCE} 10`) },
        { when: 'does not let us write', fault: 'auth', inject: () => cluster.tell(`fail ${PRODUCE} 29`) },
        { when: 'does not know such a topic', fault: 'invalid', inject: () => cluster.tell(`fail ${PRODUCE} 17`) },
      ],
      async heal() {
        await cluster.tell('delay 1 0');
        // The next fault finds a connection that stands, and a topic that is known.
        await connector.run(routedAction(), connectorCall());
      },
      leave: () => cluster.close(),
    };
  });
}
