import { expect, test } from 'vitest';
import { budgetOfRun } from '../../src/delegation/run-budget.ts';

test.each([
  ['a task with bounds', 'task', { payload: { max_steps: 3, max_cost_usd: 0.2 } }, { steps: 3, costUsd: 0.2 }],
  ['a task without', 'task', { payload: {} }, { steps: 20, costUsd: 1 }],
  ['a task with bounds that are none', 'task', { payload: { max_steps: 'many' } }, { steps: 20, costUsd: 1 }],
  ['an orchestration', 'orchestration', { config: { max_tool_calls: 7, max_cost_usd: 4 } }, { steps: 7, costUsd: 4 }],
  ['an orchestration that says nothing', 'orchestration', {}, { steps: 200, costUsd: 20 }],
] as const)('%s may hand on what it may spend', (_what, kind, request, budget) => {
  expect(budgetOfRun({ kind, request })).toEqual(budget);
});
