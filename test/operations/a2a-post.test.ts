import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  container = await startTestContainer();
  api = createApiClient(container.url);
  for (const id of ['scout', 'porter']) await api.post(`/api/v1/a2a/agents/${id}/register`, { name: id }, ann);
});
afterAll(() => container?.[Symbol.asyncDispose]());

const ann = { 'x-tenant-id': 'acme', 'x-agent-user-id': 'ann' };
const eve = { 'x-tenant-id': 'acme', 'x-agent-user-id': 'eve' };
const other = { 'x-tenant-id': 'other' };

async function send(message: JsonObject, headers = ann, query = ''): Promise<JsonObject> {
  const { status, body } = await api.post(`/api/v1/a2a/messages${query}`, message, headers);
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
}

const replyOf = (body: JsonObject) => body['reply'] as JsonObject & { payload: JsonObject };

async function inbox(agent: string, after = 0, headers = ann): Promise<JsonObject[]> {
  const { body } = await api.get(`/api/v1/a2a/agents/${agent}/inbox?after=${after}`, headers);
  return body['messages'] as JsonObject[];
}

async function ended(id: unknown, headers = ann): Promise<JsonObject> {
  const read = async () => (await api.get(`/api/v1/a2a/delegations/${id}`, headers)).body;
  await expect
    .poll(async () => (await read())['status'], { timeout: 20_000 })
    .toMatch(/completed|failed|cancelled|timeout|rejected/);
  return read();
}

