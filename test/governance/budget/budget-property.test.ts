/**
 * That committed and reserved together never exceed the limit, and that nothing stays set aside: 1,000 steps at once over
 * several pools, with failures of every kind and a process that is killed in the middle.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { accountsOf } from '../../../src/governance/budget/budget.ts';
import { createBudgetWatch } from '../../../src/governance/budget/budget-watch.ts';
import { DEFAULT_TENANT, runKey } from '../../../src/runs/run.ts';
import { type Database, openDatabase } from '../../../src/store/database.ts';
import { budgetDocument, openBudgets, type TestBudgets } from '../../support/budgets.ts';
import { createTestDatabase } from '../../support/database.ts';
import { silentLog } from '../../support/log.ts';
import { createTestRuns, testAdmission } from '../../support/runs.ts';

interface Pool extends TestBudgets {
  readonly database: Database;
}

/** What becomes of a step: it uses some of what was set aside or more, fails, or its process is gone before it ends. */
type Fate = { readonly how: 'done' | 'failed' | 'lost'; readonly asked: number; readonly used: number };

const fates = fc.record<Fate>({
  how: fc.oneof(
    { weight: 8, arbitrary: fc.constant('done' as const) },
    { weight: 2, arbitrary: fc.constant('failed' as const) },
    { weight: 1, arbitrary: fc.constant('lost' as const) },
  ),
  asked: fc.integer({ min: 1, max: 60 }),
  used: fc.integer({ min: 0, max: 70 }),
});

let url: string;
const pools: Pool[] = [];

beforeAll(async () => {
  url = await createTestDatabase();
  for (let nth = 0; nth < 3; nth++) {
    const database = await openDatabase({ url, clock: systemClock, log: silentLog, poolSize: 6 });
    pools.push({ database, ...(await openBudgets(database)) });
  }
});

afterAll(async () => {
  for (const { database, book } of pools) {
    book.stop();
    await database.close();
  }
});

function poolOf(nth: number): Pool {
  const pool = pools[nth % pools.length];
  if (pool === undefined) throw new Error('there are no pools');
  return pool;
}

/** Accounts that hold more than there is, and the sums that are not those of what is set aside. */
async function faults({ database }: Pool): Promise<readonly unknown[]> {
  const { rows } = await sql`
    select c.budget_id, c.account, c.committed, c.reserved, b.cap + c.raised as there_is,
        coalesce((select sum(r.amount) from aos.budget_reservations r where r.tenant_id = c.tenant_id
          and r.budget_id = c.budget_id and r.account = c.account), 0) as set_aside
      from aos.budget_accounts c join aos.budgets b on b.tenant_id = c.tenant_id and b.id = c.budget_id
     where c.committed + c.reserved > b.cap + c.raised or c.reserved <> coalesce((
       select sum(r.amount) from aos.budget_reservations r where r.tenant_id = c.tenant_id
         and r.budget_id = c.budget_id and r.account = c.account), 0)`.execute(database.db);
  return rows;
}

async function spend(pool: Pool, runId: string, nth: number, { how, asked, used }: Fate): Promise<number> {
  const { book, ledger, database } = pool;
  const step = `step-${nth}`;
  const spender = { tenantId: 'default', runId, rootId: runId, workflow: `w-${nth % 2}` };
  const spending = { agentId: `agent-${nth % 3}`, kind: 'model', amounts: { tokens: asked, cost_usd: asked / 1000 } };
  const asks = accountsOf(book.of('default'), spender, spending, systemClock.now());
  const outcome = await ledger.reserve({ tenantId: 'default', runId, step, asks });
  if (outcome.kind !== 'granted' || how === 'lost') return 0;
  if (how === 'failed') {
    await ledger.release(runKey(DEFAULT_TENANT, runId), step);
    return 0;
  }
  const what = JSON.stringify({ tokens: used, cost_usd: used / 1000 });
  await sql`select aos.settle_budget('default', ${runId}, ${step}, ${what}, now())`.execute(database.db);
  return used;
}

