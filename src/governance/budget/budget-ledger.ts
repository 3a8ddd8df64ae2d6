/**
 * Accounts of budgets in PostgreSQL: set aside, settled, topped up. Each is one statement or one transaction, repeated
 * without harm: a reservation is known by its run and step, a top-up by its key. What steps used is settled by the
 * engine, in the transaction that stores the step.
 */
import { sql } from 'kysely';
import { type Clock, isoTime } from '../../core/clock.ts';
import { AosError } from '../../core/errors.ts';
import type { Feed } from '../../runs/feed.ts';
import { partsOfKey, type RunKey } from '../../runs/run.ts';
import type { Database } from '../../store/database.ts';
import { type AccountAsk, type Budget, budgetScopes, type Dimension } from './budget.ts';
import { BUDGET_CHANNEL } from './budget-book.ts';

/** What there is of a budget in one account. */
export interface BudgetAccount {
  readonly budgetId: string;
  readonly account: string;
  readonly committed: number;
  readonly reserved: number;
  /** Used above what there was. */
  readonly overdrawn: number;
  /** By top-ups, above the limit. */
  readonly raised: number;
  /** ISO-8601 UTC; null where the window is a run. */
  readonly startsAt: string | null;
  readonly endsAt: string | null;
}

/** An account that has too little. */
export interface Shortage {
  readonly budgetId: string;
  readonly account: string;
  /** What was asked. */
  readonly amount: number;
  /** The limit with its top-ups. */
  readonly thereIs: number;
  readonly committed: number;
  readonly reserved: number;
  readonly overdrawn: number;
}

export type ReserveOutcome =
  | { readonly kind: 'granted' }
  /** It was before, under the same run and step. */
  | { readonly kind: 'kept' }
  /** The run has ended. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'refused'; readonly shortages: readonly [Shortage, ...Shortage[]] };

export interface Reservation {
  readonly runId: string;
  /** '' is the run as a whole. */
  readonly step: string;
  readonly account: string;
  readonly dimension: Dimension;
  readonly amount: number;
  /** ISO-8601 UTC. */
  readonly at: string;
}

export interface TopUp {
  readonly budget: Budget;
  readonly account: string;
  readonly amount: number;
  /** Its window, ISO-8601 UTC, should nothing have been asked of it yet; null where that is a run. */
  readonly starts: string | null;
  readonly ends: string | null;
  /** The same key tops up once. */
  readonly key: string;
  /** The name of whoever does it, `operator` for a call that names nobody. */
  readonly by: string;
  readonly reason: string;
}

export interface ReserveOrder {
  readonly tenantId: string;
  readonly runId: string;
  /** '' for the run as a whole, which need not be there yet. */
  readonly step: string;
  readonly asks: readonly AccountAsk[];
}

export interface BudgetLedger {
  /** Sets aside all that is asked, or nothing. */
  reserve(order: ReserveOrder): Promise<ReserveOutcome>;
  /** Gives back what was set aside, for what was not done after all. */
  release(run: RunKey, step: string): Promise<void>;
  /** @returns false when it was topped up under this key before, or there is no such budget any more */
  topUp(topUp: TopUp): Promise<boolean>;
  /** The accounts of a tenant whose windows are not over, the fullest of each budget first; of runs those that have not ended. */
  accounts(tenantId: string, budgetId?: string): Promise<readonly BudgetAccount[]>;
  /** What is set aside, oldest first. */
  reservations(tenantId: string, budgetId: string, limit: number): Promise<readonly Reservation[]>;
  /** Notes that a run waits for room, under the signal that is to wake it. */
  awaitRoom(
    run: { readonly id: string; readonly tenantId: string },
    signal: string,
    missing: Pick<Shortage, 'budgetId' | 'account' | 'amount'>,
  ): Promise<void>;
}

export interface BudgetLedgerParts {
  readonly database: Database;
  readonly feed: Pick<Feed, 'write'>;
  readonly clock: Clock;
}

type ReserveRow = {
  state: 'granted' | 'kept' | 'ended' | 'refused';
  budget: string;
  account: string;
  amount: string;
  there_is: string;
  committed: string;
  reserved: string;
  overdrawn: string;
};

