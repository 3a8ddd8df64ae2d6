/**
 * The last check: the people whom the others want to have asked. Each demand is an approval of its own, one after the
 * other, and each is bound to exactly the arguments that are on the table when it is asked.
 */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { RunScope } from '../engine/engine.ts';
import { type GovernedAction, nameOfAction } from './action.ts';
import type { ApprovalAsk, ApprovalDesk } from './approval-desk.ts';
import type { Demanded } from './governor.ts';

export type ApprovalAnswer =
  | { readonly kind: 'approved'; readonly args: JsonObject; readonly by: readonly string[]; readonly edited: boolean }
  | { readonly kind: 'refused'; readonly rule: string; readonly reason: string };

/** @throws AosError the scope's reason when the run is to end */
export async function askApprovals(
  desk: ApprovalDesk,
  scope: RunScope,
  action: GovernedAction,
  demands: readonly Demanded[],
): Promise<ApprovalAnswer> {
  let { args } = action;
  let edited = false;
  const by: string[] = [];
  for (const [index, demanded] of demands.entries()) {
    const outcome = await ask(desk, scope, { ...askOf(action, demanded), name: nameOf(action, index), args });
    if (outcome.decision === 'refused') return { kind: 'refused', rule: demanded.rule, reason: outcome.reason };
    if (outcome.decision !== 'approved') {
      const how = outcome.decision === 'rejected' ? 'was rejected' : 'was not decided in time';
      return { kind: 'refused', rule: demanded.rule, reason: `${titleOf(action)} ${how}: ${outcome.reason}` };
    }
    if (outcome.edited && index > 0) {
      const reason = `${titleOf(action)} was changed by an approver after others had agreed to it as it was; ask again with what is wanted now.`;
      return { kind: 'refused', rule: 'edited_after_agreement', reason };
    }
    by.push(...outcome.by);
    if (outcome.edited) {
      args = outcome.args;
      edited = true;
    }
  }
  return { kind: 'approved', args, by, edited };
}

async function ask(desk: ApprovalDesk, scope: RunScope, wish: ApprovalAsk) {
  try {
    return await desk.ask(scope, wish);
  } catch (thrown) {
    // Nobody could ever decide it so, or what was decided is not what was asked: nothing is done then.
    const refused = thrown instanceof AosError && ['invalid_request', 'conflict'].includes(thrown.code);
    if (!scope.signal.aborted && refused) return { decision: 'refused' as const, reason: thrown.message };
    throw thrown;
  }
}

function askOf(action: GovernedAction, { reason, demand }: Demanded): Omit<ApprovalAsk, 'name' | 'args'> {
  const { what, agentId, description = '', caller, onQuestion } = action;
  const { assignees, quorum, priority, escalateTo } = demand;
  return {
    title: titleOf(action),
    description: description === '' ? reason : `${description} ${reason}`,
    requestType:
      what.kind === 'tool' ? 'tool_execution' : what.kind === 'admin' ? 'configuration_change' : 'agent_action',
    actionType: what.kind === 'tool' ? what.type : nameOfAction(what),
    agentId,
    assignees,
    quorum,
    requester: caller.userId,
    ...(priority !== undefined && { priority }),
    ...(escalateTo !== undefined && { escalateTo }),
    ...(onQuestion !== undefined && { onQuestion }),
  };
}

/** The first is asked under the action's own name, so that nobody is asked twice where it was asked for before. */
function nameOf({ name }: GovernedAction, index: number): string {
  return index === 0 ? name : `${name}/${index + 1}`;
}

function titleOf({ title, what }: GovernedAction): string {
  return title ?? nameOfAction(what);
}
