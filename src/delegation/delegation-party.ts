/** Who has to do with a delegation: whose work it is, and who speaks for the agents at its two ends. */
import { type Caller, reachOf } from '../runs/run.ts';
import type { Delegation } from './delegation.ts';
import { type AgentDirectory, isOwner } from './directory.ts';

export interface DelegationParties {
  /** Whether the caller's work, or an agent of theirs, has to do with it. */
  concerns(delegation: Delegation, caller: Caller): Promise<boolean>;
  /** Whether it is the caller's work, or was handed on by an agent of theirs. */
  mayCancel(delegation: Delegation, caller: Caller): Promise<boolean>;
  /** Whether the caller registered that agent. */
  isTheirs(caller: Caller, agentId: string): Promise<boolean>;
}

export function createDelegationParties(directory: Pick<AgentDirectory, 'find'>): DelegationParties {
  async function isTheirs(caller: Caller, agentId: string): Promise<boolean> {
    const agent = await directory.find(caller.tenantId, agentId);
    return agent !== undefined && !agent.isOurs && isOwner(agent, caller);
  }

  async function mayCancel(delegation: Delegation, caller: Caller): Promise<boolean> {
    if (delegation.caller.tenantId !== caller.tenantId) return false;
    if (reachOf(caller) === '' || delegation.caller.userId === caller.userId) return true;
    return isTheirs(caller, delegation.from);
  }

  return {
    isTheirs,
    mayCancel,
    concerns: async (delegation, caller) =>
      (await mayCancel(delegation, caller)) ||
      (delegation.caller.tenantId === caller.tenantId && (await isTheirs(caller, delegation.to))),
  };
}
