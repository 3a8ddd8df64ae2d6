/** Budgets over the REST door of whole containers: their API, runs that spend, tools that are counted, admission. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newUuid } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

const BASE = '/api/v1/governance/budgets';
let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  container = await startTestContainer();
  api = createApiClient(container.url);
});
afterAll(() => container?.[Symbol.asyncDispose]());

beforeEach(async () => {
  const { body } = await api.get(BASE);
  for (const { id } of body['items'] as { id: string }[]) await api.call('DELETE', `${BASE}/${id}`);
});

const set = async (id: string, change: JsonObject = {}) =>
  api.call('PUT', `${BASE}/${id}`, {
    body: { scope: 'tenant', dimension: 'tokens', window: 'day', limit: 1_000_000, ...change },
  });

/** @returns its id and what was answered */
async function invoke(body: JsonObject): Promise<{ id: string; status: number; answer: JsonObject }> {
  const id = newUuid();
  const response = await fetch(`${container.url}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-agent-invocation-id': id },
    body: JSON.stringify(body),
  });
  return { id, status: response.status, answer: (await response.json()) as JsonObject };
}

const chat = (message: string) => invoke({ message, agent_id: 'cfo' });
const inBackground = (body: JsonObject) => invoke({ ...body, background: true });
const stateOf = async (id: string) => (await api.get(`/api/v1/aoa/runs/${id}`)).body;

describe('the budgets of a tenant', () => {
  it('are made, listed with what is left of them, changed, topped up and removed', async () => {
    const { status, body } = await set('daily', { description: 'For everybody' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: 'daily', limit: 1_000_000, committed: 0, remaining: 1_000_000, utilization: 0 });
    expect((await chat('Good morning')).status).toBe(200);
    const [budget] = (await api.get(BASE)).body['items'] as JsonObject[];
    expect(budget).toMatchObject({ id: 'daily', reserved: 0, accounts: [{ raised: 0 }] });
    expect(budget?.['committed']).toBeGreaterThan(0);
    await set('daily', { limit: 2_000_000 });
    const raised = await api.post(`${BASE}/daily/top-up`, { amount: 5, key: 'once', reason: 'A test' });
    await api.post(`${BASE}/daily/top-up`, { amount: 5, key: 'once' });
    expect(raised.body).toMatchObject({ limit: 2_000_000, raised: 5, committed: budget?.['committed'] });
    expect((await api.get(`${BASE}/daily`)).body).toMatchObject({ raised: 5 });
    expect((await api.get(`${BASE}/daily/reservations`)).body).toEqual({ items: [] });
    expect((await api.get(`${BASE}/daily/changes`)).body['items']).toMatchObject([
      { kind: 'topped_up', amount: 5, content: { reason: 'A test' }, by: 'operator' },
      { kind: 'set' },
      { kind: 'set', content: { limit: 1_000_000 } },
    ]);
    expect((await api.call('DELETE', `${BASE}/daily`)).body).toEqual({ id: 'daily', removed: true });
    expect((await api.get(`${BASE}/daily`)).status).toBe(404);
  });

  it('are refused with what is wrong with them', async () => {
    expect(await set('x', { scope: 'agent', dimension: 'runs' })).toMatchObject({ status: 422 });
    expect(await set('not an id')).toMatchObject({ status: 422 });
    await set('x', { scope: 'agent' });
    expect(await set('x')).toMatchObject({ status: 409 });
    const { status, body } = await api.post(`${BASE}/x/top-up`, { amount: 5 });
    expect(status).toBe(422);
    expect(JSON.stringify(body)).toContain('counts several apart');
  });

  it('are another tenant’s own', async () => {
    await set('mine');
    expect((await api.get(BASE, { 'x-tenant-id': 'other' })).body).toEqual({ items: [] });
    expect((await api.get(`${BASE}/mine`, { 'x-tenant-id': 'other' })).status).toBe(404);
    expect((await api.call('DELETE', `${BASE}/mine`, { headers: { 'x-tenant-id': 'other' } })).status).toBe(404);
  });

  it('are on the dashboard and among the metrics', async () => {
    await set('money', { dimension: 'cost_usd', limit: 10 });
    const { body } = await api.get('/api/v1/aoa/dashboard');
    expect(body['costs']).toMatchObject({ budget_remaining_usd: 10, budget_utilization: 0 });
    const metrics = await (await fetch(`${container.url}/metrics`)).text();
    expect(metrics).toContain('aos_budget_limit{tenant="default",budget="money",dimension="cost_usd"} 10');
    expect(metrics).toContain('aos_budget_reserved{tenant="default",budget="money",dimension="cost_usd"} 0');
  });

  it('leave entries in the audit log', async () => {
    await set('audited');
    await api.post(`${BASE}/audited/top-up`, { amount: 5 });
    const actions = async () => {
      const { body } = await api.get('/api/audit/trail?limit=200');
      return (body['entries'] as JsonObject[]).map((entry) => entry['action']);
    };
    await expect.poll(actions, { timeout: 10_000 }).toEqual(expect.arrayContaining(['BUDGET_SET', 'BUDGET_TOP_UP']));
  });
});

describe('a run over its budget', () => {
  it('waits as waiting: budget, and goes on when it is topped up', async () => {
    await set('small', { limit: 100 });
    const { id } = await inBackground({ message: 'Good morning', agent_id: 'cfo' });
    await expect.poll(() => stateOf(id), { timeout: 10_000 }).toMatchObject({ status: 'waiting' });
    const { body } = await api.get(`/api/v1/approvals?run_id=${id}&status=open`);
    expect(body['items']).toMatchObject([
      { request_type: 'resource_allocation', action_details: { budget_id: 'small' } },
    ]);
    await api.post(`${BASE}/small/top-up`, { amount: 100_000 });
    await expect.poll(() => stateOf(id), { timeout: 10_000 }).toMatchObject({ status: 'completed' });
  });

  it('is refused at the door when the budget is one of runs', async () => {
    await set('runs', { dimension: 'runs', limit: 1 });
    expect((await chat('One')).status).toBe(200);
    const { status, answer } = await chat('Two');
    expect(status).toBe(429);
    expect(JSON.stringify(answer)).toMatch(
      /The budget \\"runs\\" .* 1 of 1 runs are used.* It renews at .*Send this again then/,
    );
    expect((await api.get(`${BASE}/runs`)).body).toMatchObject({ committed: 1, reserved: 0 });
  });

  it('has the deadline that its budget of time leaves it, and settles what it took', async () => {
    await set('time', { dimension: 'wall_clock_seconds', window: 'day', limit: 7200 });
    expect((await chat('One')).status).toBe(200);
    const { body } = await api.get(`${BASE}/time`);
    expect(body).toMatchObject({ reserved: 0 });
    expect(body['committed']).toBeLessThan(60);
  });
});

describe('tools', () => {
  const calculate = (expressions: readonly string[]) => {
    const nodes = expressions.map((expression, nth) => ({
      id: `sum-${nth}`,
      type: 'tool',
      tool: 'calculator',
      arguments: { expression },
    }));
    const edges = nodes.slice(1).map(({ id }, nth) => ({ from: `sum-${nth}`, to: id }));
    return inBackground({ workflow: 'graph', task: { topic: 'sums' }, graph: { nodes, edges } });
  };

  it('are counted, and wait when there are no more', async () => {
    await set('calls', { scope: 'step', subject: 'tool:*', dimension: 'tool_calls', limit: 2 });
    const first = await calculate(['1+1', '2+2']);
    await expect.poll(() => stateOf(first.id), { timeout: 10_000 }).toMatchObject({ status: 'completed' });
    expect((await api.get(`${BASE}/calls`)).body).toMatchObject({ committed: 2, reserved: 0 });
    const second = await calculate(['3+3']);
    await expect.poll(() => stateOf(second.id), { timeout: 10_000 }).toMatchObject({ status: 'waiting' });
    await set('calls', { scope: 'step', subject: 'tool:*', dimension: 'tool_calls', limit: 3 });
    await expect.poll(() => stateOf(second.id), { timeout: 10_000 }).toMatchObject({ status: 'completed' });
    expect((await api.get(`${BASE}/calls`)).body).toMatchObject({ committed: 3, reserved: 0 });
  });
});
