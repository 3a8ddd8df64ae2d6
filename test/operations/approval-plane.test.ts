/** Over the real door: what people who are to allow an action see of the planes, while these are pulled and given back. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runtimeDefaults } from '../../src/config.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { anyProxy, anyTopic, simulatedPlane } from '../support/fabric-run.ts';

const policyFile = join(import.meta.dirname, '../../policies/refund.policy.json');
const DRILLS = '/api/v1/fabric/planes';
let folder: string;
let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-approval-plane-'));
  const fabricFile = join(folder, 'fabric.json');
  const planes = {
    ipaas: simulatedPlane(),
    api_gateway: simulatedPlane({}, anyProxy),
    event_bus: simulatedPlane({}, anyTopic),
  };
  await writeFile(fabricFile, JSON.stringify({ preset: 'ipaas', planes }));
  container = await startTestContainer({
    runtime: { fabricFile, governance: { ...runtimeDefaults.governance, enforced: true, policyFile } },
  });
  api = createApiClient(container.url);
});
afterEach(async () => {
  for (const plane of ['ipaas', 'api_gateway']) await api.call('DELETE', `${DRILLS}/${plane}/drill`);
});
afterAll(async () => {
  await container?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const pull = async (plane: string) =>
  (await api.post(`${DRILLS}/${plane}/drill`, { minutes: 10, reason: 'game day' })).body;

/** A refund that two people must allow. @returns the path of its approval */
async function asked(payload: JsonObject = {}): Promise<string> {
  const { body } = await api.post('/api/v1/aoa/tasks', {
    task_type: 'fabric_action',
    target_system: 'finance',
    action_type: 'execute',
    payload: { data: { amount: 250, currency: 'EUR' }, ...payload },
    max_retries: 0,
  });
  const list = `/api/v1/approvals?task_id=${String(body['id'])}`;
  const items = async () => (await api.get(list)).body['items'] as JsonObject[];
  await expect.poll(async () => (await items()).length, { timeout: 10_000 }).toBe(1);
  return `/api/v1/approvals/${String((await items())[0]?.['id'])}`;
}

const planeOf = async (approval: string) => (await api.get(approval)).body['plane'] as JsonObject;

describe('an approval of an action on a plane', () => {
  it('shows the plane that would take it, and what it falls back to', async () => {
    const approval = await asked();
    expect(await planeOf(approval)).toMatchObject({
      fabric_preset: 'preset_2_ipaas_first',
      target_system: 'finance',
      action_type: 'execute',
      outlook: 'goes',
      plane_id: 'ipaas_default',
      message: 'ipaas_default would take it; then gateway_default',
      planes: [
        { plane_id: 'ipaas_default', plane: 'ipaas', available: true, circuit: 'closed', drill: null },
        { plane_id: 'gateway_default', plane: 'api_gateway', available: true, circuit: 'closed', drill: null },
      ],
    });
  });

  it('shows a drill from the moment it is on: who pulled the plane, until when, and what is left', async () => {
    const approval = await asked();
    const drill = await pull('ipaas');
    const until = String(drill['until']);
    expect(await planeOf(approval)).toMatchObject({
      outlook: 'goes',
      plane_id: 'gateway_default',
      message: `gateway_default would take it, past ipaas_default (drill of operator until ${until}); no other is left`,
      planes: [
        { plane_id: 'ipaas_default', available: false, health_status: 'down', health_detail: 'DRILL', drill },
        { plane_id: 'gateway_default', available: true, drill: null },
      ],
    });
    const { items } = (await api.get('/api/v1/agents/approvals/pending')).body as { items: JsonObject[] };
    const same = items.find(({ id }) => approval.endsWith(String(id)));
    expect(same?.['plane']).toMatchObject({ plane_id: 'gateway_default' });
    await api.call('DELETE', `${DRILLS}/ipaas/drill`);
    expect(await planeOf(approval)).toMatchObject({ plane_id: 'ipaas_default' });
  });

  it('says that its run would wait when no plane is left; the run that waits names the planes and until when', async () => {
    const approval = await asked({ on_unavailable: 'wait', wait_seconds: 3600 });
    const drills = [await pull('ipaas'), await pull('api_gateway')];
    expect(await planeOf(approval)).toMatchObject({
      outlook: 'waits',
      plane_id: null,
      message: expect.stringMatching(/^no plane can carry finance:execute now \(.*\): its run would wait for one$/),
      planes: [{ available: false }, { available: false }],
    });
    await api.post(`${approval}/approve`, { by: 'ann' });
    const { body } = await api.post(`${approval}/approve`, { by: 'bob' });
    expect(body).toMatchObject({ status: 'approved', plane: null });
    const run = `/api/v1/aoa/runs/${String(body['run_id'])}`;
    await expect
      .poll(async () => (await api.get(run)).body, { timeout: 10_000 })
      .toMatchObject({
        status: 'waiting',
        waiting_for: 'plane',
        waits: [
          {
            reason: 'plane',
            until: expect.any(String),
            detail: {
              message: 'no plane can carry finance:execute now: ipaas_default, gateway_default are down',
              planes: [
                { plane_id: 'ipaas_default', drill_until: drills[0]?.['until'] },
                { plane_id: 'gateway_default', drill_until: drills[1]?.['until'] },
              ],
              gives_up_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
            },
          },
        ],
      });
    await api.call('DELETE', `${DRILLS}/api_gateway/drill`);
    await expect.poll(async () => (await api.get(run)).body['status'], { timeout: 10_000 }).toBe('completed');
  });

  it('keeps to the plane that a task names, and says that it would fail without it', async () => {
    const approval = await asked({ plane: 'api_gateway' });
    expect(await planeOf(approval)).toMatchObject({
      plane_id: 'gateway_default',
      message: 'gateway_default would take it; no other is left',
    });
    await pull('api_gateway');
    expect(await planeOf(approval)).toMatchObject({
      outlook: 'fails',
      plane_id: null,
      message: expect.stringContaining('it would fail, to be tried again later'),
    });
  });

  it('goes by the preset of the moment, and says so when there is no way at all', async () => {
    const approval = await asked();
    await api.post('/api/v1/fabric/preset', { preset: 'preset_4_event_bus_first' });
    expect(await planeOf(approval)).toMatchObject({
      fabric_preset: 'preset_4_event_bus_first',
      plane_id: 'eventbus_default',
      message: 'eventbus_default would take it; then ipaas_default',
    });
    await api.post('/api/v1/fabric/preset', { preset: 'preset_5_data_warehouse_first', force: true });
    const elsewhere = await asked({ plane: 'event_bus' });
    expect(await planeOf(elsewhere)).toMatchObject({
      outlook: 'fails',
      plane_id: null,
      message: expect.stringContaining('there is no route for finance:execute'),
      planes: [],
    });
    await api.post('/api/v1/fabric/preset', { preset: 'preset_2_ipaas_first' });
  });
});
