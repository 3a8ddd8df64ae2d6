import { describe, expect, it, test } from 'vitest';
import {
  accountsOf,
  budgetSchema,
  concernsStep,
  onlyAccountOf,
  unknownTo,
} from '../../../src/governance/budget/budget.ts';
import { windowAt } from '../../../src/governance/budget/window.ts';
import { testBudget } from '../../support/budgets.ts';

const at = Date.UTC(2026, 1, 4, 10);
const spender = { tenantId: 'default', runId: 'r.1', rootId: 'r', workflow: 'collaborative' };
const call = { agentId: 'cfo', kind: 'model', amounts: { tokens: 100, cost_usd: 0.5 } };

describe('the accounts that a step spends from', () => {
  test.each([
    ['a day of the tenant', {}, '2026-02-04'],
    ['a week, from Monday', { window: 'week' }, '2026-02-02'],
    ['a month', { window: 'month' }, '2026-02'],
    ['a run with all its sub-runs', { window: 'run' }, 'r'],
    ['a day of each agent', { scope: 'agent' }, '2026-02-04/cfo'],
    ['agents together', { scope: 'agent', subject: 'c*' }, '2026-02-04'],
    ['a run of each agent', { scope: 'agent', window: 'run' }, 'r/cfo'],
    ['each workflow', { scope: 'orchestration' }, '2026-02-04/collaborative'],
    ['each run of a workflow', { scope: 'orchestration', subject: 'collab*', window: 'run' }, 'r'],
    ['each kind of step', { scope: 'step' }, '2026-02-04/model'],
  ] as const)('are those of %s', (_what, change, account) => {
    expect(accountsOf([testBudget(change)], spender, call, at)).toMatchObject([{ account, amount: 100 }]);
  });

  test.each([
    ['another agent', { scope: 'agent', subject: 'ceo' }],
    ['another workflow', { scope: 'orchestration', subject: 'chat' }],
    ['another kind of step', { scope: 'step', subject: 'tool:*' }],
    ['what it does not spend', { dimension: 'tool_calls' }],
  ] as const)('are none where a budget is for %s', (_what, change) => {
    expect(accountsOf([testBudget(change)], spender, call, at)).toEqual([]);
  });

  it('come from the widest budget to the narrowest, whatever their order', () => {
    const budgets = (['step', 'agent', 'tenant', 'orchestration'] as const).map((scope) =>
      testBudget({ scope, id: scope }),
    );
    expect(accountsOf(budgets, spender, call, at).map(({ budget }) => budget)).toEqual([
      'tenant',
      'orchestration',
      'agent',
      'step',
    ]);
  });

  it('are told of whoever has one account at a time only', () => {
    expect(onlyAccountOf(testBudget(), at)).toMatchObject({ account: '2026-02-04', ends: '2026-02-05T00:00:00.000Z' });
    expect(onlyAccountOf(testBudget({ scope: 'agent', subject: 'cfo' }), at)).toMatchObject({ account: '2026-02-04' });
    expect(onlyAccountOf(testBudget({ scope: 'agent' }), at)).toBeUndefined();
    expect(onlyAccountOf(testBudget({ window: 'run' }), at)).toBeUndefined();
  });
});

describe('a budget', () => {
  it('has days of its zone, also the short and the long one', () => {
    const hours = (day: number) => {
      const { starts, ends } = windowAt('day', 'Europe/Berlin', day);
      return (ends - starts) / 3_600_000;
    };
    expect(windowAt('day', 'Europe/Berlin', Date.UTC(2026, 1, 4, 23, 30))).toMatchObject({ name: '2026-02-05' });
    expect(hours(Date.UTC(2026, 2, 29, 10))).toBe(23);
    expect(hours(Date.UTC(2026, 9, 25, 10))).toBe(25);
    expect(windowAt('month', 'UTC', Date.UTC(2026, 11, 31))).toMatchObject({
      name: '2026-12',
      ends: Date.UTC(2027, 0),
    });
  });

  it('concerns steps of its kind and agent', () => {
    const ofTools = testBudget({ scope: 'step', subject: 'tool:*', dimension: 'tool_calls' });
    expect(concernsStep([ofTools], 'tool:refund', null)).toBe(true);
    expect(concernsStep([ofTools], 'model', 'cfo')).toBe(false);
    expect(concernsStep([testBudget({ dimension: 'runs' })], 'model', 'cfo')).toBe(false);
  });

  it('of money cannot be kept where a price is not known, unless it lets such calls pass', () => {
    const unknown = { ...call, amounts: { tokens: 100, cost_usd: null } };
    const strict = testBudget({ dimension: 'cost_usd' });
    expect(unknownTo([strict], spender, unknown)).toEqual([strict]);
    expect(unknownTo([strict], spender, call)).toEqual([]);
    expect(unknownTo([testBudget({ dimension: 'cost_usd', unpriced: 'allow' })], spender, unknown)).toEqual([]);
    expect(unknownTo([testBudget()], spender, unknown)).toEqual([]);
  });

  test.each([
    ['a subject of a tenant', { subject: 'x' }, 'subject'],
    ['runs of an agent', { scope: 'agent', dimension: 'runs' }, 'scope'],
    ['runs of a run', { dimension: 'runs', window: 'run' }, 'window'],
    ['half a token', { limit: 0.5 }, 'limit'],
    ['a zone that there is none of', { zone: 'Mars/Olympus' }, 'zone'],
  ])('is refused with %s', (_what, change, path) => {
    const document = { scope: 'tenant', dimension: 'tokens', window: 'day', limit: 1, ...change };
    const { success, error } = budgetSchema.safeParse(document);
    expect(success).toBe(false);
    expect(error?.issues.map((issue) => issue.path[0])).toEqual([path]);
  });
});
