/** The desk with the real engine and database: who waits, who is woken, and that there is one answer. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Engine, RunProgram } from '../../src/engine/engine.ts';
import { createEngine } from '../../src/engine/run-engine.ts';
import type { Approval } from '../../src/governance/approval.ts';
import type { ApprovalAsk, ApprovalDecision } from '../../src/governance/approval-desk.ts';
import { type ApprovalStore, createApprovalStore } from '../../src/governance/approval-store.ts';
import { createApprovalDesk, type DurableDesk } from '../../src/governance/durable-desk.ts';
import type { RunEvent } from '../../src/runs/event.ts';
import { createFeed, type Feed } from '../../src/runs/feed.ts';
import { DEFAULT_TENANT, keyOfRun, type Run, runKey } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { testAsk } from '../support/approvals.ts';
import { openTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

const operator = { tenantId: 'default', userId: '' };
const ann = { tenantId: 'default', userId: 'ann' };
const bob = { tenantId: 'default', userId: 'bob' };
const HOURS = 3_600_000;

let database: Database;
let here: TestRuns;
let approvals: ApprovalStore;
let feed: Feed;
let engine: Engine;
let desk: DurableDesk;
let program: RunProgram;
/** How far the clock of the desks is ahead. */
let ahead = 0;
const clock = { ...systemClock, now: () => systemClock.now() + ahead };
const started: { stop(): Promise<void> }[] = [];

/** What another process would have: its own desk on the same database. */
function openDesk(): DurableDesk {
  const { events } = createTestRuns(database);
  return createApprovalDesk({
    database,
    approvals,
    events,
    signal: (...parameters) => engine.signal(...parameters),
    feed,
    clock,
    log: silentLog,
  });
}

async function startEngine(): Promise<Engine> {
  engine = createEngine({
    database,
    ...here,
    program: (scope) => program(scope),
    clock: systemClock,
    log: silentLog,
  });
  await engine.start();
  started.push(engine);
  return engine;
}

beforeAll(async () => {
  database = await openTestDatabase();
  here = createTestRuns(database);
  approvals = createApprovalStore(database);
  feed = createFeed({ database, clock: systemClock });
});

beforeEach(async () => {
  ahead = 0;
  desk = openDesk();
  await startEngine();
});

afterEach(async () => {
  for (const part of started.splice(0)) await part.stop();
  await database.db.deleteFrom('runs').execute();
});

afterAll(() => database.close());

async function begin(change: Parameters<typeof testAdmission>[0] = {}): Promise<Run> {
  const { run } = await here.runs.admit(testAdmission({ caller: ann, ...change }));
  await engine.begin(keyOfRun(run));
  return run;
}

/** The program asks for this and returns the outcome. */
const asking =
  (change: Partial<ApprovalAsk> = {}): RunProgram =>
  async (scope) => ({ outcome: (await desk.ask(scope, testAsk(change))) as unknown as JsonObject });

/** The open approvals of the run, when there are so many and the run waits for them. */
async function waitingFor(run: Run, count = 1): Promise<readonly Approval[]> {
  await expect.poll(async () => (await here.runs.load(keyOfRun(run)))?.status, { timeout: 10_000 }).toBe('waiting');
  await expect.poll(async () => (await open(run)).length).toBe(count);
  return open(run);
}

const open = async (run: Run) =>
  (await approvals.list(operator, { runId: run.id, status: 'open', limit: 50 })).items.toReversed();

async function firstOf(run: Run): Promise<Approval> {
  const [first] = await waitingFor(run);
  if (first === undefined) throw new Error('there is no approval');
  return first;
}

/** Follows the run to its end. */
async function watch({ id }: Run): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of here.events.follow(runKey(DEFAULT_TENANT, id), 0)) all.push(event);
  return all;
}

const outcomeOf = async (run: Run) => {
  const events = await watch(run);
  const end = events.at(-1);
  return end?.type === 'run.completed' ? end.data.result['outcome'] : end;
};
const typesOf = (events: readonly RunEvent[]) =>
  events.map(({ type }) => type).filter((type) => type.startsWith('approval.'));

const yes: ApprovalDecision = { type: 'approve' };

