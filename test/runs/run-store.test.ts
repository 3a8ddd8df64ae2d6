import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_TENANT, keyOfRun, runKey, terminalStatuses } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

let database: Database;
let stores: TestRuns;

beforeAll(async () => {
  database = await openTestDatabase();
  stores = createTestRuns(database);
});

afterAll(() => database.close());

const started = { event: { type: 'run.started', data: { plan: { planned_turns: 2 } } } } as const;
const completed = { event: { type: 'run.completed', data: { result: { n: 1 } } }, result: { n: 1 } } as const;

const typesOf = async (id: string) => (await stores.events.read(runKey(DEFAULT_TENANT, id), 0)).map(({ type }) => type);

describe('admission', () => {
  it('creates a queued run with its first event', async () => {
    const admission = testAdmission({ traceparent: '00-1-2-01', deadlineAt: '2099-01-01T00:00:00.000Z' });
    const { run, outcome } = await stores.runs.admit(admission);
    expect(outcome).toBe('created');
    expect(run).toMatchObject({
      id: admission.id,
      kind: 'orchestration',
      sessionId: 'session-1',
      caller: { tenantId: 'default', userId: '' },
      request: admission.request,
      status: 'queued',
      result: null,
      error: null,
      cancelReason: null,
      traceparent: '00-1-2-01',
      simulated: true,
      startedAt: null,
      deadlineAt: '2099-01-01T00:00:00.000Z',
      lastEvent: 1,
    });
    expect(await stores.runs.find(admission.id, { tenantId: 'default', userId: '' })).toEqual(run);
    expect(await typesOf(run.id)).toEqual(['run.queued']);
  });

  it('joins the run that the same request made, whatever the order of its members', async () => {
    const admission = testAdmission({ request: { a: 1, b: { c: 2, d: 3 } } });
    await stores.runs.admit(admission);
    const again = await stores.runs.admit({ ...admission, request: { b: { d: 3, c: 2 }, a: 1 }, callId: 'other' });
    expect(again).toMatchObject({ outcome: 'joined', run: { id: admission.id, callId: 'call-1' } });
    expect(await typesOf(admission.id)).toEqual(['run.queued']);
  });

  it('tells a verdict with the run, links it, and knows the request by what was sent', async () => {
    const told = { key: 'submit:decided', type: 'run.steering', data: { into: 'x' } } as const;
    const admission = testAdmission({ request: { mail: '[EMAIL]' }, asked: { mail: 'a@b.c' }, told });
    const { run } = await stores.runs.admit(admission);
    expect(run).toMatchObject({ request: { mail: '[EMAIL]' }, lastEvent: 2 });
    expect(await typesOf(run.id)).toEqual(['run.queued', 'run.steering']);
    const events = await stores.events.read(keyOfRun(run), 0);
    expect(events[1]?.prevHash).toBe(events[0]?.hash);
    expect((await stores.runs.admit(admission)).outcome).toBe('joined');
    await stores.events.append(keyOfRun(run), 'next', { type: 'run.steering', data: { into: 'y' } });
    expect((await stores.events.read(keyOfRun(run), 2))[0]?.prevHash).toBe(events[1]?.hash);
    await expect(stores.runs.admit({ ...admission, asked: { mail: '[EMAIL]' } })).rejects.toMatchObject({
      code: 'conflict',
    });
  });

  it.each([
    ['another body', { request: { a: 2 } }],
    ['another caller', { caller: { tenantId: 'default', userId: 'mallory' } }],
  ])('refuses the same id with %s', async (_what, change) => {
    const admission = testAdmission({ request: { a: 1 } });
    await stores.runs.admit(admission);
    await expect(stores.runs.admit({ ...admission, ...change })).rejects.toMatchObject({ code: 'conflict' });
  });

  it('makes one run of many simultaneous requests', async () => {
    const admission = testAdmission();
    const all = await Promise.all(Array.from({ length: 20 }, () => stores.runs.admit(admission)));
    expect(all.filter(({ outcome }) => outcome === 'created')).toHaveLength(1);
    expect(await typesOf(admission.id)).toEqual(['run.queued']);
  });
});

describe('looking up', () => {
  it("does not find another caller's run", async () => {
    const { run } = await stores.runs.admit(testAdmission({ caller: { tenantId: 'default', userId: 'alice' } }));
    expect(await stores.runs.find(run.id, { tenantId: 'default', userId: 'alice' })).toBeDefined();
    expect(await stores.runs.find(run.id, { tenantId: 'default', userId: 'mallory' })).toBeUndefined();
    expect(await stores.runs.find(run.id, { tenantId: 'default', userId: '' })).toBeUndefined();
    expect(await stores.runs.find('nobody', { tenantId: 'default', userId: 'alice' })).toBeUndefined();
  });
});

