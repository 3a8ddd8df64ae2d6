import type { Generated } from 'kysely';
import type { JsonObject } from '../../core/json.ts';
import type { Migration } from '../migration.ts';
import type { OptionalJson } from './column.ts';

/** What somebody may spend: see `src/governance/budget/budget.ts`. Amounts are decimal numbers, read as texts. */
export interface BudgetTable {
  tenant_id: string;
  id: string;
  scope: string;
  subject: string | null;
  dimension: string;
  /** `run`, `day`, `week`, `month`. */
  span: string;
  zone: string;
  cap: string;
  /** `refuse` or `allow`: what becomes of calls whose price is not known. */
  unpriced: string;
  description: string;
  changed_at: Date;
  changed_by: string;
}

/** What was spent of a budget by one of those whom it counts together, in one window. Made when it is first asked. */
export interface BudgetAccountTable {
  tenant_id: string;
  budget_id: string;
  account: string;
  /** Of its budget's scope: accounts are locked in this order. */
  rank: number;
  starts_at: Date | null;
  ends_at: Date | null;
  committed: string;
  reserved: string;
  /** What steps used above all that there was; counts against the next reservation. */
  overdrawn: string;
  /** By top-ups, above the cap. */
  raised: string;
  /** The highest threshold that was told, in percent. */
  warned: number;
}

/** Set aside for a step that is under way; '' is the run itself, set aside when it was admitted. */
export interface BudgetReservationTable {
  run_id: string;
  step: string;
  tenant_id: string;
  budget_id: string;
  account: string;
  dimension: string;
  amount: string;
  at: Date;
}

/** A run that waits for room in an account, and the signal that wakes it. */
export interface BudgetWaitTable {
  run_id: string;
  signal: string;
  tenant_id: string;
  budget_id: string;
  account: string;
  amount: string;
  since: Date;
}

/** Everything that was done to budgets by people; nothing is ever changed. */
export interface BudgetChangeTable {
  number: Generated<string>;
  tenant_id: string;
  budget_id: string;
  /** `set`, `removed`, `topped_up`. */
  kind: string;
  account: string | null;
  amount: string | null;
  /** The same change is made once. */
  key: string | null;
  by: string;
  at: Date;
  content: OptionalJson<JsonObject>;
}

const listed = (types: readonly string[]) => types.map((type) => `'${type}'`).join(', ');

/** What the audit log tells of budgets, beside what it told before. */
export const budgetEvents = ['budget.breached'] as const;
export const budgetFacts = ['budget.set', 'budget.removed', 'budget.topped_up', 'budget.threshold'] as const;

export const budgetMigrations: readonly Migration[] = [
  {
    name: '023-budget',
    sql: `
      create table aos.budgets (
        tenant_id text not null,
        id text not null,
        scope text not null check (scope in ('tenant', 'orchestration', 'agent', 'step')),
        subject text,
        dimension text not null,
        span text not null check (span in ('run', 'day', 'week', 'month')),
        zone text not null,
        cap numeric(24, 8) not null check (cap >= 0),
        unpriced text not null check (unpriced in ('refuse', 'allow')),
        description text not null,
        changed_at timestamptz not null,
        changed_by text not null,
        primary key (tenant_id, id)
      );
      create table aos.budget_accounts (
        tenant_id text not null,
        budget_id text not null,
        account text not null,
        rank smallint not null,
        starts_at timestamptz,
        ends_at timestamptz,
        committed numeric(24, 8) not null default 0 check (committed >= 0),
        reserved numeric(24, 8) not null default 0 check (reserved >= 0),
        overdrawn numeric(24, 8) not null default 0 check (overdrawn >= 0),
        raised numeric(24, 8) not null default 0 check (raised >= 0),
        warned smallint not null default 0,
        primary key (tenant_id, budget_id, account),
        foreign key (tenant_id, budget_id) references aos.budgets on delete cascade
      ) with (fillfactor = 50);
      create table aos.budget_reservations (
        run_id text not null,
        step text not null,
        tenant_id text not null,
        budget_id text not null,
        account text not null,
        dimension text not null,
        amount numeric(24, 8) not null,
        at timestamptz not null,
        primary key (run_id, step, budget_id),
        foreign key (tenant_id, budget_id, account) references aos.budget_accounts on delete cascade
      );
      create index budget_reservations_account on aos.budget_reservations (tenant_id, budget_id, account);
      create table aos.budget_waits (
        run_id text not null references aos.runs (id) on delete cascade,
        signal text not null,
        tenant_id text not null,
        budget_id text not null,
        account text not null,
        amount numeric(24, 8) not null,
        since timestamptz not null,
        primary key (run_id, signal)
      );
      create table aos.budget_changes (
        number bigint generated always as identity primary key,
        tenant_id text not null,
        budget_id text not null,
        kind text not null check (kind in ('set', 'removed', 'topped_up')),
        account text,
        amount numeric(24, 8),
        key text unique,
        by text not null,
        at timestamptz not null,
        content json
      );
      create index budget_changes_budget on aos.budget_changes (tenant_id, budget_id, number);
      -- The end of a run gives back what its steps had set aside, and settles the run itself: one run, and how long it took.
      -- Deferred to the commit, when every row of a run that the transaction wants is locked.
      create function aos.end_budget() returns trigger language plpgsql as $$
      begin
        if exists (select from aos.budget_reservations r where r.run_id = new.id) then
          perform from aos.budget_accounts c
            join aos.budget_reservations r
              on r.tenant_id = c.tenant_id and r.budget_id = c.budget_id and r.account = c.account
            where r.run_id = new.id order by c.rank, c.budget_id, c.account for no key update of c;
          perform aos.settle_budget(new.id, '', json_build_object('runs', 1, 'wall_clock_seconds',
            greatest(extract(epoch from new.completed_at - coalesce(new.started_at, new.completed_at)), 0)),
            new.completed_at);
          perform aos.settle_budget(new.id, null, null, new.completed_at);
        end if;
        return null;
      end $$;
      create constraint trigger ends_budget after update of completed_at on aos.runs deferrable initially deferred
        for each row when (old.completed_at is null and new.completed_at is not null) execute function aos.end_budget();
      select aos.protect_tenant_rows('budgets');
      select aos.protect_tenant_rows('budget_accounts');
      select aos.protect_tenant_rows('budget_reservations');
      select aos.protect_tenant_rows('budget_waits');
      select aos.protect_tenant_rows('budget_changes', 'select, insert');
      create trigger audited_budget after insert on aos.run_events for each row
        when (new.type in (${listed(budgetEvents)})) execute function aos.note_audited_event();
      create trigger audited_budget after insert on aos.feed for each row
        when (new.type in (${listed(budgetFacts)})) execute function aos.note_audited_fact();`,
  },
];
