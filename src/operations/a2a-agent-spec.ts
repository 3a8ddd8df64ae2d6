/** The directory of agents: cards, registration, discovery (domain reference §4.2 to §4.4). */
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import { capabilityOf, cardOf, type ListedAgent } from '../delegation/agent-card.ts';
import { cardView, viewCard } from './a2a-card-view.ts';
import { askedCard, askedFilter } from './a2a-field.ts';
import { A2A_PATH, WELL_KNOWN } from './a2a-protocol.ts';
import { agentId } from './field.ts';
import { type RestRoute, specify } from './operation.ts';

export const a2aRest = (method: RestRoute['method'], path: string, status = 200): RestRoute => ({
  method,
  path: `${A2A_PATH}${path}`,
  status,
  family: 'detail',
});

const INVOICE: ListedAgent = {
  id: 'invoice-bot',
  tenantId: 'acme',
  card: cardOf('Invoice bot', {
    description: 'Checks invoices against orders',
    kind: 'specialist',
    role: 'analyst',
    capabilities: [capabilityOf('invoice_check', { kind: 'tool', tags: ['finance'] })],
    trust: 80,
    tags: ['finance'],
  }),
  isOurs: false,
  ownerId: '',
  health: 'unknown',
  healthDetail: null,
  checkedAt: null,
  registeredAt: '2026-02-01T10:00:00.000Z',
  updatedAt: '2026-02-01T10:00:00.000Z',
};
const card = viewCard(INVOICE) as JsonObject;
const one = z.object({ agent_id: agentId });

export const getCard = specify({
  name: 'a2a.card',
  summary: "An agent's card",
  description: 'Public. Of the agents of this server, and of those that were registered.',
  input: one,
  output: cardView,
  rest: a2aRest('GET', `/agents/{agent_id}${WELL_KNOWN}`),
  access: 'public',
  errors: ['not_found'],
  example: { output: card },
});

export const registerCard = specify({
  name: 'a2a.register',
  summary: 'Put an agent into the directory',
  description:
    'Work for it waits in its inbox. Registering it again replaces its card; of an agent of this server it changes how ' +
    'others see it, not who runs it.',
  input: askedCard.extend({ agent_id: agentId }),
  output: cardView,
  rest: a2aRest('POST', '/agents/{agent_id}/register', 201),
  governs: { kind: 'admin', type: 'agent_register' },
  errors: ['conflict', 'forbidden'],
  example: {
    input: {
      name: 'Invoice bot',
      agent_type: 'specialist',
      capabilities: ['invoice_check'],
      trust_level: 80,
      tags: ['finance'],
    },
    output: card,
  },
});

export const unregisterCard = specify({
  name: 'a2a.unregister',
  summary: 'Take an agent out of the directory',
  input: one,
  output: z.object({ agent_id: agentId, unregistered: z.literal(true) }),
  rest: a2aRest('DELETE', '/agents/{agent_id}/register'),
  governs: { kind: 'admin', type: 'agent_unregister' },
  errors: ['not_found'],
  example: { output: { agent_id: 'invoice-bot', unregistered: true } },
});

export const probeAgent = specify({
  name: 'a2a.probe',
  summary: 'Ask an agent how it is, now',
  description: 'It is asked from time to time as well. One without an https endpoint is `unknown`.',
  input: one,
  output: cardView,
  rest: a2aRest('POST', '/agents/{agent_id}/probe'),
  errors: ['not_found'],
  example: { output: card },
});

const found = z
  .object({ agents: z.array(cardView), total: z.int(), has_more: z.boolean(), query_time_ms: z.number() })
  .meta({ id: 'AgentDiscovery', description: 'Agents, the most trusted first' });
const foundExample = { agents: [card], total: 1, has_more: false, query_time_ms: 0.4 };

export const discoverAgents = specify({
  name: 'a2a.discover',
  summary: 'The agents that fit',
  description: 'All that is asked for must hold. Only agents of the own tenant are found.',
  input: askedFilter,
  output: found,
  rest: a2aRest('POST', '/discover'),
  access: 'read',
  example: { input: { capability_ids: ['invoice_check'], min_trust_level: 50 }, output: foundExample },
});

const page = {
  min_trust: z.coerce.number().min(0).max(100).default(0),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  offset: z.coerce.number().int().min(0).max(1_000_000).default(0),
};

export const discoverByCapability = specify({
  name: 'a2a.by_capability',
  summary: 'The agents that have a capability',
  input: z.object({ capability_id: z.string().min(1).max(200), ...page }),
  output: found,
  rest: a2aRest('GET', '/discover/by-capability/{capability_id}'),
  example: { output: foundExample },
});

export const discoverByTag = specify({
  name: 'a2a.by_tag',
  summary: 'The agents that have a tag',
  input: z.object({ tag: z.string().min(1).max(200), ...page }),
  output: found,
  rest: a2aRest('GET', '/discover/by-tag/{tag}'),
  example: { output: foundExample },
});

const counts = z.record(z.string(), z.int());

export const discoveryStats = specify({
  name: 'a2a.discovery_stats',
  summary: 'How many agents there are, of what kind',
  input: z.object({}),
  output: z.object({
    total_agents: z.int(),
    registered_agents: z.int(),
    by_type: counts,
    by_role: counts,
    by_health: counts,
    by_capability: counts,
    by_tag: counts,
    average_trust_level: z.number().nullable(),
    tenant_id: z.string(),
  }),
  rest: a2aRest('GET', '/stats/discovery'),
  example: {
    output: {
      total_agents: 1,
      registered_agents: 1,
      by_type: { specialist: 1 },
      by_role: { analyst: 1 },
      by_health: { unknown: 1 },
      by_capability: { invoice_check: 1 },
      by_tag: { finance: 1 },
      average_trust_level: 80,
      tenant_id: 'acme',
    },
  },
});

export const a2aAgentSpecs = [
  getCard,
  registerCard,
  unregisterCard,
  probeAgent,
  discoverAgents,
  discoverByCapability,
  discoverByTag,
  discoveryStats,
];