describe('a message', () => {
  test('of the type ping is answered by the server, in any case of its type', async () => {
    const body = await send({ type: 'PING', from_agent: 'ceo', to_agent: 'cfo' });
    expect(body).toMatchObject({ status: 'answered', message: { type: 'ping', protocol_version: '1.1' } });
    expect(replyOf(body)).toMatchObject({
      type: 'pong',
      from_agent: 'cfo',
      to_agent: 'ceo',
      in_reply_to: body['message_id'],
      payload: { agent_id: 'cfo', health_status: 'healthy' },
    });
  });

  test('is given the fabric context of the tenant', async () => {
    const { message } = await send({ type: 'ping', from_agent: 'ceo', to_agent: 'cfo' });
    expect(message).toMatchObject({
      fabric_context: {
        primary_plane_id: 'scrappy_acme',
        Primary_Plane_ID: 'scrappy_acme',
        fabric_preset: 'preset_6_scrappy',
        auto_enriched: true,
      },
    });
  });

  test.each([
    ['fabric_context', { Primary_Plane_ID: 'scrappy_acme' }, undefined],
    ['fabric_context', { primary_plane_id: 'scrappy_acme' }, undefined],
    ['metadata', { fabric_context: { primary_plane_id: 'scrappy_acme' } }, undefined],
    ['metadata', { fabric_context: { Primary_Plane_ID: 'scrappy_acme' } }, undefined],
    ['fabric_context', { Primary_Plane_ID: 'ipaas_acme' }, 'PLANE_MISMATCH'],
    ['metadata', { fabric_context: { primary_plane_id: 'scrappy_other' } }, 'PLANE_MISMATCH'],
  ])('that names its plane in %s as %j is judged by it', async (member, value, code) => {
    const message = { type: 'ping', from_agent: 'ceo', to_agent: 'cfo', [member]: value };
    const { status, body } = await api.post('/api/v1/a2a/messages', message, ann);
    expect(status).toBe(code === undefined ? 200 : 422);
    if (code !== undefined) expect(body).toMatchObject({ code });
    else expect(body).toMatchObject({ message: { fabric_context: { auto_enriched: false } } });
  });

  test('that has expired is refused', async () => {
    const message = { type: 'ping', from_agent: 'ceo', to_agent: 'cfo', expires_at: '2020-01-01T00:00:00Z' };
    expect(await api.post('/api/v1/a2a/messages', message, ann)).toMatchObject({
      status: 422,
      body: { code: 'EXPIRED', expires_at: '2020-01-01T00:00:00.000Z' },
    });
  });

  test('of an agent that nobody knows, or that is somebody else’s, is refused alike', async () => {
    for (const [from, headers] of [
      ['nobody', ann],
      ['scout', eve],
      ['scout', other],
    ] as const) {
      const { status, body } = await api.post('/api/v1/a2a/messages', { type: 'ping', from_agent: from }, headers);
      expect([status, body['code']]).toEqual([404, 'AGENT_NOT_FOUND']);
    }
  });

  test('of the type discover finds agents', async () => {
    const filter = { capability_ids: ['execute'], min_trust_level: 60, limit: 2 };
    const body = await send({ type: 'Discover', from_agent: 'scout', payload: { filter } });
    expect(replyOf(body)).toMatchObject({ type: 'discover_response', payload: { has_more: true } });
    expect(replyOf(body).payload['agents']).toHaveLength(2);
  });

  test('of the type capability_query tells capabilities, or that there are none', async () => {
    const asked = { type: 'capability_query', from_agent: 'scout', payload: { agent_id: 'porter' } };
    expect(replyOf(await send(asked))).toMatchObject({
      type: 'capability_response',
      payload: { capabilities: [{ id: 'execute' }, { id: 'query' }] },
    });
    const unknown = { ...asked, payload: { capability_id: 'levitation' } };
    expect(replyOf(await send(unknown))).toMatchObject({ type: 'error', payload: { code: 'NOT_FOUND' } });
  });

  test('of the type status_query tells of an agent', async () => {
    const body = await send({ type: 'status_query', from_agent: 'scout', to_agent: 'ceo' });
    expect(replyOf(body)).toMatchObject({
      type: 'status_response',
      payload: { agent_id: 'ceo', agent_name: expect.any(String), health_status: 'healthy', active_delegations: 0 },
    });
  });

  test('of the type execute goes through a plane', async () => {
    const payload = { target_system: 'CRM', action_type: 'update', entity_id: 7, data: { note: 'called back' } };
    const body = await send({ type: 'EXECUTE', from_agent: 'scout', to_agent: 'cfo', payload }, ann, '?wait=20');
    expect(replyOf(body)).toMatchObject({
      type: 'execute_response',
      payload: {
        status: 'completed',
        fabric_preset: 'preset_6_scrappy',
        primary_plane_id: 'scrappy_acme',
        execution_path: 'direct_api',
        error: null,
        completed_at: expect.any(String),
        fabric_context_enriched: true,
      },
    });
    const { action_id: id } = replyOf(body).payload;
    const action = await api.get(`/api/v1/fabric/actions/${id}`, ann);
    expect(action.body).toMatchObject({ agent_id: 'scout', target_system: 'crm', payload: { entity_id: '7' } });
    expect(await inbox('scout')).toContainEqual(expect.objectContaining({ id: replyOf(body)['id'] }));
  });

  test.each([
    [{ target_system: 'moon' }, 'INVALID_TARGET_SYSTEM'],
    [{ target_system: 'crm', action_type: 'levitate' }, 'INVALID_ACTION_TYPE'],
  ])('of the type execute with %j is an error', async (payload, code) => {
    const body = await send({ type: 'execute', from_agent: 'scout', payload });
    expect(replyOf(body)).toMatchObject({ type: 'error', payload: { code } });
  });

  test('of the type context_share brings what was let through, and context_update changes it', async () => {
    const shared = await send({
      type: 'context_share',
      from_agent: 'scout',
      to_agent: 'porter',
      correlation_id: 'matter-1',
      payload: { context: { customer: { mail: 'jo.doe@example.com' }, size: 3 } },
      pii_policy: 'redact',
    });
    expect(shared).toMatchObject({
      message: { payload: { context: { customer: { mail: '[EMAIL]' }, size: 3 } } },
      scan: { pii_detected: true, policy_action_taken: 'redacted', primary_plane_id: 'scrappy_acme' },
    });
    const update = { context_id: shared['context_id'] ?? '', context: { size: null, floor: 2 } };
    await send({ type: 'context_update', from_agent: 'scout', payload: update });
    const now = await api.get(`/api/v1/a2a/context/${shared['context_id']}`, ann);
    expect(now.body).toMatchObject({ version: 2, context: { customer: { mail: '[EMAIL]' }, floor: 2 } });
    expect((await inbox('porter')).map(({ type }) => type)).toEqual(['context_share', 'context_update']);
    expect((await api.get(`/api/v1/a2a/context/${shared['context_id']}`, eve)).status).toBe(404);
  });

  test('sent twice under its id is one; another under the id is a conflict', async () => {
    const message = { id: 'once', type: 'execute', from_agent: 'scout', payload: { target_system: 'erp' } };
    const first = await send(message, ann, '?wait=20');
    const again = await send(message, ann, '?wait=20');
    expect(again).toEqual(first);
    const changed = { ...message, payload: { target_system: 'crm' } };
    expect(await api.post('/api/v1/a2a/messages', changed, ann)).toMatchObject({
      status: 409,
      body: { code: 'MESSAGE_EXISTS' },
    });
  });
});

