/** What the budget API does. */
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import { checkSchema } from '../core/schema-check.ts';
import { type Budget, budgetSchema, onlyAccountOf } from '../governance/budget/budget.ts';
import type { BudgetBook } from '../governance/budget/budget-book.ts';
import {
  type BudgetAccount,
  type BudgetLedger,
  noBudget,
  remainingOf,
  rounded,
} from '../governance/budget/budget-ledger.ts';
import {
  getBudget,
  listBudgetChanges,
  listBudgets,
  listReservations,
  removeBudget,
  setBudget,
  topUpBudget,
} from './budget-spec.ts';
import { type Operation, realize } from './operation.ts';

export interface BudgetOperationParts {
  readonly budgeting: {
    readonly book: BudgetBook;
    readonly ledger: Pick<BudgetLedger, 'accounts' | 'topUp' | 'reservations'>;
  };
  readonly clock: Clock;
}

const SHOWN_ACCOUNTS = 100;

export function createBudgetOperations({ budgeting, clock }: BudgetOperationParts): readonly Operation[] {
  const { book, ledger } = budgeting;

  function find(tenantId: string, id: string): Budget {
    const budget = book.find(tenantId, id);
    if (budget === undefined) throw noBudget(id);
    return budget;
  }

  async function show(budget: Budget) {
    return view(budget, await ledger.accounts(budget.tenantId, budget.id), clock.now());
  }

  return [
    realize(listBudgets, async (_input, { caller: { tenantId } }) => {
      const accounts = await ledger.accounts(tenantId);
      const items = book.of(tenantId).map((budget) =>
        view(
          budget,
          accounts.filter(({ budgetId }) => budgetId === budget.id),
          clock.now(),
        ),
      );
      return { items };
    }),
    realize(getBudget, ({ id }, { caller }) => show(find(caller.tenantId, id))),
    realize(setBudget, async ({ id, ...given }, { caller }) => {
      const { subject = null, ...same } = given;
      const document = checkSchema(budgetSchema, { ...same, subject }, 'the budget');
      return show(await book.set(caller.tenantId, id, document, byOf(caller)));
    }),
    realize(removeBudget, async ({ id }, { caller }) => {
      if (!(await book.remove(caller.tenantId, id, byOf(caller)))) throw noBudget(id);
      return { id, removed: true as const };
    }),
    realize(topUpBudget, async ({ id, amount, account, reason, key = newUuid() }, { caller }) => {
      const budget = find(caller.tenantId, id);
      const accounts = await ledger.accounts(caller.tenantId, id);
      const place = placeOf(budget, accounts, account, clock.now());
      await ledger.topUp({
        budget,
        ...place,
        amount,
        key: `${caller.tenantId}/${id}/${key}`,
        by: byOf(caller),
        reason,
      });
      return show(budget);
    }),
    realize(listReservations, async ({ id, limit }, { caller }) => {
      find(caller.tenantId, id);
      const reservations = await ledger.reservations(caller.tenantId, id, limit);
      return { items: reservations.map(({ runId, ...same }) => ({ run_id: runId, ...same })) };
    }),
    realize(listBudgetChanges, async ({ id, limit }, { caller }) => {
      const changes = await book.changes(caller.tenantId, id, limit);
      return { items: changes.map((change) => ({ ...change })) };
    }),
  ];
}

function byOf({ userId }: { readonly userId: string }): string {
  return userId === '' ? 'operator' : userId;
}

/** The account that is meant, and its window. */
function placeOf(budget: Budget, accounts: readonly BudgetAccount[], named: string | undefined, at: number) {
  const only = onlyAccountOf(budget, at);
  if (only !== undefined && (named === undefined || named === only.account)) {
    return { account: only.account, starts: only.starts, ends: only.ends };
  }
  const meant = accounts.find(({ account }) => account === named);
  if (meant !== undefined) return { account: meant.account, starts: meant.startsAt, ends: meant.endsAt };
  const names = accounts.slice(0, 5).map(({ account }) => account);
  const there = names.length === 0 ? 'nothing was spent of it yet' : `among them ${names.join(', ')}`;
  const which = named === undefined ? 'it counts several apart' : `it has no account "${named}"`;
  throw new AosError(
    'unprocessable',
    `The budget "${budget.id}" cannot be topped up so: ${which}. Name one of its accounts as "account" (${there}), or ` +
      'raise its limit.',
    { reason: 'BUDGET_ACCOUNT' },
  );
}

function view(budget: Budget, accounts: readonly BudgetAccount[], at: number) {
  const { id, scope, subject, dimension, window, zone, limit, unpriced, description } = budget;
  const shown = accounts.map((account) => ({ account: account.account, ...figuresOf(limit, account) }));
  const [fullest] = shown;
  const { account: _name, ...figures } = fullest ?? { account: '', ...figuresOf(limit, untouched(budget, at)) };
  return {
    ...{ id, scope, subject, dimension, window, zone, limit, unpriced, description },
    ...figures,
    accounts: shown.slice(0, SHOWN_ACCOUNTS),
  };
}

function figuresOf(limit: number, account: BudgetAccount) {
  const { committed, reserved, overdrawn, raised, endsAt } = account;
  const there = limit + raised;
  const used = committed + reserved + overdrawn;
  return {
    committed,
    reserved,
    overdrawn,
    raised,
    remaining: remainingOf(limit, account),
    utilization: there === 0 ? 1 : rounded(used / there),
    renews_at: endsAt,
  };
}

/** One of which nothing was asked yet. */
function untouched(budget: Budget, at: number): BudgetAccount {
  const only = onlyAccountOf(budget, at);
  const nothing = { committed: 0, reserved: 0, overdrawn: 0, raised: 0 };
  return {
    ...nothing,
    budgetId: budget.id,
    account: only?.account ?? '',
    startsAt: only?.starts ?? null,
    endsAt: only?.ends ?? null,
  };
}

/** What is left of the tenant's budgets of money, as the dashboard tells it: of the one that has least. */
export function moneyLeft(budgets: readonly Budget[], accounts: readonly BudgetAccount[], at: number) {
  const ofTenant = budgets
    .filter(({ scope, dimension, window }) => scope === 'tenant' && dimension === 'cost_usd' && window !== 'run')
    .map((budget) => {
      const account = accounts.find(({ budgetId }) => budgetId === budget.id) ?? untouched(budget, at);
      return figuresOf(budget.limit, account);
    })
    .toSorted((one, other) => one.remaining - other.remaining);
  const [least] = ofTenant;
  return {
    budget_remaining_usd: least?.remaining ?? null,
    budget_utilization: least?.utilization ?? null,
  };
}
