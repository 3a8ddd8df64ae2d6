/** The rules of coverage over a mixed load on a whole container: nothing that happened is missing in the audit log. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { type AuditEntry, terminalTaskActions } from '../../../src/governance/audit/entry.ts';
import { type ApiClient, createApiClient } from '../../support/api.ts';
import { startTestContainer, type TestContainer } from '../../support/container.ts';
import { anyProxy, simulatedPlane } from '../../support/fabric-run.ts';

const TASKS = '/api/v1/aoa/tasks';
const PRESET = 'preset_2_ipaas_first';
const anyCall = { path: '/{target}/{id}' };
const failing = (error: string, more: JsonObject = {}) =>
  simulatedPlane({ error_rate: 1, error, dedupes: false, ...more }, anyCall);

let folder: string;
let container: TestContainer;
let api: ApiClient;
let client: pg.Client;
let entries: readonly AuditEntry[];

const planes = {
  // Of what goes to it some passes, and the rest is done by the gateway.
  ipaas: simulatedPlane({ seed: 'coverage', error_rate: 0.4, error: 'unavailable' }),
  api_gateway: simulatedPlane({}, anyProxy),
  custom_down: failing('not_sent'),
  custom_refusing: failing('rejected'),
  custom_lossy: failing('ambiguous'),
  custom_silent: failing('ambiguous', { tells: false }),
  custom_slow: simulatedPlane({ latency_ms: [20_000, 20_000] }, anyCall),
};
const cells: Readonly<Record<string, string>> = {
  erp: 'custom_down',
  finance: 'custom_refusing',
  hris: 'custom_lossy',
  inventory: 'custom_silent',
  support: 'custom_slow',
};

async function submit(task: JsonObject): Promise<string> {
  const { status, body } = await api.post(TASKS, task);
  expect(status, JSON.stringify(body)).toBe(202);
  return String(body['id']);
}

const action = (target: string, more: JsonObject = {}) =>
  submit({
    task_type: 'fabric_action',
    target_system: target,
    action_type: 'update',
    payload: { entity_id: 'e-1', data: { tier: 'gold' } },
    max_retries: 0,
    ...more,
  });

const rows = async (text: string): Promise<JsonObject[]> => (await client.query<JsonObject>(text)).rows;
const isOver = `status in ('completed', 'failed', 'dead', 'cancelled')`;

/** Until the database has that many of something. */
function until(look: () => Promise<JsonObject[]>, count: number): Promise<void> {
  return vi.waitFor(async () => expect(await look()).toHaveLength(count), { timeout: 40_000, interval: 100 });
}

