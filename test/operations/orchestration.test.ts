import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newUuid } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

const TASK = { type: 'strategic_review', data: { quarter: 'Q1-2026' } };

let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  container = await startTestContainer();
  api = createApiClient(container.url);
});
afterAll(() => container?.[Symbol.asyncDispose]());

const submit = (body: JsonObject = {}) =>
  api.post('/api/orchestrations', { agent_ids: ['ceo', 'cfo'], task: TASK, ...body });

/** The status once it is one of `words`. */
async function until(id: unknown, ...words: string[]): Promise<JsonObject> {
  for (let after: unknown = 0; ; ) {
    const { body } = await api.get(`/api/orchestrations/${id}`);
    if (words.includes(String(body['status']))) return body;
    const { body: news } = await api.get(`/api/orchestrations/${id}/updates?after=${after}&wait=5`);
    after = news['next_after'];
  }
}

describe('finite work', () => {
  test('is accepted, goes on by itself and has a result', async () => {
    const { status, body, headers } = await submit({ workflow: 'collaborative' });
    const id = body['orchestration_id'];
    expect([status, headers.get('location')]).toEqual([202, `/api/orchestrations/${id}`]);
    expect(body).toMatchObject({ kind: 'finite', workflow: 'collaborative', error: null, agent_ids: ['ceo', 'cfo'] });
    expect(['pending', 'running']).toContain(body['status']);

    expect(await until(id, 'completed')).toMatchObject({ progress: 1, error: null });
    const { body: result } = await api.get(`/api/orchestrations/${id}/result`);
    expect(result).toMatchObject({ orchestration_id: id, status: 'completed', summary: expect.stringMatching(/./) });
    expect(Object.keys(result['results'] as object)).toEqual(['ceo', 'cfo']);
    expect(result['duration_seconds']).toBeGreaterThan(0);
  });

  test('sent again under its id is the same, and other work is a conflict', async () => {
    const id = newUuid();
    await submit({ orchestration_id: id, callback_url: null });
    expect((await submit({ orchestration_id: id })).body['orchestration_id']).toBe(id);
    const other = await submit({ orchestration_id: id, agent_ids: ['cmo'] });
    expect([other.status, other.body['code']]).toEqual([409, 'CONFLICT']);
  });

  test.each<[string, JsonObject, RegExp]>([
    ['no agents', { agent_ids: [] }, /agent_ids must be a non-empty list/],
    ['agents that are not a list', { agent_ids: 'ceo' }, /"agent_ids": expected a list/],
    ['an agent nobody knows', { agent_ids: ['ceo', 'cxo'] }, /no agent "cxo"/],
    ['a workflow nobody knows', { workflow: 'collaborativ' }, /did you mean "collaborative"/],
    ['neither task nor purpose', { task: null }, /needs a task .* or a purpose/],
    [
      'an MCP server that is not configured',
      { mcp_servers: { ceo: [{ server_name: 'erp' }] } },
      /'erp' not configured/,
    ],
    ['a callback to nowhere', { callback_url: 'ftp://x' }, /callback_url/],
    ['an id that cannot be one', { orchestration_id: 'no spaces' }, /orchestration_id/],
  ])('with %s is refused', async (_what, body, sentence) => {
    const answer = await submit(body);
    expect(answer.status).toBe(400);
    expect(answer.body['error']).toMatch(sentence);
  });

  test('shows nothing of the secrets that came with it', async () => {
    const answer = await submit({ mcp_servers: { ceo: [{ server_name: 'erp', secrets: { key: 'hunter2' } }] } });
    expect(JSON.stringify(answer.body) + JSON.stringify(container.records())).not.toContain('hunter2');
  });

  test('that nobody knows is not found, in the words of the original', async () => {
    for (const path of ['', '/result', '/updates']) {
      const { status, body } = await api.get(`/api/orchestrations/nope${path}`);
      expect([status, body['error']]).toEqual([404, "Orchestration 'nope' not found"]);
    }
    expect((await api.post('/api/orchestrations/nope/cancel')).status).toBe(404);
  });

  test('of another tenant or another user is not found', async () => {
    const { body } = await api.post(
      '/api/orchestrations',
      { agent_ids: ['ceo'], task: TASK },
      { 'x-tenant-id': 'acme', 'x-agent-user-id': 'u1' },
    );
    const path = `/api/orchestrations/${body['orchestration_id']}`;
    const seenBy = async (headers: Record<string, string>) => (await api.get(path, headers)).status;
    expect(await seenBy({})).toBe(404);
    expect(await seenBy({ 'x-tenant-id': 'acme', 'x-agent-user-id': 'u2' })).toBe(404);
    expect(await seenBy({ 'x-tenant-id': 'acme', 'x-agent-user-id': 'u1' })).toBe(200);
    expect(await seenBy({ 'x-tenant-id': 'acme' })).toBe(200);
  });

  test('is listed, newest first, a page at a time', async () => {
    const tenant = { 'x-tenant-id': 'lists' };
    const ids: unknown[] = [];
    for (let n = 0; n < 3; n++) {
      const { body } = await api.post('/api/orchestrations', { agent_ids: ['ceo'], task: { n } }, tenant);
      ids.unshift(body['orchestration_id']);
    }
    const idsOf = (body: JsonObject) => (body['items'] as JsonObject[]).map((item) => item['orchestration_id']);
    const first = await api.get('/api/orchestrations?limit=2', tenant);
    const second = await api.get(`/api/orchestrations?limit=2&cursor=${first.body['next_cursor']}`, tenant);
    expect([...idsOf(first.body), ...idsOf(second.body)]).toEqual(ids);
    expect(second.body['next_cursor']).toBeNull();
    expect((await api.get('/api/orchestrations?status=cancelled', tenant)).body['items']).toEqual([]);
  });
});

