/**
 * The check of budgets: what a tool call or an action may cost is set aside before it is done. Where a budget has too
 * little the run waits here; when nobody adds to it the action is denied, and the run goes on without it.
 */
import { AosError } from '../../core/errors.ts';
import { nameOfAction } from '../action.ts';
import type { GovernorCheck } from '../governor.ts';
import type { Budgets } from './budgets.ts';

export function createBudgetCheck(budgets: Budgets): GovernorCheck {
  const nothing = { kind: 'pass', rule: 'none' } as const;
  return {
    name: 'budget',
    check({ what, name, agentId, costUsd, title }, { scope }) {
      if (scope === undefined || (what.kind !== 'tool' && what.kind !== 'fabric')) return nothing;
      const kind = nameOfAction(what);
      if (!budgets.concern(scope.run, kind, agentId)) return nothing;
      const amounts = { tool_calls: 1, ...(costUsd !== undefined && { cost_usd: costUsd }) };
      const spending = { step: name, kind, agentId, what: title ?? kind, amounts };
      return budgets.reserve(scope, spending).then(
        () => ({ kind: 'pass', rule: 'reserved', obligations: [{ kind: 'settle', reservation: name, amounts }] }),
        (thrown: unknown) => {
          if (scope.signal.aborted || !(thrown instanceof AosError) || thrown.code !== 'limit_exceeded') throw thrown;
          return { kind: 'deny', rule: 'used_up', reason: thrown.message, code: thrown.code };
        },
      );
    },
  };
}
