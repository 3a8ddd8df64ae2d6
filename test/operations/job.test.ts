import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { createJobOperations } from '../../src/operations/job.ts';
import { jobSpecs } from '../../src/operations/job-spec.ts';
import { describeRest } from '../../src/operations/rest-document.ts';
import type { Database } from '../../src/store/database.ts';
import { type ApiAnswer, readContract } from '../support/api.ts';
import { startApiHost } from '../support/api-host.ts';
import { openTestDatabase } from '../support/database.ts';
import type { TestHost } from '../support/host.ts';
import { createTestJobs, type TestJobs } from '../support/jobs.ts';
import { recordingLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

const NOON = Date.UTC(2026, 1, 1, 12);
const BASE = '/api/v1/aoa/jobs';

const clock = new ManualClock(NOON);
const log = recordingLog();
let database: Database;
let host: TestHost;
let jobs: TestJobs;
const { paths, schemas, headers, parameters } = describeRest(jobSpecs);
const contract = readContract({ openapi: '3.1.0', paths, components: { schemas, headers, parameters } });

beforeAll(async () => {
  database = await openTestDatabase();
  jobs = createTestJobs(database, clock);
  const operations = createJobOperations({
    jobs: jobs.store,
    jobReader: jobs.reader,
    scheduler: jobs.scheduler,
    clock,
  });
  host = await startApiHost(operations, database, log);
  await jobs.scheduler.start();
});
afterAll(async () => {
  await jobs?.scheduler.stop();
  await host?.[Symbol.asyncDispose]();
  await database?.close();
});
beforeEach(async () => {
  await database.db.deleteFrom('jobs').execute();
});

async function call(method: string, path: string, body?: JsonValue, tenant = 'acme'): Promise<ApiAnswer> {
  const init = {
    method,
    headers: { 'x-tenant-id': tenant },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  };
  const response = await fetch(`${host.url}${path}`, init);
  const text = await response.text();
  const answer = { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
  expect(contract.faults(method, path, answer, text)).toEqual([]);
  return answer;
}

const daily = { name: 'nightly', schedule_type: 'daily', hour: 2, minute: 30, timezone: 'Europe/Berlin' };
const health = { ...daily, task_type: 'health_check' };

async function make(body: JsonObject = health): Promise<{ id: string; body: JsonObject }> {
  const { status, body: job } = await call('POST', BASE, body);
  expect(status).toBe(201);
  return { id: String(job['id']), body: job };
}

describe('scheduling a job', () => {
  const sync = {
    name: 'nightly-crm-sync',
    description: 'Pull CRM deltas',
    task_type: 'fabric_action',
    target_system: 'crm',
    action_type: 'sync',
    payload: { entity_type: 'customer', data: { since: '{{last_run_at}}' } },
    priority: 'NORMAL',
    agent_id: 'coo',
    timeout_seconds: 300,
    max_retries: 3,
    misfire_policy: 'run_once',
    misfire_grace_seconds: 60,
    overlap_policy: 'skip',
    max_concurrent_runs: 1,
    metadata: {},
  };
  const rule = { schedule_type: 'daily', hour: 2, minute: 30, timezone: 'Europe/Berlin' };

  it('takes a name of the caller’s choice once', async () => {
    const named = { ...health, id: 'nightly-health' };
    expect(await make(named)).toMatchObject({ id: 'nightly-health' });
    expect(await call('POST', BASE, named)).toMatchObject({ status: 409, body: { code: 'JOB_EXISTS' } });
    expect(await call('POST', BASE, { ...health, id: 'a b' })).toMatchObject({ status: 422 });
  });

  it.each<[string, JsonObject]>([
    ['in a member of its own', { ...sync, schedule: { ...rule, max_runs: null, start_date: null, end_date: null } }],
    ['beside the other members', { ...sync, ...rule }],
  ])('answers the job, its schedule given %s', async (_where, body) => {
    const { status, headers: sent, body: job } = await call('POST', BASE, body);
    expect(status).toBe(201);
    expect(sent.get('location')).toBe(`${BASE}/${job['id']}`);
    expect(job).toMatchObject({
      name: 'nightly-crm-sync',
      schedule_type: 'daily',
      schedule: { ...rule, run_at: null, cron_expression: null, run_count: 0 },
      priority: 'normal',
      priority_value: 5,
      tenant_id: 'acme',
      status: 'scheduled',
      enabled: true,
      created_at: '2026-02-01T12:00:00.000Z',
      next_run_at: '2026-02-02T01:30:00.000Z',
      last_run_at: null,
      run_count: 0,
      payload: { entity_type: 'customer', data: { since: '{{last_run_at}}' } },
    });
    expect(job['upcoming']).toHaveLength(10);
    expect((job['upcoming'] as string[]).slice(0, 2)).toEqual(['2026-02-02T01:30:00.000Z', '2026-02-03T01:30:00.000Z']);
    expect((await call('GET', `${BASE}/${job['id']}`)).body).toEqual(job);
  });

  it.each<[JsonObject, string | RegExp]>([
    [{ schedule_type: 'interval' }, 'interval_seconds is required for schedule_type interval'],
    [{ schedule_type: 'interval', interval_seconds: 0 }, /^interval_seconds must be a whole number from 1/],
    [{ schedule: { schedule_type: 'cron', cron_expression: '0 0 30 2 *' } }, /^cron_expression never fires/],
    [{ schedule_type: 'cron', cron_expression: '0 25 * * *' }, /^cron_expression: field hour: expected .* got "25"$/],
    [{}, /^schedule_type must be one of/],
    [{ schedule_type: 'hourly', timezone: 'Mars' }, /^timezone must be/],
  ])('%j is an invalid schedule', async (schedule, detail) => {
    const { status, body } = await call('POST', BASE, { name: 'n', task_type: 'health_check', ...schedule });
    expect({ status, body }).toMatchObject({
      status: 422,
      body: { detail: typeof detail === 'string' ? detail : expect.stringMatching(detail), code: 'INVALID_SCHEDULE' },
    });
  });

  it.each<[JsonObject, RegExp]>([
    [{ task_type: 'fabric_action' }, /^fabric_action needs target_system and action_type$/],
    [{ task_type: 'agent_run', agent_id: 'ceo' }, /^agent_run needs payload.input/],
    [{}, /^agent_run needs agent_id or payload.agent$/],
    [{ payload: { run: { task_type: 'nap' } } }, /^payload.run.task_type must be one of/],
  ])('refuses %j, a task that could never run', async (task, detail) => {
    const { status, body } = await call('POST', BASE, { ...daily, ...task });
    expect({ status, body }).toMatchObject({
      status: 422,
      body: { code: 'INVALID_TASK', detail: expect.stringMatching(detail) },
    });
  });

  it.each<[JsonObject]>([
    [{ payload: { run: { task_type: 'health_check' } } }],
    [{ agent_id: 'ceo', payload: { input: 'What changed since {{last_run_at}}?' } }],
    [{ payload: { agent_ids: ['ceo', 'cfo'], task: { type: 'review' } } }],
  ])('takes %j as the work of a scheduled_job', async (task) => {
    expect((await call('POST', BASE, { ...daily, ...task })).body).toMatchObject({ task_type: 'scheduled_job' });
  });

  it('refuses a single time in the past, unless it is asked for', async () => {
    const once = { name: 'late', task_type: 'health_check', schedule_type: 'once', run_at: '2026-02-01T11:59:30' };
    expect(await call('POST', BASE, once)).toMatchObject({ status: 400, body: { code: 'RUN_AT_PAST' } });
    const { id } = await make({ ...once, allow_past: true });
    await jobs.scheduler.look();
    expect((await call('GET', `${BASE}/${id}`)).body).toMatchObject({ status: 'running', run_count: 1 });
    const { id: missed } = await make({ ...once, run_at: '2026-01-01T00:00:00Z', allow_past: true });
    await jobs.scheduler.look();
    expect((await call('GET', `${BASE}/${missed}`)).body).toMatchObject({ status: 'failed', last_error: 'missed' });
  });

  it('previews a schedule without making a job', async () => {
    const { status, body } = await call('POST', `${BASE}/preview`, {
      ...rule,
      count: 3,
      after: '2026-03-28T00:00:00Z',
    });
    expect(status).toBe(200);
    expect(body['upcoming']).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ]);
    expect((await call('GET', BASE)).body).toMatchObject({ items: [], total: 0 });
  });
});

