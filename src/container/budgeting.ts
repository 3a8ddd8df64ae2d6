/** Budgets put together: the rules, the accounts, who is asked for more, and what looks after those who wait. */
import type { Clock } from '../core/clock.ts';
import type { Engine } from '../engine/engine.ts';
import type { StandingDesk } from '../governance/approval-desk.ts';
import type { BudgetsParts } from '../governance/budget/budgets.ts';
import type { Feed } from '../runs/feed.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import type { Parts } from './loading.ts';

export interface BudgetingOptions {
  readonly parts: Parts;
  readonly database: Database;
  readonly feed: Pick<Feed, 'write'>;
  readonly desk: StandingDesk;
  readonly runs: Pick<RunStore, 'load'>;
  readonly signal: Engine['signal'];
  readonly approversOf: NonNullable<BudgetsParts['approversOf']>;
  readonly clock: Clock;
  readonly log: Log;
}

export function createBudgeting({ parts, database, feed, desk, runs, signal, clock, log, ...asked }: BudgetingOptions) {
  const book = parts.createBudgetBook({ database, feed, clock, log });
  const ledger = parts.createBudgetLedger({ database, feed, clock });
  const watch = parts.createBudgetWatch({ database, book, signal, clock, log });
  const { approversOf } = asked;
  const budgets = parts.createBudgets({
    book,
    ledger,
    desk,
    runs,
    workflowOf: parts.workflowOfRun,
    approversOf,
    clock,
    log,
  });
  return {
    book,
    ledger,
    budgets,
    check: parts.createBudgetCheck(budgets),
    ofRuns: parts.createRunBudgets({ book, ledger, clock }),
    service: {
      async start(): Promise<void> {
        // First of all: what nobody knows of is not counted.
        await book.start();
        await watch.start();
      },
      async stop(): Promise<void> {
        await watch.stop();
        book.stop();
      },
    },
  };
}