describe('an agent of this server', () => {
  test('is spoken for by everybody, in their own matters only', async () => {
    const message = {
      id: 'anns-own',
      type: 'delegate',
      from_agent: 'ceo',
      to_agent: 'cfo',
      payload: { input: 'Mine.' },
    };
    const mine = await send(message, ann, '?wait=30');
    expect(replyOf(mine)).toMatchObject({ type: 'delegate_result' });
    const read = {
      id: 'anns-read',
      type: 'execute',
      from_agent: 'ceo',
      to_agent: 'cfo',
      payload: { target_system: 'crm' },
    };
    await send(read, ann, '?wait=20');
    for (const again of [message, read]) {
      expect((await api.post('/api/v1/a2a/messages', again, eve)).status).toBe(409);
    }
    const answer = { type: 'error', from_agent: 'cfo', in_reply_to: 'anns-read', payload: { error: 'no' } };
    expect((await api.post('/api/v1/a2a/messages', answer, eve)).status).toBe(404);
    expect((await api.get('/api/v1/a2a/messages/anns-own', eve)).status).toBe(404);
    expect(await inbox('ceo', 0, eve)).toEqual([]);
  });
});

describe('work handed to an agent of this server', () => {
  test('is done as a run, and the result comes to whoever handed it on', async () => {
    const { status, body, headers } = await api.post(
      '/api/v1/a2a/agents/scout/delegate',
      { to_agent: 'cfo', input: 'Where do we stand?', priority: 9, max_cost_usd: 0.5, max_steps: 5 },
      ann,
    );
    expect(status, JSON.stringify(body)).toBe(202);
    expect(body).toMatchObject({ status: 'accepted', context: { delegation_chain: ['scout'], max_steps: 5 } });
    expect(headers.get('location')).toBe(`/api/v1/a2a/delegations/${body['id']}`);
    const done = await ended(body['id']);
    expect(done).toMatchObject({
      status: 'completed',
      result: expect.stringMatching(/./),
      tokens_used: expect.any(Number),
      steps_executed: expect.any(Number),
      duration_ms: expect.any(Number),
      run_id: `${done['task_id']}.1`,
    });
    const task = await api.get(`/api/v1/aoa/tasks/${done['task_id']}`, ann);
    expect(task.body).toMatchObject({
      task_type: 'agent_run',
      priority: 'high',
      metadata: { delegation_id: done['id'] },
    });
    const letters = (await inbox('scout')).filter(({ in_reply_to: to }) => to === done['message_id']);
    expect(letters.map(({ type }) => type)).toEqual(['delegate_accept', 'delegate_result']);
    expect(letters[1]).toMatchObject({
      payload: { delegation_id: done['id'], status: 'completed', result: done['result'] },
    });
  });

  test('by a message is accepted at once, and its result may be waited for', async () => {
    const message = { type: 'DELEGATE', from_agent: 'scout', to_agent: 'ceo', payload: { input: 'Say hello.' } };
    const now = await send(message);
    expect(replyOf(now)).toMatchObject({ type: 'delegate_accept', payload: { status: 'accepted' } });
    const waited = await send(message, ann, '?wait=30');
    expect(replyOf(waited)).toMatchObject({ type: 'delegate_result', payload: { status: 'completed' } });
    const query = {
      type: 'status_query',
      from_agent: 'scout',
      payload: { delegation_id: waited['delegation_id'] ?? '' },
    };
    expect(replyOf(await send(query))).toMatchObject({ type: 'status_response', payload: { status: 'completed' } });
  });

  test('goes to the most trusted that can do it when nobody is named', async () => {
    const skilled = { capabilities: ['folding'], trust_level: 70 };
    await api.post('/api/v1/a2a/agents/folder-1/register', skilled, ann);
    await api.post('/api/v1/a2a/agents/folder-2/register', { ...skilled, trust_level: 90 }, ann);
    const asked = { input: 'Fold it.', capability_id: 'folding' };
    const { body } = await api.post('/api/v1/a2a/agents/scout/delegate', asked, ann);
    expect(body).toMatchObject({ to_agent: 'folder-2', status: 'pending', capability_id: 'folding' });
  });

  test('can be a child of a run, and ends with it', async () => {
    const parent = await api.post('/api/v1/a2a/agents/ceo/delegate', { to_agent: 'porter', input: 'Wait.' }, ann);
    await send({ type: 'delegate_accept', from_agent: 'porter', payload: { delegation_id: parent.body['id'] ?? '' } });
    const part = { to_agent: 'cmo', input: 'A part of it.', parent_delegation_id: parent.body['id'] ?? '' };
    const child = await api.post('/api/v1/a2a/agents/porter/delegate', part, ann);
    expect(child.body).toMatchObject({
      parent_delegation_id: parent.body['id'],
      context: { delegation_chain: ['ceo', 'porter'] },
    });
  });
});

