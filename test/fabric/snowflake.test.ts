import { generateKeyPairSync } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { PlaneConnector } from '../../src/fabric/connector.ts';
import { keyUuid } from '../../src/fabric/message.ts';
import { snowflake } from '../../src/fabric/snowflake.ts';
import { connectorCall, connectorParts, failureOf, routedAction } from '../support/connector.ts';
import { freePort } from '../support/program.ts';
import { type SnowflakeDouble, startSnowflakeDouble } from '../support/snowflake-double.ts';
import { openWarehouse, type Warehouse } from '../support/warehouse.ts';
import { connectorContract } from './connector-contract.ts';

const pem = { type: 'pkcs8', format: 'pem' } as const;
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const others = generateKeyPairSync('rsa', { modulusLength: 2048 });
const parts = connectorParts({
  SNOWFLAKE_KEY: String(keys.privateKey.export(pem)),
  SNOWFLAKE_LOCKED_KEY: String(keys.privateKey.export({ ...pem, cipher: 'aes-256-cbc', passphrase: 'open sesame' })),
  SNOWFLAKE_PASSPHRASE: 'open sesame',
  OTHER_KEY: String(others.privateKey.export(pem)),
  NO_KEY: 'something else',
});

const table = 'aos_staging.stg_crm_customer_updates';
const change = routedAction({ plane: 'data_warehouse', binding: { kind: 'table', table, operation: 'UPSERT' } });
const read = (data: Record<string, string | number | boolean | object | null>, entityId?: string) =>
  routedAction({
    type: 'query',
    entityId,
    data: data as never,
    plane: 'data_warehouse',
    binding: { kind: 'table', table: 'customer', operation: 'SELECT' },
  });

