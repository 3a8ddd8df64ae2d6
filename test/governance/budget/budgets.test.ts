/** Runs that spend from budgets, with the real engine, desk and database: who waits, who is woken, what goes on. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isoTime, systemClock } from '../../../src/core/clock.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import type { Engine, RunProgram, RunScope } from '../../../src/engine/engine.ts';
import { createEngine } from '../../../src/engine/run-engine.ts';
import type { Approval } from '../../../src/governance/approval.ts';
import type { ApprovalDecision } from '../../../src/governance/approval-desk.ts';
import { type ApprovalStore, createApprovalStore } from '../../../src/governance/approval-store.ts';
import { type Amounts, accountsOf, type BudgetDocument } from '../../../src/governance/budget/budget.ts';
import { createBudgetWatch } from '../../../src/governance/budget/budget-watch.ts';
import { createBudgets } from '../../../src/governance/budget/budgets.ts';
import { createApprovalDesk } from '../../../src/governance/durable-desk.ts';
import type { RunEvent } from '../../../src/runs/event.ts';
import { createFeed } from '../../../src/runs/feed.ts';
import { DEFAULT_TENANT, keyOfRun, type Run, runKey } from '../../../src/runs/run.ts';
import { type Database, openDatabase } from '../../../src/store/database.ts';
import { budgetDocument, openBudgets, type TestBudgets } from '../../support/budgets.ts';
import { createTestDatabase } from '../../support/database.ts';
import { silentLog } from '../../support/log.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../../support/runs.ts';

const caller = { tenantId: 'default', userId: 'ann' };
const operator = { tenantId: 'default', userId: '' };

let url: string;
/** How far the clock of this process is ahead. */
let ahead = 0;
const clock = { ...systemClock, now: () => systemClock.now() + ahead };
/** What the steps did, by name. */
let done: string[] = [];
let program: (scope: RunScope, process: TestProcess) => Promise<JsonObject>;

interface TestProcess extends TestBudgets, TestRuns {
  readonly database: Database;
  readonly engine: Engine;
  readonly approvals: ApprovalStore;
  readonly decide: (approval: Approval, decision: ApprovalDecision) => Promise<Approval>;
  readonly beginAttempt: (scope: RunScope) => Promise<void>;
  readonly spend: (scope: RunScope, step: string, most: Amounts, used: Record<string, number>) => Promise<null>;
  stop(): Promise<void>;
}

/** What another container would have. */
async function startProcess(): Promise<TestProcess> {
  const database = await openDatabase({ url, clock: systemClock, log: silentLog });
  const { book, ledger } = await openBudgets(database, clock);
  const testRuns = createTestRuns(database);
  const { runs, events } = testRuns;
  const approvals = createApprovalStore(database);
  const feed = createFeed({ database, clock });
  const signal: Engine['signal'] = (...parameters) => engine.signal(...parameters);
  const desk = createApprovalDesk({ database, approvals, events, signal, feed, clock, log: silentLog });
  const watch = createBudgetWatch({ database, book, signal, clock, log: silentLog });
  const workflowOf = () => 'collaborative';
  const budgets = createBudgets({ book, ledger, desk, runs, workflowOf, clock, log: silentLog });
  const running: RunProgram = (scope) => program(scope, here);
  const engine = createEngine({ database, runs, events, program: running, clock, log: silentLog });
  const here: TestProcess = {
    ...testRuns,
    database,
    book,
    ledger,
    engine,
    approvals,
    decide: (approval, decision) => desk.decide(approval.id, decision, operator),
    beginAttempt: budgets.begin,
    async spend(scope, step, amounts, used) {
      await budgets.reserve(scope, { step, kind: 'model', agentId: 'cfo', what: 'The model m', amounts });
      const body = async () => {
        done.push(step);
        return null;
      };
      return scope.step(step, body, { settle: { used: () => used } });
    },
    async stop() {
      await watch.stop();
      await desk.stop();
      await engine.stop();
      book.stop();
      await database.close();
    },
  };
  await engine.start();
  await desk.start();
  await watch.start();
  return here;
}

let here: TestProcess;
const started: TestProcess[] = [];

