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

const tenant = { 'x-tenant-id': 'acme' };
const agentRun = { task_type: 'agent_run', agent_id: 'cfo', payload: { input: 'Where do we stand?' } };

async function ended(path: string, headers: Record<string, string> = tenant): Promise<JsonObject> {
  const status = async () => (await api.get(path, headers)).body['status'];
  await expect.poll(status, { timeout: 15_000 }).toMatch(/completed|failed|dead|cancelled/);
  return (await api.get(path, headers)).body;
}

describe('a task', () => {
  test('of an agent is done by a worker', async () => {
    const { status, body, headers } = await api.post('/api/v1/aoa/tasks', agentRun, tenant);
    expect(status).toBe(202);
    const done = await ended(String(headers.get('location')));
    expect(done).toMatchObject({ id: body['id'], status: 'completed', result: { output: expect.stringMatching(/./) } });
  });

  test('of an orchestration is one', async () => {
    const payload = { agent_ids: ['ceo', 'cfo'], workflow: 'sequential', task: { type: 'review' } };
    const { headers } = await api.post('/api/v1/aoa/tasks', { task_type: 'orchestration', payload }, tenant);
    const done = await ended(String(headers.get('location')));
    const id = (done['result'] as JsonObject)['orchestration_id'];
    expect((await api.get(`/api/orchestrations/${id}/result`, tenant)).body).toMatchObject({ status: 'completed' });
  });

  test('to look at the health tells it', async () => {
    const { headers } = await api.post('/api/v1/aoa/tasks', { task_type: 'health_check', payload: {} }, tenant);
    expect(await ended(String(headers.get('location')))).toMatchObject({ result: { status: 'healthy' } });
  });

  test('to evaluate judges by assertions', async () => {
    const cases = [
      { input: 'Where do we stand?', max_duration_ms: 60_000, expected_status: 'completed' },
      { input: 'Where do we stand?', expected_output_contains: 'a word nobody says' },
    ];
    const task = { task_type: 'evaluation', agent_id: 'cfo', payload: { cases } };
    const { headers } = await api.post('/api/v1/aoa/tasks', task, tenant);
    const { result } = await ended(String(headers.get('location')));
    expect(result).toMatchObject({ total_cases: 2, passed: 1, failed: 1 });
  });

  test('sent twice under one Idempotency-Key is one', async () => {
    const headers = { ...tenant, 'idempotency-key': 'task-1' };
    const first = await api.post('/api/v1/aoa/tasks', agentRun, headers);
    const again = await api.post('/api/v1/aoa/tasks', agentRun, headers);
    expect(again.body['id']).toBe(first.body['id']);
    expect(again.headers.get('x-idempotent-replay')).toBe('true');
  });
});

describe('a job', () => {
  test('fires and its task is done', async () => {
    const job = {
      name: 'soon',
      schedule: { schedule_type: 'interval', interval_seconds: 1, max_runs: 1 },
      ...agentRun,
    };
    const { status, body } = await api.post('/api/v1/aoa/jobs', job, tenant);
    expect(status).toBe(201);
    const path = `/api/v1/aoa/jobs/${body['id']}`;
    await expect.poll(async () => (await api.get(path, tenant)).body['run_count'], { timeout: 15_000 }).toBe(1);
  });
});

