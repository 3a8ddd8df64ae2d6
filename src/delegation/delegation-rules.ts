/** Whether an agent may hand work to another: cycles, depth, consent, capacity, budget. Pure. */
import type { ListedAgent } from './agent-card.ts';
import type { Budget, RejectionCode } from './delegation.ts';
import { usualBudget } from './delegation.ts';

export const DEFAULT_MAX_DEPTH = 5;

export interface Rejection {
  readonly code: RejectionCode;
  /** A sentence for whoever asked. */
  readonly message: string;
}

/** A delegation as the rules see it. */
export interface Proposal {
  readonly from: ListedAgent;
  readonly to: ListedAgent;
  /** The one that was asked for by name; undefined: whatever the agent can do. */
  readonly capability: string | undefined;
  /** The agents that handed it on before, oldest first. */
  readonly chain: readonly string[];
  /** Open delegations that the delegatee has. */
  readonly open: number;
  readonly maxDepth: number;
}

/** The chain with whoever hands it on now at its end. */
export function chainThrough(chain: readonly string[], from: string): readonly string[] {
  return chain.at(-1) === from ? chain : [...chain, from];
}

/** @returns undefined when nothing speaks against it */
export function rejectionOf({ from, to, capability, chain, open, maxDepth }: Proposal): Rejection | undefined {
  const through = chainThrough(chain, from.id);
  if (from.tenantId !== to.tenantId) return crossTenant(to.id);
  if (from.id === to.id) {
    return { code: 'SELF_DELEGATION', message: `Agent ${from.id} cannot delegate to itself` };
  }
  if (through.includes(to.id)) {
    return {
      code: 'DELEGATION_CYCLE',
      message: `Agent ${to.id} has handed this work on already (${through.join(' → ')})`,
    };
  }
  if (through.length > maxDepth) {
    return {
      code: 'DELEGATION_DEPTH',
      message: `Work may be handed on ${maxDepth} times, and this would be the ${through.length}th (${through.join(' → ')})`,
    };
  }
  if (!from.card.canDelegate) return notDelegable(`Agent ${from.id} may not delegate (its card: can_delegate)`);
  if (!to.card.canAccept) {
    return notDelegable(`Agent ${to.id} takes no delegations (its card: can_accept_delegation)`);
  }
  if (capability !== undefined && !to.card.capabilities.some(({ id }) => id === capability)) {
    const known = to.card.capabilities.map(({ id }) => id).join(', ');
    return notDelegable(`Agent ${to.id} does not have the capability "${capability}" (it has: ${known})`);
  }
  if (open >= to.card.maxConcurrent) {
    return {
      code: 'DELEGATEE_BUSY',
      message: `Agent ${to.id} has ${open} delegations under way, and takes ${to.card.maxConcurrent} at a time`,
    };
  }
  return undefined;
}

/** The same words whether another tenant has the agent or nobody does. */
export function crossTenant(agentId: string): Rejection {
  return {
    code: 'CROSS_TENANT',
    message: `Agent ${agentId} not found in this tenant, which a delegation does not leave`,
  };
}

export interface AskedBudget {
  readonly steps: number | undefined;
  readonly costUsd: number | undefined;
}

/**
 * What a delegation may spend: what was asked for, which may not be more than its parent has left; without a word, the
 * usual, and no more than is left.
 * @param left what the parent has left; undefined when it has no parent
 */
export function budgetFor(asked: AskedBudget, left: Budget | undefined): Budget | Rejection {
  if (left === undefined) {
    return { steps: asked.steps ?? usualBudget.steps, costUsd: asked.costUsd ?? usualBudget.costUsd };
  }
  const steps = asked.steps ?? Math.min(usualBudget.steps, left.steps);
  const costUsd = asked.costUsd ?? Math.min(usualBudget.costUsd, left.costUsd);
  if (left.steps < 1 || steps > left.steps) {
    return exceeded(`max_steps ${asked.steps ?? 'of at least 1'} is more than the ${left.steps} that are left`);
  }
  if (left.costUsd <= 0 || costUsd > left.costUsd) {
    return exceeded(`max_cost_usd ${asked.costUsd ?? 'above 0'} is more than the ${left.costUsd} that are left`);
  }
  return { steps, costUsd };
}

/** What is left of a budget; never below nothing. Sums of binary fractions drift, so cents of cents do not count. */
export function leftOf(budget: Budget, spent: readonly Budget[]): Budget {
  const sum = (pick: (one: Budget) => number) => spent.reduce((total, one) => total + pick(one), 0);
  return {
    steps: Math.max(0, budget.steps - sum(({ steps }) => steps)),
    costUsd: Math.max(0, Math.round((budget.costUsd - sum(({ costUsd }) => costUsd)) * 1e8) / 1e8),
  };
}

function notDelegable(message: string): Rejection {
  return { code: 'NOT_DELEGABLE', message };
}

function exceeded(what: string): Rejection {
  return { code: 'BUDGET_EXCEEDED', message: `A delegation may not spend more than its parent: ${what}` };
}
