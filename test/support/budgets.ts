/** Budgets on a database, as one process has them. */
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { type Budget, type BudgetDocument, budgetSchema } from '../../src/governance/budget/budget.ts';
import { type BudgetBook, createBudgetBook } from '../../src/governance/budget/budget-book.ts';
import { type BudgetLedger, createBudgetLedger } from '../../src/governance/budget/budget-ledger.ts';
import { createFeed } from '../../src/runs/feed.ts';
import type { Database } from '../../src/store/database.ts';
import { silentLog } from './log.ts';

export interface TestBudgets {
  readonly book: BudgetBook;
  readonly ledger: BudgetLedger;
}

export async function openBudgets(database: Database, clock: Clock = systemClock): Promise<TestBudgets> {
  const feed = createFeed({ database, clock });
  const book = createBudgetBook({ database, feed, clock, log: silentLog });
  await book.start();
  return { book, ledger: createBudgetLedger({ database, feed, clock }) };
}

/** 1,000 tokens a day of the tenant, unless it says otherwise. */
export function budgetDocument(change: Partial<BudgetDocument> = {}): BudgetDocument {
  return budgetSchema.parse({ scope: 'tenant', dimension: 'tokens', window: 'day', limit: 1000, ...change });
}

export function testBudget(change: Partial<BudgetDocument> & { id?: string } = {}): Budget {
  const { id = 'b', ...document } = change;
  const made = budgetDocument(document);
  return { ...made, subject: made.subject ?? null, id, tenantId: 'default' };
}
