/**
 * A budget: how much of one thing may be spent in one window, and whose spending is counted together. Pure: from what is
 * to be spent to the accounts it is taken from; keeping them is `budget-ledger.ts`.
 *
 * An account is what one budget counts together: the same window, and within it the same run, workflow, agent or kind of
 * step, as far as the budget tells them apart. Runs below another run spend from their family's accounts, so that none
 * of them has more than is left to the one at the top.
 */
import { z } from 'zod';
import { isoTime } from '../../core/clock.ts';
import { findZone } from '../../core/zone.ts';
import { covers } from '../glob.ts';
import { budgetWindows, windowAt } from './window.ts';

/** From the widest to the narrowest: the order in which accounts are locked. */
export const budgetScopes = ['tenant', 'orchestration', 'agent', 'step'] as const;
export type BudgetScope = (typeof budgetScopes)[number];

export const dimensions = ['tokens', 'cost_usd', 'tool_calls', 'wall_clock_seconds', 'runs'] as const;
export type Dimension = (typeof dimensions)[number];

/** Dimensions that are spent when a run is admitted, by the run as a whole. */
const OF_RUNS: readonly Dimension[] = ['runs', 'wall_clock_seconds'];
const WHOLE: readonly Dimension[] = ['tokens', 'tool_calls', 'runs'];

export const BUDGET_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Amounts have 8 decimals and stay exact as numbers of JavaScript below this. */
export const MAX_AMOUNT = 1e12;

const amount = z.number().min(0).max(MAX_AMOUNT);

/** A budget as somebody writes it down. */
export const budgetSchema = z
  .strictObject({
    scope: z.enum(budgetScopes),
    subject: z
      .string()
      .min(1)
      .max(200)
      .nullish()
      .meta({
        description:
          'Whom it is for, a pattern with *: a workflow (orchestration), an agent, or a kind of step such as model, ' +
          'tool:refund, fabric:crm:*. All that it covers is counted together. Left out: each of them has one of its own.',
      }),
    dimension: z.enum(dimensions),
    window: z.enum(budgetWindows).meta({ description: 'run: each run with all its sub-runs' }),
    zone: z
      .string()
      .max(100)
      .default('UTC')
      .refine((name) => findZone(name) !== undefined, { error: 'must be a time zone such as Europe/Berlin' })
      .meta({ description: 'Where days begin' }),
    limit: amount,
    unpriced: z.enum(['refuse', 'allow']).default('refuse').meta({
      description: 'Of a budget in US dollars: what becomes of model calls whose price is not known. They never count.',
    }),
    description: z.string().max(500).default(''),
  })
  .superRefine(({ scope, subject, dimension, window, limit }, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (scope === 'tenant' && subject != null) fault('subject', 'must be left out: a tenant is one');
    if (OF_RUNS.includes(dimension) && scope !== 'tenant' && scope !== 'orchestration') {
      fault('scope', `must be tenant or orchestration: ${dimension} is spent by runs as a whole`);
    }
    if (dimension === 'runs' && window === 'run') fault('window', 'must be day, week or month: a run is one run');
    if (WHOLE.includes(dimension) && !Number.isInteger(limit))
      fault('limit', `must be whole: ${dimension} are counted`);
  });

export type BudgetDocument = z.output<typeof budgetSchema>;

export interface Budget extends Omit<BudgetDocument, 'subject'> {
  readonly id: string;
  readonly tenantId: string;
  readonly subject: string | null;
}

/** The run that spends, as budgets tell runs apart. */
export interface Spender {
  readonly tenantId: string;
  readonly runId: string;
  /** The run at the top of its family, and that run's workflow: `collaborative`, `chat`, `task:agent_run` … */
  readonly rootId: string;
  readonly workflow: string;
}

/** What is to be spent: at most this much. `null`: nobody knows how much. */
export type Amounts = Partial<Readonly<Record<Dimension, number | null>>>;

export interface Spending {
  readonly agentId: string | null;
  /** The kind of step: `model`, `tool:<name>`, `fabric:<target>:<type>`; `run` for a run as a whole. */
  readonly kind: string;
  readonly amounts: Amounts;
}