describe('Snowflake', () => {
  let warehouse: Warehouse;
  let double: SnowflakeDouble;
  let connector: PlaneConnector;

  beforeAll(async () => {
    warehouse = await openWarehouse();
  });
  beforeEach(async () => {
    const publicKey = String(keys.publicKey.export({ type: 'spki', format: 'pem' }));
    double = await startSnowflakeDouble(warehouse, { publicKey, subject: 'MYORG-ACCT.AOS_USER' });
    connector = connectorTo({});
  });
  afterEach(async () => {
    warehouse.release();
    await connector.close();
    await double.close();
  });
  afterAll(() => warehouse.close());

  function connectorTo(settings: Record<string, unknown>): PlaneConnector {
    const auth = { type: 'key_pair', user: 'aos_user', private_key: { $env: 'SNOWFLAKE_KEY' } };
    const given = { account: 'myorg-acct', base_url: double.url, auth, ...settings };
    return snowflake.create(snowflake.settings.parse(given), parts, 'data_warehouse');
  }

  const rowsOf = (key: string) => warehouse.query(`select * from ${table} where id = '${keyUuid(key)}'`);

  test('puts a change into its staging table and says that it is accepted', async () => {
    const call = connectorCall();
    const result = await connector.run(change, call);
    expect(result).toMatchObject({ kind: 'accepted', externalId: expect.any(String) });
    expect(double.log).toEqual([`POST /api/v2/statements?requestId=${keyUuid(call.idempotencyKey)}`]);
    expect(await rowsOf(call.idempotencyKey)).toMatchObject([
      {
        entity_id: 'cust_1042',
        action_type: 'update',
        payload: JSON.stringify(change.data),
        tenant_id: 'acme',
        primary_plane_id: change.planeId,
        status: 'pending_sync',
      },
    ]);
  });

  test('selects rows of the tenant alone, with numbers and truth values as such', async () => {
    const action = read({
      columns: ['name', 'orders', 'score', 'active'],
      where: { tenant_id: 'other' },
      order_by: 'name',
    });
    expect(await connector.run(action, connectorCall())).toMatchObject({
      kind: 'completed',
      data: {
        rows: [
          { NAME: 'Ada', ORDERS: 3, SCORE: 0.5, ACTIVE: true },
          { NAME: 'Bo', ORDERS: '12345678901234567', SCORE: 2, ACTIVE: false },
          { NAME: null, ORDERS: null, SCORE: null, ACTIVE: null },
        ],
        row_count: 3,
        truncated: false,
      },
    });
    expect(await connector.run(read({}, 'c1'), connectorCall())).toMatchObject({ data: { rows: [{ NAME: 'Ada' }] } });
  });

  test("lets nobody's text become SQL", async () => {
    const evil = "x'; drop table aos_staging.customer; --";
    expect(await connector.run(read({ where: { name: evil } }), connectorCall())).toMatchObject({
      data: { row_count: 0 },
    });
    for (const data of [{ columns: [evil] }, { where: { [evil]: 1 } }, { order_by: evil }, { sql: evil }]) {
      expect(await failureOf(connector.run(read(data), connectorCall()))).toMatchObject({ fault: 'invalid' });
    }
  });

  test('calls a lost answer ambiguous; the repetition is told what the first attempt did', async () => {
    const call = connectorCall();
    const before = warehouse.executions;
    double.faults.push('after');
    expect(await failureOf(connector.run(change, call))).toMatchObject({ fault: 'ambiguous' });
    expect(await connector.run(change, { ...call, attempt: 2 })).toMatchObject({ kind: 'accepted' });
    expect(double.log[1]).toBe(`POST /api/v2/statements?requestId=${keyUuid(call.idempotencyKey)}&retry=true`);
    expect(warehouse.executions - before).toBe(1);
    expect(await rowsOf(call.idempotencyKey)).toHaveLength(1);
  });

  test('leaves one row even when Snowflake has forgotten the request', async () => {
    const call = connectorCall();
    await connector.run(change, call);
    await connector.run(change, call);
    expect(await rowsOf(call.idempotencyKey)).toHaveLength(1);
  });

  test('asks by the handle for a statement that takes long', async () => {
    double.patienceMs = 20;
    warehouse.hold();
    const call = connectorCall();
    const result = connector.run(change, call);
    await expect.poll(() => double.log.length).toBeGreaterThan(2);
    warehouse.release();
    expect(await result).toMatchObject({ kind: 'accepted', externalId: expect.any(String) });
    expect(double.log[1]).toMatch(/^GET \/api\/v2\/statements\/[0-9a-f-]{36}$/);
    expect(await rowsOf(call.idempotencyKey)).toHaveLength(1);
  });

  test('cancels a statement that is called off, and does not know what became of it', async () => {
    double.patienceMs = 20;
    warehouse.hold();
    const impatient = new AbortController();
    const call = connectorCall(10_000, { signal: impatient.signal });
    const result = failureOf(connector.run(change, call));
    await expect.poll(() => double.log.length).toBeGreaterThan(1);
    impatient.abort(new Error('enough'));
    expect(await result).toMatchObject({ fault: 'ambiguous', vendorCode: 'timeout' });
    expect(double.cancelled).toHaveLength(1);
  });

  test('does not wait when told so, and tells by the handle what became of it', async () => {
    connector = connectorTo({ wait: false });
    const call = connectorCall();
    const { externalId } = await connector.run(change, call);
    expect(double.log).toEqual([expect.stringContaining('&async=true')]);
    await expect.poll(() => rowsOf(call.idempotencyKey)).toHaveLength(1);
    expect(await connector.outcome?.(change, call)).toMatchObject({ kind: 'accepted', externalId });
  });

  test('tells by the row what became of an attempt of an earlier process', async () => {
    const call = connectorCall();
    expect(await connector.outcome?.(change, call)).toEqual({ kind: 'unknown' });
    await connector.run(change, call);
    expect(await connectorTo({}).outcome?.(change, call)).toMatchObject({ kind: 'accepted' });
  });

  test.each([
    ['throttled', { fault: 'throttled', vendorCode: 'HTTP 429 390505', retryAfterMs: 2_000 }],
    ['before', { fault: 'ambiguous', vendorCode: 'ECONNRESET' }],
    ['gateway', { fault: 'ambiguous', vendorCode: 'HTTP 504' }],
  ] as const)('classes a submission that is %s', async (fault, expected) => {
    double.faults.push(fault);
    expect(await failureOf(connector.run(change, connectorCall()))).toMatchObject(expected);
    expect(double.log).toHaveLength(1);
  });

  test('says invalid for a statement that Snowflake does not take', async () => {
    const action = routedAction({ binding: { kind: 'table', table: 'nowhere', operation: 'INSERT' } });
    expect(await failureOf(connector.run(action, connectorCall()))).toMatchObject({
      fault: 'invalid',
      vendorCode: 'HTTP 422 000904',
    });
  });

  test.each([
    ["somebody else's key", { private_key: { $env: 'OTHER_KEY' } }, 'HTTP 401 390144'],
    ['another name', { user: 'nobody' }, 'HTTP 401 390144'],
    ['no key at all', { private_key: { $env: 'NO_KEY' } }, 'NO_KEY'],
    ['a locked key without its passphrase', { private_key: { $env: 'SNOWFLAKE_LOCKED_KEY' } }, 'NO_KEY'],
    ['a secret that is not set', { private_key: { $env: 'NOBODY_SET_IT' } }, 'NO_SECRET'],
  ])('says auth for %s', async (_what, identity, vendorCode) => {
    const usual = { type: 'key_pair', user: 'aos_user', private_key: { $env: 'SNOWFLAKE_KEY' } };
    connector = connectorTo({ auth: { ...usual, ...identity } });
    expect(await failureOf(connector.run(change, connectorCall()))).toMatchObject({ fault: 'auth', vendorCode });
    expect(await connector.health(AbortSignal.timeout(5_000))).toMatchObject({ status: 'down' });
  });

  test('opens a locked key, and names an old account without its region', async () => {
    connector = connectorTo({
      account: 'myorg-acct.eu-central-1',
      auth: {
        type: 'key_pair',
        user: 'AOS_USER',
        private_key: { $env: 'SNOWFLAKE_LOCKED_KEY' },
        passphrase: { $env: 'SNOWFLAKE_PASSPHRASE' },
      },
    });
    expect(await connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'healthy' });
  });

  test('says not_sent when nobody is there', async () => {
    connector = connectorTo({ base_url: `http://127.0.0.1:${await freePort()}` });
    expect(await failureOf(connector.run(change, connectorCall()))).toMatchObject({ fault: 'not_sent' });
    expect(await connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'down', detail: 'ECONNREFUSED' });
  });
});

