/** An action for a plane as the governor judges it, before anything of it is on its way. */
import { AosError } from '../core/errors.ts';
import type { RunScope } from '../engine/engine.ts';
import type { ProposedAction } from '../governance/action.ts';
import type { Governor } from '../governance/governor.ts';
import { refusalOf, settlementOf, type VerdictSettlement } from '../governance/verdict.ts';
import type { KeyedEvent } from '../runs/event.ts';
import { type Action, classOf, isReading } from './action.ts';

/** What an action is to be done with, and what the log is to be told in the step that follows. */
export interface Permission<Order extends Action> {
  readonly order: Order;
  readonly event: KeyedEvent | undefined;
  /** What budgets have set aside, as the step settles it that ends the action. */
  readonly settling: Settling;
}

export interface Settling {
  readonly done: VerdictSettlement;
  readonly failed: VerdictSettlement;
}

/**
 * @param name the action's own in the run
 * @param hasBegun whether an execution before this one was allowed to
 * @returns the order with the arguments that were allowed, or why it is not
 * @throws the scope's reason when the run is to end
 */
export async function permitOrder<Order extends Action & { readonly agentId: string }>(
  governor: Governor,
  scope: RunScope,
  name: string,
  order: Order,
  hasBegun: boolean,
): Promise<Permission<Order> | { readonly refusal: AosError; readonly settling: Settling }> {
  const verdict = await governor.allow(scope, { ...proposalOf(name, order), hasBegun });
  const settling = { done: settlementOf(verdict, true), failed: settlementOf(verdict, false) };
  if (verdict.kind === 'allow') {
    const allowed = verdict.args === order.data ? order : { ...order, data: verdict.args };
    return { order: allowed, event: verdict.event, settling };
  }
  const { event } = verdict;
  if (event !== undefined) await scope.emit(event.key, event);
  const { code, message, reason, facts } = refusalOf(verdict);
  const refusal = new AosError(code, message, { ...(reason !== undefined && { reason }), facts });
  return { refusal, settling };
}

function proposalOf(name: string, { target, type, entityId, data, agentId }: Action & { readonly agentId: string }) {
  const proposal: ProposedAction = {
    name,
    what: {
      kind: 'fabric',
      type,
      target,
      actionClass: classOf(type),
      effect: isReading(type) ? 'read' : 'external',
      entityId,
    },
    agentId: agentId === '' ? null : agentId,
    args: data,
    title: `${agentId === '' ? 'A run' : agentId} wants to ${type} in ${target}`,
  };
  return proposal;
}