/** What is asked of one account. */
export type AccountAsk = {
  budget: string;
  account: string;
  rank: number;
  dimension: Dimension;
  amount: number;
  /** ISO-8601 UTC; null where the window is a run. */
  starts: string | null;
  ends: string | null;
};

/** Whether a step of this kind can have to do with any of the budgets. */
export function concernsStep(budgets: readonly Budget[], kind: string, agentId: string | null): boolean {
  return budgets.some((budget) => !OF_RUNS.includes(budget.dimension) && mayCover(budget, kind, agentId));
}

export function concernsRun(budgets: readonly Budget[]): boolean {
  return budgets.some(({ dimension }) => OF_RUNS.includes(dimension));
}

function mayCover({ scope, subject }: Budget, kind: string, agentId: string | null): boolean {
  if (scope === 'agent') return agentId !== null && (subject === null || covers(subject, agentId));
  return scope !== 'step' || subject === null || covers(subject, kind);
}

/**
 * The accounts from which it is taken, in the order in which they are locked.
 * @param at epoch milliseconds
 */
export function accountsOf(
  budgets: readonly Budget[],
  spender: Spender,
  { agentId, kind, amounts }: Spending,
  at: number,
): readonly AccountAsk[] {
  return budgets
    .flatMap((budget) => {
      const asked = amounts[budget.dimension];
      if (asked === undefined || asked === null || asked <= 0 || !mayCover(budget, kind, agentId)) return [];
      const { workflow } = spender;
      if (budget.scope === 'orchestration' && budget.subject !== null && !covers(budget.subject, workflow)) return [];
      return [{ ...accountOf(budget, spender, { agentId, kind }, at), amount: asked }];
    })
    .toSorted(
      (one, other) => one.rank - other.rank || compare(one.budget, other.budget) || compare(one.account, other.account),
    );
}

/** Budgets that cannot be kept, because nobody knows how much of theirs is going to be spent. */
export function unknownTo(budgets: readonly Budget[], spender: Spender, spending: Spending): readonly Budget[] {
  return budgets.filter(
    (budget) =>
      spending.amounts[budget.dimension] === null &&
      budget.unpriced === 'refuse' &&
      mayCover(budget, spending.kind, spending.agentId) &&
      (budget.scope !== 'orchestration' || budget.subject === null || covers(budget.subject, spender.workflow)),
  );
}

/** The account of a budget that has only one at a time; undefined where it tells runs, agents or others apart. */
export function onlyAccountOf(budget: Budget, at: number): Omit<AccountAsk, 'amount'> | undefined {
  if (budget.window === 'run' || (budget.scope !== 'tenant' && budget.subject === null)) return undefined;
  const nobody = { tenantId: budget.tenantId, runId: '', rootId: '', workflow: '' };
  return accountOf(budget, nobody, { agentId: null, kind: '' }, at);
}

function accountOf(
  budget: Budget,
  { rootId, workflow }: Spender,
  { agentId, kind }: { readonly agentId: string | null; readonly kind: string },
  at: number,
): Omit<AccountAsk, 'amount'> {
  const { id, scope, subject, dimension, window, zone } = budget;
  const part = window === 'run' ? undefined : windowAt(window, zone, at);
  const family = part === undefined ? '' : workflow;
  const own = { tenant: '', orchestration: family, agent: agentId ?? '', step: kind }[scope];
  const told = subject === null ? own : '';
  const name = part?.name ?? rootId;
  return {
    budget: id,
    account: told === '' ? name : `${name}/${told}`,
    rank: budgetScopes.indexOf(scope),
    dimension,
    starts: part === undefined ? null : isoTime(part.starts),
    ends: part === undefined ? null : isoTime(part.ends),
  };
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** How long a run may take whose time is counted and that asks for no limit. */
const USUAL_SECONDS = 3600;

/** How long a run may take: what it asked for, and no longer than a budget lets one run. */
export function secondsOf(budgets: readonly Budget[], asked: number | undefined): number {
  const ofOneRun = budgets
    .filter(({ dimension, window }) => dimension === 'wall_clock_seconds' && window === 'run')
    .map(({ limit }) => limit);
  const seconds = Math.min(asked ?? USUAL_SECONDS, ...ofOneRun);
  return Math.max(1, Math.ceil(seconds));
}
