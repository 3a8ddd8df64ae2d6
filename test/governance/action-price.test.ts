import { describe, expect, it, test } from 'vitest';
import { createActionPrices } from '../../src/governance/action-price.ts';
import { createBudgetCheck } from '../../src/governance/budget/budget-check.ts';
import { createRuleChecks } from '../../src/governance/governor-rules.ts';
import { settlementOf, type Verdict } from '../../src/governance/verdict.ts';
import { blueprint, testGovernor, testPolicy, testProposal } from '../support/governance.ts';
import { MemoryRun } from '../support/run-scope.ts';

const table = { 'fabric:*': 0.1, 'fabric:finance:*': 0.2, 'fabric:finance:execute': 0, 'tool:lookup': 0.01 };

describe('the price of an action', () => {
  const prices = createActionPrices(table);

  test.each([
    ['tool:lookup', 0.01],
    ['fabric:crm:read', 0.1],
    ['fabric:finance:create', 0.2],
    ['fabric:finance:execute', 0],
    ['tool:calculator', undefined],
  ])('%s costs %s', (action, price) => {
    expect(prices(action)).toBe(price);
  });

  async function judged(policy = testPolicy({ rules: [{ id: 'all', effect: 'allow', reason: 'All is well.' }] })) {
    const reserved: unknown[] = [];
    const budgets = {
      concern: () => true,
      reserve: async (_scope: unknown, { amounts }: { readonly amounts: unknown }) => void reserved.push(amounts),
    };
    const check = createBudgetCheck(budgets as unknown as Parameters<typeof createBudgetCheck>[0]);
    const governor = testGovernor({
      policy,
      checks: [...createRuleChecks(() => ({ matrix: blueprint, policy })), check],
      prices: createActionPrices({ 'fabric:*': 0.25 }),
    });
    const verdicts: Verdict[] = [];
    await new MemoryRun({}).execute(async (scope) => {
      verdicts.push(await governor.allow(scope, testProposal()));
      return {};
    });
    return { reserved, verdict: verdicts[0] };
  }

  it('is set aside in budgets, and settled when the action was done and only then', async () => {
    const { reserved, verdict } = await judged();
    expect(reserved).toEqual([{ tool_calls: 1, cost_usd: 0.25 }]);
    if (verdict === undefined) throw new Error('there is no verdict');
    expect(settlementOf(verdict, true).settle?.used()).toEqual({ tool_calls: 1, cost_usd: 0.25 });
    expect(settlementOf(verdict, false).settle?.used()).toEqual({});
  });

  it('is what rules ask for as action.cost_usd', async () => {
    const dear = { id: 'dear', effect: 'deny', when: 'action.cost_usd > 0.2', reason: 'Too dear.' } as const;
    const { verdict } = await judged(testPolicy({ rules: [dear] }));
    expect(verdict).toMatchObject({ kind: 'deny', rule: 'policy/dear' });
  });
});
