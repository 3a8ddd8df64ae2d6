import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bigquery } from '../../src/fabric/bigquery.ts';
import type { PlaneConnector } from '../../src/fabric/connector.ts';
import { keyUuid } from '../../src/fabric/message.ts';
import { type BigQueryDouble, startBigQueryDouble } from '../support/bigquery-double.ts';
import { connectorCall, connectorParts, failureOf, routedAction } from '../support/connector.ts';
import { freePort } from '../support/program.ts';
import { openWarehouse, type Warehouse } from '../support/warehouse.ts';
import { connectorContract } from './connector-contract.ts';

const EMAIL = 'aos@p1.iam.gserviceaccount.com';
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const others = generateKeyPairSync('rsa', { modulusLength: 2048 });
const keyFile = (key: typeof keys.privateKey) =>
  JSON.stringify({
    type: 'service_account',
    client_email: EMAIL,
    private_key_id: 'k1',
    private_key: key.export({ type: 'pkcs8', format: 'pem' }),
  });
const secrets: Record<string, string> = {
  GOOGLE_KEY: keyFile(keys.privateKey),
  OTHER_KEY: keyFile(others.privateKey),
  NO_KEY: '{"type": "authorized_user"}',
};

const table = 'aos_staging.stg_crm_customer_updates';
const change = routedAction({ plane: 'data_warehouse', binding: { kind: 'table', table, operation: 'INSERT' } });
const read = routedAction({
  type: 'query',
  entityId: undefined,
  data: { columns: ['name', 'orders', 'score', 'active'], where: { active: true }, limit: 2 },
  plane: 'data_warehouse',
  binding: { kind: 'table', table: 'customer', operation: 'SELECT' },
});

