import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  container = await startTestContainer();
  api = createApiClient(container.url);
});
afterAll(() => container?.[Symbol.asyncDispose]());

const idsOf = (body: JsonObject) => (body['agents'] as JsonObject[]).map((agent) => agent['agent_id']);

describe('the catalogue', () => {
  test('is the same for both of its addresses', async () => {
    const realm = await api.get('/api/realm/agents');
    expect(idsOf(realm.body)).toEqual(expect.arrayContaining(['ceo', 'cfo', 'cmo', 'coo', 'cto', 'chro', 'cso']));
    expect((await api.get('/api/agents')).body).toEqual(realm.body);
  });

  test('is filtered by exact type', async () => {
    const { body } = await api.get('/api/realm/agents?agent_type=CMOAgent');
    expect(idsOf(body)).toEqual(['cmo']);
    expect(idsOf((await api.get('/api/realm/agents?agent_type=cmoagent')).body)).toEqual([]);
  });

  test('gives one agent, or says in the words of the original that it is not there', async () => {
    expect((await api.get('/api/realm/agents/ceo')).body).toMatchObject({ agent_id: 'ceo', enabled: true });
    expect((await api.get('/api/agents/ceo')).status).toBe(200);
    const { status, body } = await api.get('/api/realm/agents/cxo');
    expect([status, body['error']]).toEqual([404, "Agent 'cxo' not found"]);
  });

  test('is given whole, as its file is', async () => {
    expect(idsOf((await api.get('/api/realm/config')).body)).toContain('ceo');
  });
});

describe('an agent that is registered', () => {
  const tenant = { 'x-tenant-id': 'acme' };
  const auditor = { agent_id: 'auditor', purpose: 'Find what does not add up', capabilities: ['audit'] };

  test('is in the catalogue of its tenant and takes part at once', async () => {
    const { status, body } = await api.post('/api/agents/register', auditor, tenant);
    expect(status).toBe(200);
    expect(body).toMatchObject({ ...auditor, model: 'gpt-4o', foundry_agent_id: null, managed_by: 'aos-agent-server' });
    expect(idsOf((await api.get('/api/agents', tenant)).body)).toContain('auditor');
    expect(idsOf((await api.get('/api/agents')).body)).not.toContain('auditor');
    const asked = await api.post('/api/agents/auditor/ask', { message: 'What do you do?' }, tenant);
    expect(asked.body['message']).toMatch(/./);
    const work = { agent_ids: ['auditor', 'ceo'], task: { type: 'audit' } };
    expect((await api.post('/api/orchestrations', work, tenant)).status).toBe(202);
  });

  test('is changed by whoever registered it, and by nobody else', async () => {
    await api.post('/api/agents/register', auditor, tenant);
    const { body } = await api.post('/api/agents/register', { ...auditor, purpose: 'Look twice' }, tenant);
    expect(body['purpose']).toBe('Look twice');
    expect((await api.get('/api/agents/auditor', tenant)).body['purpose']).toBe('Look twice');
    expect((await api.post('/api/agents/register', { agent_id: 'ceo' })).body['code']).toBe('AGENT_EXISTS');
  });

  test('is its tenant’s alone: another one may have an agent of that id, and cannot use this one', async () => {
    const [acme, globex] = [tenant, { 'x-tenant-id': 'globex' }];
    await api.post('/api/agents/register', { ...auditor, agent_id: 'sage', purpose: 'Say what acme knows' }, acme);
    const work = (agentId: string) =>
      api.post('/api/orchestrations', { agent_ids: [agentId], task: { type: 'audit' } }, globex);
    expect((await work('sage')).body).toMatchObject({ code: 'UNKNOWN_AGENTS' });
    expect(JSON.stringify((await work('nobody')).body)).not.toMatch(/sage|auditor/);
    const task = { task_id: 'asks-sage', task_type: 'agent_run', agent_id: 'sage', payload: { input: 'Hello' } };
    expect((await api.post('/api/v1/aoa/tasks', task, globex)).status).toBe(202);
    await expect
      .poll(async () => (await api.get('/api/v1/aoa/tasks/asks-sage', globex)).body, { timeout: 20_000 })
      .toMatchObject({ status: 'failed', last_error: expect.not.stringContaining('auditor') });

    const own = { ...auditor, agent_id: 'sage', purpose: 'Say what globex knows' };
    expect((await api.post('/api/agents/register', own, globex)).status).toBe(200);
    const purposeFor = async (who: typeof acme) => (await api.get('/api/agents/sage', who)).body['purpose'];
    expect([await purposeFor(acme), await purposeFor(globex)]).toEqual([
      'Say what acme knows',
      'Say what globex knows',
    ]);
    expect((await work('sage')).status).toBe(202);
  });

  test('is there after a restart, and in another process', async () => {
    await api.post('/api/agents/register', { agent_id: 'keeper' });
    await using other = await startTestContainer({ databaseUrl: container.databaseUrl });
    const otherApi = createApiClient(other.url);
    expect((await otherApi.get('/api/agents/keeper')).status).toBe(200);
    await otherApi.post('/api/agents/register', { agent_id: 'latecomer' });
    await expect.poll(async () => (await api.get('/api/agents/latecomer')).status).toBe(200);
  });

  test('needs an id', async () => {
    const { status, body } = await api.post('/api/agents/register', { purpose: 'x' });
    expect([status, body['error']]).toEqual([400, expect.stringContaining('"agent_id" is missing')]);
  });
});

