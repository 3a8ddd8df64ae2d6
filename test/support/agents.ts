/** Agents for tests. */
import type { Agent } from '../../src/agents/agent.ts';
import { type AgentCatalogue, parseCatalogue } from '../../src/agents/catalogue.ts';

export function testAgent(agentId: string, change: Partial<Agent> = {}): Agent {
  return {
    agent_id: agentId,
    agent_type: agentId === 'ceo' ? 'LeadershipAgent' : 'TestAgent',
    purpose: `being ${agentId}`,
    adapter_name: agentId,
    capabilities: [],
    config: {},
    enabled: true,
    ...change,
  };
}

export function testCatalogue(...ids: string[]): AgentCatalogue {
  return parseCatalogue(JSON.stringify({ agents: ids.map((id) => testAgent(id)) }), 'test.json');
}
