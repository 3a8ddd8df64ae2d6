import { createClient } from '@redis/client';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PlaneConnector } from '../../src/fabric/connector.ts';
import { redisStreams } from '../../src/fabric/redis-streams.ts';
import { connectorCall, connectorParts, failureOf, routedAction } from '../support/connector.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { freePort, missingPrograms, titled } from '../support/program.ts';
import { type RedisServer, startRedisServer } from '../support/redis-server.ts';
import { connectorContract } from './connector-contract.ts';

const PASSWORD = 'pass-4711';
const parts = connectorParts({ REDIS_PASSWORD: PASSWORD, OTHER_PASSWORD: 'wrong' });

function connectorTo(port: number, change: Record<string, unknown> = {}): PlaneConnector {
  const given = { url: `redis://127.0.0.1:${port}`, password: { $env: 'REDIS_PASSWORD' }, ...change };
  return redisStreams.create(redisStreams.settings.parse(given), parts, 'event_bus');
}

const missing = missingPrograms('redis-server');

describe.skipIf(missing !== undefined)(titled('Redis Streams', missing), () => {
  let server: RedisServer;
  let proxy: FaultProxy;
  let connector: PlaneConnector;

  beforeAll(async () => {
    server = await startRedisServer(PASSWORD);
  });
  beforeEach(async () => {
    proxy = await startFaultProxy(server.port);
    connector = connectorTo(proxy.port);
  });
  afterEach(async () => {
    await connector.close();
    await proxy.close();
  });
  afterAll(() => server.close());

  /** Talks to the server past the connector. */
  async function redis<T>(...args: readonly string[]): Promise<T> {
    const client = createClient({ url: server.url, password: PASSWORD, RESP: 2 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await client.sendCommand<T>([...args]);
    } finally {
      client.destroy();
    }
  }

  const length = (tenantId: string) => redis<number>('XLEN', `fabric:{${tenantId}}:actions`);

  test('puts a command onto the stream of its tenant and says that it is accepted', async () => {
    const action = routedAction({ tenantId: 'first' });
    const call = connectorCall();
    const result = await connector.run(action, call);
    const [[id, fields] = ['', []]] = await redis<[string, string[]][]>('XRANGE', 'fabric:{first}:actions', '-', '+');
    expect(result).toEqual({
      kind: 'accepted',
      externalId: id,
      data: { stream: 'fabric:{first}:actions', id },
      deduplicated: false,
    });
    const entry = Object.fromEntries(
      Array.from({ length: fields.length / 2 }, (_, at) => [fields[2 * at], fields[2 * at + 1]]),
    );
    expect(JSON.parse(entry['command'] ?? '')).toMatchObject({
      command_id: call.idempotencyKey,
      command_type: 'crm.update',
      payload: action.data,
    });
    expect(entry).toMatchObject({
      topic: 'aos.commands.crm.customer.update',
      key: 'cust_1042',
      'idempotency-key': call.idempotencyKey,
      'tenant-id': 'first',
    });
  });

  test('keeps a stream for each topic when told to', async () => {
    await connector.close();
    connector = connectorTo(proxy.port, { stream_per: 'topic' });
    await connector.run(routedAction({ tenantId: 'topics' }), connectorCall());
    expect(await redis('XLEN', 'fabric:{topics}:aos.commands.crm.customer.update')).toBe(1);
  });

  test('does a key once, also when many attempts come at the same time', async () => {
    const action = routedAction({ tenantId: 'once' });
    const call = connectorCall();
    const results = await Promise.all(Array.from({ length: 20 }, () => connector.run(action, call)));
    expect(new Set(results.map(({ externalId }) => externalId)).size).toBe(1);
    expect(results.filter(({ deduplicated }) => !deduplicated)).toHaveLength(1);
    expect(await length('once')).toBe(1);
  });

  test('tells what became of a key', async () => {
    const action = routedAction({ tenantId: 'outcome' });
    const call = connectorCall();
    expect(await connector.outcome?.(action, call)).toEqual({ kind: 'not_done' });
    const { externalId } = await connector.run(action, call);
    expect(await connector.outcome?.(action, call)).toMatchObject({ kind: 'accepted', externalId });
  });

  test('calls a lost answer ambiguous, and the next attempt finds the entry that is there', async () => {
    const action = routedAction({ tenantId: 'lost' });
    const call = connectorCall();
    await connector.health(call.signal);
    proxy.mode = 'cut';
    expect(await failureOf(connector.run(action, call))).toMatchObject({ fault: 'ambiguous' });
    proxy.mode = 'pass';
    expect(await connector.run(action, { ...call, attempt: 2 })).toMatchObject({ deduplicated: true });
    expect(await length('lost')).toBe(1);
  });

  test('gives a connection up on which no answer comes in time', async () => {
    const action = routedAction({ tenantId: 'silent' });
    const call = connectorCall();
    await connector.health(call.signal);
    proxy.mode = 'swallow';
    const impatient = new AbortController();
    const attempt = failureOf(connector.run(action, { ...call, signal: impatient.signal }));
    await expect.poll(() => length('silent')).toBe(1);
    impatient.abort(new Error('enough'));
    expect(await attempt).toMatchObject({ fault: 'ambiguous', vendorCode: 'timeout' });
    proxy.mode = 'pass';
    expect(await connector.run(action, call)).toMatchObject({ deduplicated: true });
    expect(proxy.connections).toBe(2);
  });

  test('opens a new connection when the old one broke while nobody used it', async () => {
    await connector.run(routedAction(), connectorCall());
    const client = createClient({ url: server.url, password: PASSWORD });
    await client.connect();
    await client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']);
    client.destroy();
    // The connector's side hears of it when its socket ends.
    await new Promise((resolve) => setImmediate(resolve));
    await expect.poll(() => connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'healthy' });
    expect(await connector.run(routedAction(), connectorCall())).toMatchObject({ kind: 'accepted' });
  });

  test('sends nothing when it is called off before', async () => {
    const reason = new Error('called off');
    await expect(
      connector.run(routedAction(), connectorCall(1_000, { signal: AbortSignal.abort(reason) })),
    ).rejects.toBe(reason);
    expect(proxy.connections).toBe(0);
  });

  test.each([
    ['a wrong password', { password: { $env: 'OTHER_PASSWORD' } }, 'auth', 'WRONGPASS'],
    ['no password', { password: undefined }, 'auth', 'NOAUTH'],
    ['a secret that is not set', { password: { $env: 'NOBODY_SET_IT' } }, 'auth', 'NO_SECRET'],
  ])('says auth for %s', async (_what, change, fault, vendorCode) => {
    await connector.close();
    connector = connectorTo(proxy.port, change);
    expect(await failureOf(connector.run(routedAction(), connectorCall()))).toMatchObject({ fault, vendorCode });
    expect(await connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'down', detail: vendorCode });
  });

  test('says not_sent when nobody is there', async () => {
    await connector.close();
    connector = connectorTo(await freePort());
    expect(await failureOf(connector.run(routedAction(), connectorCall()))).toMatchObject({
      fault: 'not_sent',
      vendorCode: 'ECONNREFUSED',
    });
    expect(await connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'down', detail: 'ECONNREFUSED' });
  });

  test('says throttled when the server has no memory left', async () => {
    await redis('CONFIG', 'SET', 'maxmemory', '1');
    try {
      expect(await failureOf(connector.run(routedAction(), connectorCall()))).toMatchObject({
        fault: 'throttled',
        vendorCode: 'OOM',
      });
    } finally {
      await redis('CONFIG', 'SET', 'maxmemory', '0');
    }
  });

  test('says unavailable when the server is a replica', async () => {
    await redis('REPLICAOF', '127.0.0.1', String(await freePort()));
    try {
      expect(await failureOf(connector.run(routedAction(), connectorCall()))).toMatchObject({ fault: 'unavailable' });
    } finally {
      await redis('REPLICAOF', 'NO', 'ONE');
    }
  });

  test('says invalid when something else has the name of the stream', async () => {
    await redis('SET', 'fabric:{taken}:actions', 'mine');
    expect(await failureOf(connector.run(routedAction({ tenantId: 'taken' }), connectorCall()))).toMatchObject({
      fault: 'invalid',
      vendorCode: 'WRONGTYPE',
    });
  });

  test('takes no binding of another kind', async () => {
    const action = routedAction({ binding: { kind: 'call', path: '/x' } });
    expect(await failureOf(connector.run(action, connectorCall()))).toMatchObject({ fault: 'invalid' });
  });

  test('loses no accepted command when the server is killed, and goes on when it is back', async () => {
    const before = routedAction({ tenantId: 'killed' });
    const call = connectorCall();
    const { externalId } = await connector.run(before, call);
    await server.signal('SIGKILL');
    expect((await failureOf(connector.run(routedAction({ tenantId: 'killed' }), connectorCall()))).fault).toMatch(
      /^(not_sent|ambiguous)$/,
    );
    expect(await connector.health(AbortSignal.timeout(5_000))).toMatchObject({ status: 'down' });
    await server.restart();
    expect(await connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'healthy' });
    expect(await connector.run(before, call)).toMatchObject({ deduplicated: true, externalId });
    expect(await length('killed')).toBe(1);
  });
});