describe('a run that asks for approval', () => {
  it('waits without a worker and goes on with what was approved', async () => {
    program = asking();
    const run = await begin();
    const approval = await firstOf(run);
    expect(await here.runs.load(keyOfRun(run))).toMatchObject({ status: 'waiting', waitingFor: 'approval' });
    expect(engine.backlog()).toMatchObject({ executing: 0 });
    expect(approval).toMatchObject({ status: 'pending', runId: run.id, args: { invoice: 7, amount: 100 } });

    const decided = await desk.decide(approval.id, { ...yes, notes: 'fine' }, bob);
    expect(decided).toMatchObject({ status: 'approved', decidedBy: ['bob'], notes: 'fine' });
    expect(await outcomeOf(run)).toEqual({
      decision: 'approved',
      approvalId: approval.id,
      by: ['bob'],
      args: { invoice: 7, amount: 100 },
      edited: false,
    });
    const events = await watch(run);
    expect(typesOf(events)).toEqual(['approval.requested', 'approval.decided']);
    expect(events.find(({ type }) => type === 'approval.requested')).toMatchObject({
      actor: 'agent:cfo',
      data: {
        approval_id: approval.id,
        action_type: 'pay',
        action_hash: approval.actionHash,
        title: 'Pay the invoice',
      },
    });
    expect(events.find(({ type }) => type === 'approval.decided')).toMatchObject({ actor: 'user:bob' });
  });

  it('goes on with the arguments as they were edited', async () => {
    program = asking();
    const run = await begin();
    const { id } = await firstOf(run);
    await desk.decide(id, { type: 'approve', args: { invoice: 7, amount: 50 } }, bob);
    expect(await outcomeOf(run)).toMatchObject({
      decision: 'approved',
      args: { invoice: 7, amount: 50 },
      edited: true,
    });
  });

  it('is told of a rejection, and why', async () => {
    program = asking();
    const run = await begin();
    const { id } = await firstOf(run);
    await desk.decide(id, { type: 'reject', reason: 'too much', by: 'dana' }, operator);
    expect(await outcomeOf(run)).toEqual({ decision: 'rejected', approvalId: id, by: ['dana'], reason: 'too much' });
  });

  it('may ask for several at once, which are decided in any order', async () => {
    program = async (scope) => {
      const names = ['a', 'b', 'c'];
      const outcomes = await Promise.all(names.map((name) => desk.ask(scope, testAsk({ name, args: { name } }))));
      return { outcome: outcomes.map(({ decision }) => decision) };
    };
    const run = await begin();
    const [a, b, c] = (await waitingFor(run, 3)).toSorted((one, two) => (one.stepName < two.stepName ? -1 : 1));
    for (const each of [c, a]) await desk.decide(each?.id ?? '', yes, bob);
    await waitingFor(run, 1);
    await desk.decide(b?.id ?? '', { type: 'reject', reason: 'no' }, bob);
    expect(await outcomeOf(run)).toEqual(['approved', 'rejected', 'approved']);
  });

  it('outlives its process: decided while nobody was there, it goes on at the next start', async () => {
    program = asking();
    const run = await begin();
    const { id } = await firstOf(run);
    await engine.stop();
    await openDesk().decide(id, yes, bob);
    await startEngine();
    expect(await outcomeOf(run)).toMatchObject({ decision: 'approved' });
    expect(typesOf(await watch(run))).toEqual(['approval.requested', 'approval.decided']);
  });

  it('asks anew where a fork begins with a request that was still open', async () => {
    program = asking();
    const run = await begin();
    const first = await firstOf(run);
    const fork = await begin({ forkOf: { runId: run.id, step: 'x' }, keepSteps: ['turn-1/tool-1/approval'] });
    const second = await firstOf(fork);
    expect(second.id).not.toBe(first.id);
    await desk.decide(second.id, yes, bob);
    expect(await outcomeOf(fork)).toMatchObject({ decision: 'approved', approvalId: second.id });
  });

  it('fails when nobody could ever approve it', async () => {
    program = asking({ assignees: ['ann'] });
    expect(await outcomeOf(await begin())).toMatchObject({
      type: 'run.failed',
      data: { error: { code: 'invalid_request' } },
    });
  });
});

