/** What messages of agents pass on their way in: rules, personal data, and what the audit log tells of them. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runtimeDefaults } from '../../src/config.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

const policyFile = join(import.meta.dirname, '../fixtures/no-delegation.policy.json');
let container: TestContainer;
let api: ApiClient;
const ann = { 'x-tenant-id': 'acme', 'x-agent-user-id': 'ann' };

beforeAll(async () => {
  container = await startTestContainer({
    runtime: { governance: { ...runtimeDefaults.governance, enforced: true, policyFile } },
  });
  api = createApiClient(container.url);
  for (const id of ['scout', 'porter']) await api.post(`/api/v1/a2a/agents/${id}/register`, {}, ann);
});
afterAll(() => container?.[Symbol.asyncDispose]());

const send = (message: JsonObject) => api.post('/api/v1/a2a/messages', message, ann);

test('what the rules deny goes no further, by whatever route it comes', async () => {
  const asked = { input: 'Keep this.', context: { secret: 'x' } };
  const denied = { status: 403, body: { code: 'GOVERNANCE_DENIED', detail: 'Secrets are not handed on.' } };
  const body = { to_agent: 'porter', ...asked };
  expect(await api.post('/api/v1/a2a/agents/scout/delegate', body, ann)).toMatchObject(denied);
  expect(await send({ type: 'delegate', from_agent: 'scout', to_agent: 'porter', payload: asked })).toMatchObject(
    denied,
  );
  const { body: inbox } = await api.get('/api/v1/a2a/agents/porter/inbox', ann);
  expect(inbox).toMatchObject({ messages: [] });
});

test('no value that may not be carried is kept anywhere, also not in keys, answers and metadata', async () => {
  const mail = 'jo.doe@example.com';
  const policy = { pii_policy: 'REDACT' };
  const shared = await api.post(
    '/api/v1/a2a/context',
    {
      from_agent: 'scout',
      to_agent: 'porter',
      context: { deep: [{ [mail]: [mail] }] },
      metadata: { cc: mail },
      ...policy,
    },
    ann,
  );
  expect(shared.body).toMatchObject({ context: { deep: [{ '[EMAIL]': ['[EMAIL]'] }] } });
  const { body: offer } = await api.post(
    '/api/v1/a2a/agents/scout/delegate',
    {
      to_agent: 'porter',
      input: { to: mail },
      context: { note: mail },
      shared_state: { mail },
      delegation_reason: mail,
      ...policy,
    },
    ann,
  );
  expect(offer).toMatchObject({ input: { to: '[EMAIL]' }, context: { delegation_reason: '[EMAIL]' } });
  const id = offer['delegation_id'] ?? '';
  await send({ type: 'delegate_accept', from_agent: 'porter', payload: { delegation_id: id } });
  await send({
    type: 'delegate_result',
    from_agent: 'porter',
    payload: { delegation_id: id, result: { mail } },
    ...policy,
  });
  const paths = [
    'agents/porter/inbox',
    'agents/scout/inbox',
    `delegations/${id}`,
    `context/${shared.body['context_id']}`,
  ];
  for (const path of paths) {
    const { status, body } = await api.get(`/api/v1/a2a/${path}`, ann);
    expect([status, JSON.stringify(body).includes(mail)], path).toEqual([200, false]);
  }
  expect(JSON.stringify(container.records())).not.toContain(mail);
});

test('a policy that has become stricter holds for what is fetched later', async () => {
  const mail = 'max.power@example.com';
  await api.post('/api/v1/a2a/context', { from_agent: 'scout', to_agent: 'porter', context: { mail } }, ann);
  const last = async () => {
    const { body } = await api.get('/api/v1/a2a/agents/porter/inbox?limit=500', ann);
    return (body['messages'] as JsonObject[]).at(-1);
  };
  expect(await last()).toMatchObject({ payload: { context: { mail } } });
  const document = { action: 'REDACT', floor: 'REDACT' };
  const put = await api.call('PUT', '/api/v1/governance/documents/screening', {
    body: { document },
    headers: ann,
  });
  expect(put.status, JSON.stringify(put.body)).toBe(200);
  expect(await last()).toMatchObject({ payload: { context: { mail: '[EMAIL]' } } });
});

test('the audit log tells who sent what to whom, once', async () => {
  const { body: offer } = await api.post('/api/v1/a2a/agents/scout/delegate', { to_agent: 'porter', input: 'A.' }, ann);
  const id = offer['delegation_id'] ?? '';
  await send({ type: 'status_query', from_agent: 'scout', payload: { delegation_id: id } });
  await send({ type: 'delegate_reject', from_agent: 'porter', payload: { delegation_id: id } });
  const { body: second } = await api.post(
    '/api/v1/a2a/agents/scout/delegate',
    { to_agent: 'porter', input: 'B.' },
    ann,
  );
  await send({ type: 'cancel', from_agent: 'scout', payload: { delegation_id: second['delegation_id'] ?? '' } });
  await send({ type: 'execute', from_agent: 'scout', payload: { target_system: 'crm', action_type: 'read' } });
  await api.call('DELETE', '/api/v1/a2a/agents/porter/register', { headers: ann });
  const { body } = await api.get('/api/v1/aoa/audit?limit=500', ann);
  const entries = body['items'] as JsonObject[];
  const of = (action: string) => entries.filter((entry) => entry['action'] === action);
  expect(of('A2A_DELEGATE')).toContainEqual(
    expect.objectContaining({
      from_agent: 'scout',
      to_agent: 'porter',
      actor: { type: 'agent', id: 'scout' },
      message_id: offer['message_id'],
      Primary_Plane_ID: 'scrappy_acme',
      raci_responsible: 'A2A Protocol',
      raci_accountable: 'AOA',
      outcome: 'pending',
    }),
  );
  const counts = Object.fromEntries(
    ['A2A_DELEGATE', 'A2A_DELEGATE_ACCEPT', 'A2A_DELEGATE_REJECT', 'A2A_CANCEL', 'A2A_STATUS_QUERY', 'A2A_EXECUTE'].map(
      (action) => [action, of(action).length],
    ),
  );
  expect(counts).toEqual({
    A2A_DELEGATE: 3,
    A2A_DELEGATE_ACCEPT: 1,
    A2A_DELEGATE_REJECT: 1,
    A2A_CANCEL: 1,
    A2A_STATUS_QUERY: 1,
    A2A_EXECUTE: 1,
  });
  expect(of('A2A_CONTEXT_SHARE')).toHaveLength(2);
  expect(of('AGENT_REGISTER')).toHaveLength(2);
  expect(of('AGENT_UNREGISTER')).toHaveLength(1);
});