describe('figures', () => {
  test('of the runtime have the keys of the original', async () => {
    const { body } = await api.get('/api/v1/aoa/metrics', tenant);
    expect(body).toMatchObject({
      tenant_id: 'acme',
      status: 'running',
      queue: { pending: { CRITICAL: 0, BACKGROUND: 0 }, dead: 0 },
      handlers_registered: expect.arrayContaining(['agent_run', 'health_check']),
    });
    expect((body['by_status'] as JsonObject)['completed']).toBeGreaterThan(2);
    expect((body['latency_ms'] as JsonObject)['p50']).toBeGreaterThan(0);
  });

  test('of the dashboard are the tenant’s own', async () => {
    const { body } = await api.get('/api/v1/aoa/dashboard', tenant);
    expect(body).toMatchObject({ tenant_id: 'acme', approvals: { pending: 0 }, simulation_active: false });
    expect((body['workflows'] as JsonObject)['completed']).toBeGreaterThan(0);
    const other = await api.get('/api/v1/aoa/dashboard', { 'x-tenant-id': 'nobody' });
    expect(other.body).toMatchObject({ workflows: { completed: 0, active_workflows: 0, completion_rate: null } });
  });

  test('over time are those of the runtime, or what was reported', async () => {
    const { body } = await api.get('/api/v1/aoa/metrics/timeseries?metric=tasks_completed&period=1h', tenant);
    const values = (body['points'] as { value: number }[]).map(({ value }) => value);
    expect([values.length, values.reduce((sum, value) => sum + value, 0) > 2]).toEqual([60, true]);
    expect((await api.get('/api/v1/aoa/metrics/timeseries?metric=nothing', tenant)).status).toBe(404);
    await api.post('/api/metrics', { name: 'orders', value: 12, tags: { region: 'eu' } }, tenant);
    const reported = await api.get('/api/v1/aoa/metrics/timeseries?metric=orders', tenant);
    expect((reported.body['points'] as { value: number }[]).at(-1)?.value).toBe(12);
  });

  test('that are reported come back as a series', async () => {
    const { status } = await api.post('/api/metrics', { name: 'visits', value: 3.5 }, tenant);
    expect(status).toBe(201);
    const { body } = await api.get('/api/metrics?name=visits&start=2020-01-01T00:00:00', tenant);
    expect(body).toMatchObject({ name: 'visits', data_points: [{ value: 3.5, tags: {} }], end: null });
    expect((await api.get('/api/metrics?name=visits&end=2020-01-01', tenant)).body['data_points']).toEqual([]);
    expect((await api.get('/api/metrics?name=visits&end=yesterday', tenant)).status).toBe(400);
  });

  test('are scraped as Prometheus text', async () => {
    const response = await fetch(`${container.url}/metrics`);
    const text = await response.text();
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text).toMatch(/^aos_tasks\{status="completed"\} \d+$/m);
    expect(text).toMatch(/^aos_http_requests_total\{method="POST",route="\/api\/v1\/aoa\/tasks",status="202"\} \d+$/m);
    expect(text).toMatch(/^aos_http_request_duration_seconds_bucket\{.*le="\+Inf"\} \d+$/m);
    for (const line of text.trimEnd().split('\n')) {
      expect(line).toMatch(/^(?:# (?:HELP|TYPE) aos_\w+ .+|aos_\w+(?:\{.*\})? \S+)$/);
    }
  });
});

describe('the feed', () => {
  test('is a stream by default, from now on', async () => {
    const stop = new AbortController();
    const response = await fetch(`${container.url}/api/v1/aoa/events`, { headers: tenant, signal: stop.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    await api.post('/api/v1/aoa/tasks', agentRun, tenant);
    const types: string[] = [];
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      for (const [, type] of chunk.matchAll(/^data: \{"id":"[\d.]+","type":"([\w.]+)"/gm)) types.push(String(type));
      if (types.includes('task.completed')) break;
    }
    stop.abort();
    expect(types).toEqual(expect.arrayContaining(['task.submitted', 'workflow.started', 'agent.completed_task']));
  });

  test('is a list for who asks for JSON, page by page', async () => {
    const first = await api.get('/api/v1/aoa/events?format=json&limit=3', tenant);
    expect(first.body).toMatchObject({ total: 3, events: [{ id: expect.any(String) }, {}, {}] });
    const next = await api.get(`/api/v1/aoa/events?format=json&after=${first.body['next_after']}&limit=1`, tenant);
    const idsOf = (body: JsonObject) => (body['events'] as JsonObject[]).map((event) => event['id']);
    expect(idsOf(first.body)).not.toContain(idsOf(next.body)[0]);
    expect((await api.get('/api/v1/aoa/events?format=json', { 'x-tenant-id': 'nobody' })).body['events']).toEqual([]);
  });

  test('refuses a position that is none', async () => {
    expect((await api.get('/api/v1/aoa/events?after=soon&format=json', tenant)).status).toBe(422);
  });
});

describe('the audit', () => {
  test('trail says who did what, newest first, a page at a time', async () => {
    const first = await api.get('/api/audit/trail?limit=5', tenant);
    const entries = first.body['entries'] as JsonObject[];
    expect(entries).toHaveLength(5);
    const second = await api.get(`/api/audit/trail?limit=5&cursor=${first.body['next_cursor']}`, tenant);
    const ids = [...entries, ...(second.body['entries'] as JsonObject[])].map((entry) => entry['id']);
    expect(new Set(ids).size).toBe(10);
    const none = await api.get('/api/audit/trail?end_time=2020-01-01T00:00:00%2B02:00', tenant);
    expect(none.body['entries']).toEqual([]);
  });

  test('ledger keeps decisions', async () => {
    const written = await api.post(
      '/api/audit/decisions',
      { title: 'Raise prices', agent_id: 'cfo', extra: 1 },
      tenant,
    );
    expect([written.status, written.body['title'], written.body['extra']]).toEqual([201, 'Raise prices', 1]);
    const { body } = await api.get('/api/audit/decisions?agent_id=cfo', tenant);
    expect(body['decisions']).toEqual([written.body]);
    expect((await api.get('/api/audit/decisions?agent_id=ceo', tenant)).body['decisions']).toEqual([]);
  });
});

describe('the queue', () => {
  const envelope = {
    message_type: 'orchestration_request',
    app_name: 'infinity',
    payload: { agent_ids: ['ceo'], task: { type: 'review' } },
  };

  test('takes the envelope, and the payload bare', async () => {
    for (const message of [envelope, envelope.payload]) {
      const { status, body } = await api.post('/api/queues/aos-orchestration-requests/messages', message, tenant);
      expect(status).toBe(202);
      expect((await api.get(`/api/orchestrations/${body['orchestration_id']}`, tenant)).status).toBe(200);
    }
  });

  test('refuses what is not for it', async () => {
    expect((await api.post('/api/queues/other/messages', envelope, tenant)).body['code']).toBe('QUEUE_NOT_FOUND');
    const wrong = { ...envelope, message_type: 'orchestration_result' };
    expect((await api.post('/api/queues/aos-orchestration-requests/messages', wrong, tenant)).status).toBe(400);
    const empty = { ...envelope, payload: {} };
    expect((await api.post('/api/queues/aos-orchestration-requests/messages', empty, tenant)).status).toBe(400);
  });
});

test('a server that stops lets go of those who wait and follow', async () => {
  const stopping = await startTestContainer();
  const follower = await fetch(`${stopping.url}/api/v1/aoa/events`);
  const { body } = await createApiClient(stopping.url).post('/api/orchestrations', {
    agent_ids: ['ceo'],
    purpose: 'Wait',
    config: { cycle_interval_seconds: 600 },
  });
  const news = `${stopping.url}/api/orchestrations/${body['orchestration_id']}/updates`;
  const waiter = fetch(`${news}?after=100000&wait=60`).then(
    (response) => response.text(),
    () => 'gone',
  );
  const read = follower.text().then(
    () => 'ended',
    () => 'ended',
  );
  await stopping[Symbol.asyncDispose]();
  expect(await read).toBe('ended');
  expect(await waiter).toMatch(/updates|gone/);
});
