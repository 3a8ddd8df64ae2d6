/** The budgets of a tenant: what may be spent, what is left of it, and adding to it. */
import { z } from 'zod';
import { BUDGET_ID, budgetSchema, budgetScopes, dimensions, MAX_AMOUNT } from '../governance/budget/budget.ts';
import { budgetWindows } from '../governance/budget/window.ts';
import { freeForm, pageSize, time } from './field.ts';
import { specify } from './operation.ts';

const PATH = '/api/v1/governance/budgets';

const id = z.string().regex(BUDGET_ID, { error: 'must be 1 to 64 of the characters A-Z a-z 0-9 . _ -' });
const byId = z.object({ id });

const figures = {
  committed: z.number().meta({ description: 'Used by what is done' }),
  reserved: z.number().meta({ description: 'Set aside for what is under way' }),
  overdrawn: z.number().meta({ description: 'Used above all that there was; stands in the way of what comes next' }),
  raised: z.number().meta({ description: 'Added by top-ups, for this account' }),
  remaining: z.number(),
  utilization: z.number().meta({ description: 'Used and set aside, as a share of what there is' }),
  renews_at: time.nullable().meta({ description: 'When the window ends; null: with the run' }),
};

const budgetView = z
  .object({
    id,
    scope: z.enum(budgetScopes),
    subject: z.string().nullable(),
    dimension: z.enum(dimensions),
    window: z.enum(budgetWindows),
    zone: z.string(),
    limit: z.number(),
    unpriced: z.enum(['refuse', 'allow']),
    description: z.string(),
    ...figures,
    accounts: z
      .array(z.object({ account: z.string(), ...figures }))
      .meta({ description: 'What it counts apart in the present windows, the fullest first, at most 100' }),
  })
  .meta({ id: 'Budget', description: 'The figures beside `limit` are those of its fullest account' });

const example = {
  id: 'tokens-a-day',
  scope: 'tenant',
  subject: null,
  dimension: 'tokens',
  window: 'day',
  zone: 'UTC',
  limit: 1_000_000,
  unpriced: 'refuse',
  description: '',
  committed: 250_000,
  reserved: 9_000,
  overdrawn: 0,
  raised: 0,
  remaining: 741_000,
  utilization: 0.259,
  renews_at: '2026-02-02T00:00:00.000Z',
  accounts: [
    {
      account: '2026-02-01',
      committed: 250_000,
      reserved: 9_000,
      overdrawn: 0,
      raised: 0,
      remaining: 741_000,
      utilization: 0.259,
      renews_at: '2026-02-02T00:00:00.000Z',
    },
  ],
};

export const listBudgets = specify({
  name: 'budgets.list',
  summary: 'The budgets of the tenant, with what is left of each',
  input: z.object({}),
  output: z.object({ items: z.array(budgetView) }),
  rest: { method: 'GET', path: PATH, status: 200, family: 'detail' },
  example: { output: { items: [example] } },
});

export const getBudget = specify({
  name: 'budgets.get',
  summary: 'A budget, with what is left of it',
  input: byId,
  output: budgetView,
  rest: { method: 'GET', path: `${PATH}/{id}`, status: 200, family: 'detail' },
  errors: ['not_found'],
  example: { output: example },
});

export const setBudget = specify({
  name: 'budgets.set',
  governs: { kind: 'admin', type: 'budget_change' },
  access: 'admin',
  summary: 'Make a budget, or change its limit',
  description:
    'What was spent stays spent. Of a budget that is there only `limit`, `unpriced` and `description` can be changed; one ' +
    'that counts otherwise is another budget. Runs that wait for it go on as soon as there is room.',
  input: z.object({ ...byId.shape, ...budgetSchema.shape }),
  output: budgetView,
  rest: { method: 'PUT', path: `${PATH}/{id}`, status: 200, family: 'detail' },
  errors: ['conflict'],
  example: { input: { scope: 'agent', dimension: 'cost_usd', window: 'month', limit: 50 }, output: example },
});

export const removeBudget = specify({
  name: 'budgets.remove',
  governs: { kind: 'admin', type: 'budget_change' },
  access: 'admin',
  summary: 'Remove a budget; runs that wait for it go on',
  input: byId,
  output: z.object({ id, removed: z.literal(true) }),
  rest: { method: 'DELETE', path: `${PATH}/{id}`, status: 200, family: 'detail' },
  errors: ['not_found'],
  example: { output: { id: 'tokens-a-day', removed: true } },
});

export const topUpBudget = specify({
  name: 'budgets.top-up',
  governs: { kind: 'admin', type: 'budget_top_up' },
  access: 'admin',
  summary: 'Add to a budget, for one account and its present window',
  description: 'What is overdrawn is covered first. Runs that wait for it go on as soon as there is room.',
  input: z.object({
    ...byId.shape,
    amount: z.number().gt(0).max(MAX_AMOUNT),
    account: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .meta({ description: 'Which, where the budget counts several apart: as its `accounts` name them' }),
    reason: z.string().max(500).default(''),
    key: z.string().min(1).max(200).optional().meta({ description: 'The same key adds once; a new one by default' }),
  }),
  output: budgetView,
  rest: { method: 'POST', path: `${PATH}/{id}/top-up`, status: 200, family: 'detail' },
  errors: ['not_found', 'unprocessable'],
  example: { input: { amount: 100_000, reason: 'End of the quarter' }, output: example },
});

export const listReservations = specify({
  name: 'budgets.reservations',
  summary: 'What is set aside of a budget, and for which step of which run',
  input: z.object({ ...byId.shape, limit: pageSize }),
  output: z.object({
    items: z.array(
      z.object({
        run_id: z.string(),
        step: z.string().meta({ description: 'Empty: the run as a whole' }),
        account: z.string(),
        dimension: z.enum(dimensions),
        amount: z.number(),
        at: time,
      }),
    ),
  }),
  rest: { method: 'GET', path: `${PATH}/{id}/reservations`, status: 200, family: 'detail' },
  errors: ['not_found'],
  example: { output: { items: [] } },
});

export const listBudgetChanges = specify({
  name: 'budgets.changes',
  summary: 'What was done to a budget, newest first, also to one that is gone',
  input: z.object({ ...byId.shape, limit: pageSize }),
  output: z.object({
    items: z.array(
      z.object({
        kind: z.enum(['set', 'removed', 'topped_up']),
        account: z.string().nullable(),
        amount: z.number().nullable(),
        by: z.string(),
        at: time,
        content: freeForm.nullable(),
      }),
    ),
  }),
  rest: { method: 'GET', path: `${PATH}/{id}/changes`, status: 200, family: 'detail' },
  example: { output: { items: [] } },
});

export const budgetSpecs = [
  listBudgets,
  getBudget,
  setBudget,
  removeBudget,
  topUpBudget,
  listReservations,
  listBudgetChanges,
];
