import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createPoolOperations } from '../../src/operations/pool.ts';
import { createTaskOperations } from '../../src/operations/task.ts';
import type { Caller } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { queueMetrics } from '../../src/tasks/queue-metrics.ts';
import { openTestDatabase } from '../support/database.ts';
import { acme, createTestTasks, type TestTasks } from '../support/tasks.ts';

let database: Database;
let tasks: TestTasks;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  for (const table of ['tasks', 'task_turns', 'task_limits', 'task_settings'] as const) {
    await database.db.deleteFrom(table).execute();
  }
  tasks = createTestTasks(database);
});

/** Performs an operation and checks its answer against its schema. */
async function call(name: string, input: JsonObject = {}, caller: Caller = acme): Promise<JsonObject> {
  const { queue, pool, claims } = tasks;
  const operations = [
    ...createTaskOperations({ queue, tenant: database.tenant }),
    ...createPoolOperations({ pool, claims, clock: systemClock }),
  ];
  const operation = operations.find(({ spec }) => spec.name === name);
  if (operation === undefined) throw new Error(`there is no operation ${name}`);
  const output = await operation.perform(input, { caller, signal: new AbortController().signal, callId: '' });
  expect(z.strictObject((operation.spec.output as z.ZodObject).shape).safeParse(output).error).toBeUndefined();
  return output;
}

const submission = {
  task_type: 'fabric_action',
  target_system: 'crm',
  action_type: 'update',
  payload: { entity_id: 'cust_1042' },
  priority: 'HIGH',
  agent_id: 'cmo',
  run_id: null,
  scheduled_at: null,
  timeout_seconds: 60,
  max_retries: 2,
  raci_accountable: 'Sales Operations',
  raci_consulted: ['cfo'],
  raci_informed: ['audit'],
  metadata: { ticket: 'OPS-77' },
  simulation: false,
};

describe('submitting a task', () => {
  it('answers it with every member of the reference', async () => {
    const task = await call('tasks.submit', submission);
    const { id } = task;
    expect(task).toEqual({
      ...submission,
      id,
      task_id: id,
      status: 'pending',
      status_message: null,
      priority: 'high',
      priority_value: 2,
      tenant_id: 'acme',
      attempt: 1,
      attempt_run_id: null,
      primary_plane_id: null,
      routed_plane_id: null,
      fabric_preset: null,
      fabric_context: null,
      raci_responsible: 'AOA',
      routed_action_id: null,
      worker_id: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      assigned_at: null,
      started_at: null,
      completed_at: null,
      retry_count: 0,
      next_attempt_at: null,
      last_error: null,
      result: null,
      trace_id: null,
      links: { self: `/api/v1/aoa/tasks/${id}`, events: `/api/v1/aoa/tasks/${id}/events` },
    });
  });

  it('takes a time with an offset, or without one as UTC', async () => {
    const scheduled = async (at: string) =>
      (await call('tasks.submit', { task_type: 'health_check', scheduled_at: at }))['scheduled_at'];
    expect(await scheduled('2099-02-01T10:00:00+02:00')).toBe('2099-02-01T08:00:00.000Z');
    expect(await scheduled('2099-02-01T10:00:00')).toBe('2099-02-01T10:00:00.000Z');
  });

  it.each([
    [{ task_type: 'fly' }, 'invalid_request'],
    [{ task_type: 'health_check', priority: 'urgent' }, 'invalid_request'],
    [{ task_type: 'health_check', priority: 11 }, 'invalid_request'],
    [{ task_type: 'health_check', timeout_seconds: 29 }, 'invalid_request'],
    [{ task_type: 'health_check', timeout_seconds: 3601 }, 'invalid_request'],
    [{ task_type: 'health_check', max_retries: 11 }, 'invalid_request'],
    [{ task_type: 'fabric_action' }, 'unprocessable'],
  ])('refuses %j as %s', async (input, code) => {
    await expect(call('tasks.submit', input)).rejects.toMatchObject({ code });
  });
});

