import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { databaseDestination } from '../../src/container/egress.ts';
import { exportAddresses } from '../../src/telemetry/export-address.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { simulatedPlane } from '../support/fabric-run.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';

describe('a container that guards what leaves', () => {
  let folder: string;
  let container: TestContainer;
  let api: ApiClient;
  let receiver: Receiver;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'aos-egress-'));
    const fabricFile = join(folder, 'fabric.json');
    await writeFile(fabricFile, JSON.stringify({ preset: 'ipaas', planes: { ipaas: simulatedPlane() } }));
    receiver = await startReceiver();
    container = await startTestContainer({
      runtime: {
        fabricFile,
        allowPrivateCallbacks: true,
        egress: { mode: 'guard', allow: [], allowHttpFetch: false },
      },
    });
    api = createApiClient(container.url);
  });
  afterAll(async () => {
    await container[Symbol.asyncDispose]();
    await receiver.close();
    await rm(folder, { recursive: true });
  });

  const audited = async () => (await api.get('/api/v1/aoa/audit?action=EGRESS_BLOCKED')).body['items'];

  it('refuses a connection of no part of it, and tells log, audit log and metrics', async () => {
    const failure = await fetch('http://collector.example.com/steal').catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ cause: { code: 'EGRESS_REFUSED' } });
    await expect.poll(audited, { timeout: 5_000 }).toMatchObject([
      {
        action: 'EGRESS_BLOCKED',
        outcome: 'denied',
        reason: 'EGRESS_REFUSED',
        raci_responsible: 'ActionRouter',
        details: { destination: 'collector.example.com:80' },
      },
    ]);
    expect(container.records()).toContainEqual(
      expect.objectContaining({ level: 'WARNING', destination: 'collector.example.com:80' }),
    );
    const metrics = await (await fetch(`${container.url}/metrics`)).text();
    expect(metrics).toMatch(/^aos_egress_connections_total\{verdict="refused"\} 1$/m);
  });

  it('works with its database and brings callbacks out', async () => {
    const submitted = await api.post('/api/orchestrations', {
      agent_ids: ['ceo'],
      task: { type: 'review', data: {} },
      callback_url: `${receiver.url}/done`,
    });
    expect(submitted.status).toBe(202);
    await expect.poll(() => receiver.received.map(({ path }) => path), { timeout: 10_000 }).toEqual(['/done']);
  });

  it('keeps agents from the public internet under a preset that forbids direct calls', async () => {
    const said = await api.post('/api/agents/cto/ask', { message: 'Fetch https://example.com/prices' });
    expect(said.body['message']).toContain('forbidden under preset_2_ipaas_first');
    expect(await audited()).toContainEqual(
      expect.objectContaining({ reason: 'DIRECT_FORBIDDEN', details: { destination: 'example.com' } }),
    );
  });
});

test.each([
  ['postgres://u:p@db.example.com/aos', { part: 'database', host: 'db.example.com', port: 5432 }],
  ['postgres://u@[::1]:6543/aos', { part: 'database', host: '[::1]', port: 6543 }],
  ['postgres://u@x/aos?host=/var/run/pg', { part: 'database', path: '/var/run/pg/.s.PGSQL.5432' }],
  ['postgres://u@%2Ftmp%2Fpg:5433/aos', { part: 'database', path: '/tmp/pg/.s.PGSQL.5433' }],
  ['postgres:///aos', { part: 'database', host: 'pg.internal', port: 7000 }],
])('the driver connects for %s to %j', (url, destination) => {
  const environment = url === 'postgres:///aos' ? { PGHOST: 'pg.internal', PGPORT: '7000' } : {};
  expect(databaseDestination(url, environment)).toEqual(destination);
});

test('telemetry goes to the collectors that the environment names, and to nothing when it names none', () => {
  expect(exportAddresses({})).toEqual([]);
  expect(exportAddresses({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel:4318', OTEL_SDK_DISABLED: 'true' })).toEqual([]);
  expect(
    exportAddresses({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://otel:4318',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://logs:4318/v1/logs',
    }),
  ).toEqual(['http://otel:4318', 'http://logs:4318/v1/logs']);
  expect(
    exportAddresses({
      APPLICATIONINSIGHTS_CONNECTION_STRING:
        'InstrumentationKey=1;IngestionEndpoint=https://eu-1.in.example.com/;LiveEndpoint=https://eu.live.example.com/',
    }),
  ).toEqual(expect.arrayContaining(['https://eu-1.in.example.com/', 'https://eu.live.example.com/']));
});
