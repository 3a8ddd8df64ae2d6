/** What a run may spend that hands work on: the bounds it was begun with, in the words of its kind. */
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { limitsOf } from '../orchestration/limits.ts';
import type { Run } from '../runs/run.ts';
import { type Budget, usualBudget } from './delegation.ts';

/** Steps are tool calls. */
export function budgetOfRun({ kind, request }: Pick<Run, 'kind' | 'request'>): Budget {
  if (kind === 'task') {
    const payload = objectIn(request['payload']);
    return {
      steps: positive(payload['max_steps']) ?? usualBudget.steps,
      costUsd: positive(payload['max_cost_usd']) ?? usualBudget.costUsd,
    };
  }
  // What began was checked when it did; turns are not what is handed on.
  const { tool_calls: steps, cost_usd: costUsd } = limitsOf(objectIn(request['config']), 1);
  return { steps, costUsd };
}

function objectIn(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function positive(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined;
}
