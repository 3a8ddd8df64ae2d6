import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import { type Delegation, openStatuses } from '../delegation/delegation.ts';
import type { DelegationDesk } from '../delegation/delegation-desk.ts';
import { unknownDelegation } from '../delegation/delegation-fault.ts';
import { delegationFigures } from '../delegation/delegation-store.ts';
import type { AgentDirectory } from '../delegation/directory.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import { type Delegating, termsOf } from './a2a-delegating.ts';
import {
  cancelDelegation,
  delegateWork,
  delegationStats,
  getDelegation,
  receivedDelegations,
  sentDelegations,
} from './a2a-delegation-spec.ts';
import { viewDelegation } from './a2a-delegation-view.ts';
import { type Operation, realize } from './operation.ts';

/** A refusal by the rules as the error its asker gets. */
function refusalOf({ id, status, failure }: Delegation): AosError {
  const code = failure?.code ?? 'REJECTED';
  return new AosError(code === 'DELEGATEE_BUSY' ? 'conflict' : 'unprocessable', failure?.message ?? 'It was rejected', {
    reason: code,
    facts: { delegation_id: id, status },
  });
}

export interface A2aDelegationParts {
  readonly delegating: Delegating;
  readonly delegationDesk: DelegationDesk;
  readonly agentDirectory: AgentDirectory;
  readonly tenant: TenantScopes;
}

export function createA2aDelegationOperations(parts: A2aDelegationParts): readonly Operation[] {
  const { delegating, delegationDesk: desk, agentDirectory: directory, tenant } = parts;

  const lists = (['sent', 'received'] as const).map((direction) =>
    realize(
      direction === 'sent' ? sentDelegations : receivedDelegations,
      async ({ agent_id: id, status_filter: status, limit, cursor }, { caller }) => {
        const agent = await directory.need(caller.tenantId, id);
        const page = await desk.list(caller, { agent, direction, status, limit, cursor });
        return {
          delegations: page.items.map(viewDelegation),
          total: page.total,
          next_cursor: page.nextCursor,
        };
      },
    ),
  );

  return [
    realize(delegateWork, async ({ agent_id: from, ...asked }, { caller, callId, signal }) => {
      const { delegation } = await delegating.order({
        caller,
        id: asked.message_id ?? newUuid(),
        from,
        to: asked.to_agent ?? asked.delegatee_id ?? undefined,
        asked,
        ...termsOf(asked),
        callId,
      });
      if (delegation.status === 'rejected') throw refusalOf(delegation);
      return viewDelegation(await delegating.awaitEnd(delegation, (asked.wait ?? 0) * 1000, signal));
    }),
    realize(getDelegation, async ({ delegation_id: id }, { caller }) => {
      const delegation = await desk.find(caller, id);
      if (delegation === undefined) throw unknownDelegation(id);
      return viewDelegation(delegation);
    }),
    realize(cancelDelegation, async ({ delegation_id: id, reason }, { caller }) =>
      viewDelegation(await desk.cancel(caller, id, reason || 'cancelled by the delegator')),
    ),
    ...lists,
    realize(delegationStats, async (_input, { caller }) => {
      const { byStatus, total, tokens, costUsd, averageMs } = await delegationFigures(tenant(caller.tenantId), caller);
      const over = total - openStatuses.reduce((sum, status) => sum + byStatus[status], 0);
      return {
        total_delegations: total,
        active_delegations: total - over,
        by_status: byStatus,
        success_rate: over === 0 ? null : Math.round((byStatus.completed / over) * 1000) / 1000,
        average_duration_ms: averageMs,
        total_tokens_used: tokens,
        total_cost_usd: Math.round(costUsd * 1e8) / 1e8,
        tenant_id: caller.tenantId,
      };
    }),
  ];
}