async function another(): Promise<TestProcess> {
  const process = await startProcess();
  started.push(process);
  return process;
}

beforeAll(async () => {
  url = await createTestDatabase();
});

beforeEach(async () => {
  ahead = 0;
  done = [];
  here = await another();
});

afterEach(async () => {
  for (const process of started.splice(0)) await process.stop();
  const database = await openDatabase({ url, clock: systemClock, log: silentLog });
  await database.db.deleteFrom('runs').execute();
  await database.db.deleteFrom('budgets').execute();
  await database.close();
});

afterAll(async () => {});

const set = (change: Partial<BudgetDocument> = {}, id = 'all') =>
  here.book.set('default', id, budgetDocument(change), 'operator');

async function begin(change = {}): Promise<Run> {
  const { run } = await here.runs.admit(testAdmission({ caller, ...change }));
  await here.engine.begin(keyOfRun(run));
  return run;
}

async function ended(run: Run): Promise<Run | undefined> {
  for await (const _event of here.events.follow(keyOfRun(run), 0));
  return here.runs.load(keyOfRun(run));
}

const waiting = (run: Run) =>
  expect
    .poll(() => here.runs.load(keyOfRun(run)), { timeout: 8000 })
    .toMatchObject({ status: 'waiting', waitingFor: 'budget' });

async function asked(run: Run): Promise<Approval> {
  await waiting(run);
  const { items } = await here.approvals.list(operator, { runId: run.id, status: 'open', limit: 10 });
  const [approval] = items;
  if (approval === undefined) throw new Error('nobody was asked');
  return approval;
}

async function eventsOf(run: Run): Promise<readonly RunEvent[]> {
  return here.events.read(keyOfRun(run), 0);
}

const spendTwice = async (scope: RunScope, process: TestProcess) => {
  await process.spend(scope, 'first', { tokens: 700 }, { tokens: 600 });
  await process.spend(scope, 'second', { tokens: 700 }, { tokens: 500 });
  return {};
};

describe('an attempt at a task', () => {
  beforeEach(() => {
    program = async (scope, process) => {
      await process.beginAttempt(scope);
      done.push(scope.run.id);
      return {};
    };
  });

  it('is a run of the day: one for which there is none waits, asks, and goes on when something is added', async () => {
    await set({ dimension: 'runs', limit: 1 });
    const first = await begin();
    expect(await ended(first)).toMatchObject({ status: 'completed' });
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 1, reserved: 0 }]);
    const second = await begin();
    expect(await asked(second)).toMatchObject({ args: { budget_id: 'all', dimension: 'runs' }, agentId: null });
    expect(done).toEqual([first.id]);
    await here.decide(await asked(second), { type: 'approve', by: 'dana' });
    expect(await ended(second)).toMatchObject({ status: 'completed' });
    expect(done).toEqual([first.id, second.id]);
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 2, reserved: 0 }]);
  });

  it('spends its time, and no more of it than it may take, however long it waited', async () => {
    await set({ dimension: 'wall_clock_seconds', limit: 100 });
    program = async (scope, process) => {
      await process.beginAttempt(scope);
      await scope.wait({ name: 'go', reason: 'input' });
      return {};
    };
    const run = await begin({ deadlineAt: isoTime(clock.now() + 60_000) });
    await expect.poll(() => here.runs.load(keyOfRun(run))).toMatchObject({ status: 'waiting' });
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 0, reserved: 60 }]);
    await here.database.db.updateTable('runs').set({ deadline_at: null }).where('id', '=', run.id).execute();
    ahead = 3_600_000;
    await here.engine.signal(keyOfRun(run), { name: 'go', payload: {}, actor: 'user:ada' });
    expect(await ended(run)).toMatchObject({ status: 'completed' });
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 60, reserved: 0, overdrawn: 0 }]);
  });

  it('is counted with the run that it belongs to', async () => {
    await set({ dimension: 'runs', limit: 1 });
    program = async (scope, process) => {
      await process.beginAttempt(scope);
      if (scope.run.parentId === null) await scope.child('part', { request: {} });
      return {};
    };
    expect(await ended(await begin())).toMatchObject({ status: 'completed' });
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 1, reserved: 0 }]);
  });
});

