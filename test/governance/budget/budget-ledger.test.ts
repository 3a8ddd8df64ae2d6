/** Accounts on the real database. */
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { isoTime, systemClock } from '../../../src/core/clock.ts';
import { accountsOf, type Budget } from '../../../src/governance/budget/budget.ts';
import type { ReserveOutcome } from '../../../src/governance/budget/budget-ledger.ts';
import type { Database } from '../../../src/store/database.ts';
import { budgetDocument, openBudgets, type TestBudgets } from '../../support/budgets.ts';
import { openTestDatabase } from '../../support/database.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../../support/runs.ts';

let database: Database;
let here: TestBudgets;
let runs: TestRuns;

beforeAll(async () => {
  database = await openTestDatabase();
  here = await openBudgets(database);
  runs = createTestRuns(database);
});

beforeEach(async () => {
  for (const { id } of here.book.of('default')) await here.book.remove('default', id, 'operator');
  await database.db.deleteFrom('feed').execute();
});

afterAll(async () => {
  here.book.stop();
  await database.close();
});

async function beginRun(): Promise<string> {
  const { run } = await runs.runs.admit(testAdmission());
  return run.id;
}

function reserve(runId: string, step: string, tokens: number, agentId = 'cfo'): Promise<ReserveOutcome> {
  const spender = { tenantId: 'default', runId, rootId: runId, workflow: 'collaborative' };
  const asks = accountsOf(
    here.book.of('default'),
    spender,
    { agentId, kind: 'model', amounts: { tokens } },
    systemClock.now(),
  );
  return here.ledger.reserve({ tenantId: 'default', runId, step, asks });
}

async function settle(runId: string, step: string, tokens: number): Promise<void> {
  await sql`select aos.settle_budget('default', ${runId}, ${step}, ${JSON.stringify({ tokens })}, now())`.execute(
    database.db,
  );
}

const set = (id: string, change = {}): Promise<Budget> =>
  here.book.set('default', id, budgetDocument(change), 'operator');

describe('what is set aside', () => {
  it('is taken from every budget that counts it, or from none', async () => {
    await set('all');
    await set('each', { scope: 'agent', limit: 300 });
    const run = await beginRun();
    expect(await reserve(run, 'a', 300)).toEqual({ kind: 'granted' });
    expect(await reserve(run, 'b', 1)).toMatchObject({
      kind: 'refused',
      shortages: [{ budgetId: 'each', amount: 1, thereIs: 300, committed: 0, reserved: 300, overdrawn: 0 }],
    });
    expect(await here.ledger.accounts('default')).toMatchObject([
      { budgetId: 'all', reserved: 300 },
      { budgetId: 'each', reserved: 300 },
    ]);
    expect(await reserve(run, 'b', 300, 'ceo')).toEqual({ kind: 'granted' });
  });

  it('is set aside once for a step that is done again', async () => {
    await set('all');
    const run = await beginRun();
    await reserve(run, 'a', 300);
    expect(await reserve(run, 'a', 300)).toEqual({ kind: 'kept' });
    expect(await here.ledger.accounts('default')).toMatchObject([{ reserved: 300 }]);
    expect(await here.ledger.reservations('default', 'all', 10)).toMatchObject([
      { runId: run, step: 'a', amount: 300 },
    ]);
  });

  it('is settled with what was used, once, and the rest is free again', async () => {
    await set('all');
    const run = await beginRun();
    await reserve(run, 'a', 300);
    await settle(run, 'a', 120);
    await settle(run, 'a', 120);
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 120, reserved: 0, overdrawn: 0 }]);
  });

  it('may be overdrawn by a step that used more, and stands in the way of the next then', async () => {
    await set('all');
    const run = await beginRun();
    await reserve(run, 'a', 900);
    await reserve(run, 'b', 100);
    await settle(run, 'a', 950);
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 900, reserved: 100, overdrawn: 50 }]);
    // What the other gives back covers it.
    await settle(run, 'b', 60);
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 1000, reserved: 0, overdrawn: 10 }]);
    expect(await reserve(run, 'c', 1)).toMatchObject({ kind: 'refused' });
  });

  it('is given back with the end of the run', async () => {
    await set('all');
    const run = await beginRun();
    await reserve(run, 'a', 300);
    await reserve(run, 'b', 200);
    await database.db
      .updateTable('runs')
      .set({ status: 'cancelled', completed_at: new Date() })
      .where('id', '=', run)
      .execute();
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 0, reserved: 0 }]);
    expect(await reserve(run, 'c', 1)).toEqual({ kind: 'ended' });
  });

  it('is told at 50, 75, 90 and 100 percent, once each', async () => {
    await set('all');
    const run = await beginRun();
    for (const [step, tokens] of [
      ['a', 490],
      ['b', 20],
      ['c', 30],
      ['d', 400],
      ['e', 60],
    ] as const) {
      await reserve(run, step, tokens);
      await settle(run, step, tokens);
    }
    const told = await database.db
      .selectFrom('feed')
      .select('data')
      .where('type', '=', 'budget.threshold')
      .orderBy('pos')
      .execute();
    expect(told.map(({ data }) => data['percent'])).toEqual([50, 90, 100]);
  });
});

