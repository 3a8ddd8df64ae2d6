/** What a turn sets aside for its calls of the model, and what it says of what they used. */
import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/agents/model.ts';
import { AosError } from '../../src/core/errors.ts';
import type { Budgets, StepSpending } from '../../src/governance/budget/budgets.ts';
import { MemoryRun } from '../support/run-scope.ts';
import { scriptedModel } from '../support/scripted-model.ts';
import { turnProgram } from '../support/turn.ts';

function watchedBudgets(concern = true): Budgets & { readonly asked: StepSpending[] } {
  const asked: StepSpending[] = [];
  return {
    asked,
    concern: () => concern,
    async reserve(_scope, spending) {
      asked.push(spending);
    },
    begin: async () => {},
  };
}

const model = scriptedModel(() => ['Hello']);
const priced: Model = { ...model, price: { input: 2, output: 10 } };

describe('a turn under a budget', () => {
  it('sets aside the longest answer and the question, and has the model answer with no more', async () => {
    const budgets = watchedBudgets();
    const run = new MemoryRun({});
    await run.execute(turnProgram({ model: priced, budgets, config: { max_output_tokens: 500 } }));
    const [{ amounts, ...spending } = { amounts: {} }] = budgets.asked;
    expect(spending).toEqual({ step: 'chat/1', kind: 'model', agentId: 'cfo', what: 'The model scripted-1' });
    const tokens = amounts.tokens ?? 0;
    expect(tokens).toBeGreaterThan(500 + 10);
    expect(amounts.cost_usd).toBeCloseTo(((tokens - 500) * 2 + 500 * 10) / 1e6, 8);
    expect(model.asked.at(-1)).toMatchObject({ maxOutputTokens: 500 });
  });

  it('settles what the model says it used', async () => {
    const run = new MemoryRun({});
    await run.execute(turnProgram({ model: priced, budgets: watchedBudgets() }));
    const settle = run.stepOptions.get('chat/1')?.settle;
    const usage = { tokens_input: 10, tokens_output: 5, cost_usd: null };
    expect(settle?.used({ usage })).toEqual({ tokens: 15, cost_usd: 0 });
  });

  it('says that it does not know what a model without a price costs', async () => {
    const budgets = watchedBudgets();
    await new MemoryRun({}).execute(turnProgram({ model, budgets }));
    expect(budgets.asked).toMatchObject([{ amounts: { cost_usd: null } }]);
  });

  it('asks nothing of it again when its calls have been made', async () => {
    const run = new MemoryRun({});
    const budgets = watchedBudgets();
    const program = turnProgram({ model: priced, budgets });
    await run.execute(program);
    await run.execute(program);
    expect(budgets.asked).toHaveLength(1);
  });

  it('ends with the run when nobody adds to it', async () => {
    const refused = new AosError('limit_exceeded', 'The budget is used up.');
    const reserve = () => Promise.reject(refused);
    const budgets: Budgets = { concern: () => true, reserve, begin: async () => {} };
    await expect(new MemoryRun({}).execute(turnProgram({ model: priced, budgets }))).rejects.toBe(refused);
  });

  it('goes as it would without one when no budget counts it', async () => {
    const budgets = watchedBudgets(false);
    await new MemoryRun({}).execute(turnProgram({ model: priced, budgets }));
    expect(budgets.asked).toEqual([]);
    expect(model.asked.at(-1)).not.toHaveProperty('maxOutputTokens');
  });
});