describe('who decides', () => {
  it('must have a name, and it may not be the requester’s', async () => {
    program = asking();
    const { id } = await firstOf(await begin());
    await expect(desk.decide(id, yes, operator)).rejects.toMatchObject({
      code: 'invalid_request',
      reason: 'DECIDER_MISSING',
    });
    await expect(desk.decide(id, { ...yes, by: 'ann' }, operator)).rejects.toMatchObject({ reason: 'OWN_REQUEST' });
    // The name of the call comes before one that is only claimed.
    await expect(desk.decide(id, { ...yes, by: 'bob' }, ann)).rejects.toMatchObject({ code: 'forbidden' });
    expect(await approvals.find(id, ann)).toMatchObject({ status: 'pending' });
  });

  it('must be of the tenant, and one of those it was given to', async () => {
    program = asking({ assignees: ['dana'] });
    const { id } = await firstOf(await begin());
    for (const stranger of [bob, { tenantId: 'other', userId: 'dana' }, { tenantId: 'other', userId: '' }]) {
      await expect(desk.decide(id, yes, stranger)).rejects.toMatchObject({ code: 'not_found' });
      expect(await approvals.find(id, stranger)).toBeUndefined();
      expect((await approvals.list(stranger, { limit: 5 })).items).toEqual([]);
    }
    await expect(desk.decide(id, { ...yes, by: 'bob' }, operator)).rejects.toMatchObject({ code: 'forbidden' });
    expect(await approvals.find(id, ann)).toMatchObject({ id });
    expect(await desk.decide(id, yes, { tenantId: 'default', userId: 'Dana' })).toMatchObject({ status: 'approved' });
  });

  it('decides once: of many at the same time, in several processes, one is first', async () => {
    program = asking();
    const run = await begin();
    const { id } = await firstOf(run);
    const desks = [desk, openDesk(), openDesk()];
    const decisions = Array.from({ length: 12 }, (_, n): ApprovalDecision => {
      const by = `person ${n}`;
      return n % 2 === 0 ? { type: 'approve', by } : { type: 'reject', reason: 'no', by };
    });
    const answers = await Promise.allSettled(
      decisions.map((decision, n) => (desks[n % 3] ?? desk).decide(id, decision, operator)),
    );
    const won = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    expect(won).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 'rejected') {
        expect(answer.reason).toMatchObject({
          code: 'conflict',
          facts: { status: won[0]?.status, decided_by: [...(won[0]?.decidedBy ?? [])] },
        });
      }
    }
    expect(await outcomeOf(run)).toMatchObject({ decision: won[0]?.status, by: won[0]?.decidedBy });
    expect(typesOf(await watch(run))).toEqual(['approval.requested', 'approval.decided']);
  });

  it('needs company where there is a quorum', async () => {
    program = asking({ quorum: 2 });
    const run = await begin();
    const { id } = await firstOf(run);
    const answers = await Promise.allSettled(
      ['dana', 'Dana', 'bob'].map((by) => desk.decide(id, { ...yes, by }, operator)),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(await outcomeOf(run)).toMatchObject({ decision: 'approved' });
    expect(typesOf(await watch(run))).toEqual(['approval.requested', 'approval.voted', 'approval.decided']);
  });
});

describe('a question of an approver', () => {
  it('wakes the run, whose agent answers it', async () => {
    let answered = 0;
    program = asking({
      onQuestion: async ({ text, askedBy, number }) => {
        answered += 1;
        return `${number}. to ${askedBy}: ${text} Because.`;
      },
    });
    const run = await begin();
    const { id } = await firstOf(run);
    for (const question of ['Why?', 'Why now?']) {
      await desk.decide(id, { type: 'ask', question }, bob);
      await expect
        .poll(async () => (await approvals.load({ tenantId: run.caller.tenantId, id }))?.exchanges.at(-1)?.answer)
        .toContain(question);
    }
    expect(await approvals.load({ tenantId: run.caller.tenantId, id })).toMatchObject({
      status: 'pending',
      exchanges: [
        { answer: '1. to bob: Why? Because.', answered_by: 'cfo' },
        { answer: '2. to bob: Why now? Because.' },
      ],
    });
    await waitingFor(run);
    await desk.decide(id, yes, bob);
    expect(await outcomeOf(run)).toMatchObject({ decision: 'approved' });
    expect(answered).toBe(2);
    const asked = ['approval.asked', 'approval.answered'];
    expect(typesOf(await watch(run))).toEqual(['approval.requested', ...asked, ...asked, 'approval.decided']);
  });

  it('stands until somebody answers it, where the run cannot', async () => {
    program = asking();
    const run = await begin();
    const { id } = await firstOf(run);
    await desk.decide(id, { type: 'ask', question: 'Why?' }, bob);
    await waitingFor(run);
    await desk.decide(id, { type: 'answer', answer: 'It is due.' }, ann);
    expect(await approvals.find(id, bob)).toMatchObject({
      exchanges: [{ question: 'Why?', answer: 'It is due.', answered_by: 'ann' }],
    });
    await desk.decide(id, yes, bob);
    expect(await outcomeOf(run)).toMatchObject({ decision: 'approved' });
  });

  it('does not keep anybody from deciding meanwhile', async () => {
    const asked = Promise.withResolvers<void>();
    const decided = Promise.withResolvers<void>();
    program = asking({
      onQuestion: async () => {
        asked.resolve();
        await decided.promise;
        return 'too late';
      },
    });
    const run = await begin();
    const { id } = await firstOf(run);
    await desk.decide(id, { type: 'ask', question: 'Why?' }, bob);
    await asked.promise;
    await desk.decide(id, { type: 'reject', reason: 'never mind' }, bob);
    decided.resolve();
    expect(await outcomeOf(run)).toMatchObject({ decision: 'rejected', reason: 'never mind' });
    expect(await approvals.load({ tenantId: run.caller.tenantId, id })).toMatchObject({
      exchanges: [{ answer: null }],
    });
  });
});

