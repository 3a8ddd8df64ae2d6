import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { createOutbox, type Outbox } from '../../src/egress/outbox.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createEngine } from '../../src/engine/run-engine.ts';
import type { ApprovalAsk } from '../../src/governance/approval-desk.ts';
import { createApprovalStore } from '../../src/governance/approval-store.ts';
import { createApprovalDesk } from '../../src/governance/durable-desk.ts';
import { createApprovalOperations } from '../../src/operations/approval.ts';
import { approvalSpecs } from '../../src/operations/approval-spec.ts';
import { createDeliveryOperations, deliverySpecs } from '../../src/operations/delivery.ts';
import { describeRest } from '../../src/operations/rest-document.ts';
import { createFeed } from '../../src/runs/feed.ts';
import { DEFAULT_TENANT, keyOfRun, runKey } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { type ApiAnswer, readContract } from '../support/api.ts';
import { startApiHost } from '../support/api-host.ts';
import { testAsk } from '../support/approvals.ts';
import { openTestDatabase } from '../support/database.ts';
import type { TestHost } from '../support/host.ts';
import { silentLog } from '../support/log.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

const { paths, schemas, headers, parameters } = describeRest([...approvalSpecs, ...deliverySpecs]);
const contract = readContract({ openapi: '3.1.0', paths, components: { schemas, headers, parameters } });

let database: Database;
let here: TestRuns;
let engine: Engine;
let outbox: Outbox;
let host: TestHost;
/** What the run at hand asks for. */
let ask: Partial<ApprovalAsk> = {};

beforeAll(async () => {
  database = await openTestDatabase();
  here = createTestRuns(database);
  const clock = systemClock;
  const approvals = createApprovalStore(database);
  const desk = createApprovalDesk({
    database,
    approvals,
    events: here.events,
    feed: createFeed({ database, clock }),
    signal: (...parameters) => engine.signal(...parameters),
    clock,
    log: silentLog,
  });
  engine = createEngine({
    database,
    ...here,
    program: async (scope) => ({ outcome: (await desk.ask(scope, testAsk(ask))) as unknown as JsonObject }),
    clock,
    log: silentLog,
  });
  await engine.start();
  outbox = createOutbox({ database, clock });
  const operations = [
    ...createApprovalOperations({ desk, approvals, runs: here.runs }),
    ...createDeliveryOperations({ outbox }),
  ];
  host = await startApiHost(operations, database, silentLog);
});

afterEach(async () => {
  ask = {};
  await database.db.deleteFrom('approvals').execute();
});

afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  await engine?.stop();
  await database?.close();
});

