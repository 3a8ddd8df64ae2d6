import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';

let container: TestContainer;
let api: ApiClient;
let receiver: Receiver;
const ann = { 'x-tenant-id': 'acme', 'x-agent-user-id': 'ann' };
const eve = { 'x-tenant-id': 'acme', 'x-agent-user-id': 'eve' };
const other = { 'x-tenant-id': 'other', 'x-agent-user-id': 'ann' };

beforeAll(async () => {
  receiver = await startReceiver();
  container = await startTestContainer({
    runtime: { allowPrivateCallbacks: true, delegation: { maxDepth: 5, push: true } },
  });
  api = createApiClient(container.url);
});
afterAll(async () => {
  await container?.[Symbol.asyncDispose]();
  await receiver?.close();
});

const register = (id: string, card: JsonObject = {}, headers = ann) =>
  api.post(`/api/v1/a2a/agents/${id}/register`, card, headers);
const discover = async (filter: JsonObject, headers = ann) =>
  ((await api.post('/api/v1/a2a/discover', filter, headers)).body['agents'] as JsonObject[]).map(({ id }) => id);

describe('a card', () => {
  test('of an agent of this server is made of the catalogue', async () => {
    const { status, body } = await api.get('/api/v1/a2a/agents/ceo/.well-known/agent.json');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: 'ceo',
      tenant_id: 'default',
      agent_type: 'orchestrator',
      protocol_version: '1.1',
      trust_level: 100,
      health_status: 'healthy',
      max_concurrent_tasks: 10,
      max_context_tokens: 100_000,
      supported_languages: ['en'],
      well_known_path: '/.well-known/agent.json',
    });
    expect((body['capabilities'] as JsonObject[]).map(({ id }) => id)).toEqual(
      expect.arrayContaining(['execute', 'query']),
    );
  });

  test('that is registered has the usual where it says nothing, and tells no secrets', async () => {
    const endpoint = {
      url: 'https://bot.example.com/a2a',
      auth_scheme: 'API_KEY',
      auth_config: { key: 'hidden-value' },
    };
    const { status, body } = await register('bot', { primary_endpoint: endpoint, role: 'ANALYST' });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      name: 'bot',
      version: '1.0.0',
      agent_type: 'general',
      role: 'analyst',
      primary_endpoint: { protocol: 'https', auth_scheme: 'api_key', health_check_path: '/health' },
      capabilities: [{ id: 'execute' }, { id: 'query' }],
      can_delegate: true,
      can_accept_delegation: true,
    });
    const shown = await api.get('/api/v1/a2a/agents/bot/.well-known/agent.json', { 'x-tenant-id': 'acme' });
    expect(JSON.stringify([body, shown.body])).not.toContain('hidden-value');
  });

  test('is somebody’s: others neither replace it nor take it out, and in another tenant it is not there', async () => {
    await register('mine', { trust_level: 1 });
    expect(await register('mine', {}, eve)).toMatchObject({ status: 409, body: { code: 'AGENT_EXISTS' } });
    for (const headers of [eve, other]) {
      expect((await api.call('DELETE', '/api/v1/a2a/agents/mine/register', { headers })).status).toBe(404);
    }
    expect((await api.get('/api/v1/a2a/agents/mine/.well-known/agent.json', other)).status).toBe(404);
    expect((await register('mine', { trust_level: 9 }, other)).body).toMatchObject({ tenant_id: 'other' });
    expect((await register('mine', { trust_level: 2 })).body).toMatchObject({ trust_level: 2 });
    const gone = await api.call('DELETE', '/api/v1/a2a/agents/mine/register', { headers: ann });
    expect(gone.body).toEqual({ agent_id: 'mine', unregistered: true });
    expect((await api.get('/api/v1/a2a/agents/mine/.well-known/agent.json', ann)).status).toBe(404);
    expect((await api.get('/api/v1/a2a/agents/mine/.well-known/agent.json', other)).status).toBe(200);
  });

  test('of an agent of this server is changed by the operator alone, who still does not run it', async () => {
    expect(await register('cmo', {}, ann)).toMatchObject({ status: 403, body: { code: 'AGENT_OF_SERVER' } });
    const operator = { 'x-tenant-id': 'quiet' };
    await register('cmo', { can_accept_delegation: false }, operator as typeof ann);
    const asked = { to_agent: 'cmo', input: 'Anything.' };
    const refused = await api.post('/api/v1/a2a/agents/ceo/delegate', asked, operator);
    expect(refused).toMatchObject({ status: 422, body: { code: 'NOT_DELEGABLE' } });
    await api.call('DELETE', '/api/v1/a2a/agents/cmo/register', { headers: operator });
    expect((await api.post('/api/v1/a2a/agents/ceo/delegate', asked, operator)).status).toBe(202);
  });
});

