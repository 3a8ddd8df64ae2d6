/**
 * An agent's card: who it is for other agents, what it can do, where it is reached, whether it hands work on or takes
 * it. Agents of this server have one made of their entry in the catalogue; others are registered.
 */
import { type Agent, LEADERSHIP_TYPE, titleOf } from '../agents/agent.ts';

export const agentKinds = ['general', 'specialist', 'orchestrator', 'worker'] as const;
export type AgentKind = (typeof agentKinds)[number];

export const agentRoles = ['assistant', 'executor', 'analyst', 'coordinator'] as const;
export type AgentRole = (typeof agentRoles)[number];

export const capabilityKinds = ['tool', 'query', 'action', 'workflow'] as const;
export type CapabilityKind = (typeof capabilityKinds)[number];

export const endpointProtocols = ['https', 'wss', 'grpc', 'amqp'] as const;
export type EndpointProtocol = (typeof endpointProtocols)[number];

export const authSchemes = ['none', 'api_key', 'bearer', 'oauth2', 'mtls', 'custom'] as const;
export type AuthScheme = (typeof authSchemes)[number];

export const endpointOperations = ['execute', 'query', 'delegate', 'status', 'cancel'] as const;
export type EndpointOperation = (typeof endpointOperations)[number];

export const agentHealths = ['healthy', 'degraded', 'unhealthy', 'unknown'] as const;
export type AgentHealth = (typeof agentHealths)[number];

export const certificationStatuses = ['certified', 'pending', 'none', 'revoked', 'expired'] as const;
export type CertificationStatus = (typeof certificationStatuses)[number];

type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };
/** JSON that nobody changes. */
export type Facts = { readonly [key: string]: Plain };

export interface Endpoint {
  readonly url: string;
  readonly protocol: EndpointProtocol;
  readonly version: string;
  readonly authScheme: AuthScheme;
  readonly authConfig: Facts;
  readonly operations: readonly EndpointOperation[];
  readonly rateLimitRpm: number | null;
  /** Appended to the URL when the agent is asked how it is. */
  readonly healthCheckPath: string;
}

export interface Capability {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly kind: CapabilityKind;
  readonly inputSchema: Facts;
  readonly outputSchema: Facts;
  readonly requiresApproval: boolean;
  readonly requiresContext: boolean;
  readonly maxTokens: number | null;
  readonly timeoutSeconds: number;
  readonly tags: readonly string[];
}

/** What an agent says about itself. */
export interface AgentCard {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly organization: string | null;
  readonly owner: string | null;
  readonly kind: AgentKind;
  readonly role: AgentRole;
  readonly endpoints: readonly Endpoint[];
  readonly capabilities: readonly Capability[];
  readonly certificationId: string | null;
  readonly certification: CertificationStatus;
  /** 0 to 100. */
  readonly trust: number;
  readonly maxConcurrent: number;
  readonly maxContextTokens: number;
  readonly languages: readonly string[];
  readonly canDelegate: boolean;
  readonly canAccept: boolean;
  readonly preferred: readonly string[];
  readonly tags: readonly string[];
  readonly metadata: Facts;
}

/** A card in the directory of a tenant. */
export interface ListedAgent {
  readonly id: string;
  readonly tenantId: string;
  readonly card: AgentCard;
  /** Whether this server runs it; work for others goes to their inbox. */
  readonly isOurs: boolean;
  /** Who registered it; '' for nobody's in particular. */
  readonly ownerId: string;
  readonly health: AgentHealth;
  readonly healthDetail: string | null;
  /** ISO-8601 UTC; null while nobody asked. */
  readonly checkedAt: string | null;
  readonly registeredAt: string | null;
  readonly updatedAt: string | null;
}

export function capabilityOf(id: string, given: Partial<Omit<Capability, 'id'>> = {}): Capability {
  return {
    id,
    name: id.replaceAll(/[_-]+/g, ' '),
    description: '',
    kind: 'action',
    inputSchema: {},
    outputSchema: {},
    requiresApproval: false,
    requiresContext: false,
    maxTokens: null,
    timeoutSeconds: 300,
    tags: [],
    ...given,
  };
}

/** What every agent can do that names nothing else. */
export const defaultCapabilities: readonly Capability[] = [
  capabilityOf('execute', { name: 'Execute', description: 'Carries out a task', kind: 'action' }),
  capabilityOf('query', { name: 'Query', description: 'Answers a question', kind: 'query' }),
];

/** A card with what was left out filled in. */
export function cardOf(name: string, given: Partial<AgentCard> = {}): AgentCard {
  return {
    name,
    description: '',
    version: '1.0.0',
    organization: null,
    owner: null,
    kind: 'general',
    role: 'assistant',
    endpoints: [],
    certificationId: null,
    certification: 'none',
    trust: 50,
    maxConcurrent: 10,
    maxContextTokens: 100_000,
    languages: ['en'],
    canDelegate: true,
    canAccept: true,
    preferred: [],
    tags: [],
    metadata: {},
    ...given,
    capabilities:
      given.capabilities === undefined || given.capabilities.length === 0 ? defaultCapabilities : given.capabilities,
  };
}

/** The card of an agent that this server runs: it is trusted, since nobody else speaks for it. */
export function cardOfOurs(agent: Agent): AgentCard {
  const leads = agent.agent_type === LEADERSHIP_TYPE;
  const own = agent.capabilities.filter((id) => !defaultCapabilities.some((known) => known.id === id));
  return cardOf(titleOf(agent), {
    description: agent.purpose,
    kind: leads ? 'orchestrator' : 'specialist',
    role: leads ? 'coordinator' : 'analyst',
    capabilities: [...own.map((id) => capabilityOf(id)), ...defaultCapabilities],
    trust: 100,
    tags: [agent.agent_type],
  });
}
