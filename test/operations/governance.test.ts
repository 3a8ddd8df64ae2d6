/** The governance API over the REST door of a whole container that stands in production. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { newUuid } from '../../src/core/ids.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { defaultMatrix } from '../../src/governance/raci/default-matrix.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';

const BASE = '/api/v1/governance';
const enforced = { enforced: true, policyFile: undefined, raciFile: undefined };
const production = { environment: 'production', governance: enforced } as const;
let container: TestContainer;
let api: ApiClient;

beforeAll(async () => {
  container = await startTestContainer({ runtime: production });
  api = createApiClient(container.url);
});
afterAll(() => container?.[Symbol.asyncDispose]());

/** Runs a graph that uses the calculator once. @returns the run's id */
async function calculate(expression: string): Promise<string> {
  const id = newUuid();
  const graph = { nodes: [{ id: 'sum', type: 'tool', tool: 'calculator', arguments: { expression } }], edges: [] };
  const response = await fetch(`${container.url}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-agent-invocation-id': id },
    body: JSON.stringify({ workflow: 'graph', task: { topic: 'sums' }, graph }),
  });
  expect(response.status, await response.text()).toBeLessThan(600);
  return id;
}

const replace = (kind: string, document: JsonObject) =>
  api.call('PUT', `${BASE}/documents/${kind}`, { body: { document } });

const policy = (rules: JsonObject[]): JsonObject => ({ version: 1, name: 'ours', rules });
const denial = { id: 'no-sums', effect: 'deny', actions: ['tool:calculator'], reason: 'No sums today.' };

describe('the documents', () => {
  test('are those of the blueprint and of the package until somebody gives others', async () => {
    expect((await api.get(`${BASE}/documents/raci`)).body).toMatchObject({
      kind: 'raci',
      enforced: true,
      environment: 'production',
      document: { version: 1 },
    });
    expect((await api.get(`${BASE}/documents/policy`)).body).toMatchObject({ document: { name: 'default' } });
  });

  test('are refused with a sentence for every fault, and what held goes on holding', async () => {
    const refused = await replace('policy', policy([{ id: 'x', effect: 'allow', when: 'nope', reason: 'r' }]));
    expect(refused).toMatchObject({ status: 422, body: { code: 'POLICY_INVALID' } });
    const matrix = { ...defaultMatrix, activities: defaultMatrix.activities.slice(0, 1) };
    const lost = await replace('raci', structuredClone(matrix) as unknown as JsonObject);
    expect(lost).toMatchObject({
      status: 422,
      body: { code: 'RACI_INVALID', detail: expect.stringContaining('nobody is accountable for the action "tool:') },
    });
    expect((await api.get(`${BASE}/documents/policy/versions`)).body).toEqual({ items: [] });
  });

  test('of one tenant do not hold for another', async () => {
    const theirs = { 'x-tenant-id': 'acme' };
    await api.call('PUT', `${BASE}/documents/policy`, { body: { document: policy([denial]) }, headers: theirs });
    expect((await api.get(`${BASE}/documents/policy`, theirs)).body).toMatchObject({ document: { name: 'ours' } });
    expect((await api.get(`${BASE}/documents/policy`)).body).toMatchObject({ document: { name: 'default' } });
    expect((await api.get(`${BASE}/documents/policy/versions`, theirs)).body['items']).toHaveLength(1);
  });
});

describe('a tool call', () => {
  test('is judged, and its verdict kept with who answers for it', async () => {
    const id = await calculate('6*7');
    const { body } = await api.get(`${BASE}/decisions?run_id=${id}`);
    expect(body['items']).toMatchObject([
      { verdict: 'allow', action: 'tool:calculator', accountable: 'Platform', rule: 'policy/default.read' },
      { verdict: 'allow', action: 'run:submit', accountable: 'Platform' },
    ]);
    expect(JSON.stringify(body)).not.toContain('6*7');
  });

  test('is refused by a rule that was given a moment ago', async () => {
    await replace('policy', policy([denial]));
    const id = await calculate('6*7');
    const run = await api.get(`/api/v1/aoa/runs/${id}`);
    expect(run.body).toMatchObject({ status: 'failed' });
    expect(JSON.stringify(run.body)).toContain('No sums today.');
    const asked = `${BASE}/decisions?run_id=${id}`;
    expect((await api.get(asked)).body['items']).toMatchObject([
      { verdict: 'deny', action: 'tool:calculator' },
      { verdict: 'allow', action: 'run:submit', rule: 'policy/default.work' },
    ]);
    await replace('policy', policy([]));
  });
});

test('a tool call that a rule holds waits for people, and runs with what they approved', async () => {
  const hold = {
    id: 'ask',
    effect: 'hold',
    actions: ['tool:calculator'],
    quorum: 2,
    reason: 'Two people agree to sums.',
  };
  await replace('policy', policy([hold]));
  const running = calculate('6*7');
  const pending = await vi.waitFor(async () => {
    const { body } = await api.get('/api/v1/approvals?status=pending');
    const [approval] = body['items'] as JsonObject[];
    if (approval === undefined) throw new Error('nobody is asked yet');
    return approval;
  }, 10_000);
  expect(pending).toMatchObject({ action_type: 'calculator', quorum: 2 });
  const approve = (by: string, more: JsonObject = {}) =>
    api.post(`/api/v1/approvals/${pending['id']}/approve`, { by, ...more });
  expect((await approve('dana')).status).toBe(200);
  expect((await approve('eli')).status).toBe(200);
  const id = await running;
  expect((await api.get(`/api/v1/aoa/runs/${id}`)).body).toMatchObject({ status: 'completed' });
  const { body } = await api.get(`${BASE}/decisions?run_id=${id}`);
  expect(body['items']).toMatchObject([
    { verdict: 'allow', outcome: true, approved_by: ['dana', 'eli'] },
    { verdict: 'hold', outcome: false, rule: 'policy/ask' },
    { verdict: 'allow', action: 'run:submit' },
  ]);
  await replace('policy', policy([]));
});

describe('a run that somebody has to agree to', () => {
  const hold = {
    id: 'agreed',
    effect: 'hold',
    actions: ['run:*'],
    when: 'action.args.workflow == "graph"',
    quorum: 1,
    reason: 'Somebody agrees to graphs.',
  };
  const graph = {
    nodes: [{ id: 'sum', type: 'tool', tool: 'calculator', arguments: { expression: '6*7' } }],
    edges: [],
  };
  const submit = async (id: string) => {
    const body = { orchestration_id: id, agent_ids: ['ceo'], workflow: 'graph', task: { topic: 'sums' }, graph };
    const answer = await api.post('/api/orchestrations', body);
    expect(answer.status).toBe(202);
  };
  const asked = async (id: string) =>
    vi.waitFor(async () => {
      const { body } = await api.get(`/api/v1/approvals?run_id=${id}&status=pending`);
      const [approval] = body['items'] as JsonObject[];
      if (approval === undefined) throw new Error('nobody is asked yet');
      return approval;
    }, 10_000);
  const ended = async (id: string) =>
    vi.waitFor(async () => {
      const { body } = await api.get(`/api/v1/aoa/runs/${id}`);
      if (body['completed_at'] === null) throw new Error('it has not ended');
      return body;
    }, 10_000);
  const types = async (id: string) => {
    const { body } = await api.get(`/api/v1/aoa/runs/${id}/events`);
    return (body['events'] as JsonObject[]).map((event) => event['type']);
  };

  beforeAll(() => replace('policy', policy([hold])));
  afterAll(() => replace('policy', policy([])));

  test('comes in, does nothing before they do, and tells who did', async () => {
    const id = newUuid();
    await submit(id);
    const approval = await asked(id);
    expect(approval).toMatchObject({ title: expect.stringContaining('orchestration'), quorum: 1 });
    await vi.waitFor(async () =>
      expect((await api.get(`/api/v1/aoa/runs/${id}`)).body).toMatchObject({
        status: 'waiting',
        waiting_for: 'approval',
      }),
    );
    expect(await types(id)).not.toContain('run.started');
    expect((await api.post(`/api/v1/approvals/${approval['id']}/approve`, { by: 'dana' })).status).toBe(200);
    expect(await ended(id)).toMatchObject({ status: 'completed' });
    const { body } = await api.get(`${BASE}/decisions?run_id=${id}`);
    expect(body['items']).toMatchObject([
      { verdict: 'allow', action: 'tool:calculator' },
      { verdict: 'allow', action: 'run:submit', outcome: true, approved_by: ['dana'] },
      { verdict: 'hold', action: 'run:submit', rule: 'policy/agreed' },
    ]);
    // Nobody has agreed to a run that begins where this one was.
    const fork = await api.post(`/api/v1/aoa/runs/${id}/fork`, { from_step: 'sum/1' });
    expect(fork.body).toMatchObject({ run_id: expect.any(String) });
    const forked = fork.body['run_id'];
    await asked(String(forked));
    await api.post(`/api/v1/aoa/runs/${String(forked)}/cancel`, {});
  });

  test('ends when they do not agree, and has done nothing', async () => {
    const id = newUuid();
    await submit(id);
    const approval = await asked(id);
    await api.post(`/api/v1/approvals/${approval['id']}/reject`, { by: 'dana', reason: 'Not today.' });
    expect(await ended(id)).toMatchObject({
      status: 'failed',
      error: { message: expect.stringContaining('Not today.') },
    });
    expect(await types(id)).not.toContain('run.started');
  });

  test('is submitted anew when they agree to something else', async () => {
    const id = newUuid();
    await submit(id);
    const approval = await asked(id);
    const args = { ...(approval['action_details'] as JsonObject), task: { topic: 'products' } };
    await api.post(`/api/v1/approvals/${approval['id']}/approve`, { by: 'dana', args });
    expect(await ended(id)).toMatchObject({ status: 'failed', error: { code: 'conflict' } });
  });
});

describe('a task that somebody has to agree to', () => {
  const hold = {
    id: 'agreed',
    effect: 'hold',
    actions: ['task:submit'],
    when: 'action.args.priority == "critical"',
    reason: 'Somebody agrees to what is critical.',
  };
  const submit = async (change: JsonObject = {}) => {
    const task = { task_type: 'health_check', priority: 'critical', ...change };
    const { body } = await api.post('/api/v1/aoa/tasks', task);
    return String(body['task_id']);
  };
  const taskIs = (id: string, status: string) =>
    vi.waitFor(async () => {
      const { body } = await api.get(`/api/v1/aoa/tasks/${id}`);
      if (body['status'] !== status) throw new Error(`it is ${String(body['status'])}`);
      return body;
    }, 10_000);
  const decide = async (id: string, verb: string) => {
    const { body } = await api.get(`/api/v1/approvals?task_id=${id}&status=pending`);
    const [approval] = body['items'] as JsonObject[];
    return api.post(`/api/v1/approvals/${String(approval?.['id'])}/${verb}`, { by: 'dana', reason: 'So it is.' });
  };

  beforeAll(() => replace('policy', policy([hold])));
  afterAll(() => replace('policy', policy([])));

  test('comes in, holds no worker, and does its work once they do', async () => {
    const id = await submit();
    expect(await taskIs(id, 'awaiting_approval')).toMatchObject({ waiting: { reason: 'approval' } });
    expect((await decide(id, 'approve')).status).toBe(200);
    expect(await taskIs(id, 'completed')).toMatchObject({ attempt: 1 });
    const { body } = await api.get(`${BASE}/decisions?run_id=${id}.1`);
    expect(body['items']).toMatchObject([
      { verdict: 'allow', action: 'task:submit', outcome: true, approved_by: ['dana'] },
      { verdict: 'hold', action: 'task:submit', rule: 'policy/agreed' },
    ]);
  });

  test('fails, and is not tried again, when they do not', async () => {
    const id = await submit();
    await taskIs(id, 'awaiting_approval');
    expect((await decide(id, 'reject')).status).toBe(200);
    expect(await taskIs(id, 'failed')).toMatchObject({ attempt: 1 });
  });
});

test.each([
  [`${BASE}/decisions`, 'since', 'until'],
  [`${BASE}/accountable`, 'since', 'until'],
  ['/api/v1/aoa/audit', 'since', 'until'],
])('%s says that nothing can be between two times that are the wrong way round', async (path, from, to) => {
  expect(await api.get(`${path}?${from}=2026-03-01T00:00:00Z&${to}=2026-01-01T00:00:00Z`)).toMatchObject({
    status: expect.toBeOneOf([400, 422]),
    body: { detail: expect.stringMatching(/is later than "until" .*: swap them/) },
  });
});

test('says who was accountable for what was done to a system between two times', async () => {
  const client = new pg.Client({ connectionString: container.databaseUrl });
  await client.connect();
  const template = (await api.get(`${BASE}/decisions?limit=1`)).body['items'] as JsonObject[];
  const keep = async (at: string, change: JsonObject) => {
    const data = {
      ...template[0],
      target: 'crm',
      action: 'fabric:crm:update',
      agent_id: 'ceo',
      approved_by: [],
      ...change,
    };
    await client.query('insert into aos.governance_decisions (tenant_id, at, data) values ($1, $2, $3)', [
      'default',
      at,
      JSON.stringify(data),
    ]);
  };
  await keep('2026-01-01T00:00:00Z', { accountable: 'Nobody any more', verdict: 'allow' });
  await keep('2026-01-10T00:00:00Z', { accountable: 'Security', verdict: 'hold' });
  await keep('2026-01-11T00:00:00Z', { accountable: 'Security', verdict: 'allow', approved_by: ['dana'] });
  await keep('2026-01-12T00:00:00Z', { accountable: 'Compliance', verdict: 'deny' });
  await keep('2026-01-12T00:00:00Z', { accountable: 'Other', verdict: 'allow', target: 'erp' });
  await keep('2026-02-01T00:00:00Z', { accountable: 'Too late', verdict: 'allow' });
  await client.end();
  const { body } = await api.get(`${BASE}/accountable?target=crm&since=2026-01-05&until=2026-02-01`);
  expect(body['items']).toMatchObject([
    { accountable: 'Compliance', allowed: 0, denied: 1, held: 0, approved_by: [] },
    {
      accountable: 'Security',
      action: 'fabric:crm:update',
      agent_id: 'ceo',
      allowed: 1,
      denied: 0,
      held: 1,
      approved_by: ['dana'],
      first_at: '2026-01-10T00:00:00.000Z',
      last_at: '2026-01-11T00:00:00.000Z',
    },
  ]);
});

test('shows what would have been under another policy, and changes nothing', async () => {
  const id = await calculate('2+2');
  const asked = { run_id: id, action: 'tool:calculator', policy: policy([denial]) };
  const { body, status } = await api.post(`${BASE}/what-if`, asked);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    decided: 1,
    newly_blocked: [{ action: 'tool:calculator', before: 'allow', after: 'deny', reason: 'No sums today.' }],
  });
  expect((await api.post(`${BASE}/what-if`, { run_id: id })).body).toMatchObject({ unchanged: 2, newly_blocked: [] });
  expect(await api.post(`${BASE}/what-if`, { policy: { version: 1 } })).toMatchObject({ status: 422 });
});

test('the script asks a server and prints the difference', async () => {
  await calculate('3+3');
  const file = `${import.meta.dirname}/../fixtures/no-sums.policy.json`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    `${import.meta.dirname}/../../scripts/policy-what-if.ts`,
    '--policy',
    file,
    '--action',
    'tool:calculator',
    '--server',
    container.url,
  ]);
  expect(stdout).toMatch(/newly blocked: \d+\n.*tool:calculator: allow → deny\. No sums today\./);
});

test('a container does not start with a matrix in which nobody answers for an action', async () => {
  const raciFile = `${import.meta.dirname}/../fixtures/raci-without-tools.json`;
  await expect(
    startTestContainer({ runtime: { ...production, governance: { ...enforced, raciFile } } }),
  ).rejects.toThrow(/nobody is accountable for the action "tool:/);
});

test('a container in development judges nothing, and shows the rules all the same', async () => {
  await using other = await startTestContainer();
  const answer = await createApiClient(other.url).get(`${BASE}/documents/policy`);
  expect(answer.body).toMatchObject({ enforced: false, environment: 'development' });
});

describe('what changes something', () => {
  const theirs = { 'x-tenant-id': 'judged' };
  const closed = {
    id: 'closed',
    effect: 'deny',
    actions: ['task:*', 'job:*', 'run:*', 'admin:preset_change'],
    reason: 'We are closed.',
  };
  const open = {
    id: 'open',
    effect: 'allow',
    actions: ['admin:*', 'task:*', 'job:*', 'run:*'],
    reason: 'We are open.',
  };
  const task = { task_type: 'health_check' };
  const job = { name: 'nightly', schedule: { schedule_type: 'daily', hour: 2 }, task_type: 'health_check' };
  const refusal = { status: 403, body: { code: 'GOVERNANCE_DENIED', rule: 'policy/closed', accountable: 'Platform' } };
  const setRules = (rules: JsonObject[]) =>
    api.call('PUT', `${BASE}/documents/policy`, { body: { document: policy(rules) }, headers: theirs });

  test('is judged at every door, and the verdict is kept and told in the audit log', async () => {
    await setRules([open]);
    const id = newUuid();
    expect((await api.post('/api/v1/aoa/tasks', { ...task, task_id: id }, theirs)).status).toBe(202);
    expect((await api.post('/api/v1/aoa/tasks', { ...task, task_id: id }, theirs)).status).toBe(202);
    expect((await setRules([{ ...open, actions: ['admin:rules_change'] }, closed])).status).toBe(200);
    expect(await api.post('/api/v1/aoa/tasks', task, theirs)).toMatchObject(refusal);
    expect(await api.post('/api/v1/aoa/jobs', job, theirs)).toMatchObject({
      status: 403,
      body: { rule: 'policy/closed' },
    });
    const preset = { preset: 'preset_6_scrappy' };
    expect(await api.post('/api/v1/fabric/preset', preset, theirs)).toMatchObject(refusal);
    const orchestration = { agent_ids: ['ceo'], workflow: 'sequential', task: { topic: 'x' } };
    expect(await api.post('/api/orchestrations', orchestration, theirs)).toMatchObject({
      status: 403,
      body: { code: 'GOVERNANCE_DENIED' },
    });
    const { items } = (await api.get(`${BASE}/decisions?limit=50`, theirs)).body as { items: JsonObject[] };
    const said = items.map(({ action, verdict }) => `${String(action)} ${String(verdict)}`).toSorted();
    expect(said).toEqual([
      'admin:preset_change deny',
      'admin:rules_change allow',
      'admin:rules_change allow',
      'job:schedule deny',
      'run:submit deny',
      'task:submit allow',
      'task:submit deny',
    ]);
    await vi.waitFor(async () => {
      const audit = (await api.get('/api/v1/aoa/audit?action=POLICY_DECISION&limit=50', theirs)).body as {
        items: { reason: string; outcome: string; raci_accountable: string }[];
      };
      expect(audit.items).toHaveLength(7);
      expect(audit.items.filter(({ outcome }) => outcome === 'denied')).toHaveLength(4);
      expect(new Set(audit.items.map(({ raci_accountable }) => raci_accountable))).toEqual(new Set(['Platform']));
    });
  });

  test('that was let in before is not refused when it is sent again', async () => {
    await setRules([open]);
    const id = newUuid();
    expect((await api.post('/api/v1/aoa/tasks', { ...task, task_id: id }, theirs)).status).toBe(202);
    await setRules([{ ...open, actions: ['admin:rules_change'] }, closed]);
    expect((await api.post('/api/v1/aoa/tasks', { ...task, task_id: id }, theirs)).status).toBe(202);
    expect(await api.post(`/api/v1/aoa/tasks`, { ...task, task_id: newUuid() }, theirs)).toMatchObject(refusal);
  });
});
