/** Who is to do what is handed on: the agent that was named, or the one that is trusted most of those that can. */
import { AosError } from '../core/errors.ts';
import type { Run } from '../runs/run.ts';
import type { StoreScope } from '../store/database.ts';
import type { ListedAgent } from './agent-card.ts';
import type { DelegationRequest } from './delegation-request.ts';
import { crossTenant, type Rejection, rejectionOf } from './delegation-rules.ts';
import { countOpen } from './delegation-store.ts';
import type { AgentDirectory } from './directory.ts';
import { byTrust, discover } from './discovery.ts';

export interface Choice {
  readonly to: ListedAgent;
  /** What speaks against it. */
  readonly rejection: Rejection | undefined;
}

/** Who may be asked, best first. @throws AosError not_found (CROSS_TENANT) */
export async function candidatesFor(
  directory: Pick<AgentDirectory, 'find' | 'list'>,
  request: DelegationRequest,
  from: ListedAgent,
): Promise<readonly ListedAgent[]> {
  const { caller, to, capability = 'execute' } = request;
  if (to !== undefined) {
    const named = await directory.find(caller.tenantId, to);
    if (named !== undefined) return [named];
    const { code, message } = crossTenant(to);
    throw new AosError('not_found', message, { reason: code });
  }
  const able = discover(await directory.list(caller.tenantId), { capabilities: [capability], canAccept: true });
  const others = able.filter(({ id }) => id !== from.id);
  const isPreferred = ({ id }: ListedAgent) => (from.card.preferred.includes(id) ? 0 : 1);
  return others.toSorted(
    (one, other) => other.card.trust - one.card.trust || isPreferred(one) - isPreferred(other) || byTrust(one, other),
  );
}

/**
 * The first candidate that nothing speaks against, or the first of all with what does.
 * @param chain the agents that handed it on before
 * @throws AosError unprocessable (NOT_DELEGABLE) when there is no candidate
 */
export async function choose(
  trx: StoreScope,
  request: DelegationRequest,
  from: ListedAgent,
  candidates: readonly ListedAgent[],
  chain: readonly string[],
  maxDepth: number,
): Promise<Choice> {
  let first: Choice | undefined;
  for (const to of candidates) {
    const open = await countOpen(trx, request.caller.tenantId, to.id);
    const rejection = rejectionOf({ from, to, capability: request.capability, chain, open, maxDepth });
    if (rejection === undefined) return { to, rejection };
    first ??= { to, rejection };
  }
  if (first !== undefined) return first;
  const message = `No agent of this tenant has the capability "${request.capability ?? 'execute'}" and takes delegations`;
  throw new AosError('unprocessable', message, { reason: 'NOT_DELEGABLE' });
}

/** A simulated run reaches nobody outside. */
export function outsideOf(run: Run | undefined, { id, isOurs }: ListedAgent): Rejection | undefined {
  if (run?.simulation !== true || isOurs) return undefined;
  const message = `Agent ${id} is not of this server, and a simulated run reaches nobody outside`;
  return { code: 'NOT_DELEGABLE', message };
}