describe('a job', () => {
  it('is paused and resumed', async () => {
    const { id } = await make();
    const paused = await call('POST', `${BASE}/${id}/pause`);
    expect(paused).toMatchObject({
      status: 200,
      body: { status: 'paused', enabled: false, next_run_at: null, upcoming: [] },
    });
    expect((await call('POST', `${BASE}/${id}/pause`)).body).toEqual(paused.body);
    expect(await call('POST', `${BASE}/${id}/resume`)).toMatchObject({
      status: 200,
      body: { status: 'scheduled', enabled: true, next_run_at: '2026-02-02T01:30:00.000Z' },
    });
    expect(await call('POST', `${BASE}/${id}/resume`)).toMatchObject({
      status: 409,
      body: { code: 'JOB_NOT_PAUSED', status: 'scheduled' },
    });
  });

  it('is cancelled for good', async () => {
    const { id } = await make();
    const cancelled = await call('DELETE', `${BASE}/${id}?reason=moved`);
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled', enabled: false, next_run_at: null } });
    expect((await call('DELETE', `${BASE}/${id}`)).body).toEqual(cancelled.body);
    const terminal = { status: 409, body: { code: 'JOB_TERMINAL', status: 'cancelled' } };
    expect(await call('POST', `${BASE}/${id}/pause`)).toMatchObject(terminal);
    expect(await call('POST', `${BASE}/${id}/trigger`)).toMatchObject(terminal);
    expect(await call('PATCH', `${BASE}/${id}`, { name: 'other' })).toMatchObject(terminal);
    expect(await call('POST', `${BASE}/${id}/resume`)).toMatchObject({ status: 409, body: { code: 'JOB_NOT_PAUSED' } });
  });

  it('takes its run along when it is cancelled before a worker has begun it', async () => {
    const { id } = await make();
    await call('POST', `${BASE}/${id}/trigger`);
    await jobs.scheduler.look();
    const [run] = await jobs.runs(id);
    expect(run?.status).toBe('running');
    await call('DELETE', `${BASE}/${id}`);
    const { items } = await jobs.queue.list({ tenantId: 'acme', userId: '' }, { limit: 500 });
    expect(items.find((task) => task.id === run?.taskId)?.status).toBe('cancelled');
    await jobs.scheduler.look();
    expect(await jobs.runs(id)).toMatchObject([{ status: 'cancelled' }]);
  });

  it('runs now when it is triggered, also while it is paused', async () => {
    const { id } = await make();
    const { status, body } = await call('POST', `${BASE}/${id}/trigger`);
    expect(status).toBe(202);
    expect(body).toMatchObject({ status: 'running', run_count: 1, triggered: { cause: 'manual', run_number: 1 } });
    await jobs.scheduler.look();
    await jobs.endTasks(id);
    await call('POST', `${BASE}/${id}/pause`);
    await call('POST', `${BASE}/${id}/trigger`);
    await jobs.scheduler.look();
    expect((await call('GET', `${BASE}/${id}`)).body).toMatchObject({ status: 'paused', run_count: 2 });
    const { body: history } = await call('GET', `${BASE}/${id}/runs?limit=1`);
    expect(history).toMatchObject({ total: 2, items: [{ run_number: 2, status: 'running', lateness_ms: 0 }] });
    const next = encodeURIComponent(String(history['next_cursor']));
    expect((await call('GET', `${BASE}/${id}/runs?cursor=${next}`)).body).toMatchObject({
      items: [{ run_number: 1, status: 'completed', result: { done: true }, duration_ms: 0 }],
      next_cursor: null,
    });
  });

  it.each<[JsonObject, JsonObject]>([
    [{ minute: 45 }, { next_run_at: '2026-02-02T01:45:00.000Z', schedule: { hour: 2, minute: 45 } }],
    [{ schedule: { schedule_type: 'hourly', minute: 5 } }, { schedule: { hour: null, timezone: 'Europe/Berlin' } }],
    [{ timezone: 'UTC' }, { next_run_at: '2026-02-02T02:30:00.000Z' }],
    [
      { name: 'other', priority: 1 },
      { name: 'other', priority: 'critical', next_run_at: '2026-02-02T01:30:00.000Z' },
    ],
    [
      { failure_threshold: 3, payload: { a: 1 } },
      { failure_threshold: 3, payload: { a: 1 } },
    ],
    [{ end_date: '2026-02-03T00:00:00Z' }, { upcoming: ['2026-02-02T01:30:00.000Z'] }],
  ])('is changed by %j', async (patch, expected) => {
    const { id } = await make();
    expect(await call('PATCH', `${BASE}/${id}`, patch)).toMatchObject({ status: 200, body: expected });
  });

  it.each<[JsonObject, string]>([
    [{ hour: 99 }, 'INVALID_SCHEDULE'],
    [{ schedule_type: 'cron' }, 'INVALID_SCHEDULE'],
    [{}, 'INVALID_REQUEST'],
  ])('is not changed by %j', async (patch, code) => {
    const { id, body } = await make();
    expect(await call('PATCH', `${BASE}/${id}`, patch)).toMatchObject({ status: 422, body: { code } });
    expect((await call('GET', `${BASE}/${id}`)).body).toEqual(body);
  });

  it('is not there for another tenant', async () => {
    const { id } = await make();
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/pause'],
      ['POST', '/resume'],
      ['POST', '/trigger'],
      ['GET', '/runs'],
    ] as const) {
      const answer = await call(method, `${BASE}/${id}${path}`, undefined, 'rival');
      expect(answer).toMatchObject({ status: 404, body: { code: 'JOB_NOT_FOUND', detail: `Job ${id} not found` } });
    }
    expect((await call('GET', BASE, undefined, 'rival')).body).toMatchObject({ items: [], total: 0 });
  });
});