async function call(method: string, path: string, body?: JsonValue, user = ''): Promise<ApiAnswer> {
  const init = {
    method,
    headers: { 'x-agent-user-id': user },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  };
  const response = await fetch(`${host.url}${path}`, init);
  const text = await response.text();
  const answer = { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
  expect(contract.faults(method, path, answer, text)).toEqual([]);
  return answer;
}

const get = (path: string, user?: string) => call('GET', path, undefined, user);
const post = (path: string, body: JsonValue, user?: string) => call('POST', path, body, user);

/** A run of ann that waits for an approval. */
async function waiting(change: Partial<ApprovalAsk> = {}): Promise<{ run: string; id: string }> {
  ask = change;
  const { run } = await here.runs.admit(testAdmission({ caller: { tenantId: 'default', userId: 'ann' } }));
  await engine.begin(keyOfRun(run));
  const found = async () => (await get(`/api/v1/approvals?run_id=${run.id}`)).body['items'] as JsonObject[];
  await expect.poll(async () => (await found()).length, { timeout: 10_000 }).toBe(1);
  return { run: run.id, id: String((await found())[0]?.['id']) };
}

const outcome = async (run: string) => {
  for await (const event of here.events.follow(runKey(DEFAULT_TENANT, run), 0)) {
    if (event.type === 'run.completed') return event.data.result['outcome'];
  }
  return undefined;
};

const at = (id: string, verb = '') => `/api/v1/approvals/${id}${verb}`;

describe('an approval over REST', () => {
  it('shows everything about what is to be allowed', async () => {
    const { run, id } = await waiting({ priority: 'high', quorum: 2 });
    expect((await get(at(id))).body).toMatchObject({
      id,
      run_id: run,
      task_id: null,
      status: 'pending',
      priority: 'high',
      action_type: 'pay',
      action_details: { invoice: 7, amount: 100 },
      edited: false,
      plane: null,
      quorum: 2,
      requested_by: ['ann'],
      auto_action: 'reject',
      escalation_level: 'none',
    });
  });

  it('is approved by whom the call names, or the body', async () => {
    const { run, id } = await waiting({ quorum: 2 });
    expect(await post(at(id, '/approve'), {})).toMatchObject({ status: 422, body: { code: 'DECIDER_MISSING' } });
    expect((await post(at(id, '/approve'), { by: 'dana' })).body).toMatchObject({ approved_by: ['dana'] });
    expect(await post(at(id, '/approve'), {}, 'ann')).toMatchObject({ status: 403, body: { code: 'OWN_REQUEST' } });
    const { body } = await post(at(id, '/approve'), { notes: 'fine' }, 'bob');
    expect(body).toMatchObject({
      status: 'approved',
      decided_by: ['dana', 'bob'],
      responded_by: 'dana, bob',
      approval_notes: 'fine',
    });
    expect(await outcome(run)).toMatchObject({ decision: 'approved' });
    const late = await post(at(id, '/reject'), { reason: 'no', by: 'eve' });
    expect(late).toMatchObject({
      status: 409,
      body: { status: 'approved', decided_by: ['dana', 'bob'], code: 'APPROVAL_DECIDED' },
    });
  });

  it('is approved with other arguments, when these are what was seen', async () => {
    const { run, id } = await waiting();
    const { body } = await get(at(id));
    const wrong = 'f'.repeat(64);
    expect(await post(at(id, '/approve'), { by: 'dana', action_hash: wrong })).toMatchObject({
      status: 409,
      body: { code: 'ACTION_CHANGED' },
    });
    const edited = { by: 'dana', args: { invoice: 7, amount: 1 }, action_hash: body['action_hash'] as string };
    expect((await post(at(id, '/approve'), edited)).body).toMatchObject({
      edited: true,
      action_details: { invoice: 7, amount: 1 },
      requested_args: { invoice: 7, amount: 100 },
    });
    expect(await outcome(run)).toMatchObject({ args: { invoice: 7, amount: 1 } });
  });

  it('is rejected, asked about, answered and escalated', async () => {
    const { run, id } = await waiting();
    expect((await post(at(id, '/ask'), { question: 'Why?', by: 'dana' })).body).toMatchObject({ question: 'Why?' });
    expect(await post(at(id, '/ask'), { question: 'Why?', by: 'dana' })).toMatchObject({ status: 409 });
    expect((await post(at(id, '/answer'), { answer: 'So.' }, 'ann')).body).toMatchObject({
      question: null,
      questions: [{ asked_by: 'dana', answered_by: 'ann' }],
    });
    expect((await post(at(id, '/escalate'), { by: 'dana' })).body).toMatchObject({
      status: 'escalated',
      escalation_level: 'team_lead',
      assigned_group: 'approvers_team_lead',
    });
    expect((await post(at(id, '/reject'), { by: 'dana' })).body).toMatchObject({
      status: 'rejected',
      rejection_reason: 'no reason was given',
    });
    expect(await outcome(run)).toMatchObject({ decision: 'rejected', by: ['dana'] });
  });

  it.each([
    ['approve', { by: 7 }],
    ['approve', { by: 'dana', action_hash: 'short' }],
    ['approve', { by: 'dana', args: [] }],
    ['ask', { by: 'dana' }],
    ['answer', { by: 'dana', answer: ' ' }],
  ])('refuses to %s with %j', async (verb, body) => {
    expect(await post(at('any', `/${verb}`), body)).toMatchObject({ status: 422 });
  });

  it('that is not there is not found', async () => {
    expect(await get(at('nope'))).toMatchObject({ status: 404, body: { code: 'APPROVAL_NOT_FOUND' } });
    expect(await post(at('nope', '/approve'), { by: 'dana' })).toMatchObject({ status: 404 });
  });
});

describe('the paths of the seed systems', () => {
  it('list what is pending and respond to it', async () => {
    const { run, id } = await waiting({ assignees: ['dana'] });
    const pending = await get('/api/v1/agents/approvals/pending');
    expect(pending.body).toMatchObject({ total: 1, items: [{ id }] });
    expect((await get('/api/v1/agents/approvals/pending', 'stranger')).body).toMatchObject({ total: 0, items: [] });
    expect((await get(`/api/v1/agents/approvals/${id}`)).body).toMatchObject({ id });
    const answer = await post(`/api/v1/agents/approvals/${id}`, { approved: false, rejection_reason: 'no' }, 'dana');
    expect(answer.body).toMatchObject({ status: 'rejected', rejection_reason: 'no' });
    expect(await outcome(run)).toMatchObject({ decision: 'rejected', reason: 'no' });
    expect((await get('/api/v1/agents/approvals?status=rejected')).body).toMatchObject({ total: 1 });
    expect((await get('/api/v1/agents/approvals/pending')).body).toMatchObject({ total: 0 });
    expect((await get('/api/v1/agents/approvals?status=expired')).body).toMatchObject({ total: 0 });
    expect(await get('/api/v1/agents/approvals?status=lost')).toMatchObject({ status: 422 });
  });

  it('respond to the approvals of an agent in a run, and of no other', async () => {
    const { run, id } = await waiting();
    const of = (agent: string, runId: string) => `/api/v1/agents/${agent}/runs/${runId}/approvals`;
    expect((await get(of('cfo', run))).body).toMatchObject({ total: 1, items: [{ id }] });
    expect((await get(of('ceo', run))).body).toMatchObject({ total: 0 });
    const yes = { approved: true, notes: 'fine', by: 'dana' };
    for (const path of [of('ceo', run), of('cfo', 'other')]) {
      expect(await post(`${path}/${id}/respond`, yes)).toMatchObject({ status: 404 });
    }
    expect((await post(`${of('cfo', run)}/${id}/respond`, yes)).body).toMatchObject({ status: 'approved' });
    expect(await outcome(run)).toMatchObject({ decision: 'approved', by: ['dana'] });
  });
});

describe('deliveries over REST', () => {
  it('are listed, read, and sent again when they were given up', async () => {
    const id = await database.db.transaction().execute((trx) =>
      outbox.enqueue(trx, {
        tenantId: 'default',
        userId: '',
        kind: 'callback',
        subject: 'run-1',
        url: 'https://receiver.example/',
        body: '{}',
        dedupeKey: 'one',
      }),
    );
    const base = '/api/v1/aoa/deliveries';
    expect((await get(`${base}?subject=run-1&status=pending`)).body).toMatchObject({ items: [{ id, attempts: 0 }] });
    await database.db.updateTable('outbox').set({ dead_at: new Date(), attempts: 12 }).execute();
    expect((await get(`${base}/${id}`)).body).toMatchObject({ status: 'dead', next_attempt_at: null });
    expect(await post(`${base}/${id}/retry`, {})).toMatchObject({
      status: 202,
      body: { status: 'pending', attempts: 0 },
    });
    await database.db.updateTable('outbox').set({ delivered_at: new Date() }).execute();
    expect(await post(`${base}/${id}/retry`, {})).toMatchObject({ status: 409, body: { code: 'DELIVERED' } });
    expect(await post(`${base}/nope/retry`, {})).toMatchObject({ status: 404 });
    expect(await get(`${base}/nope`)).toMatchObject({ status: 404, body: { code: 'DELIVERY_NOT_FOUND' } });
  });
});
