import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { readVerifierKey } from '../../src/governance/audit/checkpoint.ts';
import { readLine } from '../../src/governance/audit/export-reading.ts';
import { verifyInclusion } from '../../src/governance/audit/merkle.ts';
import { verifyExport } from '../../src/governance/audit/verification.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { type ApiClient, createApiClient } from '../support/api.ts';
import { auditGaps, createTestAudit } from '../support/audit.ts';
import { startTestContainer, type TestContainer } from '../support/container.ts';
import { silentLog } from '../support/log.ts';

let folder: string;
let container: TestContainer;
let database: Database;
let api: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-audit-'));
  const auditKeyFile = join(folder, 'key.pem');
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(auditKeyFile, privateKey.export({ format: 'pem', type: 'pkcs8' }));
  container = await startTestContainer({ runtime: { auditKeyFile } });
  database = await openDatabase({ url: container.databaseUrl, clock: systemClock, log: silentLog });
  api = createApiClient(container.url);
});
afterAll(async () => {
  await database?.close();
  await container?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const as = (tenant: string, user = ''): Record<string, string> => ({
  'x-tenant-id': tenant,
  ...(user !== '' && { 'x-agent-user-id': user }),
});

async function items(path: string, headers: Record<string, string>): Promise<JsonObject[]> {
  const { status, body } = await api.get(path, headers);
  expect(status).toBe(200);
  return body['items'] as JsonObject[];
}

async function done(path: string, body: JsonObject, headers: Record<string, string>) {
  const answer = await api.post(path, body, headers);
  if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
  return answer;
}

/** Asks until it is so. */
async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = systemClock.monotonic() + 20_000;
  while (!(await isSo())) {
    if (systemClock.monotonic() > deadline) throw new Error('it never came to that');
    await systemClock.sleep(50);
  }
}

const ENDED = ['completed', 'failed', 'cancelled', 'dead', 'timed_out', 'timeout', 'stopped'];

async function ended(path: string, headers: Record<string, string>): Promise<void> {
  await eventually(async () => ENDED.includes(String((await api.get(path, headers)).body['status'])));
}

const task = (more: JsonObject = {}): JsonObject => ({
  task_type: 'agent_run',
  agent_id: 'cfo',
  payload: { input: 'Where do we stand?' },
  ...more,
});

describe('the audit log of a tenant', () => {
  it('has an entry for everything that was done to tasks, jobs, runs and the pool, each where it belongs', async () => {
    const acme = as('acme');
    const submitted: string[] = [];
    for (let count = 0; count < 3; count++) {
      const { body } = await done('/api/v1/aoa/tasks', task(), acme);
      submitted.push(String(body['id']));
    }
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const waiting = await done('/api/v1/aoa/tasks', task({ scheduled_at: later }), acme);
    const cancelled = String(waiting.body['id']);
    await api.call('DELETE', `/api/v1/aoa/tasks/${cancelled}`, { headers: acme });
    const run = await done(
      '/api/orchestrations',
      { agent_ids: ['ceo'], purpose: 'Grow', config: { max_cycles: 1 } },
      acme,
    );
    const runId = String(run.body['orchestration_id']);
    for (const id of submitted) await ended(`/api/v1/aoa/tasks/${id}`, acme);
    await ended(`/api/orchestrations/${runId}`, acme);
    await done('/api/v1/aoa/pool/scale', { target_workers: 3 }, acme);

    const audit = createTestAudit(database);
    expect(await auditGaps(database, audit, 'acme')).toEqual([]);
    const told = async (query: string) => (await items(`/api/v1/aoa/audit?${query}`, acme)).map(({ action }) => action);
    expect((await told(`task_id=${submitted[0]}`)).toReversed()).toEqual([
      'TASK_SUBMIT',
      'TASK_ASSIGN',
      'TASK_START',
      'RUN_ANCHOR',
      'TASK_COMPLETE',
    ]);
    expect((await told(`task_id=${cancelled}`)).toReversed()).toEqual(['TASK_SUBMIT', 'TASK_CANCEL']);
    expect(await told(`run_id=${runId}`)).toEqual(
      expect.arrayContaining(['ORCHESTRATION_SUBMIT', 'ORCHESTRATION_START', 'ORCHESTRATION_COMPLETE', 'RUN_ANCHOR']),
    );
    expect(await told('action=TASK_SUBMIT')).toHaveLength(4);
    await eventually(async () => (await items('/api/v1/aoa/audit?action=POOL_SCALE', as('default'))).length > 0);
  });

  it('tells of jobs', async () => {
    const headers = as('jobs');
    const { body } = await done(
      '/api/v1/aoa/jobs',
      { name: 'report', schedule_type: 'daily', hour: 3, task_type: 'health_check' },
      headers,
    );
    const id = String(body['id']);
    for (const act of ['pause', 'resume']) await done(`/api/v1/aoa/jobs/${id}/${act}`, {}, headers);
    await api.call('DELETE', `/api/v1/aoa/jobs/${id}`, { headers });
    const actions = (await items('/api/v1/aoa/audit', headers)).map(({ action, job_id: job }) => [action, job]);
    expect(actions.toReversed()).toEqual([
      ['JOB_SCHEDULE', id],
      ['JOB_PAUSE', id],
      ['JOB_RESUME', id],
      ['JOB_CANCEL', id],
    ]);
  });

  it('is paged and filtered, and shows users their own work by name', async () => {
    const tenant = 'paged';
    for (const user of ['ann', 'bob', 'ann'])
      await done('/api/v1/aoa/tasks', task({ scheduled_at: '2999-01-01T00:00:00Z' }), as(tenant, user));
    const first = await api.get('/api/v1/aoa/audit?limit=2', as(tenant));
    expect(first.body).toMatchObject({ total: 2, next_cursor: '2' });
    const rest = await api.get('/api/v1/aoa/audit?limit=2&cursor=2', as(tenant));
    expect(rest.body).toMatchObject({ total: 1, next_cursor: null, items: [{ seq: 1 }] });
    const people = first.body['people'] as Record<string, string>;
    expect(Object.values(people).toSorted()).toEqual(['ann', 'bob']);
    const own = await api.get('/api/v1/aoa/audit', as(tenant, 'bob'));
    expect(own.body).toMatchObject({ total: 1, items: [{ seq: 2 }] });
    expect((await api.get('/api/v1/aoa/audit?cursor=x', as(tenant))).status).toBe(422);
    expect((await api.get('/api/v1/aoa/audit?action=NOTHING', as(tenant))).status).toBe(422);
    expect((await api.get('/api/v1/aoa/audit', as('another'))).body).toMatchObject({ items: [] });
    const now = encodeURIComponent(new Date(Date.now() + 60_000).toISOString());
    expect((await api.get(`/api/v1/aoa/audit?since=${now}`, as(tenant))).body).toMatchObject({ total: 0 });
    const trail = await api.get('/api/audit/trail', as(tenant));
    expect((trail.body['entries'] as JsonObject[])[0]).toMatchObject({ event_type: 'TASK_SUBMIT', subject_id: 'ann' });
  });

  it('is exported in pages that verify together, with a signed end and the people when asked for', async () => {
    const tenant = 'exported';
    for (let count = 0; count < 5; count++) {
      await done('/api/v1/aoa/tasks', task({ scheduled_at: '2999-01-01T00:00:00Z' }), as(tenant, 'ann'));
    }
    const lines: string[] = [];
    for (let after: string | null = '0'; after !== null; ) {
      const answer: Response = await fetch(
        `${container.url}/api/v1/aoa/audit/export?limit=2&after=${after}&people=true`,
        {
          headers: { ...as(tenant), accept: 'application/x-ndjson' },
        },
      );
      expect(answer.headers.get('content-type')).toBe('application/x-ndjson');
      lines.push(...(await answer.text()).trimEnd().split('\n'));
      after = answer.headers.get('x-next-after');
    }
    const signed = await api.get('/api/v1/aoa/audit/checkpoint', as(tenant));
    const key = readVerifierKey(String(signed.body['verifier_key']));
    const evidence = { key, checkpoints: [String(signed.body['note'])] };
    const read = lines.map((text, index) => readLine(text, index + 1));
    expect(verifyExport(read, evidence)).toMatchObject({ finding: undefined, entries: 5, signedUpTo: 5, warnings: [] });
    // Without its end it is noticed by itself, without a checkpoint from elsewhere.
    const cut = read.filter(({ kind }) => kind === 'entry' || kind === 'beginning').slice(0, -1);
    expect(verifyExport(cut).finding).toMatchObject({ problem: 'cut', seq: 5 });
    const people = read.flatMap((line) => (line.kind === 'person' ? [line.name] : []));
    expect(new Set(people)).toEqual(new Set(['ann']));
    expect((await api.get('/api/v1/aoa/audit/export', as(tenant, 'ann'))).status).toBe(403);

    const proof = await api.get('/api/v1/aoa/audit/proof?seq=2', as(tenant));
    const { hash } = JSON.parse(lines.find((line) => line.includes('"seq":2,')) ?? '{}') as { hash: string };
    const { root, proof: path } = proof.body as { root: string; proof: string[] };
    expect(verifyInclusion(hash, 1, 5, path, root)).toBe(true);
    expect((await api.get('/api/v1/aoa/audit/proof', as(tenant))).status).toBe(422);
    expect((await api.get('/api/v1/aoa/audit/proof?seq=9', as(tenant))).status).toBe(422);
    expect((await api.get('/api/v1/aoa/audit/proof?from=3', as(tenant))).body).toMatchObject({ size: 5, root });
  });

  it('is told in the words of other systems', async () => {
    const headers = as('views');
    await done('/api/v1/aoa/tasks', task({ scheduled_at: '2999-01-01T00:00:00Z' }), headers);
    const [event] = (await api.get('/api/v1/aoa/audit/export?format=cloudevents', headers)).body['lines'] as string[];
    expect(JSON.parse(event ?? '')).toMatchObject({
      specversion: '1.0',
      id: 'views/1',
      source: 'urn:aos-agent-server/audit/views',
      type: 'aos.audit.task_submit',
      data: { action: 'TASK_SUBMIT', seq: 1 },
    });
    const [activity] = (await api.get('/api/v1/aoa/audit/export?format=ocsf', headers)).body['lines'] as string[];
    expect(JSON.parse(activity ?? '')).toMatchObject({
      type: 'aos.audit.ocsf.api_activity',
      data: {
        class_uid: 6003,
        activity_id: 1,
        type_uid: 600_301,
        time: expect.any(Number),
        metadata: { version: '1.3.0', tenant_uid: 'views', sequence: 1 },
        api: { operation: 'TASK_SUBMIT' },
        unmapped: { task_type: 'agent_run', raci_accountable: 'Platform' },
      },
    });
  });

  it('forgets a person when asked to, and is the log that was signed', async () => {
    const headers = as('forgetting');
    const ann = { ...headers, 'x-agent-user-id': 'ann@example.com' };
    await done('/api/v1/aoa/tasks', task({ scheduled_at: '2999-01-01T00:00:00Z' }), ann);
    const exported = async () => {
      const { body } = await api.get('/api/v1/aoa/audit/export?people=true', headers);
      return (body['lines'] as string[]).join('\n');
    };
    const before = (await api.get('/api/v1/aoa/audit', headers)).body;
    expect(Object.values(before['people'] as JsonObject)).toEqual(['ann@example.com']);
    expect(await exported()).toContain('ann@example.com');
    const forget = () => api.post('/api/v1/aoa/audit/forget', { person: 'ann@example.com' }, headers);
    expect((await forget()).body).toEqual({ forgotten: true });
    expect((await forget()).body).toEqual({ forgotten: false });
    const after = (await api.get('/api/v1/aoa/audit', headers)).body;
    expect(after['people']).toEqual({});
    const [told, ...entries] = after['items'] as JsonObject[];
    expect(told).toMatchObject({ action: 'PERSON_FORGOTTEN' });
    expect(entries).toEqual(before['items']);
    expect(await exported()).not.toContain('ann@example.com');
    expect((await api.get('/api/v1/aoa/audit/verify', headers)).body).toMatchObject({ valid: true });
  });

  it('says when what is stored is not what was written', async () => {
    const headers = as('verified');
    for (let count = 0; count < 4; count++) {
      await done('/api/v1/aoa/tasks', task({ scheduled_at: '2999-01-01T00:00:00Z' }), headers);
    }
    expect((await api.get('/api/v1/aoa/audit/verify', headers)).body).toEqual({
      valid: true,
      entries: 4,
      signed_up_to: 4,
      finding: null,
      notes: [],
    });
    // Somebody who is master of the database.
    await database.pool.query(`
      alter table aos.audit_entries disable trigger all;
      update aos.audit_entries set body = replace(body, '"outcome":"success"', '"outcome":"denied"')
        where tenant_id = 'verified' and seq = 3;
      alter table aos.audit_entries enable trigger all;`);
    expect((await api.get('/api/v1/aoa/audit/verify', headers)).body).toMatchObject({
      valid: false,
      finding: { problem: 'edited', seq: 3 },
    });
  });
});