describe('a top-up', () => {
  it('adds to one account, once for its key, and covers first what is overdrawn', async () => {
    const budget = await set('all');
    const run = await beginRun();
    await reserve(run, 'a', 1000);
    await settle(run, 'a', 1040);
    const [{ account, startsAt, endsAt } = { account: '', startsAt: null, endsAt: null }] =
      await here.ledger.accounts('default');
    const order = { budget, account, starts: startsAt, ends: endsAt, amount: 100, key: 'k', by: 'dana', reason: 'why' };
    expect(await here.ledger.topUp(order)).toBe(true);
    expect(await here.ledger.topUp(order)).toBe(false);
    expect(await here.ledger.accounts('default')).toMatchObject([{ committed: 1040, overdrawn: 0, raised: 100 }]);
    expect(await reserve(run, 'b', 61)).toMatchObject({ kind: 'refused' });
    expect(await reserve(run, 'b', 60)).toEqual({ kind: 'granted' });
    expect(await here.book.changes('default', 'all', 2)).toMatchObject([
      { kind: 'topped_up', account, amount: 100, by: 'dana', content: { reason: 'why' } },
      { kind: 'set', by: 'operator' },
    ]);
  });
});

describe('a budget', () => {
  it('begins anew with its window', async () => {
    await set('all');
    const run = await beginRun();
    await reserve(run, 'a', 1000);
    const tomorrow = systemClock.now() + 86_400_000;
    const spender = { tenantId: 'default', runId: run, rootId: run, workflow: 'collaborative' };
    const spending = { agentId: null, kind: 'model', amounts: { tokens: 1000 } };
    const asks = accountsOf(here.book.of('default'), spender, spending, tomorrow);
    expect(await here.ledger.reserve({ tenantId: 'default', runId: run, step: 'b', asks })).toEqual({
      kind: 'granted',
    });
    expect(asks[0]?.starts).toBe(`${isoTime(tomorrow).slice(0, 10)}T00:00:00.000Z`);
  });

  it('keeps what was spent when its limit changes, and is gone with its accounts when it is removed', async () => {
    await set('all');
    const run = await beginRun();
    await reserve(run, 'a', 1000);
    await set('all', { limit: 1100 });
    expect(await reserve(run, 'b', 100)).toEqual({ kind: 'granted' });
    await expect(set('all', { window: 'month' })).rejects.toMatchObject({ code: 'conflict', reason: 'BUDGET_EXISTS' });
    expect(await here.book.remove('default', 'all', 'operator')).toBe(true);
    expect(await here.book.remove('default', 'all', 'operator')).toBe(false);
    expect(await here.ledger.accounts('default')).toEqual([]);
    await settle(run, 'a', 10);
  });

  it('is known to other processes as soon as it is written', async () => {
    const there = await openBudgets(database);
    await set('all');
    await expect.poll(() => there.book.of('default')).toMatchObject([{ id: 'all', limit: 1000 }]);
    there.book.stop();
  });
});
