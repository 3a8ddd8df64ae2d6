/**
 * What a run as a whole spends: itself, of budgets of runs, and its time, of budgets of wall clock. Both are set aside
 * before it is admitted and settled by its end. Nobody waits here: who asks for more than there is, is refused. A run
 * whose time is counted has a deadline, so that it cannot take more than was set aside.
 */
import { type Clock, isoTime } from '../../core/clock.ts';
import { type Caller, runKey } from '../../runs/run.ts';
import { type AccountAsk, accountsOf, type Budget, concernsRun, secondsOf } from './budget.ts';
import type { BudgetBook } from './budget-book.ts';
import type { BudgetLedger, Shortage } from './budget-ledger.ts';
import { exceeded, shortageText } from './shortage.ts';

/** A run that nobody's run began, before it is admitted. */
export interface NewRun {
  readonly runId: string;
  readonly caller: Caller;
  /** What it does, e.g. `collaborative`. */
  readonly workflow: string;
  /** ISO-8601 UTC, as it was asked for. */
  readonly deadlineAt: string | undefined;
}

export interface Admission {
  /** ISO-8601 UTC: no later than was asked for. */
  readonly deadlineAt: string | undefined;
  /** When it is not admitted after all. */
  giveBack(): Promise<void>;
}

export interface RunBudgets {
  /** @throws AosError rate_limited, or limit_exceeded where it does not renew, naming the budget, what is used of it and when it renews */
  admit(run: NewRun): Promise<Admission>;
}

export interface RunBudgetsParts {
  readonly book: Pick<BudgetBook, 'of' | 'find'>;
  readonly ledger: Pick<BudgetLedger, 'reserve' | 'release'>;
  readonly clock: Clock;
}

export function createRunBudgets({ book, ledger, clock }: RunBudgetsParts): RunBudgets {
  return {
    async admit({ runId, caller: { tenantId }, workflow, deadlineAt: asked }) {
      const budgets = book.of(tenantId);
      const free = { deadlineAt: asked, giveBack: async () => {} };
      if (!concernsRun(budgets)) return free;
      const at = clock.now();
      const seconds = secondsOf(budgets, asked === undefined ? undefined : (Date.parse(asked) - at) / 1000);
      const spender = { tenantId, runId, rootId: runId, workflow };
      const amounts = { runs: 1, wall_clock_seconds: seconds };
      const asks = accountsOf(budgets, spender, { agentId: null, kind: 'run', amounts }, at);
      if (asks.length === 0) return free;
      const outcome = await ledger.reserve({ tenantId, runId, step: '', asks });
      if (outcome.kind === 'refused') throw refusal(budgets, asks, outcome.shortages[0]);
      const isTimed = asks.some(({ dimension }) => dimension === 'wall_clock_seconds');
      return {
        deadlineAt: isTimed ? isoTime(at + seconds * 1000) : asked,
        async giveBack() {
          // What another submission of the same run has set aside is that run's.
          if (outcome.kind === 'granted') await ledger.release(runKey(tenantId, runId), '');
        },
      };
    },
  };

  function refusal(budgets: readonly Budget[], asks: readonly AccountAsk[], shortage: Shortage) {
    const { thereIs: there_is, budgetId: budget_id, ...counted } = shortage;
    const budget = budgets.find(({ id }) => id === budget_id);
    if (budget === undefined) throw new Error(`the budget ${budget_id} was there a moment ago`);
    const { dimension } = budget;
    const renews_at = asks.find(({ account }) => account === shortage.account)?.ends ?? null;
    const text = shortageText(budget, shortage, renews_at);
    const told = { ...counted, budget_id, there_is, dimension, renews_at, text };
    if (renews_at === null) return exceeded(told, 'Have somebody add to it.');
    const inMs = Math.max(1000, Date.parse(renews_at) - clock.now());
    return exceeded(told, 'Send this again then, or have somebody add to it.', inMs);
  }
}
