/** What an agent has done on a plane, and how somebody says what became of it, over the REST door of a whole container. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newUuid } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { simulatedPlane } from '../support/fabric-run.ts';

const RUNS = '/api/v1/aoa/runs';
let folder: string;
let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-settle-'));
  const fabricFile = join(folder, 'fabric.json');
  // The first four actions are done, and nobody hears of it; the plane does not honour our key and tells nothing.
  const script = ['ambiguous', 'ambiguous', 'ambiguous', 'ambiguous'];
  const ipaas = simulatedPlane({ script, dedupes: false, tells: false });
  await writeFile(fabricFile, JSON.stringify({ preset: 'ipaas', planes: { ipaas } }));
  container = await startTestContainer({ runtime: { fabricFile } });
  api = createApiClient(container.url);
  await api.post('/api/agents/register', { agent_id: 'support', purpose: 'Refunds', tools: ['fabric_action'] });
});
afterAll(async () => {
  await container?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function asked(message: string): Promise<string> {
  const id = newUuid();
  const response = await fetch(`${container.url}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-agent-invocation-id': id },
    body: JSON.stringify({ message, agent_id: 'support', background: true }),
  });
  expect(response.status, await response.text()).toBe(202);
  return id;
}

async function until(id: string, status: string): Promise<JsonObject> {
  const look = async () => (await api.get(`${RUNS}/${id}`)).body;
  await expect.poll(async () => (await look())['status'], { timeout: 10_000 }).toBe(status);
  return look();
}

const WAIT = 'chat/1/tool-1/fabric_action/settle-1';

describe('a run whose agent acts on a plane', () => {
  test('waits while nobody knows what became of it, and goes on when somebody says that it was done', async () => {
    const id = await asked('Please refund 80 EUR to cust_1042 for order 7781');
    const run = await until(id, 'waiting');
    expect(run).toMatchObject({
      waiting_for: 'unknown_outcome',
      waits: [{ name: WAIT, reason: 'unknown_outcome', detail: { plane_id: 'ipaas_default' } }],
    });
    const byHand = await api.post(`${RUNS}/${id}/signals`, { name: WAIT, payload: { outcome: 'completed' } });
    expect([byHand.status, byHand.body['code']]).toEqual([422, 'RESERVED_SIGNAL']);
    const settled = await api.post(`${RUNS}/${id}/settle`, { outcome: 'completed', note: 'seen', external_id: 'r-1' });
    expect([settled.status, settled.body]).toEqual([202, { run_id: id, wait: WAIT, outcome: 'completed' }]);
    const { result } = await until(id, 'completed');
    expect(JSON.stringify(result)).toContain('The refund is completed: ipaas_default took it');
    const { body: actions } = await api.get('/api/v1/fabric/actions?target_system=finance');
    expect(actions['items']).toMatchObject([
      { status: 'completed', run_id: id, agent_id: 'support', result: { external_id: 'r-1' } },
    ]);
    const { body: log } = await api.get(`/api/v1/aoa/audit?action=OUTCOME_SETTLED&run_id=${id}`);
    expect(log['items']).toMatchObject([{ run_id: id, outcome: 'success', details: { wait: WAIT } }]);
  });

  test('does it again when somebody says that it was not done', async () => {
    const id = await asked('Refund 80 EUR to cust_1042');
    await until(id, 'waiting');
    await api.post(`${RUNS}/${id}/settle`, { outcome: 'not_done' });
    // The answer is lost once more.
    await expect
      .poll(async () => JSON.stringify((await api.get(`${RUNS}/${id}`)).body['waits']), { timeout: 10_000 })
      .toContain('settle-2');
    await api.post(`${RUNS}/${id}/settle`, { outcome: 'failed', note: 'the account is closed' });
    const { result } = await until(id, 'completed');
    expect(JSON.stringify(result)).toContain('I could not use fabric_action');
  });

  test('can be settled once, and only while it waits for that', async () => {
    const id = await asked('Refund 80 EUR to cust_1042');
    await until(id, 'waiting');
    const named = await api.post(`${RUNS}/${id}/settle`, { outcome: 'completed', wait: 'another/settle' });
    expect(named).toMatchObject({ status: 409, body: { code: 'WHICH_OUTCOME', waits: [WAIT] } });
    await api.post(`${RUNS}/${id}/settle`, { outcome: 'completed' });
    await until(id, 'completed');
    const late = await api.post(`${RUNS}/${id}/settle`, { outcome: 'failed' });
    expect(late.status).toBe(409);
    expect((await api.post(`${RUNS}/nobody/settle`, { outcome: 'failed' })).body['code']).toBe('RUN_NOT_FOUND');
  });

  test('says what took it when nothing went wrong', async () => {
    const id = await asked('refund 1,250.50 EUR to cust_7 for order 12');
    const { result } = await until(id, 'completed');
    expect(JSON.stringify(result)).toContain('The refund is completed: ipaas_default took it.');
    const { body } = await api.get('/api/v1/fabric/actions?target_system=finance&status=completed');
    expect((body['items'] as JsonObject[])[0]).toMatchObject({
      payload: { entity_id: 'cust_7', data: { amount: 1250.5, currency: 'EUR', order: '12' } },
    });
  });
});