describe('BigQuery', () => {
  let warehouse: Warehouse;
  let double: BigQueryDouble;
  let connector: PlaneConnector;

  beforeAll(async () => {
    warehouse = await openWarehouse();
  });
  beforeEach(async () => {
    const publicKey = String(keys.publicKey.export({ type: 'spki', format: 'pem' }));
    double = await startBigQueryDouble(warehouse, { publicKey, email: EMAIL, subjectToken: 'token-of-entra' });
    connector = connectorTo({});
  });
  afterEach(async () => {
    warehouse.release();
    await connector.close();
    await double.close();
  });
  afterAll(() => warehouse.close());

  function connectorTo(settings: Record<string, unknown>): PlaneConnector {
    const auth = { type: 'service_account', key: { $env: 'GOOGLE_KEY' } };
    const given = { base_url: double.url, project: 'p1', location: 'EU', auth, ...settings };
    return bigquery.create(bigquery.settings.parse(given), connectorParts(secrets), 'data_warehouse');
  }

  const rowsOf = (key: string) => warehouse.query(`select * from ${table} where id = '${keyUuid(key)}'`);

  test('puts a change into its staging table by a job that has the key as its id', async () => {
    const call = connectorCall();
    const externalId = `aos_${keyUuid(call.idempotencyKey)}`;
    expect(await connector.run(change, call)).toEqual({ kind: 'accepted', externalId, deduplicated: false });
    expect(await rowsOf(call.idempotencyKey)).toMatchObject([{ entity_id: 'cust_1042', status: 'pending_sync' }]);
    expect(double.log[0]).toBe('POST /bigquery/v2/projects/p1/jobs');
  });

  test('selects rows of the tenant alone, with numbers and truth values as such', async () => {
    expect(await connector.run(read, connectorCall())).toMatchObject({
      kind: 'completed',
      externalId: expect.stringMatching(/^job_/),
      data: { rows: [{ name: 'Ada', orders: 3, score: 0.5, active: true }], row_count: 1, truncated: false },
    });
    expect(double.log).toEqual(['POST /bigquery/v2/projects/p1/queries']);
  });

  test('asks again for a query that is not complete', async () => {
    double.patienceMs = 10;
    warehouse.hold();
    const result = connector.run(read, connectorCall());
    await expect.poll(() => double.log.length).toBeGreaterThan(3);
    warehouse.release();
    expect(await result).toMatchObject({ kind: 'completed', data: { row_count: 1 } });
  });

  test('runs a read once although its answer got lost', async () => {
    const call = connectorCall();
    const before = warehouse.executions;
    double.faults.push('after');
    expect(await failureOf(connector.run(read, call))).toMatchObject({ fault: 'ambiguous' });
    expect(await connector.run(read, { ...call, attempt: 2 })).toMatchObject({ data: { row_count: 1 } });
    expect(warehouse.executions - before).toBe(1);
  });

  test('does a change once although its answer got lost, and can tell what became of it', async () => {
    const call = connectorCall();
    const before = warehouse.executions;
    expect(await connector.outcome?.(change, call)).toEqual({ kind: 'not_done' });
    double.faults.push('after');
    expect(await failureOf(connector.run(change, call))).toMatchObject({ fault: 'ambiguous' });
    expect(await connector.outcome?.(change, call)).toMatchObject({ kind: 'accepted', deduplicated: true });
    expect(await connector.run(change, { ...call, attempt: 2 })).toMatchObject({ deduplicated: true });
    expect(warehouse.executions - before).toBe(1);
    expect(await rowsOf(call.idempotencyKey)).toHaveLength(1);
  });

  test('does not wait for the job when told so', async () => {
    warehouse.hold();
    connector = connectorTo({ wait: false });
    const call = connectorCall();
    expect(await connector.run(change, call)).toMatchObject({ kind: 'accepted' });
    expect(await rowsOf(call.idempotencyKey)).toEqual([]);
    warehouse.release();
    await expect.poll(() => rowsOf(call.idempotencyKey)).toHaveLength(1);
  });

  test('does not know what became of a job when it is called off', async () => {
    warehouse.hold();
    const impatient = new AbortController();
    const result = failureOf(connector.run(change, connectorCall(10_000, { signal: impatient.signal })));
    await expect.poll(() => double.log.length).toBeGreaterThan(1);
    impatient.abort(new Error('enough'));
    expect(await result).toMatchObject({ fault: 'ambiguous' });
  });

  test.each([
    [403, 'rateLimitExceeded', 'throttled'],
    [403, 'quotaExceeded', 'throttled'],
    [429, 'rateLimitExceeded', 'throttled'],
    [403, 'accessDenied', 'auth'],
    [400, 'bytesBilledLimitExceeded', 'rejected'],
    [413, 'uploadTooLarge', 'too_large'],
    [503, 'backendError', 'ambiguous'],
    [502, 'badGateway', 'ambiguous'],
  ])('classes %i %s as %s', async (status, reason, fault) => {
    double.faults.push({ status, reason });
    const vendorCode = `HTTP ${status} ${reason}`;
    expect(await failureOf(connector.run(change, connectorCall()))).toMatchObject({ fault, vendorCode });
    expect(double.log).toHaveLength(1);
  });

  test('says invalid for a statement that BigQuery does not take, and that it was not done', async () => {
    const action = routedAction({ binding: { kind: 'table', table: 'nowhere', operation: 'INSERT' } });
    const call = connectorCall();
    expect(await failureOf(connector.run(action, call))).toMatchObject({ fault: 'invalid' });
    expect(await connector.outcome?.(action, call)).toEqual({ kind: 'not_done' });
  });

  test.each([
    ["somebody else's key", 'OTHER_KEY', 'HTTP 401 authError'],
    ['what is no key file', 'NO_KEY', 'NO_KEY'],
    ['a secret that is not set', 'NOBODY_SET_IT', 'NO_SECRET'],
  ])('says auth for %s', async (_what, name, vendorCode) => {
    connector = connectorTo({ auth: { type: 'service_account', key: { $env: name } } });
    expect(await failureOf(connector.run(change, connectorCall()))).toMatchObject({ fault: 'auth', vendorCode });
    expect(await connector.health(AbortSignal.timeout(5_000))).toMatchObject({ status: 'down' });
  });

  test('says not_sent when nobody is there', async () => {
    connector = connectorTo({ base_url: `http://127.0.0.1:${await freePort()}` });
    expect(await failureOf(connector.run(change, connectorCall()))).toMatchObject({ fault: 'not_sent' });
    expect(await connector.health(AbortSignal.timeout(5_000))).toEqual({ status: 'down', detail: 'ECONNREFUSED' });
  });

  test('tells how the plane is by its dataset', async () => {
    const signal = AbortSignal.timeout(5_000);
    expect(await connector.health(signal)).toEqual({ status: 'healthy' });
    expect(await connectorTo({ dataset: 'gone' }).health(signal)).toEqual({ status: 'degraded', detail: 'HTTP 404' });
  });

  describe('with workload identity federation', () => {
    let folder: string;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'aos-google-'));
      const file = join(folder, 'token');
      await writeFile(file, 'token-of-entra');
      secrets['GOOGLE_FEDERATION'] = JSON.stringify({
        type: 'external_account',
        audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/entra/providers/entra',
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: `${double.url}/sts/token`,
        credential_source: { file },
      });
      const auth = {
        type: 'workload_identity',
        credentials: { $env: 'GOOGLE_FEDERATION' },
        token_origins: [double.url],
      };
      connector = connectorTo({ auth });
    });
    afterEach(() => rm(folder, { recursive: true }));

    test('exchanges the token of the other side through the guarded fetch, once for many calls', async () => {
      expect(await connector.run(change, connectorCall())).toMatchObject({ kind: 'accepted' });
      expect(await connector.run(change, connectorCall())).toMatchObject({ kind: 'accepted' });
      expect(double.log.filter((line) => line.includes('/sts/token'))).toEqual(['POST /sts/token']);
    });

    test('says auth when the other side is not trusted', async () => {
      await writeFile(join(folder, 'token'), 'token-of-somebody');
      expect(await failureOf(connector.run(change, connectorCall()))).toMatchObject({
        fault: 'auth',
        vendorCode: 'NO_TOKEN',
      });
      expect(double.log).toEqual(['POST /sts/token']);
    });

    test('runs no program that a configuration names', async () => {
      const file = join(folder, 'was-here');
      const source = { executable: { command: `touch ${file}` } };
      secrets['GOOGLE_FEDERATION'] = JSON.stringify({
        ...JSON.parse(secrets['GOOGLE_FEDERATION'] ?? ''),
        credential_source: source,
      });
      expect(await failureOf(connector.run(change, connectorCall()))).toMatchObject({ vendorCode: 'NO_KEY' });
      expect(existsSync(file)).toBe(false);
    });
  });
});