describe('budgets under 1,000 steps at once', () => {
  it('are never exceeded, whatever fails, and nothing stays set aside', async () => {
    const [first] = pools;
    if (first === undefined) throw new Error('there are no pools');
    const { runs } = createTestRuns(first.database);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fates, { minLength: 1000, maxLength: 1000 }),
        fc.integer({ min: 500, max: 20_000 }),
        fc.integer({ min: 200, max: 9_000 }),
        async (steps, ofTenant, ofAgent) => {
          for (const { id } of first.book.of('default')) await first.book.remove('default', id, 'operator');
          await first.book.set('default', 'all', budgetDocument({ limit: ofTenant }), 'operator');
          await first.book.set('default', 'agents', budgetDocument({ scope: 'agent', limit: ofAgent }), 'operator');
          const each = budgetDocument({ scope: 'orchestration', window: 'run', limit: 900 });
          await first.book.set('default', 'each', each, 'operator');
          const money = budgetDocument({ scope: 'step', subject: 'model', dimension: 'cost_usd', limit: 12.5 });
          await first.book.set('default', 'money', money, 'operator');
          for (const { book } of pools) await expect.poll(() => book.of('default').length).toBe(4);
          const ids = await Promise.all(
            Array.from({ length: 20 }, async () => (await runs.admit(testAdmission())).run.id),
          );
          const mortal = spawn(
            process.execPath,
            [join(import.meta.dirname, '../../support/budget-mortal.ts'), url, ids[0] ?? ''],
            { stdio: ['ignore', 'pipe', 'inherit'] },
          );
          await once(mortal.stdout, 'data');
          let watching = true;
          const watch = (async () => {
            const seen: unknown[] = [];
            while (watching) seen.push(...(await faults(first)));
            return seen;
          })();
          const used = await Promise.all(
            steps.map((fate, nth) => spend(poolOf(nth), ids[nth % ids.length] ?? '', nth, fate)),
          );
          mortal.kill('SIGKILL');
          await once(mortal, 'close');
          watching = false;
          expect(await watch).toEqual([]);
          // The end of the runs gives back what was lost with its steps.
          await first.database.db
            .updateTable('runs')
            .set({ status: 'cancelled', completed_at: new Date() })
            .where('id', 'in', ids)
            .execute();
          const left = await first.database.db.selectFrom('budget_reservations').selectAll().execute();
          expect(left).toEqual([]);
          expect(await faults(first)).toEqual([]);
          const all = await first.ledger.accounts('default', 'all');
          const spent = all.reduce((sum, { committed, overdrawn }) => sum + committed + overdrawn, 0);
          expect(spent).toBeGreaterThanOrEqual(used.reduce((sum, each_) => sum + each_, 0));
        },
      ),
      { numRuns: 3 },
    );
  }, 120_000);

  it('give back what was set aside for a run that was never admitted', async () => {
    const [first] = pools;
    if (first === undefined) throw new Error('there are no pools');
    await first.book.set('default', 'runs', budgetDocument({ dimension: 'runs', limit: 5 }), 'operator');
    let ahead = 0;
    const clock = { ...systemClock, now: () => systemClock.now() + ahead };
    const watch = createBudgetWatch({ ...first, signal: async () => true, clock, log: silentLog });
    const spender = { tenantId: 'default', runId: 'nobody', rootId: 'nobody', workflow: 'chat' };
    const spending = { agentId: null, kind: 'run', amounts: { runs: 1 } };
    const asks = accountsOf(first.book.of('default'), spender, spending, systemClock.now());
    await first.ledger.reserve({ tenantId: 'default', runId: 'nobody', step: '', asks });
    await watch.look();
    expect(await first.ledger.reservations('default', 'runs', 10)).toHaveLength(1);
    ahead = 11 * 60_000;
    await watch.look();
    expect(await first.ledger.reservations('default', 'runs', 10)).toEqual([]);
  });
});