describe('the list of jobs', () => {
  it('goes by the next time, page by page, those without one last', async () => {
    const { id: last } = await make({ ...health, name: 'd' });
    await call('POST', `${BASE}/${last}/pause`);
    for (const [name, hour] of [
      ['b', 5],
      ['a', 2],
      ['c', 9],
    ] as const)
      await make({ ...health, name, hour });
    const names: unknown[] = [];
    let cursor = '';
    do {
      const { body } = await call('GET', `${BASE}?limit=1${cursor}`);
      expect(body['total']).toBe(4);
      names.push(...(body['items'] as JsonObject[]).map((job) => job['name']));
      cursor = body['next_cursor'] === null ? '' : `&cursor=${encodeURIComponent(String(body['next_cursor']))}`;
    } while (cursor !== '');
    expect(names).toEqual(['a', 'b', 'c', 'd']);
  });

  it.each([
    ['status=paused', ['p']],
    ['enabled=false', ['p']],
    ['enabled=true', ['i', 'd']],
    ['schedule_type=interval', ['i']],
    ['task_type=health_check&status=scheduled', ['i', 'd']],
    ['task_type=evaluation', []],
  ])('is filtered by %s', async (query, names) => {
    await make({ ...health, name: 'd' });
    await make({ name: 'i', task_type: 'health_check', schedule_type: 'interval', interval_seconds: 60 });
    const { id } = await make({ ...health, name: 'p' });
    await call('POST', `${BASE}/${id}/pause`);
    const { body } = await call('GET', `${BASE}?${query}`);
    expect((body['items'] as JsonObject[]).map((job) => job['name'])).toEqual(names);
    expect(body['total']).toBe(names.length);
  });

  it.each(['cursor=nonsense', 'cursor=2026~x', 'status=done', 'limit=0'])('refuses %s', async (query) => {
    expect((await call('GET', `${BASE}?${query}`)).status).toBe(422);
  });
});