describe('a task that was submitted', () => {
  const submit = async (change: JsonObject = {}) =>
    String((await call('tasks.submit', { ...submission, ...change }))['id']);

  it('says when it is read why it waits', async () => {
    const id = await submit();
    expect(await call('tasks.get', { task_id: id })).toMatchObject({
      id,
      waiting: { reason: 'line', position: 1, sentence: 'It waits for a free worker as number 1 in line.' },
    });
  });

  it('is not found by others, for anything', async () => {
    const id = await submit();
    const other = { tenantId: 'other', userId: '' };
    for (const name of ['tasks.get', 'tasks.cancel', 'tasks.retry', 'tasks.events']) {
      await expect(call(name, { task_id: id }, other)).rejects.toMatchObject({
        code: 'not_found',
        reason: 'TASK_NOT_FOUND',
        message: `Task ${id} not found`,
      });
    }
  });

  it('is listed by every filter, page by page', async () => {
    const first = await submit();
    const second = await submit({ agent_id: 'cfo' });
    expect(await call('tasks.list', { limit: '1' })).toMatchObject({
      items: [{ id: second }],
      total: 2,
      next_cursor: expect.any(String),
    });
    const { next_cursor: cursor } = await call('tasks.list', { limit: '1' });
    expect(await call('tasks.list', { limit: '1', cursor: String(cursor) })).toMatchObject({
      items: [{ id: first }],
      next_cursor: null,
    });
    expect(
      await call('tasks.list', { status: 'pending', task_type: 'fabric_action', agent_id: 'cfo', since: '2020-01-01' }),
    ).toMatchObject({
      items: [{ id: second }],
      total: 1,
    });
  });

  it('is cancelled once, with the reason', async () => {
    const id = await submit();
    expect(await call('tasks.cancel', { task_id: id, reason: 'duplicate' })).toMatchObject({
      status: 'cancelled',
      status_message: 'duplicate',
    });
    await expect(call('tasks.cancel', { task_id: id })).rejects.toMatchObject({
      code: 'conflict',
      reason: 'TASK_TERMINAL',
      message: 'Task is already cancelled',
      facts: { status: 'cancelled' },
    });
    expect(await call('tasks.get', { task_id: id })).toMatchObject({ waiting: null });
    await expect(call('tasks.retry', { task_id: id })).rejects.toMatchObject({
      code: 'conflict',
      reason: 'TASK_NOT_FAILED',
    });
  });

  it('shows the run of its last attempt and is put back in line by a retry when it has failed', async () => {
    const id = await submit();
    const [claimed] = await tasks.claims.claim('pool-a', ['worker-1']);
    const begun = claimed && (await tasks.claims.begin(claimed, 'pool-a'));
    if (begun === undefined) throw new Error('nothing was begun');
    expect(await call('tasks.get', { task_id: id })).toMatchObject({
      status: 'running',
      attempt_run_id: `${id}.1`,
      waiting: { reason: 'worker', worker_id: 'worker-1' },
    });
    await tasks.claims.settle(begun, 'pool-a', {
      status: 'failed',
      failure: { code: 'not_supported', message: 'no planes' },
    });
    expect(await call('tasks.get', { task_id: id })).toMatchObject({
      status: 'failed',
      last_error: 'no planes',
      attempt_run_id: `${id}.1`,
    });
    expect(await call('tasks.retry', { task_id: id })).toMatchObject({
      status: 'pending',
      attempt: 2,
      attempt_run_id: `${id}.1`,
      retry_count: 0,
    });
  });
});

describe('the pool', () => {
  it('is visible and settable, and scaled within its bounds', async () => {
    expect(await call('pool.get')).toMatchObject({
      status: 'stopped',
      settings: { max_workers: 10, limits: { agent: { names: {} } } },
    });
    expect(await call('pool.change', { max_workers: 3, limits: { agent: { names: { ceo: 2 } } } })).toMatchObject({
      settings: { max_workers: 3, limits: { agent: { default: null, names: { ceo: 2 } } } },
    });
    expect(await call('pool.change', { limits: { agent: { names: { ceo: null } } } })).toMatchObject({
      settings: { max_workers: 3, limits: { agent: { names: {} } } },
    });
    await tasks.pool.start();
    expect(await call('pool.scale', { target_workers: 3 })).toMatchObject({
      workers: { total: 3 },
      last_scaling: { to: 3, reason: 'asked' },
    });
    await expect(call('pool.scale', { target_workers: 4 })).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(call('pool.change', { max_workers: 0 })).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(call('pool.change', { workers: 1 })).rejects.toMatchObject({ code: 'invalid_request' });
    await tasks.pool.stop();
  });
});

describe('the figures', () => {
  it('count the line by class, what is scheduled, what runs and how it ended', async () => {
    await call('tasks.submit', { task_type: 'health_check', priority: 'critical' });
    await call('tasks.submit', { task_type: 'health_check', scheduled_at: '2099-01-01T00:00:00Z' });
    await call('tasks.submit', { task_type: 'health_check', priority: 10 }, { tenantId: 'other', userId: '' });
    await call('tasks.submit', submission);
    const [claimed] = await tasks.claims.claim('pool-a', ['worker-1']);
    const begun = claimed && (await tasks.claims.begin(claimed, 'pool-a'));
    if (begun === undefined) throw new Error('nothing was begun');
    await tasks.claims.settle(begun, 'pool-a', { status: 'completed', result: {} });
    const parts = { db: database.db, pool: tasks.pool, clock: systemClock };
    expect(await queueMetrics(parts, 'acme')).toMatchObject({
      queue: {
        pending: { CRITICAL: 0, HIGH: 1, NORMAL: 0, LOW: 0, BACKGROUND: 0 },
        total_pending: 1,
        scheduled: 1,
        processing: 0,
        dead: 0,
      },
      pool: { queue: { total_pending: 1 }, worker_details: [] },
      latency_ms: { p50: expect.any(Number), p95: expect.any(Number), p99: expect.any(Number) },
      throughput_per_min: 1,
      by_type: { fabric_action: 1, health_check: 2 },
      by_status: { pending: 2, completed: 1, dead: 0 },
      retries: 0,
      timeouts: 0,
    });
    expect((await queueMetrics(parts)).queue.pending['BACKGROUND']).toBe(1);
  });
});