const refusals = [
  { when: 'takes the token no more', fault: 'auth', status: 401, code: '390114' },
  { when: 'cannot read the statement', fault: 'invalid', status: 422, code: '001003' },
  { when: 'undid what took too long', fault: 'rejected', status: 408, code: '000630' },
] as const;
const faults = [
  'breaks off after it ran the statement',
  'answers 504',
  'answers 429',
  'says nothing',
  ...refusals.map(({ when }) => when),
];
connectorContract('the Snowflake connector', faults, async () => {
  const warehouse = await openWarehouse();
  const publicKey = String(keys.publicKey.export({ type: 'spki', format: 'pem' }));
  const double = await startSnowflakeDouble(warehouse, { publicKey, subject: 'A.AOS' });
  const auth = { type: 'key_pair', user: 'aos', private_key: { $env: 'SNOWFLAKE_KEY' } };
  const given = snowflake.settings.parse({ account: 'a', base_url: double.url, auth });
  let left: Promise<void> | undefined;
  return {
    connector: snowflake.create(given, parts, 'data_warehouse'),
    action: change,
    kind: 'accepted',
    secrets: [String(keys.privateKey.export(pem)).slice(30, 90)],
    keys: () =>
      double.requests
        .filter(({ method }) => method === 'POST')
        .map(({ url }) => url.searchParams.get('requestId') ?? undefined),
    carried: keyUuid,
    faults: [
      {
        when: 'breaks off after it ran the statement',
        fault: 'ambiguous',
        inject: () => void double.faults.push('after'),
      },
      { when: 'answers 504', fault: 'ambiguous', inject: () => void double.faults.push('gateway') },
      {
        when: 'answers 429',
        fault: 'throttled',
        retryAfterMs: 2_000,
        inject: () => void double.faults.push('throttled'),
      },
      { when: 'says nothing', fault: 'ambiguous', timeMs: 200, inject: () => warehouse.hold() },
      ...refusals.map(({ when, fault, status, code }) => ({
        when,
        fault,
        inject: () => void double.faults.push({ status, code }),
      })),
    ],
    heal() {
      double.faults.length = 0;
      warehouse.release();
    },
    leave() {
      left ??= double.close().then(() => warehouse.close());
      return left;
    },
  };
});