describe('the deadline', () => {
  const startDesk = async (count = 1) => {
    const desks = Array.from({ length: count }, openDesk);
    for (const each of desks) await each.start();
    started.push(...desks);
  };

  it('is applied once, by whichever of several processes', async () => {
    program = asking();
    const runs = await Promise.all(Array.from({ length: 5 }, () => begin()));
    for (const run of runs) await waitingFor(run);
    ahead = 2 * HOURS;
    await startDesk(3);
    for (const run of runs) {
      expect(await outcomeOf(run)).toMatchObject({ decision: 'timeout', by: [] });
      expect(typesOf(await watch(run))).toEqual(['approval.requested', 'approval.decided']);
    }
  });

  it('comes at its time to an approval that was asked for later', async () => {
    await desk.start();
    started.push(desk);
    program = asking({ expiresInSeconds: 1 });
    expect(await outcomeOf(await begin())).toMatchObject({ decision: 'timeout' });
  });

  it('escalates from level to level where that is wanted', async () => {
    program = asking({ autoAction: 'escalate', priority: 'low' });
    const run = await begin();
    const { id } = await firstOf(run);
    ahead = 3 * HOURS;
    await startDesk();
    await expect
      .poll(async () => (await approvals.load({ tenantId: run.caller.tenantId, id }))?.status)
      .toBe('escalated');
    expect(await approvals.load({ tenantId: run.caller.tenantId, id })).toMatchObject({ escalationLevel: 'team_lead' });
    ahead = 6 * HOURS;
    await startDesk();
    expect(await outcomeOf(run)).toMatchObject({ decision: 'timeout' });
    expect(typesOf(await watch(run))).toEqual(['approval.requested', 'approval.escalated', 'approval.decided']);
  });

  it('approves where that is wanted', async () => {
    program = asking({ autoAction: 'approve' });
    const run = await begin();
    await waitingFor(run);
    ahead = 2 * HOURS;
    await startDesk();
    expect(await outcomeOf(run)).toMatchObject({ decision: 'approved', by: [] });
  });

  it('comes before whoever is late, also when it has not been applied yet', async () => {
    program = asking();
    const run = await begin();
    const { id } = await firstOf(run);
    ahead = 2 * HOURS;
    await expect(desk.decide(id, yes, bob)).rejects.toMatchObject({ code: 'conflict', facts: { status: 'timeout' } });
    expect(await outcomeOf(run)).toMatchObject({ decision: 'timeout' });
  });
});