describe('discovery', () => {
  test('finds by everything that is asked for, in the own tenant alone', async () => {
    const shared = { agent_type: 'worker', tags: ['field'] };
    await register('plough', { ...shared, capabilities: ['till'], trust_level: 20 });
    await register('rain', { ...shared, capabilities: ['water'], trust_level: 95 });
    await register('rain-too', { ...shared, capabilities: ['water', 'till'], trust_level: 30 }, other);
    expect(await discover({ capability_ids: ['till'], agent_types: ['WORKER'] })).toEqual(['plough']);
    expect(await discover({ capability_ids: ['till'], capability_tags: ['field'], min_trust_level: 21 })).toEqual([]);
    expect(await discover({ capability_tags: ['field'] })).toEqual(['rain', 'plough']);
    expect(await discover({ tenant_id: 'other', capability_tags: ['field'] })).toEqual([]);
    const { body: tagged } = await api.get('/api/v1/a2a/discover/by-tag/field?limit=1', ann);
    expect(tagged).toMatchObject({ total: 2, has_more: true, agents: [{ id: 'rain' }] });
    const { body: able } = await api.get('/api/v1/a2a/discover/by-capability/water?min_trust=96', ann);
    expect(able).toMatchObject({ total: 0, has_more: false, agents: [] });
    const { body: stats } = await api.get('/api/v1/a2a/stats/discovery', ann);
    expect(stats).toMatchObject({
      tenant_id: 'acme',
      by_type: { worker: 2 },
      by_tag: { field: 2 },
      by_capability: { water: 1 },
    });
  });
});

describe('an agent with an address', () => {
  test.each([
    [200, 'healthy'],
    [204, 'degraded'],
    [404, 'degraded'],
    [500, 'unhealthy'],
  ])('that answers %i is %s', async (status, health) => {
    receiver.answer = (response) => void response.writeHead(status).end();
    await register('far', { primary_endpoint: { url: `${receiver.url}/far`, health_check_path: 'how' } });
    const { body } = await api.post('/api/v1/a2a/agents/far/probe', {}, ann);
    expect(body).toMatchObject({ health_status: health, last_health_check: expect.any(String) });
    expect(receiver.received.at(-1)?.path).toBe('/far/how');
  });

  test('that is not well is not found, nor chosen, and is asked again by itself', async () => {
    receiver.answer = (response) => void response.writeHead(503).end();
    await register('ill', { primary_endpoint: { url: receiver.url }, capabilities: ['heal'] });
    const card = () => api.get('/api/v1/a2a/agents/ill/.well-known/agent.json', ann);
    await expect.poll(async () => (await card()).body['health_status'], { timeout: 20_000 }).toBe('unhealthy');
    expect(await discover({ capability_ids: ['heal'] })).toEqual([]);
    expect(await discover({ capability_ids: ['heal'], exclude_unhealthy: false })).toEqual(['ill']);
    const nobody = await api.post('/api/v1/a2a/agents/bot/delegate', { input: 'Heal.', capability_id: 'heal' }, ann);
    expect(nobody).toMatchObject({ status: 422, body: { code: 'NOT_DELEGABLE' } });
  });

  test('is brought its messages there, where the server is told to', async () => {
    receiver.answer = (response) => void response.writeHead(200).end();
    await register('far', { primary_endpoint: { url: `${receiver.url}/far` } });
    await register('bot');
    const { body } = await api.post('/api/v1/a2a/agents/bot/delegate', { to_agent: 'far', input: 'Look.' }, ann);
    const brought = () => receiver.received.find(({ headers }) => headers['x-aos-message-type'] === 'a2a_message');
    await expect.poll(brought, { timeout: 20_000 }).toBeDefined();
    expect(JSON.parse(brought()?.body ?? '')).toMatchObject({
      type: 'delegate',
      id: body['message_id'],
      payload: { input: 'Look.' },
      protocol_version: '1.1',
    });
  });
});