describe('work under way', () => {
  let slow: TestContainer;
  let slowApi: ApiClient;

  beforeAll(async () => {
    slow = await startTestContainer({ model: { provider: 'simulated', firstTokenMs: 100, tokenMs: 30 } });
    slowApi = createApiClient(slow.url);
  });
  afterAll(() => slow?.[Symbol.asyncDispose]());

  const start = async (body: JsonObject = {}) => {
    const answer = await slowApi.post('/api/orchestrations', { agent_ids: ['ceo', 'cfo'], task: TASK, ...body });
    return `/api/orchestrations/${answer.body['orchestration_id']}`;
  };

  test('has no result yet, and says how it stands', async () => {
    const path = await start();
    const { status, body } = await slowApi.get(`${path}/result`);
    expect([status, body['error'], body['code']]).toEqual([
      409,
      'Orchestration has not completed yet',
      'NOT_COMPLETED',
    ]);
    expect(['pending', 'running']).toContain(body['status']);
    await slowApi.post(`${path}/cancel`);
  });

  test('is cancelled once, and keeps what was said', async () => {
    const path = await start({ workflow: 'sequential', agent_ids: ['ceo', 'cfo', 'cmo'] });
    for (let after: unknown = 0; ; ) {
      const { body } = await slowApi.get(`${path}/updates?after=${after}&wait=10`);
      if ((body['updates'] as JsonObject[]).some((update) => update['update_type'] === 'output')) break;
      after = body['next_after'];
    }
    const cancelled = await slowApi.post(`${path}/cancel`, { reason: 'no longer wanted' });
    expect(cancelled.body).toMatchObject({ status: 'cancelled', error: 'no longer wanted' });
    expect(cancelled.body['progress']).toBeLessThan(1);
    const again = await slowApi.post(`${path}/cancel`, {});
    expect([again.status, again.body['error']]).toEqual([409, "Cannot cancel orchestration in 'cancelled' state"]);
    expect((await slowApi.get(`${path}/result`)).body).toMatchObject({ status: 'cancelled', code: 'NOT_COMPLETED' });
    const partial = await slowApi.get(`${path}/result?partial=true`);
    expect(partial.body).toMatchObject({ status: 'cancelled', summary: null });
    expect(Object.keys(partial.body['results'] as object)).toEqual(['ceo']);
  });

  test('cannot be stopped when it ends by itself', async () => {
    const path = await start();
    const { status, body } = await slowApi.post(`${path}/stop`);
    expect([status, body['code']]).toEqual([409, 'NOT_PERPETUAL']);
    await slowApi.post(`${path}/cancel`);
  });

  test('streams its updates to the end, and from any of them on', async () => {
    const path = await start();
    const stream = async (headers: Record<string, string>) => {
      const response = await fetch(`${slow.url}${path}/updates`, {
        headers: { accept: 'text/event-stream', ...headers },
      });
      const frames = (await response.text()).split('\n\n').filter((frame) => frame.startsWith('id: '));
      return frames.map((frame) => JSON.parse(frame.slice(frame.indexOf('data: ') + 6)) as JsonObject);
    };
    const all = await stream({});
    const types = all.map((update) => update['update_type']);
    expect(types.filter((type) => type === 'output').length).toBeGreaterThan(1);
    expect(all.at(-1)).toMatchObject({ update_type: 'status', metadata: { event: 'run.completed' } });
    const middle = all[3]?.['seq'];
    expect(await stream({ 'last-event-id': String(middle) })).toEqual(all.slice(4));
    const { body } = await slowApi.get(`${path}/updates?after=${middle}`);
    expect(body['updates']).toEqual(all.slice(4));
  });

  test('answers who waits for news as soon as there are any, and when the time is up', async () => {
    const path = await start();
    const { body } = await slowApi.get(`${path}/updates?after=0&wait=30`);
    expect(body['updates']).not.toEqual([]);
    await slowApi.post(`${path}/cancel`);
    const last = (await slowApi.get(path)).body['last_update'];
    const over = await slowApi.get(`${path}/updates?after=${last}&wait=30`);
    expect(over.body).toMatchObject({ updates: [], next_after: last, status: 'cancelled' });
  });
});