describe('the scheduler', () => {
  it('says what it does', async () => {
    const { id } = await make();
    const { id: paused } = await make({
      name: 'i',
      task_type: 'health_check',
      schedule_type: 'interval',
      interval_seconds: 60,
    });
    await call('POST', `${BASE}/${paused}/pause`);
    await call('POST', `${BASE}/${id}/trigger`);
    await jobs.scheduler.look();
    const { body } = await call('GET', '/api/v1/aoa/scheduler/stats');
    expect(body).toMatchObject({
      running: true,
      total_jobs: 2,
      active_jobs: 1,
      by_status: { running: 1, paused: 1 },
      by_schedule_type: { daily: 1, interval: 1 },
      total_runs: 1,
      runs_24h: { completed: 0, failed: 0, missed: 0, skipped: 0 },
      running_jobs: 1,
      max_concurrent_jobs: 10,
      next_due_at: '2026-02-02T01:30:00.000Z',
    });
  });
});

describe('whatever is sent', () => {
  const value = fc.oneof(
    fc.constantFrom(
      null,
      true,
      '',
      'UTC',
      'Europe/Berlin',
      '* * * * *',
      '@daily',
      '2026-02-30',
      '2026-02-03T04:05:06Z',
    ),
    fc.integer({ min: -5, max: 100 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.string({ maxLength: 20 }),
    fc.constant({}),
  );
  const member = fc.constantFrom(
    ...['run_at', 'interval_seconds', 'minute', 'hour', 'cron_expression', 'timezone', 'max_runs', 'start_date'],
    ...['end_date', 'priority', 'agent_id', 'payload', 'metadata', 'timeout_seconds', 'max_retries', 'description'],
    ...['misfire_policy', 'misfire_grace_seconds', 'overlap_policy', 'max_concurrent_runs', 'failure_threshold'],
    ...['schedule', 'allow_past', 'simulation', 'task_type', 'target_system', 'name', '__proto__', 'stray'],
  );
  const bodies = fc
    .tuple(
      fc.constantFrom('once', 'interval', 'hourly', 'daily', 'cron', 'weekly'),
      fc.array(fc.tuple(member, value), { maxLength: 6 }),
    )
    .map(
      ([type, members]): JsonObject => ({
        ...{ name: 'n', task_type: 'health_check', schedule_type: type, interval_seconds: 60, hour: 3 },
        ...{ cron_expression: '*/5 * * * *', run_at: '2027-01-01T00:00:00Z' },
        ...Object.fromEntries(members),
      }),
    );

  /** An answer without the note that something in the body was not known. */
  const job = ({ body: { warnings: _warnings, ...shown } }: ApiAnswer) => shown;

  it('makes a job that can be shown, or is refused in a sentence', async () => {
    const statuses = new Set<number>();
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        const made = await call('POST', BASE, body);
        statuses.add(made.status);
        expect([201, 400, 422]).toContain(made.status);
        if (made.status !== 201) return;
        const {
          id,
          next_run_at: next,
          upcoming,
        } = made.body as { id: string; next_run_at: string; upcoming: string[] };
        expect(upcoming[0]).toBe(next);
        expect(upcoming).toEqual(upcoming.toSorted());
        expect((await call('GET', `${BASE}/${id}`)).body).toEqual(job(made));
        expect((await call('POST', `${BASE}/${id}/pause`)).status).toBe(200);
      }),
      { numRuns: 200 },
    );
    expect([...statuses]).toContain(201);
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('changes a job, or leaves it as it was', async () => {
    await fc.assert(
      fc.asyncProperty(
        bodies,
        fc.array(fc.tuple(member, value), { minLength: 1, maxLength: 3 }),
        async (body, patch) => {
          const made = await call('POST', BASE, body);
          if (made.status !== 201) return;
          const path = `${BASE}/${made.body['id']}`;
          const changed = await call('PATCH', path, Object.fromEntries(patch));
          expect([200, 400, 422]).toContain(changed.status);
          expect((await call('GET', path)).body).toEqual(job(changed.status === 200 ? changed : made));
          await call('DELETE', path);
        },
      ),
      { numRuns: 100 },
    );
    expect(log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