export function createBudgetLedger({ database, feed, clock }: BudgetLedgerParts): BudgetLedger {
  const { db, notifications } = database;
  const now = () => isoTime(clock.now());

  return {
    async reserve({ tenantId, runId, step, asks }) {
      const { rows } = await sql<ReserveRow>`
        select * from aos.reserve_budget(
          ${tenantId}, ${runId}, ${step}, ${step === ''}, ${now()}, ${JSON.stringify(asks)})`.execute(db);
      const [first, ...others] = rows;
      if (first === undefined) throw new Error('nothing was said about a reservation');
      if (first.state !== 'refused') return { kind: first.state };
      return { kind: 'refused', shortages: [toShortage(first), ...others.map(toShortage)] };
    },
    async release(run, step) {
      const { tenantId, runId } = partsOfKey(run);
      await sql`select aos.settle_budget(${tenantId}, ${runId}, ${step}, null, ${now()})`.execute(db);
    },
    async topUp({ budget, account, amount, starts, ends, key, by, reason }) {
      const { id, tenantId } = budget;
      const done = await database
        .tenant(tenantId)
        .transaction()
        .execute(async (trx) => {
          const there = await trx
            .selectFrom('budgets')
            .select('id')
            .where('tenant_id', '=', tenantId)
            .where('id', '=', id)
            .forKeyShare()
            .executeTakeFirst();
          if (there === undefined) return false;
          const written = await trx
            .insertInto('budget_changes')
            .values({
              tenant_id: tenantId,
              budget_id: id,
              kind: 'topped_up',
              account,
              amount: String(amount),
              key,
              by,
              at: new Date(clock.now()),
              content: reason === '' ? null : JSON.stringify({ reason }),
            })
            .onConflict((conflict) => conflict.columns(['tenant_id', 'key']).doNothing())
            .returning('number')
            .executeTakeFirst();
          if (written === undefined) return false;
          // What was overdrawn is covered first.
          await sql`
          insert into aos.budget_accounts as c (tenant_id, budget_id, account, rank, starts_at, ends_at, raised)
            values (${tenantId}, ${id}, ${account}, ${budgetScopes.indexOf(budget.scope)}, ${starts}, ${ends},
              ${amount}::numeric)
            on conflict (tenant_id, budget_id, account) do update set
              raised = c.raised + excluded.raised,
              committed = c.committed + least(c.overdrawn, excluded.raised),
              overdrawn = greatest(c.overdrawn - excluded.raised, 0), warned = 0`.execute(trx);
          const data = { budget_id: id, account, amount, dimension: budget.dimension, changed_by: by };
          await feed.write(trx, { tenantId, type: 'budget.topped_up', subject: id, data });
          return true;
        });
      if (done) notifications.announce(BUDGET_CHANNEL, 'room', 'room');
      return done;
    },
    async accounts(tenantId, budgetId) {
      const { rows } = await sql<AccountRow>`
        select c.*
          from aos.budget_accounts c join aos.budgets b on b.tenant_id = c.tenant_id and b.id = c.budget_id
         where c.tenant_id = ${tenantId} and (${budgetId ?? null}::text is null or c.budget_id = ${budgetId ?? null})
           and (c.ends_at > ${now()} or (c.ends_at is null and exists (
             select from aos.runs r where r.tenant_id = c.tenant_id and r.id = split_part(c.account, '/', 1) and r.completed_at is null)))
         order by c.budget_id, (c.committed + c.reserved + c.overdrawn) / nullif(b.cap + c.raised, 0) desc nulls first,
           c.account
         limit 1000`.execute(database.tenant(tenantId));
      return rows.map(toAccount);
    },
    async reservations(tenantId, budgetId, limit) {
      const rows = await database
        .tenant(tenantId)
        .selectFrom('budget_reservations')
        .select(['run_id', 'step', 'account', 'dimension', 'amount', 'at'])
        .where('tenant_id', '=', tenantId)
        .where('budget_id', '=', budgetId)
        .orderBy('at')
        .orderBy('run_id')
        .orderBy('step')
        .limit(limit)
        .execute();
      return rows.map(({ run_id: runId, step, account, dimension, amount, at }) => ({
        runId,
        step,
        account,
        dimension: dimension as Dimension,
        amount: Number(amount),
        at: at.toISOString(),
      }));
    },
    async awaitRoom({ id, tenantId }, signal, { budgetId, account, amount }) {
      await db
        .insertInto('budget_waits')
        .values({
          run_id: id,
          signal,
          tenant_id: tenantId,
          budget_id: budgetId,
          account,
          amount: String(amount),
          since: new Date(clock.now()),
        })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'run_id', 'signal']).doNothing())
        .execute();
    },
  };
}

type AccountRow = {
  budget_id: string;
  account: string;
  committed: string;
  reserved: string;
  overdrawn: string;
  raised: string;
  starts_at: Date | null;
  ends_at: Date | null;
};

function toAccount(row: AccountRow): BudgetAccount {
  return {
    budgetId: row.budget_id,
    account: row.account,
    committed: Number(row.committed),
    reserved: Number(row.reserved),
    overdrawn: Number(row.overdrawn),
    raised: Number(row.raised),
    startsAt: row.starts_at?.toISOString() ?? null,
    endsAt: row.ends_at?.toISOString() ?? null,
  };
}

function toShortage(row: ReserveRow): Shortage {
  return {
    budgetId: row.budget,
    account: row.account,
    amount: Number(row.amount),
    thereIs: Number(row.there_is),
    committed: Number(row.committed),
    reserved: Number(row.reserved),
    overdrawn: Number(row.overdrawn),
  };
}

/** What is free of an account, never below nothing. */
export function remainingOf(limit: number, { committed, reserved, overdrawn, raised }: BudgetAccount): number {
  return Math.max(0, rounded(limit + raised - committed - reserved - overdrawn));
}

/** Amounts have 8 decimals; differences of binary fractions have more. */
export function rounded(amount: number): number {
  return Math.round(amount * 1e8) / 1e8;
}

/** A budget that is not there. */
export function noBudget(id: string): AosError {
  return new AosError('not_found', `There is no budget "${id}".`, { reason: 'BUDGET_NOT_FOUND' });
}
