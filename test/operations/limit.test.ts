/** Rates and quotas at the doors of whole containers. */

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { newUuid } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

const PATH = '/api/v1/governance/limits';
let container: TestContainer;
let other: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  container = await startTestContainer({ runtime: { rateLimits: true } });
  other = await startTestContainer({ runtime: { rateLimits: true }, databaseUrl: container.databaseUrl });
  api = createApiClient(container.url);
});
afterAll(async () => {
  await other?.[Symbol.asyncDispose]();
  await container?.[Symbol.asyncDispose]();
});

const of = (tenant: string) => ({ 'x-tenant-id': tenant });
const setLimits = async (tenant: string, limits: JsonObject) =>
  expect((await api.call('PUT', PATH, { body: limits, headers: of(tenant) })).status).toBe(200);
const rates = (burst: number) => ({
  rates: { get: { per_minute: 6, burst }, other: { per_minute: 6, burst } },
});

describe('the rate of requests', () => {
  test('stands on every answer, also on a failure', async () => {
    const { headers } = await api.get('/api/v1/aoa/tasks', of('fresh'));
    expect(headers.get('ratelimit-limit')).toBe('300');
    expect(headers.get('ratelimit-remaining')).toBe('59');
    expect(headers.get('ratelimit-reset')).toBe('1');
    const missing = await api.get(`/api/v1/aoa/tasks/${newUuid()}`, of('fresh'));
    expect(missing.status).toBe(404);
    expect(missing.headers.get('ratelimit-remaining')).toBe('59');
  });

  test('is refused beyond the burst, with what the limit is and when to come back', async () => {
    await setLimits('busy', rates(2));
    const submit = () => api.post('/api/v1/aoa/tasks', { task_type: 'health_check' }, of('busy'));
    expect([(await submit()).status, (await submit()).status]).toEqual([202, 202]);
    const refused = await submit();
    expect(refused).toMatchObject({
      status: 429,
      body: { detail: 'Rate limit exceeded', code: 'RATE_LIMITED', limit: 6, burst: 2, method: 'POST' },
    });
    expect(refused.headers.get('ratelimit-remaining')).toBe('0');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(9);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(10);
    const flat = { agent_ids: ['ceo'], workflow: 'sequential', task: { topic: 'x' } };
    const states = [];
    for (let time = 0; time < 3; time++) states.push(await api.post('/api/orchestrations', flat, of('busy')));
    expect(states.at(-1)).toMatchObject({ status: 429, body: { error: 'Rate limit exceeded', code: 'RATE_LIMITED' } });
    await vi.waitFor(async () => {
      const { body } = await api.get('/api/v1/aoa/audit?action=RATE_LIMITED', of('busy'));
      expect(body['items']).toMatchObject([
        { outcome: 'denied', reason: 'rate/requests', details: { route: '/api/orchestrations', limit: 6, burst: 2 } },
        { details: { route: '/api/v1/aoa/tasks' } },
      ]);
    });
  });

  test('does not hold for those who look after the server', async () => {
    await setLimits('watched', rates(1));
    for (const path of ['/api/health', '/api/v1/aoa/health', '/metrics']) {
      for (let time = 0; time < 3; time++) {
        const { status, headers } = await fetch(`${container.url}${path}`, { headers: of('watched') });
        expect([status, headers.get('ratelimit-limit')]).toEqual([200, null]);
      }
    }
  });

  test('holds for all containers together', async () => {
    await setLimits('shared', rates(10));
    const ask = (base: string) =>
      fetch(`${base}/api/v1/aoa/jobs`, { headers: of('shared') }).then(({ status }) => status);
    await vi.waitFor(async () => {
      const there = await fetch(`${other.url}${PATH}`, { headers: of('shared') });
      expect(await there.json()).toMatchObject({ rates: { get: { burst: 10 } } });
    });
    const states: number[] = [];
    for (let time = 0; time < 15; time++) states.push(await ask(container.url), await ask(other.url));
    const passed = states.filter((status) => status === 200).length;
    // A lease is one token here; each process may be ahead by one request besides.
    expect(passed).toBeGreaterThanOrEqual(8);
    expect(passed).toBeLessThanOrEqual(14);
  });

  test('is refused at the invocations door in the protocol’s own words', async () => {
    await setLimits('default', rates(2));
    try {
      const invoke = () =>
        fetch(`${container.url}/invocations`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-agent-user-id': 'vera' },
          body: JSON.stringify({ message: 'hello' }),
        });
      expect((await invoke()).headers.get('ratelimit-limit')).toBe('6');
      await invoke();
      const refused = await invoke();
      expect(refused.status).toBe(429);
      expect(refused.headers.get('x-platform-error-source')).toBe('user');
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(5);
      expect(await refused.json()).toMatchObject({
        error: { code: 'rate_limited', message: 'Rate limit exceeded', details: [{ code: 'RATE_LIMITED', limit: 6 }] },
      });
      const socket = new WebSocket(`${container.url.replace('http', 'ws')}/invocations_ws`);
      const errors: JsonObject[] = [];
      socket.on('message', (data) => {
        const frame = JSON.parse(String(data)) as JsonObject;
        if (frame['type'] === 'error') errors.push(frame);
      });
      await new Promise((resolve) => socket.once('open', resolve));
      for (let time = 0; time < 5; time++) {
        socket.send(JSON.stringify({ type: 'operation', operation: 'runs.list', input: {}, request_id: `r${time}` }));
        socket.send(JSON.stringify({ type: 'ping' }));
      }
      await vi.waitFor(() => expect(errors).toHaveLength(3));
      expect(errors[0]).toMatchObject({ error: { code: 'rate_limited', details: [{ burst: 2 }] } });
      socket.close();
    } finally {
      await setLimits('default', {});
    }
  });
});