describe('a run whose budget has too little', () => {
  beforeEach(async () => {
    program = spendTwice;
    await set();
  });

  it('waits, tells which and asks; what is added lets the same step go on, once', async () => {
    const run = await begin();
    const approval = await asked(run);
    expect(approval).toMatchObject({
      requestType: 'resource_allocation',
      actionType: 'budget:top_up',
      agentId: 'cfo',
      args: { budget_id: 'all', dimension: 'tokens', amount: 300 },
    });
    expect(approval.description).toMatch(
      /^The budget "all" \(.*\) has too little: 600 of 1000 tokens are used, and this needs up to 700\./,
    );
    await here.decide(approval, { type: 'approve', by: 'dana', args: { ...approval.args, amount: 250 } });
    // 250 are not enough: they are asked again, under the next name.
    await expect.poll(async () => (await asked(run)).id, { timeout: 8000 }).not.toBe(approval.id);
    await here.decide(await asked(run), { type: 'approve', by: 'dana' });
    expect(await ended(run)).toMatchObject({ status: 'completed' });
    expect(done).toEqual(['first', 'second']);
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 1100, reserved: 0, raised: 500 }]);
    expect((await eventsOf(run)).map(({ type }) => type).filter((type) => type.startsWith('budget'))).toEqual([
      'budget.breached',
      'budget.breached',
    ]);
  });

  it('fails with a sentence when nothing is added', async () => {
    const run = await begin();
    await here.decide(await asked(run), { type: 'reject', by: 'dana', reason: 'Enough.' });
    expect(await ended(run)).toMatchObject({
      status: 'failed',
      error: {
        code: 'limit_exceeded',
        message: expect.stringMatching(/The budget "all" .* dana added nothing: Enough\.$/),
      },
    });
    expect(done).toEqual(['first']);
  });

  it('is woken, and nobody need decide any more, when somebody tops the budget up directly', async () => {
    const run = await begin();
    const approval = await asked(run);
    const [account] = await here.ledger.accounts('default');
    const budget = here.book.find('default', 'all');
    if (account === undefined || budget === undefined) throw new Error('there is no account');
    const { startsAt: starts, endsAt: ends } = account;
    const other = await another();
    await other.ledger.topUp({ budget, ...account, starts, ends, amount: 500, key: 'k', by: 'dana', reason: '' });
    expect(await ended(run)).toMatchObject({ status: 'completed' });
    expect(await here.approvals.load(approval)).toMatchObject({ status: 'cancelled' });
    expect(done).toEqual(['first', 'second']);
  });

  it('goes on when the limit is raised, or the budget is removed', async () => {
    const [one, two] = [await begin(), await begin()];
    await Promise.all([waiting(one), waiting(two)]);
    await set({ limit: 5000 });
    expect(await ended(one)).toMatchObject({ status: 'completed' });
    expect(await ended(two)).toMatchObject({ status: 'completed' });
    program = async (scope, process) => {
      await process.spend(scope, 'huge', { tokens: 9000 }, { tokens: 1 });
      return {};
    };
    const three = await begin();
    await waiting(three);
    await here.book.remove('default', 'all', 'operator');
    expect(await ended(three)).toMatchObject({ status: 'completed' });
  });

  it('goes on by itself when the window turns', async () => {
    const run = await begin();
    await waiting(run);
    ahead = 86_400_000;
    expect(await ended(run)).toMatchObject({ status: 'completed' });
    expect(done).toEqual(['first', 'second']);
  });

  it('goes on in another process when its own is gone', async () => {
    const run = await begin();
    const approval = await asked(run);
    const other = await another();
    await started.shift()?.stop();
    here = other;
    await other.decide(approval, { type: 'approve', by: 'dana', args: { ...approval.args, amount: 300 } });
    expect(await ended(run)).toMatchObject({ status: 'completed' });
    expect(done).toEqual(['first', 'second']);
    expect(await other.ledger.accounts('default')).toMatchObject([{ committed: 1100, reserved: 0, raised: 300 }]);
  });
});

