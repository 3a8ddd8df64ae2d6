import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { anyProxy, simulatedPlane } from '../support/fabric-run.ts';

let folder: string;
let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-fabric-'));
  const fabricFile = join(folder, 'fabric.json');
  const planes = { ipaas: simulatedPlane({ script: ['not_sent'] }), api_gateway: simulatedPlane({}, anyProxy) };
  await writeFile(fabricFile, JSON.stringify({ preset: 'ipaas', planes }));
  container = await startTestContainer({ runtime: { fabricFile } });
  api = createApiClient(container.url);
});
afterAll(async () => {
  await container[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function ended(path: string): Promise<JsonObject> {
  const look = async () => (await api.get(path)).body;
  await expect.poll(async () => (await look())['status'], { timeout: 10_000 }).toMatch(/^(completed|failed|dead)$/);
  return look();
}

describe('a container with planes', () => {
  it('does a fabric action as a task, and shows the plane that did it', async () => {
    const submitted = await api.post('/api/v1/aoa/tasks', {
      task_type: 'fabric_action',
      target_system: 'crm',
      action_type: 'update',
      payload: { entity_id: 'cust_1042', entity_type: 'customer', data: { tier: 'gold' } },
      agent_id: 'cmo',
    });
    expect(submitted.body).toMatchObject({
      primary_plane_id: 'ipaas_default',
      fabric_preset: 'preset_2_ipaas_first',
      fabric_context: { Primary_Plane_ID: 'ipaas_default', is_direct_allowed: false },
      routed_plane_id: null,
    });
    const id = String(submitted.body['id']);
    expect(await ended(`/api/v1/aoa/tasks/${id}`)).toMatchObject({
      status: 'completed',
      routed_plane_id: 'gateway_default',
      routed_action_id: id,
      result: { status: 'completed', fallback_from: ['ipaas_default'], execution_path: 'api_gateway' },
    });
    expect((await api.get(`/api/v1/fabric/actions/${id}`)).body).toMatchObject({
      status: 'completed',
      agent_id: 'cmo',
    });
  });

  it('takes actions, presets and planes over REST', async () => {
    const { status, headers, body } = await api.post('/api/v1/fabric/actions', {
      target_system: 'crm',
      action_type: 'read',
      entity_id: 'cust_1042',
    });
    expect([status, headers.get('location')]).toEqual([202, `/api/v1/fabric/actions/${String(body['id'])}`]);
    expect(await ended(`/api/v1/fabric/actions/${String(body['id'])}`)).toMatchObject({ status: 'completed' });
    expect((await api.get('/api/v1/fabric/planes')).body).toMatchObject({ total: 5 });
    expect((await api.get('/api/v1/fabric/routes?target_system=crm')).body).toMatchObject({ total: 9 });
    const missing = await api.post('/api/v1/fabric/preset', { preset: 'preset_4_event_bus_first' });
    expect([missing.status, missing.body]).toMatchObject([409, { code: 'PLANES_MISSING', missing: ['event_bus'] }]);
    const forced = await api.post('/api/v1/fabric/preset?force=true', { preset: 'preset_4_event_bus_first' });
    expect([forced.status, forced.body]).toMatchObject([200, { fabric_preset: 'preset_4_event_bus_first' }]);
    const back = { preset: String(forced.body['previous_preset']) };
    expect((await api.post('/api/v1/fabric/preset', back)).status).toBe(200);
    expect(await api.post('/api/v1/fabric/preset', { preset: 'nonsense' })).toMatchObject({
      status: 422,
      body: { code: 'UNKNOWN_PRESET' },
    });
    expect(await api.post('/api/v1/fabric/actions', { target_system: 'fax', action_type: 'read' })).toMatchObject({
      status: 422,
      body: { code: 'UNKNOWN_TARGET' },
    });
  });

  it('does not start with a file that has faults, and names them', async () => {
    const fabricFile = join(folder, 'faulty.json');
    await writeFile(fabricFile, JSON.stringify({ planes: { ipaas: { vendor: 'workato', mode: 'fax' } } }));
    await expect(startTestContainer({ runtime: { fabricFile } })).rejects.toThrow('planes.ipaas.mode');
  });
});
