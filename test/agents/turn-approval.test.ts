/** A turn whose tool must be approved, with the simulated model on the real engine, desk and database. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSessionDocuments, type SessionDocuments } from '../../src/agents/session-documents.ts';
import { createSimulatedModel } from '../../src/agents/simulated-model.ts';
import { createRecordDecision } from '../../src/agents/standard-tools/record-decision.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createEngine } from '../../src/engine/run-engine.ts';
import type { Approval } from '../../src/governance/approval.ts';
import { type ApprovalStore, createApprovalStore } from '../../src/governance/approval-store.ts';
import { createApprovalDesk, type DurableDesk } from '../../src/governance/durable-desk.ts';
import type { RunEvent } from '../../src/runs/event.ts';
import { DEFAULT_TENANT, keyOfRun, type Run, runKey } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { unenforcedGovernor } from '../support/governance.ts';
import { silentLog } from '../support/log.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';
import { turnProgram } from '../support/turn.ts';

const ann = { tenantId: 'default', userId: 'ann' };
const bob = { tenantId: 'default', userId: 'bob' };
const session = { ...ann, sessionId: 'board' };

let database: Database;
let here: TestRuns;
let approvals: ApprovalStore;
let documents: SessionDocuments;
let desk: DurableDesk;
let engine: Engine;

async function startEngine(): Promise<void> {
  engine = createEngine({
    database,
    ...here,
    program: turnProgram({
      model: createSimulatedModel({ firstTokenMs: 0, tokenMs: 0 }, systemClock),
      tools: [createRecordDecision(documents)],
      governor: unenforcedGovernor({ approvals: desk }),
      message: 'Please record the decision: we stay in Berlin.',
    }),
    clock: systemClock,
    log: silentLog,
  });
  await engine.start();
}

beforeAll(async () => {
  database = await openTestDatabase();
  here = createTestRuns(database);
  approvals = createApprovalStore(database);
  documents = createSessionDocuments({ tenant: database.tenant, clock: systemClock });
  desk = createApprovalDesk({
    database,
    approvals,
    events: here.events,
    signal: (...parameters) => engine.signal(...parameters),
    feed: { write: async () => {} },
    clock: systemClock,
    log: silentLog,
  });
});
beforeEach(startEngine);
afterEach(async () => {
  await engine.stop();
  await database.db.deleteFrom('runs').execute();
  await database.db.deleteFrom('session_documents').execute();
});
afterAll(() => database.close());

async function begin(): Promise<Run> {
  const { run } = await here.runs.admit(testAdmission({ kind: 'chat', caller: ann, sessionId: 'board' }));
  await engine.begin(keyOfRun(run));
  return run;
}

async function asked({ id: runId }: Run): Promise<Approval> {
  await expect
    .poll(async () => (await here.runs.load(runKey(DEFAULT_TENANT, runId)))?.status, { timeout: 10_000 })
    .toBe('waiting');
  const [approval] = (await approvals.list(bob, { runId, status: 'open', limit: 1 })).items;
  if (approval === undefined) throw new Error('the run waits, but not for an approval');
  return approval;
}

async function watch({ id }: Run): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of here.events.follow(runKey(DEFAULT_TENANT, id), 0)) all.push(event);
  return all;
}

const output = (events: readonly RunEvent[]) =>
  events.flatMap(({ type, data }) => (type === 'turn.completed' ? [data.output] : []));

describe('a tool that must be approved', () => {
  it('runs once, with the words that were approved, also when another process goes on', async () => {
    const run = await begin();
    const approval = await asked(run);
    expect(approval).toMatchObject({
      actionType: 'record_decision',
      requestType: 'tool_execution',
      agentId: 'cfo',
      args: { decision: 'we stay in Berlin.' },
    });
    expect(await documents.list(session)).toEqual([]);
    await engine.stop();
    await startEngine();
    await desk.decide(approval.id, { type: 'approve', args: { decision: 'We stay in Berlin until 2028.' } }, bob);
    const events = await watch(run);
    expect(output(events)).toEqual(['The decision is recorded: “We stay in Berlin until 2028”.']);
    expect(await documents.list(session)).toHaveLength(1);
    expect((await documents.search(session, 'Berlin', 1))[0]?.passage).toBe('We stay in Berlin until 2028.');
    const types = events.map(({ type }) => type);
    for (const type of ['turn.started', 'approval.requested', 'approval.decided', 'tool.called', 'tool.completed']) {
      expect(
        types.filter((other) => other === type),
        type,
      ).toHaveLength(1);
    }
    expect(events.find(({ type }) => type === 'turn.completed')?.data).toMatchObject({ tool_calls: 1, progress: 1 });
  });

  it('does not run when it is rejected, and the agent says so', async () => {
    const run = await begin();
    const { id } = await asked(run);
    await desk.decide(id, { type: 'reject', reason: 'the lease is not signed' }, bob);
    const [said] = output(await watch(run));
    expect(said).toContain('was rejected: the lease is not signed');
    expect(await documents.list(session)).toEqual([]);
  });

  it('lets an approver ask back and be answered by the agent', async () => {
    const run = await begin();
    const { id } = await asked(run);
    await desk.decide(id, { type: 'ask', question: 'What does the move cost?' }, bob);
    await expect
      .poll(async () => (await approvals.load({ tenantId: run.caller.tenantId, id }))?.exchanges.at(-1)?.answer)
      .toBe(
        'I was asked: “Please record the decision: we stay in Berlin”. That is all I know; I am the simulated model and asked for record_decision by a rule.',
      );
    await expect.poll(async () => (await here.runs.load(keyOfRun(run)))?.status).toBe('waiting');
    await desk.decide(id, { type: 'approve' }, bob);
    expect(output(await watch(run))).toEqual(['The decision is recorded: “we stay in Berlin”.']);
  });
});