const refusals = [
  { when: 'answers 403 rateLimitExceeded', fault: 'throttled', status: 403, reason: 'rateLimitExceeded' },
  { when: 'answers 403 accessDenied', fault: 'auth', status: 403, reason: 'accessDenied' },
  { when: 'answers 400 invalidQuery', fault: 'invalid', status: 400, reason: 'invalidQuery' },
  { when: 'answers 413', fault: 'too_large', status: 413, reason: 'uploadTooLarge' },
] as const;
const faults = [
  'breaks off after it took the job',
  'answers 503',
  'does not come to an end',
  ...refusals.map(({ when }) => when),
];
connectorContract('the BigQuery connector', faults, async () => {
  const warehouse = await openWarehouse();
  const publicKey = String(keys.publicKey.export({ type: 'spki', format: 'pem' }));
  const double = await startBigQueryDouble(warehouse, { publicKey, email: EMAIL, subjectToken: '' });
  const auth = { type: 'service_account', key: { $env: 'GOOGLE_KEY' } };
  const given = bigquery.settings.parse({ base_url: double.url, project: 'p1', location: 'EU', auth });
  const next = (fault: BigQueryDouble['faults'][number]) => void double.faults.push(fault);
  let left: Promise<void> | undefined;
  return {
    connector: bigquery.create(given, connectorParts(secrets), 'data_warehouse'),
    action: change,
    kind: 'accepted',
    secrets: [String(keys.privateKey.export({ type: 'pkcs8', format: 'pem' })).slice(30, 90)],
    keys: () =>
      double.requests
        .filter(({ method }) => method === 'POST')
        .map(({ body }) => (JSON.parse(body.toString()) as { jobReference: { jobId: string } }).jobReference.jobId),
    carried: (key) => `aos_${keyUuid(key)}`,
    faults: [
      { when: 'breaks off after it took the job', fault: 'ambiguous', inject: () => next('after') },
      { when: 'answers 503', fault: 'ambiguous', inject: () => next({ status: 503, reason: 'backendError' }) },
      { when: 'does not come to an end', fault: 'ambiguous', timeMs: 400, inject: () => warehouse.hold() },
      ...refusals.map(({ when, fault, status, reason }) => ({ when, fault, inject: () => next({ status, reason }) })),
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
