/** The directory of agents over the agent-to-agent API. */
import type { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { ListedAgent } from '../delegation/agent-card.ts';
import type { AgentProbe } from '../delegation/agent-probe.ts';
import { type AgentDirectory, isOwner } from '../delegation/directory.ts';
import { type AgentFilter, discover } from '../delegation/discovery.ts';
import { allows } from '../identity/access.ts';
import { isProved, type Principal } from '../identity/principal.ts';
import type { Caller } from '../runs/run.ts';
import {
  discoverAgents,
  discoverByCapability,
  discoverByTag,
  discoveryStats,
  getCard,
  probeAgent,
  registerCard,
  unregisterCard,
} from './a2a-agent-spec.ts';
import { viewCard } from './a2a-card-view.ts';
import { cardFrom, filterFrom } from './a2a-field.ts';
import { type Operation, realize } from './operation.ts';

export interface A2aAgentParts {
  readonly agentDirectory: AgentDirectory;
  readonly agentProbe: Pick<AgentProbe, 'check' | 'due'>;
  readonly clock: Clock;
}

type Found = z.input<typeof discoverAgents.output>;

export function createA2aAgentOperations(parts: A2aAgentParts): readonly Operation[] {
  const { agentDirectory: directory, agentProbe: probe, clock } = parts;

  async function find(caller: Caller, filter: AgentFilter, limit: number, offset: number): Promise<Found> {
    const began = clock.monotonic();
    const all = discover(await directory.list(caller.tenantId), filter);
    return {
      agents: all.slice(offset, offset + limit).map(viewCard),
      total: all.length,
      has_more: all.length > offset + limit,
      query_time_ms: Math.round((clock.monotonic() - began) * 1000) / 1000,
    };
  }

  return [
    realize(getCard, async ({ agent_id: id }, { caller }) => viewCard(await directory.need(caller.tenantId, id))),
    realize(registerCard, async ({ agent_id: id, ...asked }, { caller, principal }) => {
      const known = await directory.find(caller.tenantId, id);
      if (known?.isOurs === true && caller.userId !== '' && !isAdmin(principal)) {
        throw new AosError('forbidden', `Agent ${id} is one of this server: only an administrator changes its card`, {
          reason: 'AGENT_OF_SERVER',
        });
      }
      const listed = await directory.register(caller, id, cardFrom(id, asked));
      probe.due();
      return viewCard(listed);
    }),
    realize(unregisterCard, async ({ agent_id: id }, { caller }) => {
      await directory.unregister(caller, id);
      return { agent_id: id, unregistered: true as const };
    }),
    realize(probeAgent, async ({ agent_id: id }, { caller, signal }) => {
      const agent = await directory.need(caller.tenantId, id);
      return viewCard(agent.isOurs || isOwner(agent, caller) ? await probe.check(agent, signal) : agent);
    }),
    realize(discoverAgents, async (asked, { caller }) => {
      // Another tenant's agents are none.
      if (asked.tenant_id != null && asked.tenant_id !== caller.tenantId) {
        return { agents: [], total: 0, has_more: false, query_time_ms: 0 };
      }
      return find(caller, filterFrom(asked), asked.limit, asked.offset);
    }),
    realize(discoverByCapability, async ({ capability_id: id, min_trust: minTrust, limit, offset }, { caller }) =>
      find(caller, { capabilities: [id], minTrust }, limit, offset),
    ),
    realize(discoverByTag, async ({ tag, min_trust: minTrust, limit, offset }, { caller }) =>
      find(caller, { tags: [tag], minTrust }, limit, offset),
    ),
    realize(discoveryStats, async (_input, { caller }) => {
      const agents = await directory.list(caller.tenantId);
      const trust = agents.reduce((sum, { card }) => sum + card.trust, 0);
      return {
        total_agents: agents.length,
        registered_agents: agents.filter(({ registeredAt }) => registeredAt !== null).length,
        by_type: counted(agents, ({ card }) => [card.kind]),
        by_role: counted(agents, ({ card }) => [card.role]),
        by_health: counted(agents, ({ health }) => [health]),
        by_capability: counted(agents, ({ card }) => card.capabilities.map(({ id }) => id)),
        by_tag: counted(agents, ({ card }) => card.tags),
        average_trust_level: agents.length === 0 ? null : Math.round((trust / agents.length) * 10) / 10,
        tenant_id: caller.tenantId,
      };
    }),
  ];
}

/** Whoever is known to be one. */
function isAdmin(principal: Principal | undefined): boolean {
  return isProved(principal) && allows(principal.rights, { access: 'admin', what: registerCard.name });
}

function counted(agents: readonly ListedAgent[], words: (agent: ListedAgent) => readonly string[]) {
  const counts = new Map<string, number>();
  for (const word of agents.flatMap((agent) => [...new Set(words(agent))]))
    counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries(counts);
}
