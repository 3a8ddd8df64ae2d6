/** What a body asks for, checked against what there is: the pattern, the agents, the limits. */
import type { Agent } from '../agents/agent.ts';
import type { AgentSet, AgentStock } from '../agents/catalogue.ts';
import { closest } from '../core/closest.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { chatAgentOf } from '../orchestration/chat.ts';
import { CHAT_WORKFLOW } from '../orchestration/definition.ts';
import { type Limits, limitsOf } from '../orchestration/limits.ts';
import { patternKey } from '../orchestration/pattern.ts';
import { agentIdsOf, membersOf, patternFor } from '../orchestration/patterns.ts';
import { configOf } from '../orchestration/plan.ts';
import type { RunKind } from '../runs/run.ts';

export interface Order {
  /** `name@version` of the pattern, or what stands for it in a chat. */
  readonly workflow: string;
  readonly agents: readonly Agent[];
  /** Tools of the pattern itself. */
  readonly ownTools: readonly string[];
  readonly limits: Limits;
}

export interface Stock {
  readonly catalogue: AgentStock;
  /** Whether an id that is not in the catalogue gets an agent of general purpose; refused when left out. */
  readonly allowUnregisteredAgents?: boolean;
}

/** What a tenant may choose from. */
interface Shelf {
  readonly agents: AgentSet;
  readonly allowUnregisteredAgents: boolean;
}

/**
 * What cannot be planned is refused here, where the caller hears it, rather than in the run.
 * @throws AosError invalid_request
 */
export function understand(kind: RunKind, body: JsonObject, stock: Stock, tenantId: string): Order {
  const shelf = {
    agents: stock.catalogue.of(tenantId),
    allowUnregisteredAgents: stock.allowUnregisteredAgents ?? false,
  };
  const config = configOf(body);
  if (kind !== 'orchestration') {
    return { workflow: CHAT_WORKFLOW, agents: [chatAgent(body, shelf)], ownTools: [], limits: limitsOf(config, 1) };
  }
  const pattern = patternFor(body);
  const agents = knownAgents(agentIdsOf(pattern, body), shelf);
  const { plannedTurns } = pattern.plan(body, membersOf(pattern, body, agents));
  return {
    workflow: patternKey(pattern),
    agents,
    ownTools: pattern.toolNames?.(body) ?? [],
    limits: limitsOf(config, plannedTurns),
  };
}

function chatAgent(body: JsonObject, shelf: Shelf): Agent {
  const { agent_id: id } = body;
  return typeof id === 'string' ? findAgent(id, shelf) : chatAgentOf(shelf.agents, body);
}

function findAgent(id: string, shelf: Shelf): Agent {
  const [agent] = knownAgents([id], shelf);
  if (agent === undefined) throw new Error(`the agent ${id} was neither found nor refused`);
  return agent;
}

/** @throws AosError invalid_request naming those that do not exist */
function knownAgents(ids: readonly string[], { agents, allowUnregisteredAgents }: Shelf): readonly Agent[] {
  const unknown = ids.filter((id) => agents.find(id) === undefined);
  const [first] = unknown;
  if (first === undefined || allowUnregisteredAgents) return ids.map((id) => agents.find(id) ?? generalAgent(id));
  const known = agents.enabled.map((agent) => agent.agent_id);
  const what =
    unknown.length === 1
      ? `is no agent "${first}"${closest(first, known, ', did you mean "%s"?')}`
      : `are no agents ${unknown.map((id) => `"${id}"`).join(', ')}`;
  throw new AosError('invalid_request', `there ${what} (there are: ${known.join(', ')})`, {
    reason: 'UNKNOWN_AGENTS',
    facts: { unknown },
  });
}

/** Somebody nobody has registered: all that is known is the name. */
function generalAgent(id: string): Agent {
  return {
    agent_id: id,
    agent_type: 'GeneralAgent',
    purpose: `Contribute to the work as ${id}, as far as that name says what is expected.`,
    adapter_name: id,
    capabilities: [],
    config: {},
    enabled: true,
  };
}