describe('an agent that is asked', () => {
  test('really answers, by a run like any other, and goes on with a session', async () => {
    const first = await api.post('/api/agents/cfo/ask', {
      message: 'Our revenue is 4200000.',
      context: { year: 2026 },
    });
    expect(first.body).toMatchObject({ agent_id: 'cfo', context: { year: 2026 }, simulated: true });
    const run = await fetch(`${container.url}/invocations/${first.body['invocation_id']}`);
    expect(await run.json()).toMatchObject({ kind: 'chat', status: 'completed' });
    const message = 'What is our revenue?';
    const second = await api.post('/api/agents/cfo/ask', { message, session_id: String(first.body['session_id']) });
    expect(second.body['session_id']).toBe(first.body['session_id']);
  });

  test('must be there, and be asked something', async () => {
    expect((await api.post('/api/agents/cxo/ask', { message: 'x' })).status).toBe(404);
    expect((await api.post('/api/agents/cfo/ask', { message: ' ' })).status).toBe(400);
  });

  test('can be sent anything, without waiting', async () => {
    const { status, body } = await api.post('/api/agents/cfo/send', { message: 'The numbers are in.', urgent: true });
    expect([status, body['status']]).toEqual([202, 'sent']);
    expect((await api.post('/api/agents/cfo/send', { anything: [1, 2] })).status).toBe(202);
  });

  test('gets a message by itself or within an orchestration', async () => {
    const alone = await api.post('/api/agents/cfo/message', { message: 'Hello' });
    expect(alone.body).toMatchObject({ content: 'Hello', status: 'sent', orchestration_id: null });
    const { body } = await api.post('/api/orchestrations', { agent_ids: ['cfo'], purpose: 'Save' });
    const id = String(body['orchestration_id']);
    const within = await api.post('/api/agents/cfo/message', { message: 'Hello', orchestration_id: id });
    expect(within.body).toMatchObject({ status: 'delivered', orchestration_id: id });
    await api.post(`/api/orchestrations/${id}/cancel`);
    const late = await api.post('/api/agents/cfo/message', { message: 'Hello', orchestration_id: id });
    expect([late.status, late.body['code']]).toEqual([409, 'ORCHESTRATION_TERMINAL']);
    expect((await api.post('/api/agents/cfo/message', { message: 'x', orchestration_id: 'nope' })).status).toBe(404);
  });
});

describe('a client program', () => {
  test('is registered, found and forgotten', async () => {
    const { status, body } = await api.post('/api/apps/register', { app_name: 'infinity', workflows: ['review'] });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      app_name: 'infinity',
      workflows: ['review'],
      request_queue: 'aos-orchestration-requests',
      result_topic: 'aos-orchestration-results',
      result_subscription: 'infinity',
      status: 'provisioned',
      service_bus_connection_string: null,
    });
    expect((await api.get('/api/apps/infinity')).body).toEqual(body);
    expect((await api.get('/api/apps/infinity/status')).body).toEqual(body);
    expect((await api.get('/api/apps')).body['apps']).toEqual([body]);
    expect((await api.get('/api/apps/infinity', { 'x-tenant-id': 'acme' })).status).toBe(404);
    expect((await api.get('/api/health')).body['registered_apps']).toEqual(['infinity']);
    expect((await api.call('DELETE', '/api/apps/infinity')).status).toBe(204);
    const gone = await api.get('/api/apps/infinity');
    expect([gone.status, gone.body['error']]).toEqual([404, "App 'infinity' not registered"]);
    expect((await api.call('DELETE', '/api/apps/infinity')).status).toBe(404);
  });

  test('keeps its id when it registers again', async () => {
    const first = await api.post('/api/apps/register', { app_name: 'again' });
    const second = await api.post('/api/apps/register', { app_name: 'again', workflows: [{ name: 'w' }] });
    expect(second.body).toMatchObject({ app_id: first.body['app_id'], workflows: ['w'] });
  });
});

describe('MCP servers', () => {
  test('are none, and nothing pretends otherwise', async () => {
    expect((await api.get('/api/mcp/servers')).body).toEqual({ servers: [] });
    const { status, body } = await api.get('/api/mcp/servers/erp/status');
    expect([status, body['error']]).toEqual([404, "MCP server 'erp' not configured"]);
    expect((await api.post('/api/mcp/servers/erp/tools/read', { a: 1 })).status).toBe(404);
  });
});

describe('health', () => {
  test('is the worst of the parts, with what both originals tell', async () => {
    const { status, body } = await api.get('/api/health');
    expect(status).toBe(200);
    expect(body).toMatchObject({ app: 'aos-agent-server', status: 'healthy', agents_enabled: expect.any(Number) });
    expect(body['components']).toMatchObject({ storage: { status: 'healthy' }, engine: { status: 'healthy' } });
    const runtime = await api.get('/api/v1/aoa/health');
    expect(runtime.body).toMatchObject({ status: 'healthy', runtime_id: expect.stringMatching(/^aoa-runtime-/) });
  });
});