test.each(['redis://user:secret@host:6379', 'https://host'])('an address like %s is no setting', (url) => {
  expect(redisStreams.settings.safeParse({ url }).success).toBe(false);
});

const faults = ['breaks off before its answer', 'says nothing', 'has no memory left'];
if (missing === undefined) {
  connectorContract('the Redis Streams connector', faults, async () => {
    const server = await startRedisServer(PASSWORD);
    const proxy = await startFaultProxy(server.port);
    const connector = connectorTo(proxy.port);
    const client = createClient({ url: server.url, password: PASSWORD });
    await client.connect();
    const memory = (bytes: number) => client.configSet('maxmemory', String(bytes));
    await connector.health(AbortSignal.timeout(5_000));
    return {
      connector,
      action: routedAction(),
      kind: 'accepted',
      secrets: [PASSWORD],
      keys: () => [...proxy.sent.matchAll(/"command_id":"([^"]+)"/g)].map(([, key]) => key),
      faults: [
        { when: 'breaks off before its answer', fault: 'ambiguous', inject: () => breakIt('cut') },
        { when: 'says nothing', fault: 'ambiguous', timeMs: 300, inject: () => breakIt('swallow') },
        { when: 'has no memory left', fault: 'throttled', inject: async () => void (await memory(1)) },
      ],
      async heal() {
        proxy.mode = 'pass';
        await memory(0);
        // The next fault finds a connection that stands.
        await connector.health(AbortSignal.timeout(5_000));
      },
      async leave() {
        await proxy.close();
        if (client.isOpen) client.destroy();
        await server.close();
      },
    };
    function breakIt(mode: FaultProxy['mode']): void {
      proxy.mode = mode;
    }
  });
}
