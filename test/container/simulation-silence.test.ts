/** Nothing leaves a simulation: a whole working day in a process whose connections are written down by Node's core. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultMatrix } from '../../src/governance/raci/default-matrix.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startWatchedServer, type WatchedServer } from '../support/watched-server.ts';

let folder: string;
let outside: Receiver;
let server: WatchedServer;
let api: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-silence-'));
  outside = await startReceiver();
  const { host, port } = new URL(outside.url);
  const any = { '*:*': { path: '/x/{id}' } };
  const fabric = {
    preset: 'preset_1_full_enterprise',
    planes: {
      ipaas: {
        vendor: 'workato',
        base_url: outside.url,
        api_token: { $env: 'TOKEN' },
        bindings: { '*:*': { recipe: 'r' } },
      },
      api_gateway: { vendor: 'kong', base_url: outside.url, bindings: any },
      event_bus: { vendor: 'kafka', bootstrap_servers: [host], bindings: { '*:*': { topic: 't' } } },
      data_warehouse: { vendor: 'snowflake', bindings: { '*:*': { table: 's.t', operation: 'UPSERT' } } },
      direct: { vendor: 'http', base_url: outside.url, bindings: any },
    },
  };
  const security = { ...defaultMatrix.parties['Security'], webhook: `${outside.url}/informed` };
  const activities = defaultMatrix.activities.map((activity) => ({ ...activity, informed: ['Security'] }));
  const raci = { ...defaultMatrix, parties: { ...defaultMatrix.parties, Security: security }, activities };
  await writeFile(join(folder, 'fabric.json'), JSON.stringify(fabric));
  await writeFile(join(folder, 'raci.json'), JSON.stringify(raci));
  server = await startWatchedServer({
    AOS_MODE: 'simulation',
    AOS_SIMULATION_SEED: 'silence',
    AOS_FABRIC_FILE: join(folder, 'fabric.json'),
    AOS_RACI_FILE: join(folder, 'raci.json'),
    AOS_ALLOW_PRIVATE_CALLBACKS: 'on',
    AOS_ALLOW_HTTP_FETCH: 'on',
    OPENAI_BASE_URL: `${outside.url}/v1`,
    OPENAI_MODEL: 'gpt',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    TOKEN: 'token-of-workato',
  });
  api = createApiClient(server.url);
}, 60_000);
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await outside.close();
  await rm(folder, { recursive: true, force: true });
});

async function ended(path: string) {
  const look = async () => (await api.get(path)).body;
  await expect
    .poll(async () => (await look())['status'], { timeout: 20_000 })
    .toMatch(/^(completed|accepted|failed|dead)$/);
  return look();
}
const recordings = async (kind: string) =>
  (await api.get(`/api/v1/simulation/recordings?kind=${kind}`)).body['items'] as { url: string; body: string }[];

describe('a simulation of everything there is', () => {
  test('works with agents, and records the callback', async () => {
    const submitted = await api.post('/api/orchestrations', {
      agent_ids: ['ceo', 'cfo', 'cmo'],
      workflow: 'collaborative',
      task: { type: 'review', data: { revenue: 4_200_000, costs: 3_900_000 } },
      callback_url: `${outside.url}/results`,
    });
    const id = String(submitted.body['orchestration_id']);
    expect(await ended(`/api/orchestrations/${id}`)).toMatchObject({ status: 'completed', simulation: true });
    await expect.poll(async () => (await recordings('callback')).length, { timeout: 10_000 }).toBe(1);
    const [callback] = await recordings('callback');
    expect(callback).toMatchObject({ url: `${outside.url}/results`, subject: id, method: 'POST' });
    expect(JSON.parse(callback?.body ?? '')).toMatchObject({ status: 'completed' });
    const deliveries = (await api.get('/api/v1/aoa/deliveries?status=delivered')).body['items'];
    expect(deliveries).toContainEqual(expect.objectContaining({ kind: 'callback', subject: id }));
  });

  test('acts on systems through every plane of every preset, and records who is informed', async () => {
    for (const [preset, plane] of [
      ['1', 'ipaas'],
      ['2', 'ipaas'],
      ['3', 'gateway'],
      ['4', 'eventbus'],
      ['5', 'warehouse'],
      ['6', 'scrappy'],
    ] as const) {
      expect((await api.post('/api/v1/fabric/preset', { preset })).status).toBe(200);
      const action = { target_system: 'crm', action_type: 'update', payload: { entity_id: 'c1', data: { preset } } };
      const { body } = await api.post('/api/v1/fabric/actions', action);
      const done = await ended(`/api/v1/fabric/actions/${String(body['id'])}`);
      expect(done).toMatchObject({ success: true, simulation: true, routed_plane_id: `${plane}_default` });
      expect(done['result']).toMatchObject({ provider: 'simulated' });
    }
    await expect.poll(async () => (await recordings('notice')).length, { timeout: 10_000 }).toBeGreaterThanOrEqual(6);
  });

  test('lets an agent fetch a page that is not there', async () => {
    const said = await api.post('/api/agents/cto/ask', { message: 'Fetch https://example.com/prices' });
    expect(said.body['message']).toContain('answered with 200');
    expect(await recordings('http_fetch')).toMatchObject([{ url: 'https://example.com/prices', method: 'GET' }]);
  });

  test('marks all that is told of it', async () => {
    const { body } = await api.get('/api/v1/aoa/audit?limit=100');
    const entries = body['items'] as { action: string; simulation: boolean }[];
    expect(entries.length).toBeGreaterThan(30);
    expect(entries.filter(({ simulation }) => !simulation)).toEqual([]);
  });

  test('says everywhere that it is one', async () => {
    expect(await (await fetch(`${server.url}/readiness`)).json()).toEqual({ status: 'healthy', simulation: true });
    expect((await api.get('/api/v1/simulation')).body).toEqual({ active: true, scenario: 'quiet', seed: 'silence' });
    expect((await api.get('/api/health')).body['components']).toMatchObject({
      simulation: { status: 'healthy', seed: 'silence' },
    });
    expect(server.said.out).toContain('SIMULATION: everything outside is simulated and nothing leaves');
    expect((await api.get('/api/v1/aoa/dashboard')).body).toMatchObject({
      simulation_active: true,
      simulation_scenario_id: 'quiet',
    });
  });

  test('meanwhile no connection but to its own database was made, nothing was sent and no name was asked for', async () => {
    const made = await server.connections();
    expect(made.length).toBeGreaterThan(0);
    expect(made.filter(({ type }) => type !== 'PIPECONNECTWRAP')).toEqual([]);
    expect(new Set(made.map(({ address }) => address?.replace(/\d+$/, '')))).toEqual(
      new Set([expect.stringMatching(/\.s\.PGSQL\.$/)]),
    );
    expect(outside.received).toEqual([]);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toMatch(/^aos_egress_connections_total\{verdict="refused"\} 0$/m);
  });
});

test('who watches sees what would leave', async () => {
  const file = join(folder, 'seen.ndjson');
  const watch = join(import.meta.dirname, '../fixtures/socket-watch.ts');
  const work = `const { connect } = await import('node:net');
    connect(9, 'localhost').on('error', () => {});
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp4');
    socket.send('x', 9, '127.0.0.1', () => socket.close());`;
  const { status } = spawnSync(process.execPath, ['--import', watch, '--input-type=module', '--eval', work], {
    env: { SOCKET_WATCH_FILE: file },
  });
  expect(status).toBe(0);
  const seen = await readFile(file, 'utf8');
  for (const type of ['GETADDRINFOREQWRAP', 'TCPCONNECTWRAP', 'UDPWRAP']) expect(seen).toContain(type);
});
