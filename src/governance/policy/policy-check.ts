/** The check of policy: what the rules say, and whom a rule that holds wants to be asked. */
import type { GovernedAction } from '../action.ts';
import { demandOf } from '../raci/approver.ts';
import type { Matrix } from '../raci/matrix.ts';
import type { Finding } from '../verdict.ts';
import { conditionInput, type Policy, type PolicyDecision } from './policy.ts';

/** What policy finds; a pure function. Several approvers are several findings. */
export function checkPolicy(
  policy: Policy,
  matrix: Matrix,
  action: GovernedAction,
  accountable: string | null,
): readonly Finding[] {
  return findingsOf(policy.decide(conditionInput(action)), matrix, action, accountable);
}

export function findingsOf(
  decision: PolicyDecision,
  matrix: Matrix,
  action: Pick<GovernedAction, 'caller' | 'at'>,
  accountable: string | null,
): readonly Finding[] {
  const { kind, rule, reason, shadow } = decision;
  if (kind === 'deny') return [{ kind, rule, reason }];
  const passed: Finding = { kind: 'pass', rule, reason, ...(shadow !== undefined && { shadow }) };
  if (kind === 'allow') return [passed];
  const requesters = [action.caller.userId];
  return decision.holds.flatMap((held) =>
    (held.approvers ?? [accountable ?? '']).map((party): Finding => {
      const { quorum, priority } = held;
      const demand = demandOf(matrix.document, { party, quorum, priority, requesters, at: action.at });
      return { kind: 'hold', rule: held.id, reason: held.reason, demand };
    }),
  );
}
