/** RACI and policy as checks of the governor, over the rules that hold for the tenant at the time; and their absence. */
import type { GovernorCheck } from './governor.ts';
import type { GovernanceContext } from './governor-sequence.ts';
import { checkPolicy } from './policy/policy-check.ts';
import { demandOf } from './raci/approver.ts';
import type { Matrix } from './raci/matrix.ts';
import { checkRaci, standingOf } from './raci/raci-check.ts';
import type { Rulebook } from './rulebook.ts';

export function createRuleChecks(of: Rulebook['of']): readonly GovernorCheck[] {
  return [
    { name: 'raci', check: (action) => checkRaci(of(action.caller.tenantId).matrix, action) },
    {
      name: 'policy',
      check(action, { accountable }) {
        const { matrix, policy } = of(action.caller.tenantId);
        return checkPolicy(policy, matrix, action, accountable);
      },
    },
  ];
}

export function createGovernanceContext(of: Rulebook['of']): GovernanceContext {
  return {
    describe(action) {
      const { matrix, policy } = of(action.caller.tenantId);
      const standing = standingOf(matrix, action);
      return {
        accountable: standing?.accountable ?? null,
        responsible: standing?.responsible ?? [],
        policy: policy.hash,
        raci: matrix.hash,
      };
    },
    factsOf: ({ caller }, args) => of(caller.tenantId).policy.factsOf(args),
    declaredDemand({ caller, at }, accountable) {
      const party = accountable ?? '';
      return demandOf(of(caller.tenantId).matrix.document, { party, requesters: [caller.userId], at });
    },
  };
}

/** Where neither is enforced: the matrix says who answers for what other checks find, and anybody may agree. */
export function createUnenforcedContext(matrixOf: (tenantId: string) => Matrix): GovernanceContext {
  return {
    describe(action) {
      const standing = standingOf(matrixOf(action.caller.tenantId), action);
      const { accountable = null, responsible = [] } = standing ?? {};
      return { accountable, responsible, policy: null, raci: null };
    },
    factsOf: () => ({}),
    declaredDemand: () => ({ parties: [], assignees: [], quorum: 1 }),
  };
}
