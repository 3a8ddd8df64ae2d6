/** The task that a delegation to an agent of this server becomes. */
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { priorityFrom } from '../tasks/priority.ts';
import type { Budget } from './delegation.ts';
import type { DelegationRequest } from './delegation-request.ts';

/** A delegation as it was granted. */
export interface Granted {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly budget: Budget;
  /** What the delegatee was let know in the matter before. */
  readonly shared: readonly JsonObject[];
  /** Epoch milliseconds. */
  readonly now: number;
  readonly deadline: number;
  /** Whether a simulated run hands it on. */
  readonly simulation: boolean;
}

/** The task as the queue takes it. */
export function taskFor(request: DelegationRequest, granted: Granted) {
  const { id, from, to, budget, shared, now, deadline, simulation } = granted;
  return {
    task_type: 'agent_run' as const,
    agent_id: to,
    priority: priorityFrom(11 - request.priority) ?? ('normal' as const),
    payload: {
      input:
        typeof request.input === 'string' || isJsonObject(request.input) ? request.input : { input: request.input },
      context: contextFor(request, from, shared),
      max_steps: budget.steps,
      max_cost_usd: budget.costUsd,
    },
    timeout_seconds: Math.max(30, (deadline - now) / 1000),
    // What may be repeated is repeated within the attempt; another attempt would spend the budget once more.
    max_retries: 0,
    simulation,
    metadata: { delegation_id: id, delegated_by: from },
  };
}

/** What the delegatee is told beside its input. */
function contextFor(request: DelegationRequest, from: string, shared: readonly JsonObject[]): JsonObject {
  const { context, reason, sharedState } = request;
  const facts: JsonObject = {
    ...context,
    ...(reason !== null && { delegation_reason: reason }),
    ...(Object.keys(sharedState).length > 0 && { shared_state: sharedState }),
    ...(shared.length > 0 && { shared_contexts: [...shared] }),
  };
  return Object.keys(facts).length === 0 ? {} : { delegated_by: from, ...facts };
}