describe('a step whose process is gone in the middle of it', () => {
  it('finds what it had set aside when it is done again, and is counted once', async () => {
    await set();
    const gone = here;
    program = async (scope, process) => {
      if (process !== gone) return (await process.spend(scope, 'only', { tokens: 700 }, { tokens: 600 })) ?? {};
      await process.ledger.reserve(await asksOf(scope, process));
      return scope.step('only', () => new Promise<never>(() => {}));
    };
    const run = await begin();
    await expect.poll(() => here.ledger.reservations('default', 'all', 10)).toHaveLength(1);
    const other = await another();
    await started.shift()?.stop();
    here = other;
    expect(await ended(run)).toMatchObject({ status: 'completed' });
    expect(done).toEqual(['only']);
    expect(await other.ledger.accounts('default')).toMatchObject([{ committed: 600, reserved: 0 }]);
  });

  async function asksOf(scope: RunScope, { book }: TestProcess) {
    const { id: runId } = scope.run;
    const spender = { tenantId: 'default', runId, rootId: runId, workflow: 'collaborative' };
    const spending = { agentId: 'cfo', kind: 'model', amounts: { tokens: 700 } };
    const asks = accountsOf(book.of('default'), spender, spending, clock.now());
    return { tenantId: 'default', runId, step: 'only', asks };
  }
});

describe('parallel branches', () => {
  it('wait for each other to give back, and ask nobody', async () => {
    await set();
    program = async (scope, process) => {
      const branches = Array.from({ length: 12 }, (_none, nth) =>
        process.spend(scope, `branch-${nth}`, { tokens: 300 }, { tokens: 50 }),
      );
      await Promise.all(branches);
      return {};
    };
    const run = await begin();
    expect(await ended(run)).toMatchObject({ status: 'completed' });
    expect(done).toHaveLength(12);
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 600, reserved: 0 }]);
    expect((await here.approvals.list(operator, { runId: run.id, limit: 10 })).total).toBe(0);
  });
});

describe('runs below a run', () => {
  it('have no more than is left to the one at the top', async () => {
    await set({ scope: 'orchestration', window: 'run', limit: 1000 });
    program = async (scope, process) => {
      await process.spend(scope, 'own', { tokens: 500 }, { tokens: 500 });
      if (scope.run.depth > 0) return {};
      const child = await scope.child('part', { request: scope.run.request });
      return { child: child.status };
    };
    const run = await begin();
    const child = `${run.id}.part`;
    await expect.poll(() => here.runs.load(keyOfRun(run)), { timeout: 8000 }).toMatchObject({ status: 'completed' });
    expect(await here.runs.load(runKey(DEFAULT_TENANT, child))).toMatchObject({ status: 'completed' });
    expect(await here.database.db.selectFrom('budget_accounts').select(['account', 'committed']).execute()).toEqual([
      { account: run.id, committed: '1000.00000000' },
    ]);
    program = async (scope, process) => {
      await process.spend(scope, 'own', { tokens: 600 }, { tokens: 600 });
      if (scope.run.depth > 0) return {};
      return { child: (await scope.child('part', { request: scope.run.request })).status };
    };
    const other = await begin();
    await expect
      .poll(() => here.runs.load(runKey(DEFAULT_TENANT, `${other.id}.part`)), { timeout: 8000 })
      .toMatchObject({ status: 'waiting', waitingFor: 'budget' });
  });
});

describe('a call whose price is not known', () => {
  it('does not pass a budget of money, and the sentence says what to do', async () => {
    await set({ dimension: 'cost_usd', limit: 1 });
    program = async (scope, process) => {
      await process.spend(scope, 'call', { tokens: 10, cost_usd: null }, {});
      return {};
    };
    expect(await ended(await begin())).toMatchObject({
      status: 'failed',
      error: { code: 'limit_exceeded', message: expect.stringContaining('AOS_PRICES_FILE') },
    });
    await set({ dimension: 'cost_usd', limit: 1, unpriced: 'allow' });
    expect(await ended(await begin())).toMatchObject({ status: 'completed' });
  });
});