describe('moving', () => {
  it('changes the status and writes the event together', async () => {
    const { run } = await stores.runs.admit(testAdmission());
    const first = await stores.runs.move(keyOfRun(run), 'running', started);
    expect(first).toMatchObject({
      moved: true,
      run: { status: 'running', startedAt: expect.any(String), lastEvent: 2 },
    });
    const last = await stores.runs.move(keyOfRun(run), 'completed', completed);
    expect(last).toMatchObject({
      moved: true,
      run: { status: 'completed', result: { n: 1 }, completedAt: expect.any(String), lastEvent: 3 },
    });
    expect(await typesOf(run.id)).toEqual(['run.queued', 'run.started', 'run.completed']);
  });

  it('changes nothing when the table does not allow it', async () => {
    const { run } = await stores.runs.admit(testAdmission());
    expect(await stores.runs.move(keyOfRun(run), 'completed', completed)).toMatchObject({
      moved: false,
      run: { status: 'queued' },
    });
    expect(await typesOf(run.id)).toEqual(['run.queued']);
  });

  it('lets exactly one of many ends win', async () => {
    const { run } = await stores.runs.admit(testAdmission());
    await stores.runs.move(keyOfRun(run), 'running', started);
    const error = { code: 'internal_error', message: 'x' } as const;
    const ends = [
      stores.runs.move(keyOfRun(run), 'completed', completed),
      stores.runs.move(keyOfRun(run), 'failed', { event: { type: 'run.failed', data: { error } }, error }),
      stores.runs.move(keyOfRun(run), 'cancelled', { event: { type: 'run.cancelled', data: { reason: 'x' } } }),
      stores.runs.move(keyOfRun(run), 'timed_out', { event: { type: 'run.timed_out', data: { error } }, error }),
    ];
    const outcomes = await Promise.all(ends);
    const [winner, ...others] = outcomes.filter(({ moved }) => moved);
    expect(others).toEqual([]);
    expect(terminalStatuses).toContain(winner?.run.status);
    expect(await typesOf(run.id)).toEqual(['run.queued', 'run.started', `run.${winner?.run.status}`]);
  });

  it('names what a waiting run waits for, and forgets it afterwards', async () => {
    const { run } = await stores.runs.admit(testAdmission());
    await stores.runs.move(keyOfRun(run), 'running', started);
    const progress = { event: { type: 'run.progress', data: { progress: 0.5 } } } as const;
    const waiting = await stores.runs.move(keyOfRun(run), 'waiting', {
      ...progress,
      key: 'wait-1',
      waitingFor: 'approval',
    });
    expect(waiting.run).toMatchObject({ status: 'waiting', waitingFor: 'approval' });
    const again = await stores.runs.move(keyOfRun(run), 'running', { ...progress, key: 'wait-1:over' });
    expect(again.run).toMatchObject({ status: 'running', waitingFor: null, startedAt: waiting.run.startedAt });
  });
});

describe('asking for cancellation', () => {
  it('notes the first reason, writes one event and tells every process, when somebody executes the run', async () => {
    const { run } = await stores.runs.admit(testAdmission());
    await stores.runs.move(keyOfRun(run), 'running', started);
    const heard: string[] = [];
    await database.notifications.listen('aos_cancels', { heard: (id) => heard.push(id), missed() {} });
    const asked = await stores.runs.requestCancel(run.id, 'too slow', run.caller);
    expect(asked).toMatchObject({ ended: false, run: { status: 'running', cancelReason: 'too slow', lastEvent: 3 } });
    const again = await stores.runs.requestCancel(run.id, 'really', run.caller);
    expect(again).toMatchObject({ run: { cancelReason: 'too slow', lastEvent: 3 } });
    expect(await typesOf(run.id)).toEqual(['run.queued', 'run.started', 'run.cancel_requested']);
    await expect.poll(() => heard).toEqual([keyOfRun(run)]);
  });

  it('ends a run that nobody executes', async () => {
    const { run } = await stores.runs.admit(testAdmission());
    const asked = await stores.runs.requestCancel(run.id, 'too slow', run.caller);
    expect(asked).toMatchObject({
      ended: true,
      run: { status: 'cancelled', cancelReason: 'too slow', completedAt: expect.any(String), lastEvent: 3 },
    });
    expect(await typesOf(run.id)).toEqual(['run.queued', 'run.cancel_requested', 'run.cancelled']);
  });

  it('leaves an ended run as it is', async () => {
    const { run } = await stores.runs.admit(testAdmission());
    await stores.runs.move(keyOfRun(run), 'running', started);
    await stores.runs.move(keyOfRun(run), 'completed', completed);
    expect(await stores.runs.requestCancel(run.id, 'late', { tenantId: 'default', userId: '' })).toMatchObject({
      ended: false,
      run: { status: 'completed', cancelReason: null },
    });
  });

  it("does not find another caller's run", async () => {
    const { run } = await stores.runs.admit(testAdmission({ caller: { tenantId: 'default', userId: 'alice' } }));
    expect(await stores.runs.requestCancel(run.id, 'mine', { tenantId: 'default', userId: 'mallory' })).toBeUndefined();
    expect((await stores.runs.load(keyOfRun(run)))?.cancelReason).toBeNull();
  });
});