describe('work handed to another agent', () => {
  const offer = async (more: JsonObject = {}) => {
    const { body } = await api.post(
      '/api/v1/a2a/agents/scout/delegate',
      { to_agent: 'porter', input: 'Carry.', ...more },
      ann,
    );
    return String(body['id']);
  };

  test('waits in its inbox, is accepted, worked on, and done', async () => {
    const id = await offer();
    const { message_id: messageId } = (await api.get(`/api/v1/a2a/delegations/${id}`, ann)).body;
    const letter = (await inbox('porter')).find((one) => one['id'] === messageId);
    expect(letter).toMatchObject({ type: 'delegate', payload: { input: 'Carry.' } });
    await send({ type: 'delegate_accept', from_agent: 'porter', in_reply_to: letter?.['id'] ?? '' });
    const working = { delegation_id: id, status: 'in_progress' };
    await send({ type: 'status_response', from_agent: 'porter', payload: working });
    expect((await api.get(`/api/v1/a2a/delegations/${id}`, ann)).body).toMatchObject({ status: 'in_progress' });
    const outcome = { delegation_id: id, result: { boxes: 3 }, tokens_used: 12, cost_usd: 0.01, steps_executed: 2 };
    await send({ type: 'delegate_result', from_agent: 'porter', payload: outcome });
    expect(await ended(id)).toMatchObject({ status: 'completed', result: { boxes: 3 }, tokens_used: 12 });
    const letters = (await inbox('scout')).filter(({ payload }) => (payload as JsonObject)['delegation_id'] === id);
    expect(letters.map(({ type }) => type)).toEqual(['delegate_accept', 'status_response', 'delegate_result']);
  });

  test('may be rejected, by the addressee alone', async () => {
    const id = await offer();
    const no = { type: 'delegate_reject', payload: { delegation_id: id, error: 'too heavy' } };
    for (const message of [
      { ...no, from_agent: 'ceo' },
      { ...no, from_agent: 'scout' },
    ]) {
      const { status } = await api.post('/api/v1/a2a/messages', message, ann);
      expect(status).toBe(404);
    }
    await send({ ...no, from_agent: 'porter' });
    expect(await ended(id)).toMatchObject({ status: 'rejected', error: 'too heavy' });
    const late = await api.post('/api/v1/a2a/messages', { ...no, type: 'delegate_accept', from_agent: 'porter' }, ann);
    expect(late).toMatchObject({ status: 409, body: { code: 'DELEGATION_TERMINAL', status: 'rejected' } });
  });

  test('is cancelled, once, and the addressee is told', async () => {
    const id = await offer();
    const cancel = { type: 'cancel', from_agent: 'scout', payload: { delegation_id: id, reason: 'not needed' } };
    expect(replyOf(await send(cancel))).toMatchObject({ type: 'cancel_ack', payload: { status: 'cancelled' } });
    expect(replyOf(await send(cancel))).toMatchObject({ type: 'cancel_ack', payload: { status: 'cancelled' } });
    expect((await api.post(`/api/v1/a2a/delegations/${id}/cancel?reason=again`, {}, ann)).status).toBe(409);
    expect(await inbox('porter')).toContainEqual(
      expect.objectContaining({
        type: 'cancel',
        payload: { delegation_id: id, status: 'cancelled', reason: 'not needed' },
      }),
    );
  });

  test('is nobody else’s to see or end', async () => {
    const id = await offer();
    for (const headers of [eve, other]) {
      expect((await api.get(`/api/v1/a2a/delegations/${id}`, headers)).status).toBe(404);
      expect((await api.post(`/api/v1/a2a/delegations/${id}/cancel`, {}, headers)).status).toBe(404);
      expect((await api.get('/api/v1/a2a/agents/porter/inbox', headers)).status).toBe(404);
    }
    const mine = await api.get('/api/v1/a2a/agents/porter/delegations/received?status_filter=PENDING', ann);
    expect(mine.body['delegations']).toContainEqual(expect.objectContaining({ id }));
    const theirs = await api.get('/api/v1/a2a/agents/porter/delegations/received', eve);
    expect(theirs.body['delegations']).toEqual([]);
  });

  test('carries no personal data that it may not carry', async () => {
    const asked = { to_agent: 'porter', input: 'Write to jo.doe@example.com', pii_policy: 'BLOCK' };
    const { status, body } = await api.post('/api/v1/a2a/agents/scout/delegate', asked, ann);
    expect(status).toBe(422);
    expect(body).toMatchObject({ code: 'PII_BLOCKED', scan: { pii_types_found: ['email'] } });
  });
});