describe('quotas', () => {
  test('are refused with a sentence, and hold for the tenant that has them only', async () => {
    await setLimits('small', { quotas: { queued_tasks: 1, runs_per_day: 2 } });
    const at = new Date(Date.now() + 3_600_000).toISOString();
    const task = { task_type: 'health_check', scheduled_at: at };
    const submit = (tenant: string, id = newUuid()) =>
      api.post('/api/v1/aoa/tasks', { ...task, task_id: id }, of(tenant));
    const id = newUuid();
    expect((await submit('small', id)).status).toBe(202);
    expect(await submit('small')).toMatchObject({
      status: 429,
      body: { code: 'QUOTA_EXCEEDED', quota: 'queued_tasks', limit: 1, used: 1, rule: 'rate/quota.queued_tasks' },
    });
    // The same once more is no other one.
    expect((await submit('small', id)).status).toBe(202);
    expect((await submit('large')).status).toBe(202);
    await api.call('DELETE', `/api/v1/aoa/tasks/${id}`, { headers: of('small') });
    expect((await submit('small')).status).toBe(202);
    await setLimits('small', { quotas: { runs_per_day: 2 } });
    const refused = await submit('small');
    expect(refused).toMatchObject({ status: 429, body: { quota: 'runs_per_day', limit: 2, used: 2 } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('are told in the audit log when they refuse, once a minute each, with rule and accountable party', async () => {
    await setLimits('told', { quotas: { queued_tasks: 0, concurrent_runs: 0 } });
    const [task, run] = [{ task_type: 'health_check' }, { agent_ids: ['ceo'], task: { type: 'x' } }];
    for (let time = 0; time < 3; time++) {
      expect((await api.post('/api/v1/aoa/tasks', task, of('told'))).status).toBe(429);
      expect((await api.post('/api/orchestrations', run, of('told'))).status).toBe(429);
    }
    const entries = async () => {
      const { body } = await api.get('/api/v1/aoa/audit?action=RATE_LIMITED', of('told'));
      return (body['items'] as JsonObject[]).toSorted((a, b) => String(a['reason']).localeCompare(String(b['reason'])));
    };
    await vi.waitFor(async () => expect(await entries()).toHaveLength(2), 5_000);
    expect(await entries()).toMatchObject([
      {
        reason: 'rate/quota.concurrent_runs',
        outcome: 'denied',
        details: { code: 'QUOTA_EXCEEDED', limit: 0, used: 0 },
      },
      { reason: 'rate/quota.queued_tasks', outcome: 'denied', details: { code: 'QUOTA_EXCEEDED', limit: 0, used: 0 } },
    ]);
    for (const entry of await entries()) expect(String(entry['raci_accountable'])).toMatch(/\w/);
  });

  test('of open connections hold for all containers together, and one that is closed makes room', async () => {
    await setLimits('default', { quotas: { websockets: 2 } });
    const sockets: WebSocket[] = [];
    const connect = async (base: string) => {
      const socket = new WebSocket(`${base.replace('http', 'ws')}/invocations_ws`);
      sockets.push(socket);
      const words = new Promise<JsonObject>((resolve) =>
        socket.once('message', (data) => resolve(JSON.parse(String(data)) as JsonObject)),
      );
      const code = new Promise<number>((resolve) => socket.once('close', resolve));
      await new Promise((resolve) => socket.once('open', resolve));
      socket.send(JSON.stringify({ type: 'ping' }));
      return { words: await words, code, close: () => socket.close() };
    };
    try {
      await vi.waitFor(async () => {
        const there = await (await fetch(`${other.url}${PATH}`)).json();
        expect(there).toMatchObject({ quotas: { websockets: 2 } });
      });
      const first = await connect(container.url);
      expect([first.words, (await connect(other.url)).words]).toEqual([{ type: 'pong' }, { type: 'pong' }]);
      for (const base of [container.url, other.url]) {
        const third = await connect(base);
        expect(third.words).toMatchObject({
          type: 'error',
          error: {
            code: 'rate_limited',
            details: [{ code: 'QUOTA_EXCEEDED', quota: 'websockets', used: 2, limit: 2 }],
          },
        });
        expect(await third.code).toBe(1013);
      }
      first.close();
      await vi.waitFor(async () => expect((await connect(other.url)).words).toEqual({ type: 'pong' }), 5_000);
    } finally {
      for (const socket of sockets) socket.close();
      await setLimits('default', {});
    }
  });

  test('of limits that cannot be are refused', async () => {
    const wrong = { quotas: { concurrent_runs: -1 } };
    expect((await api.call('PUT', PATH, { body: wrong, headers: of('odd') })).status).toBe(422);
    expect((await api.get(PATH, of('odd'))).body).toMatchObject({ quotas: { concurrent_runs: null } });
  });
});
