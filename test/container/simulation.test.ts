import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-simulation-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function simulate(scenario: JsonObject, seed?: string) {
  const file = join(folder, `${Math.random()}.json`);
  await writeFile(file, JSON.stringify(scenario));
  const container = await startTestContainer({ simulation: { file, seed } });
  return { container, api: createApiClient(container.url), [Symbol.asyncDispose]: container[Symbol.asyncDispose] };
}

const update = { target_system: 'crm', action_type: 'update', payload: { entity_id: 'c1', data: { tier: 'gold' } } };

async function act(api: ApiClient, change: JsonObject = {}): Promise<string> {
  return String((await api.post('/api/v1/fabric/actions', { ...update, ...change })).body['id']);
}

const actionIs = async (api: ApiClient, id: string, status: RegExp | string) => {
  const look = async () => (await api.get(`/api/v1/fabric/actions/${id}`)).body;
  await expect.poll(async () => (await look())['status'], { timeout: 15_000 }).toMatch(status);
  return look();
};

describe('the faults of a scenario', () => {
  it('an outcome that nobody knows has the run wait for somebody who does', async () => {
    await using simulated = await simulate({
      planes: { ipaas: { script: ['ambiguous'], tells: false, dedupes: false } },
    });
    const id = await act(simulated.api);
    expect(await actionIs(simulated.api, id, 'unknown')).toMatchObject({ waiting_for: 'unknown_outcome' });
    await simulated.api.post(`/api/v1/fabric/actions/${id}/settle`, { outcome: 'completed', note: 'seen in the CRM' });
    expect(await actionIs(simulated.api, id, 'completed')).toMatchObject({ simulation: true });
  });

  it('an outage has the action take the next plane', async () => {
    await using simulated = await simulate({ planes: { ipaas: { outages: [[0, 3_600_000]] } } });
    expect(await actionIs(simulated.api, await act(simulated.api), 'completed')).toMatchObject({
      routed_plane_id: 'gateway_default',
      fallback_from: ['ipaas_default'],
    });
  });

  it('where every plane is out the task is tried again later', async () => {
    await using simulated = await simulate({ planes: { '*': { outages: [[0, 3_600_000]] } } });
    const id = await act(simulated.api);
    const task = async () => (await simulated.api.get(`/api/v1/aoa/tasks/${id}`)).body;
    await expect.poll(async () => (await task())['last_error'], { timeout: 15_000 }).not.toBeNull();
    expect(await task()).toMatchObject({ status: expect.stringMatching(/^(retrying|processing|pending)$/) });
  });

  it('a model that is busy is asked again', async () => {
    await using simulated = await simulate({ model: { script: ['busy', 'broken_off'] } });
    const said = await simulated.api.post('/api/agents/cfo/ask', { message: 'What is 17 * 23?' });
    expect(said.body['message']).toContain('391');
  });
});

describe('the same seed', () => {
  /** What a scenario of chances does to work, without what differs in every run: ids and times. */
  async function day(seed: string): Promise<unknown> {
    const chancy = { latency_ms: [0, 3], error_rate: 0.5, error: 'unavailable' };
    await using simulated = await simulate({ planes: { '*': chancy }, model: { latency_ms: [0, 3] } }, seed);
    const { api } = simulated;
    const outcomes: unknown[] = [];
    for (let nth = 0; nth < 6; nth++) {
      const payload = { entity_id: `c${nth}`, data: { nth } };
      const done = await actionIs(api, await act(api, { payload }), /^(completed|failed)$/);
      outcomes.push([done['routed_plane_id'], done['fallback_from'], done['attempts']]);
    }
    const said = await api.post('/api/agents/cmo/ask', {
      message: 'Our revenue is 4,200,000 and costs are 3,900,000.',
    });
    return { outcomes, said: said.body['message'] };
  }

  it('is the same day, and another seed another one', async () => {
    const [first, again, other] = [await day('one'), await day('one'), await day('two')];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  }, 60_000);
});

describe('a database', () => {
  it('of simulations takes no real work, and one of real work no simulation', async () => {
    await using simulated = await simulate({});
    await expect(startTestContainer({ databaseUrl: simulated.container.databaseUrl })).rejects.toThrow(
      'the database is one of simulations',
    );
    await using live = await startTestContainer();
    const asked = { databaseUrl: live.databaseUrl, simulation: { file: undefined, seed: undefined } };
    await expect(startTestContainer(asked)).rejects.toThrow('the database holds real work');
  });
});

describe('single work on a live server', () => {
  let receiver: Receiver;
  let container: TestContainer;
  let api: ApiClient;
  beforeAll(async () => {
    receiver = await startReceiver();
    const fabricFile = join(folder, 'live.json');
    const direct = {
      vendor: 'http',
      base_url: receiver.url,
      allow_addresses: ['127.0.0.0/8'],
      bindings: { '*:*': { path: '/x/{id}' } },
    };
    await writeFile(fabricFile, JSON.stringify({ preset: 'scrappy', planes: { direct } }));
    container = await startTestContainer({ runtime: { fabricFile, allowPrivateCallbacks: true } });
    api = createApiClient(container.url);
  });
  afterAll(async () => {
    await container?.[Symbol.asyncDispose]();
    await receiver.close();
  });

  it('leaves nothing: its action takes the simulator, its callback is recorded, its entries are marked', async () => {
    const id = await act(api, { simulation: true });
    expect(await actionIs(api, id, 'completed')).toMatchObject({ simulation: true });
    const submitted = await api.post('/api/orchestrations', {
      agent_ids: ['ceo', 'cfo'],
      task: { type: 'review', data: {} },
      callback_url: `${receiver.url}/done`,
      simulation: true,
    });
    const run = String(submitted.body['orchestration_id']);
    expect(submitted.body).toMatchObject({ simulation: true });
    const recorded = async () => (await api.get('/api/v1/simulation/recordings')).body['items'];
    await expect.poll(recorded, { timeout: 15_000 }).toMatchObject([{ kind: 'callback', subject: run }]);
    expect(receiver.received.filter(({ path }) => path === '/done' || path.startsWith('/x/'))).toEqual([]);
    const { body } = await api.get(`/api/v1/aoa/audit?run_id=${run}`);
    const entries = body['items'] as JsonObject[];
    expect(entries.length).toBeGreaterThan(2);
    expect(entries.every(({ simulation }) => simulation === true)).toBe(true);
  });

  it('beside which other work is as real as ever', async () => {
    const submitted = await api.post('/api/orchestrations', {
      agent_ids: ['ceo'],
      task: { type: 'review', data: {} },
      callback_url: `${receiver.url}/real`,
    });
    expect(submitted.body).toMatchObject({ simulation: false });
    const heard = () => receiver.received.map(({ path }) => path);
    await expect.poll(heard, { timeout: 15_000 }).toContain('/real');
  });
});