describe('perpetual work', () => {
  test('goes on until it is stopped, and has a result then', async () => {
    const { body } = await api.post('/api/orchestrations', {
      orchestration_id: newUuid(),
      agent_ids: ['ceo', 'cmo'],
      workflow: 'collaborative',
      purpose: { purpose: 'Grow with care', purpose_scope: 'Europe' },
      context: { quarter: 'Q1-2026' },
      config: { cycle_interval_seconds: 0.05 },
      callback_url: null,
      mcp_servers: {},
    });
    expect(body).toMatchObject({ kind: 'perpetual', purpose: 'Grow with care' });
    const path = `/api/orchestrations/${body['orchestration_id']}`;
    expect((await until(body['orchestration_id'], 'active'))['progress']).toBe(0);
    expect((await api.get(`${path}/result`)).body).toMatchObject({ code: 'NOT_COMPLETED', status: 'active' });
    const stopped = await api.post(`${path}/stop`);
    expect(stopped.body).toMatchObject({ status: 'stopped', error: null });
    expect((await api.post(`${path}/stop`)).body['status']).toBe('stopped');
    const { body: result } = await api.get(`${path}/result`);
    expect(result).toMatchObject({ status: 'stopped', summary: expect.stringMatching(/./) });
  });
});

describe('a subscription', () => {
  test('has the members that both clients expect', async () => {
    const { body } = await submit();
    const path = `/api/orchestrations/${body['orchestration_id']}/subscribe`;
    const { status, body: subscription } = await api.post(path, { subscription_id: 'sub-1' });
    expect(status).toBe(201);
    expect(subscription).toMatchObject({ id: 'sub-1', orchestration_id: body['orchestration_id'], status: 'active' });
  });
});
