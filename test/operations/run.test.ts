/** The operations on runs, over the REST door of a whole container. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newUuid } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { restamp } from '../support/forger.ts';

const BASE = '/api/v1/aoa/runs';
let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  container = await startTestContainer();
  api = createApiClient(container.url);
});
afterAll(() => container?.[Symbol.asyncDispose]());

/** Starts work in the background. @returns the run's id */
async function start(body: JsonObject, headers: Record<string, string> = {}): Promise<string> {
  const id = newUuid();
  const response = await fetch(`${container.url}/invocations?agent_session_id=${headers['session'] ?? id}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-agent-invocation-id': id },
    body: JSON.stringify({ ...body, background: true }),
  });
  expect(response.status, await response.text()).toBe(202);
  return id;
}

/** The run once an event of one of these types is in its log and `holds` of it. */
async function until(id: string, holds: (run: JsonObject) => boolean): Promise<JsonObject> {
  for (let after: unknown = 0; ; ) {
    const { body } = await api.get(`${BASE}/${id}`);
    if (holds(body)) return body;
    const { body: news } = await api.get(`${BASE}/${id}/events?after=${after}&wait=10`);
    after = news['next_after'];
  }
}
const ended = (run: JsonObject) => ['completed', 'failed', 'cancelled', 'timed_out'].includes(String(run['status']));
const waits = (run: JsonObject) => run['status'] === 'waiting';

const agent = (id: string, more: JsonObject = {}) => ({ id, type: 'agent', agent_id: 'ceo', ...more });
const asking: JsonObject = {
  workflow: 'graph',
  task: { topic: 'bees' },
  graph: {
    nodes: [agent('draft'), { id: 'budget', type: 'input', prompt: 'How much?' }, agent('plan', { agent_id: 'cfo' })],
    edges: [
      { from: 'draft', to: 'budget' },
      { from: 'budget', to: 'plan' },
    ],
  },
};

describe('a run', () => {
  test('is listed, and shows how it stands, what it waits for and what it has used', async () => {
    const id = await start(asking);
    const run = await until(id, waits);
    expect(run).toMatchObject({
      run_id: id,
      kind: 'orchestration',
      workflow: 'graph',
      waiting_for: 'input',
      waits: [
        { name: 'budget/1', signal: 'budget', reason: 'input', approval_id: null, detail: { prompt: 'How much?' } },
      ],
      limits: { max_turns: 100 },
      lineage: { parent_id: null, root_id: id, depth: 0, fork_of: null },
      definition: expect.stringMatching(/^[0-9a-f]{64}$/),
      children: [],
      request: { task: { topic: 'bees' } },
      result: null,
    });
    expect(Number((run['usage'] as JsonObject)['tokens_output'])).toBeGreaterThan(0);
    const { body: list } = await api.get(`${BASE}?status=waiting&kind=orchestration`);
    expect((list['items'] as JsonObject[]).map((item) => item['run_id'])).toContain(id);
    const { body: page } = await api.get(`${BASE}?limit=1`);
    expect((page['items'] as JsonObject[]).length).toBe(1);
  });

  test('takes a signal by name, once per id, and goes on', async () => {
    const id = await start(asking);
    await until(id, waits);
    const signal = { name: 'budget', payload: { eur: 5000 }, signal_id: `${id}-s` };
    for (const _ of [1, 2]) {
      const { status, body } = await api.post(`${BASE}/${id}/signals`, signal);
      expect([status, body]).toEqual([202, { run_id: id, signal_id: `${id}-s`, name: 'budget', accepted: true }]);
    }
    const run = await until(id, ended);
    expect(run).toMatchObject({
      status: 'completed',
      waits: [],
      result: { nodes: { budget: { output: { eur: 5000 } }, plan: { status: 'completed', visits: 1 } } },
    });
    expect((await api.post(`${BASE}/${id}/signals`, { name: 'budget' })).body).toMatchObject({
      code: 'RUN_TERMINAL',
      status: 'completed',
    });
  });

  test('takes no signal by hand that only the desk for approvals, or a run, may send', async () => {
    const id = await start(asking);
    for (const name of ['approval/x', 'limit/1', 'run/x']) {
      const { status, body } = await api.post(`${BASE}/${id}/signals`, { name });
      expect([status, body['code']]).toEqual([422, 'RESERVED_SIGNAL']);
    }
  });

  test('is cancelled with a reason, and once it is over no more', async () => {
    const id = await start(asking);
    await until(id, waits);
    const { status, body } = await api.post(`${BASE}/${id}/cancel`, { reason: 'no budget' });
    expect([status, body['status'], body['cancel_reason']]).toEqual([200, 'cancelled', 'no budget']);
    expect((await api.post(`${BASE}/${id}/cancel`)).status).toBe(200);
    const done = await start({ workflow: 'sequential', agent_ids: ['ceo'], task: {} });
    await until(done, ended);
    expect((await api.post(`${BASE}/${done}/cancel`)).body).toMatchObject({ code: 'RUN_TERMINAL' });
  });

  test('has a log whose chain holds, and says where it does not', async () => {
    const id = await start({ workflow: 'sequential', agent_ids: ['ceo', 'cfo'], task: {} });
    await until(id, ended);
    const { body: log } = await api.get(`${BASE}/${id}/events?limit=500`);
    const events = log['events'] as JsonObject[];
    expect(events[0]).toMatchObject({ seq: 1, type: 'run.queued', prev_hash: '0'.repeat(64) });
    const { body } = await api.get(`${BASE}/${id}/verify`);
    expect(body).toEqual({
      run_id: id,
      valid: true,
      events: events.length,
      head: events.at(-1)?.['hash'],
      // The beginning and the end, and that it was anchored.
      audited: expect.any(Number),
      fault: null,
    });
    expect(body['audited']).toBeGreaterThanOrEqual(3);

    const client = new pg.Client({ connectionString: container.databaseUrl });
    await client.connect();
    await client.query(`update aos.run_events set actor = 'user:eve' where run_id = $1 and seq = 3`, [id]);
    await client.end();
    const { body: after } = await api.get(`${BASE}/${id}/verify`);
    expect(after).toMatchObject({ valid: false, fault: { seq: 3, problem: 'changed' } });
  });

  test('is not the log that was audited when somebody made its whole chain anew', async () => {
    const id = await start({ workflow: 'sequential', agent_ids: ['ceo'], task: { topic: 'bees' } });
    await until(id, ended);
    expect((await api.get(`${BASE}/${id}/verify`)).body).toMatchObject({ valid: true });
    await restamp(container.databaseUrl, id, 3, { actor: 'user:eve' });
    const { body } = await api.get(`${BASE}/${id}/verify`);
    const { body: log } = await api.get(`${BASE}/${id}/events?limit=500`);
    const last = (log['events'] as JsonObject[]).length;
    // All its hashes fit: only the audit log, which nobody can change, knows that the end was another.
    expect(body).toMatchObject({ valid: false, fault: { seq: last, problem: 'rewritten' } });
  });

  test('is followed as a stream, event by event, to its end', async () => {
    const id = await start({ workflow: 'sequential', agent_ids: ['ceo'], task: {} });
    const response = await fetch(`${container.url}${BASE}/${id}/events?after=1`, {
      headers: { accept: 'text/event-stream' },
    });
    const text = await response.text();
    expect(text).toMatch(/^id: 2\nevent: run.started\ndata: \{"seq":2,/m);
    expect(text).toMatch(/event: run.completed/);
  });

  test('shows its steps, their outcomes when asked', async () => {
    const id = await start({ workflow: 'sequential', agent_ids: ['ceo', 'cfo'], task: {} });
    await until(id, ended);
    const { body } = await api.get(`${BASE}/${id}/steps`);
    const steps = body['items'] as JsonObject[];
    expect(steps.map((step) => step['name'])).toEqual(['step-1/ceo', 'step-2/cfo']);
    expect(steps[0]).not.toHaveProperty('output');
    const { body: whole } = await api.get(`${BASE}/${id}/steps?include_output=true`);
    expect((whole['items'] as JsonObject[])[0]).toHaveProperty('output');
  });

  test("is not found under another tenant, nor under an id that is nobody's", async () => {
    const id = await start(asking);
    for (const path of ['', '/events', '/steps', '/verify', `/payloads/${'0'.repeat(64)}`]) {
      const { status, body } = await api.get(`${BASE}/${id}${path}`, { 'x-tenant-id': 'another' });
      expect([status, body['code']]).toEqual([404, 'RUN_NOT_FOUND']);
    }
    for (const path of ['/cancel', '/resume', '/fork', '/retry']) {
      expect((await api.post(`${BASE}/nobody${path}`)).body['code']).toBe('RUN_NOT_FOUND');
    }
    expect((await api.get(`${BASE}/${id}/payloads/${'0'.repeat(64)}`)).body['code']).toBe('PAYLOAD_NOT_FOUND');
  });
});

describe('a fork', () => {
  const line = { workflow: 'sequential', agent_ids: ['ceo', 'cfo', 'cmo'], task: { topic: 'bees' } };

  test('begins with what was done before the step, and does the rest with the edited input', async () => {
    const id = await start(line);
    await until(id, ended);
    const { status, headers, body } = await api.post(`${BASE}/${id}/fork`, {
      from_step: 'step-2/cfo',
      input: { task: { topic: 'ants' } },
    });
    const forkId = String(body['run_id']);
    expect([status, headers.get('location')]).toEqual([201, `${BASE}/${forkId}`]);
    expect(body).toMatchObject({
      kept_steps: ['step-1/ceo'],
      repeated_effects: [],
      lineage: { root_id: forkId, fork_of: { run_id: id, step: 'step-2/cfo' } },
    });
    const fork = await until(forkId, ended);
    expect(fork).toMatchObject({ status: 'completed', request: { ...line, task: { topic: 'ants' } } });
    const before = await api.get(`${BASE}/${id}`);
    expect(fork['definition']).toBe(before.body['definition']);
    const { body: log } = await api.get(`${BASE}/${forkId}/events`);
    const events = log['events'] as JsonObject[];
    expect(events[0]).toMatchObject({
      seq: 1,
      type: 'run.queued',
      data: { fork_of: { run_id: id, step: 'step-2/cfo' } },
    });
    const told = events.filter((event) => event['type'] === 'turn.started').map((event) => event['data'] as JsonObject);
    expect(told.map((data) => data['agent_id'])).toEqual(['cfo', 'cmo']);
  });

  test('is refused from a step there is not, and joined under its own id', async () => {
    const id = await start(line);
    await until(id, ended);
    expect((await api.post(`${BASE}/${id}/fork`, { from_step: 'step-9/ceo' })).body['code']).toBe('UNKNOWN_STEP');
    const again = { fork_id: `${id}-again` };
    const first = await api.post(`${BASE}/${id}/fork`, again);
    const second = await api.post(`${BASE}/${id}/fork`, again);
    expect([first.body['run_id'], second.body['run_id']]).toEqual([`${id}-again`, `${id}-again`]);
    expect(first.body['kept_steps']).toEqual([]);
  });

  test('names what would happen again, and waits for that to be confirmed', async () => {
    const id = await start({
      workflow: 'graph',
      graph: {
        nodes: [
          agent('a'),
          { id: 'sub', type: 'orchestration', request: { workflow: 'sequential', agent_ids: ['cfo'], task: {} } },
        ],
        edges: [{ from: 'a', to: 'sub' }],
      },
    });
    const run = await until(id, ended);
    expect(run).toMatchObject({ status: 'completed', children: [{ status: 'completed', workflow: 'sequential' }] });
    const refused = await api.post(`${BASE}/${id}/fork`, { from_step: 'a/1' });
    expect([refused.status, refused.body]).toMatchObject([
      409,
      { code: 'EFFECTS_NOT_CONFIRMED', effects: [{ step: 'sub/1/begun', effect: 'write', outcome: 'completed' }] },
    ]);
    const confirmed = await api.post(`${BASE}/${id}/fork`, { from_step: 'a/1', confirm_effects: true });
    expect(confirmed.status).toBe(201);
    expect(await until(String(confirmed.body['run_id']), ended)).toMatchObject({ status: 'completed' });
  });

  test('of a run that did not complete takes it up where it was', async () => {
    const id = await start(asking);
    await until(id, waits);
    expect((await api.post(`${BASE}/${id}/retry`)).body).toMatchObject({
      code: 'RUN_NOT_RETRYABLE',
      status: 'waiting',
    });
    await api.post(`${BASE}/${id}/cancel`);
    const { body } = await api.post(`${BASE}/${id}/retry`);
    expect(body).toMatchObject({ kept_steps: ['draft/1'], lineage: { fork_of: { run_id: id } } });
    const forkId = String(body['run_id']);
    await until(forkId, waits);
    await api.post(`${BASE}/${forkId}/signals`, { name: 'budget', payload: { eur: 1 } });
    expect(await until(forkId, ended)).toMatchObject({
      status: 'completed',
      result: { nodes: { draft: { visits: 1 }, budget: { output: { eur: 1 } } } },
    });
  });

  test('asks people anew what nobody had answered', async () => {
    const nodes = [agent('a'), { id: 'ok', type: 'approval', title: 'Go on?' }, agent('b')];
    const edges = [
      { from: 'a', to: 'ok' },
      { from: 'ok', to: 'b' },
    ];
    const id = await start({ workflow: 'graph', graph: { nodes, edges } });
    await until(id, waits);
    await api.post(`${BASE}/${id}/cancel`);
    const { body } = await api.post(`${BASE}/${id}/retry`);
    const retryId = String(body['run_id']);
    const run = await until(retryId, waits);
    const [wait] = run['waits'] as JsonObject[];
    const { body: approval } = await api.get(`/api/v1/approvals/${wait?.['approval_id']}`);
    expect(approval).toMatchObject({ run_id: retryId, status: 'pending' });
    await api.post(`/api/v1/approvals/${wait?.['approval_id']}/approve`, { by: 'dana' });
    expect(await until(retryId, ended)).toMatchObject({
      status: 'completed',
      result: { nodes: { ok: { output: { approved: true, by: ['dana'] } } } },
    });
  });
});

describe('a run at a limit', () => {
  const limited = { workflow: 'group-chat', agent_ids: ['ceo', 'cfo'], task: {}, config: { max_tokens: 10 } };

  test('goes on with what it is granted, or stops there', async () => {
    const [on, off] = await Promise.all([start(limited), start(limited)]);
    const stands = await until(on, waits);
    expect(stands).toMatchObject({ waiting_for: 'limit', limits: { max_tokens: 10 } });
    const { status, body } = await api.post(`${BASE}/${on}/resume`, { raise: { max_tokens: 1_000_000 } });
    expect([status, body]).toEqual([202, { run_id: on, wait: 'limit/1', decision: 'continue' }]);
    expect(await until(on, ended)).toMatchObject({ status: 'completed' });

    await until(off, waits);
    await api.post(`${BASE}/${off}/resume`, { decision: 'stop' });
    expect(await until(off, ended)).toMatchObject({ status: 'failed', error: { code: 'limit_exceeded' } });
  });

  test('is the only one that can be resumed', async () => {
    const id = await start(asking);
    await until(id, waits);
    expect((await api.post(`${BASE}/${id}/resume`)).body).toMatchObject({
      code: 'RUN_NOT_AT_LIMIT',
      waiting_for: 'input',
    });
  });
});

describe('a session', () => {
  test('shows its messages, and is not found where there is none', async () => {
    const session = newUuid();
    const id = await start({ message: 'Good morning' }, { session });
    await until(id, ended);
    const { body } = await api.get(`/api/v1/aoa/sessions/${session}`);
    expect(body).toMatchObject({
      session_id: session,
      messages: [
        { seq: 1, role: 'user', content: 'Good morning', run_id: id },
        { seq: 2, role: 'assistant', run_id: id },
      ],
      next_after: 2,
    });
    const { body: rest } = await api.get(`/api/v1/aoa/sessions/${session}?after=2`);
    expect(rest).toMatchObject({ messages: [], next_after: 2 });
    const { body: list } = await api.get('/api/v1/aoa/sessions');
    expect((list['items'] as JsonObject[]).map((item) => item['session_id'])).toContain(session);
    expect((await api.get(`/api/v1/aoa/sessions/${newUuid()}`)).body['code']).toBe('SESSION_NOT_FOUND');
  });
});