async function all(): Promise<readonly AuditEntry[]> {
  const lines: string[] = [];
  for (let after: string | null = '0'; after !== null; ) {
    const response = await fetch(`${container.url}/api/v1/aoa/audit/export?after=${after}&limit=100`, {
      headers: { accept: 'application/x-ndjson' },
    });
    lines.push(...(await response.text()).trim().split('\n'));
    after = response.headers.get('x-next-after');
  }
  return lines.map((line) => JSON.parse(line) as AuditEntry).filter(({ event }) => event === 'RACI_AUDIT');
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-coverage-'));
  const fabricFile = join(folder, 'fabric.json');
  await writeFile(fabricFile, JSON.stringify({ preset: PRESET, planes }));
  container = await startTestContainer({ runtime: { fabricFile } });
  api = createApiClient(container.url);
  client = new pg.Client({ connectionString: container.databaseUrl });
  await client.connect();
  for (const [target_system, plane] of Object.entries(cells)) {
    const cell = { preset: PRESET, target_system, action_type: 'update', planes: [plane] };
    expect((await api.call('PUT', '/api/v1/fabric/routes', { body: cell })).status).toBe(200);
  }

  // Tasks that are done, that fail, are tried again and die, whose outcome is unknown, that are called off.
  for (let count = 0; count < 12; count++) await action('crm');
  for (let count = 0; count < 3; count++) await submit({ task_type: 'health_check' });
  await submit({ task_type: 'agent_run', agent_id: 'cfo', payload: { input: 'What is 17 * 23?' } });
  await submit({
    task_type: 'orchestration',
    payload: { workflow: 'sequential', agent_ids: ['ceo', 'cfo'], task: { topic: 'bees' } },
  });
  for (let count = 0; count < 2; count++) await action('finance');
  for (let count = 0; count < 2; count++) await action('erp', { max_retries: 1 });
  await action('hris');
  const silent = await action('inventory');
  const later = await action('crm', { scheduled_at: '2099-01-01T00:00:00Z' });
  const slow = await action('support');
  const direct = await api.post('/api/v1/fabric/actions', {
    target_system: 'crm',
    action_type: 'read',
    entity_id: 'e',
  });
  expect(direct.status).toBe(202);
  const job = await api.post('/api/v1/aoa/jobs', {
    id: 'pulse',
    name: 'pulse',
    schedule_type: 'interval',
    interval_seconds: 1,
    task_type: 'health_check',
  });
  expect(job.status, JSON.stringify(job.body)).toBeLessThan(300);

  await until(() => rows(`select 1 from aos.tasks where id = '${slow}' and status = 'running'`), 1);
  for (const id of [later, slow]) expect((await api.call('DELETE', `${TASKS}/${id}`)).status).toBe(200);
  await until(() => rows(`select 1 from aos.fabric_actions where id = '${silent}' and status = 'unknown'`), 1);
  await api.post(`/api/v1/fabric/actions/${silent}/settle`, { outcome: 'failed' });
  await until(() => rows(`select 1 from aos.feed where type = 'job.fired' limit 2`), 2);
  await api.call('DELETE', '/api/v1/aoa/jobs/pulse');
  await until(() => rows(`select id, task_type, status from aos.tasks where not ${isOver}`), 0);
  entries = await all();
}, 120_000);
afterAll(async () => {
  await client?.end();
  await container?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const of = (...actions: readonly string[]) => entries.filter((entry) => actions.includes(entry.action));

describe('the audit log of a mixed load', () => {
  it('was over work that ended in every way', async () => {
    const ways = await rows('select distinct status from aos.tasks order by status');
    expect(ways.map(({ status }) => status)).toEqual(['cancelled', 'completed', 'dead', 'failed']);
    const outcomes = await rows('select distinct status from aos.fabric_actions order by status');
    expect(outcomes.map(({ status }) => status)).toEqual(expect.arrayContaining(['blocked', 'completed', 'failed']));
  });

  it('has one TASK_SUBMIT for every task that was submitted, by whomever', async () => {
    const tasks = await rows('select id from aos.tasks order by id');
    const told = of('TASK_SUBMIT').map(({ task_id: id }) => id);
    expect(told.toSorted()).toEqual(tasks.map(({ id }) => id));
  });

  it('has exactly one end of every task, and it is the one that the task has', async () => {
    const ends: Readonly<Record<string, readonly string[]>> = {
      completed: ['TASK_COMPLETE'],
      failed: ['TASK_FAIL', 'TASK_TIMEOUT'],
      dead: ['TASK_DEAD'],
      cancelled: ['TASK_CANCEL'],
    };
    const terminal = of(...terminalTaskActions);
    const tasks = await rows('select id, status from aos.tasks order by id');
    for (const { id, status } of tasks) {
      const told = terminal.filter(({ task_id: task }) => task === id).map((entry) => entry.action);
      expect(told, `the task ${id} is ${status}`).toHaveLength(1);
      expect(ends[String(status)]).toContain(told[0]);
    }
    expect(terminal).toHaveLength(tasks.length);
  });

  it('has a ROUTE entry for every action, with where it went and who answers for it', async () => {
    const actions = await rows('select id, status, routed_plane, fallback_from from aos.fabric_actions order by id');
    expect(actions.length).toBeGreaterThan(15);
    for (const { id, status, routed_plane: plane, fallback_from: passed } of actions) {
      const told = entries.filter(
        ({ action: name, details }) => name.startsWith('ROUTE_') && details['action_id'] === id,
      );
      // One that was called off before it was on its way went nowhere.
      if (status === 'pending') continue;
      const ends = told.filter(({ action: name }) => name === 'ROUTE_ACTION');
      if (status === 'completed' || status === 'accepted') {
        expect(ends, `the action ${id} is ${status}`).toMatchObject([{ outcome: 'success' }]);
        expect(ends[0]?.details['plane_id']).toBe(plane === 'api_gateway' ? 'gateway_default' : `${plane}_default`);
      }
      if (status === 'failed') expect(ends, `the action ${id} is ${status}`).toMatchObject([{ outcome: 'failure' }]);
      const fallbacks = told.filter(({ action: name }) => name === 'ROUTE_FALLBACK');
      expect(new Set(fallbacks.map(({ details }) => details['from_plane_id'])).size).toBe(
        new Set(passed as unknown as string[]).size,
      );
      for (const entry of told) {
        expect(entry).toMatchObject({ Primary_Plane_ID: 'ipaas_default', fabric_preset: PRESET });
        expect(entry.raci_accountable).not.toBe('');
      }
    }
  });

  it('says the plane and the preset of the tenant in every entry', () => {
    for (const entry of entries) {
      expect(entry, entry.action).toMatchObject({ Primary_Plane_ID: 'ipaas_default', fabric_preset: PRESET });
    }
  });

  it('has every firing of a job, and every change of a route', async () => {
    const fired = await rows(`select 1 from aos.feed where type = 'job.fired'`);
    expect(of('JOB_RUN')).toHaveLength(fired.length);
    expect(of('JOB_SCHEDULE', 'JOB_CANCEL').map(({ job_id: id }) => id)).toEqual(['pulse', 'pulse']);
    expect(of('ROUTE_CHANGE')).toHaveLength(Object.keys(cells).length);
  });

  it('anchors every run that ended, and verifies', async () => {
    const runs = await rows(
      `select id, last_event, last_hash from aos.runs where status in ('completed', 'failed', 'cancelled', 'timed_out') order by id`,
    );
    const anchors = of('RUN_ANCHOR').map(({ run_id, details }) => [
      run_id,
      details['last_event'],
      details['last_hash'],
    ]);
    expect(anchors.toSorted()).toEqual(
      runs.map(({ id, last_event, last_hash }) => [id, last_event, last_hash]).toSorted(),
    );
    expect((await api.get('/api/v1/aoa/audit/verify')).body).toMatchObject({ valid: true, entries: entries.length });
  });
});