describe('an approval whose row was changed by hand', () => {
  it.each([
    ['other arguments', { args: { invoice: 7, amount: 100_000 } }],
    ['other edited arguments', { editedArgs: { invoice: 7, amount: 100_000 } }],
    ['another action', { actionType: 'close_account' }],
  ])('with %s allows nothing', async (_, change) => {
    program = asking();
    const run = await begin();
    const { id } = await firstOf(run);
    await engine.stop();
    const decided = await desk.decide(id, yes, bob);
    await database.db
      .updateTable('approvals')
      .set({ state: JSON.stringify({ ...decided, ...change }) })
      .where('id', '=', id)
      .execute();
    await startEngine();
    expect(await outcomeOf(run)).toMatchObject({ type: 'run.failed', data: { error: { code: 'conflict' } } });
  });

  it('so that it seems to be approved wakes nobody', async () => {
    program = asking();
    const run = await begin();
    const approval = await firstOf(run);
    const state = JSON.stringify({ ...approval, status: 'approved', decidedBy: ['mallory'] });
    await database.db
      .updateTable('approvals')
      .set({ state, status: 'approved' })
      .where('id', '=', approval.id)
      .execute();
    await engine.signal(keyOfRun(run), {
      name: `approval/${approval.id}`,
      payload: { told: 'decided' },
      actor: 'user:mallory',
    });
    expect(await outcomeOf(run)).toMatchObject({ type: 'run.failed', data: { error: { code: 'conflict' } } });
  });

  it('is not needed for a signal that is none of ours to be without effect', async () => {
    program = asking();
    const run = await begin();
    const { id } = await firstOf(run);
    await engine.signal(keyOfRun(run), { name: `approval/${id}`, payload: { told: 'decided' }, actor: 'user:mallory' });
    await expect
      .poll(async () => (await here.events.read(keyOfRun(run), 0)).filter(({ type }) => type === 'run.waiting').length)
      .toBe(2);
    await desk.decide(id, yes, bob);
    expect(await outcomeOf(run)).toMatchObject({ decision: 'approved', by: ['bob'] });
  });
});

describe('the end of the run', () => {
  it('cancels what was still open, and tells the tenant', async () => {
    await desk.start();
    started.push(desk);
    program = async (scope) => {
      await Promise.all(['a', 'b'].map((name) => desk.ask(scope, testAsk({ name }))));
      return {};
    };
    const run = await begin();
    const [a, b] = await waitingFor(run, 2);
    await desk.decide(a?.id ?? '', yes, bob);
    await waitingFor(run, 1);
    await engine.cancel(run.id, 'not needed', ann);
    await expect
      .poll(async () => (await approvals.load({ tenantId: run.caller.tenantId, id: b?.id ?? '' }))?.status)
      .toBe('cancelled');
    expect(await approvals.load({ tenantId: run.caller.tenantId, id: a?.id ?? '' })).toMatchObject({
      status: 'approved',
    });
    const facts = async () => (await feed.read(operator, '', 500)).filter(({ type }) => type === 'approval.cancelled');
    await expect.poll(facts).toMatchObject([{ subject: b?.id, data: { run_id: run.id, status: 'cancelled' } }]);
  });

  it('comes before a decision, also when what was open has not been cancelled yet', async () => {
    program = asking();
    const run = await begin();
    const { id } = await firstOf(run);
    await engine.cancel(run.id, 'not needed', ann);
    await expect(desk.decide(id, yes, bob)).rejects.toMatchObject({ code: 'conflict', facts: { status: 'cancelled' } });
    expect(await approvals.load({ tenantId: run.caller.tenantId, id })).toMatchObject({ status: 'cancelled' });
  });
});

describe('the list of approvals', () => {
  it('shows newest first, page by page, by run, agent and status', async () => {
    program = async (scope) => {
      for (const name of ['a', 'b', 'c']) await desk.ask(scope, testAsk({ name, agentId: name }));
      return {};
    };
    const run = await begin();
    const ids: string[] = [];
    for (let n = 0; n < 3; n++) {
      await expect.poll(async () => (await open(run)).length).toBe(1);
      const { id } = await firstOf(run);
      ids.unshift(id);
      if (n < 2) await desk.decide(id, yes, bob);
    }
    const first = await approvals.list(bob, { limit: 2, runId: run.id });
    expect(first).toMatchObject({ total: 3 });
    const second = await approvals.list(bob, { limit: 2, cursor: first.nextCursor ?? '' });
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
    expect(second.nextCursor).toBeNull();
    const idsOf = async (filter: object) =>
      (await approvals.list(bob, { limit: 9, ...filter })).items.map(({ id }) => id);
    expect(await idsOf({ status: 'approved' })).toEqual(ids.slice(1));
    expect(await idsOf({ status: 'pending', agentId: 'c' })).toEqual(ids.slice(0, 1));
    expect(await idsOf({ runId: 'another' })).toEqual([]);
    await expect(idsOf({ cursor: 'x' })).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
