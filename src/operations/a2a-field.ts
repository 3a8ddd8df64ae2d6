/** What the agent-to-agent operations take. */
import { z } from 'zod';
import {
  type AgentCard,
  agentHealths,
  agentKinds,
  agentRoles,
  authSchemes,
  type Capability,
  capabilityKinds,
  capabilityOf,
  cardOf,
  certificationStatuses,
  endpointOperations,
  endpointProtocols,
  type Facts,
} from '../delegation/agent-card.ts';
import { delegationKinds, delegationPriority, delegationTimeout } from '../delegation/delegation.ts';
import type { AgentFilter } from '../delegation/discovery.ts';
import { screeningActions } from '../governance/screening/policy.ts';
import { regionCode } from '../governance/screening/screening-document.ts';
import { messageTypes } from './a2a-protocol.ts';
import { agentId, askedTime, freeForm, givenName, protocolId } from './field.ts';

const word = z.string().min(1).max(200);
const words = z.array(word).max(100);
const prose = z.string().max(4000);

/** A word of a list, in any case. */
function anyCase<const Words extends readonly [string, ...string[]]>(known: Words) {
  return z.preprocess((value) => (typeof value === 'string' ? value.trim().toLowerCase() : value), z.enum(known));
}

export const messageType = anyCase(messageTypes).meta({ description: 'In any case; answers have it in small letters' });

export const piiPolicy = z
  .preprocess((value) => (typeof value === 'string' ? value.toUpperCase() : value), z.enum(screeningActions))
  .nullish()
  .meta({ description: "What to do with personal data that is found; never less than the tenant's floor" });

export const region = regionCode.nullish();

const endpoint = z.object({
  url: z
    .string()
    .max(2000)
    .refine((text) => URL.canParse(text), { error: 'must be an absolute URL' }),
  protocol: anyCase(endpointProtocols).default('https'),
  version: word.default('1.0'),
  auth_scheme: anyCase(authSchemes).default('none'),
  auth_config: freeForm.default({}),
  supported_operations: z
    .array(anyCase(endpointOperations))
    .max(10)
    .default([...endpointOperations]),
  rate_limit_rpm: z.int().min(1).nullish(),
  health_check_path: z.string().max(500).default('/health'),
});

const capability = z.object({
  id: word,
  name: word.nullish(),
  description: prose.nullish(),
  capability_type: anyCase(capabilityKinds).nullish(),
  input_schema: freeForm.nullish(),
  output_schema: freeForm.nullish(),
  requires_approval: z.boolean().nullish(),
  requires_context: z.boolean().nullish(),
  max_tokens: z.int().min(1).nullish(),
  timeout_seconds: z.number().positive().nullish(),
  tags: words.nullish(),
});

/** A card as it is registered; what is left out has the usual value. */
export const askedCard = z.object({
  name: givenName.nullish(),
  description: prose.nullish(),
  version: word.nullish(),
  organization: word.nullish(),
  owner: word.nullish(),
  agent_type: anyCase(agentKinds).nullish(),
  role: anyCase(agentRoles).nullish(),
  endpoints: z.array(endpoint).max(10).nullish(),
  primary_endpoint: endpoint.nullish().meta({ description: 'Becomes the first of the endpoints' }),
  capabilities: z
    .array(z.union([word, capability]))
    .max(100)
    .nullish()
    .meta({ description: 'Ids, or more about them; `execute` and `query` when none are given' }),
  certification_id: word.nullish(),
  certification_status: anyCase(certificationStatuses).nullish(),
  trust_level: z.int().min(0).max(100).nullish(),
  max_concurrent_tasks: z.int().min(1).max(10_000).nullish(),
  max_context_tokens: z.int().min(1).nullish(),
  supported_languages: words.nullish(),
  can_delegate: z.boolean().nullish(),
  can_accept_delegation: z.boolean().nullish(),
  preferred_collaborators: words.nullish(),
  tags: words.nullish(),
  metadata: freeForm.nullish(),
});

export function cardFrom(id: string, asked: z.output<typeof askedCard>): AgentCard {
  const { endpoints = [], primary_endpoint: primary, capabilities } = asked;
  const all = [...(primary == null ? [] : [primary]), ...(endpoints ?? []).filter(({ url }) => url !== primary?.url)];
  const given: Record<string, unknown> = {
    description: asked.description,
    version: asked.version,
    organization: asked.organization,
    owner: asked.owner,
    kind: asked.agent_type,
    role: asked.role,
    endpoints: all.map((one) => ({
      url: one.url,
      protocol: one.protocol,
      version: one.version,
      authScheme: one.auth_scheme,
      authConfig: one.auth_config as Facts,
      operations: one.supported_operations,
      rateLimitRpm: one.rate_limit_rpm ?? null,
      healthCheckPath: one.health_check_path,
    })),
    capabilities: capabilities?.map(capabilityFrom),
    certificationId: asked.certification_id,
    certification: asked.certification_status,
    trust: asked.trust_level,
    maxConcurrent: asked.max_concurrent_tasks,
    maxContextTokens: asked.max_context_tokens,
    languages: asked.supported_languages,
    canDelegate: asked.can_delegate,
    canAccept: asked.can_accept_delegation,
    preferred: asked.preferred_collaborators,
    tags: asked.tags,
    metadata: asked.metadata,
  };
  return cardOf(asked.name ?? id, present(given) as Partial<AgentCard>);
}

function capabilityFrom(given: string | z.output<typeof capability>): Capability {
  if (typeof given === 'string') return capabilityOf(given);
  const { id, ...asked } = given;
  const members = {
    name: asked.name,
    description: asked.description,
    kind: asked.capability_type,
    inputSchema: asked.input_schema,
    outputSchema: asked.output_schema,
    requiresApproval: asked.requires_approval,
    requiresContext: asked.requires_context,
    maxTokens: asked.max_tokens,
    timeoutSeconds: asked.timeout_seconds,
    tags: asked.tags,
  };
  return capabilityOf(id, present(members) as Partial<Capability>);
}

function present(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value != null));
}

/** The filter of a discovery; all of it must hold. */
export const askedFilter = z.object({
  agent_ids: z.array(agentId).max(500).nullish(),
  tenant_id: word.nullish().meta({ description: "The caller's own: another tenant has no agents for them" }),
  agent_types: z.array(anyCase(agentKinds)).max(10).nullish(),
  roles: z.array(anyCase(agentRoles)).max(10).nullish(),
  capability_ids: words.nullish().meta({ description: 'All of them' }),
  capability_tags: words.nullish().meta({ description: 'All of them, on the agent or on a capability of it' }),
  capability_types: z.array(anyCase(capabilityKinds)).max(10).nullish(),
  min_trust_level: z.number().min(0).max(100).nullish(),
  require_certified: z.boolean().nullish(),
  can_delegate: z.boolean().nullish(),
  can_accept_delegation: z.boolean().nullish(),
  health_status: anyCase(agentHealths).nullish(),
  exclude_unhealthy: z.boolean().nullish().meta({ description: 'true when left out' }),
  limit: z.int().min(1).max(500).default(100),
  offset: z.int().min(0).max(1_000_000).default(0),
});

export function filterFrom(asked: z.output<typeof askedFilter>): AgentFilter {
  return {
    ids: asked.agent_ids ?? undefined,
    kinds: asked.agent_types ?? undefined,
    roles: asked.roles ?? undefined,
    capabilities: asked.capability_ids ?? undefined,
    tags: asked.capability_tags ?? undefined,
    capabilityKinds: asked.capability_types ?? undefined,
    minTrust: asked.min_trust_level ?? undefined,
    certifiedOnly: asked.require_certified ?? undefined,
    canDelegate: asked.can_delegate ?? undefined,
    canAccept: asked.can_accept_delegation ?? undefined,
    health: asked.health_status ?? undefined,
    excludeUnhealthy: asked.exclude_unhealthy ?? undefined,
  };
}

const bounds = {
  max_steps: z.int().min(1).max(10_000).nullish().meta({ description: 'Tool calls; no more than the parent has left' }),
  max_cost_usd: z.number().positive().max(1_000_000).nullish(),
  timeout_seconds: z.number().min(delegationTimeout.min).max(delegationTimeout.max).nullish(),
};

/** The facts of a delegation, beside or inside its `context`. */
const delegationFacts = {
  ...bounds,
  delegation_reason: z.string().max(2000).nullish(),
  delegation_chain: z.array(agentId).max(100).nullish().meta({ description: 'Who handed it on before' }),
  shared_state: freeForm.nullish(),
  parent_delegation_id: protocolId.nullish().meta({ description: 'The delegation this is a part of' }),
  run_id: protocolId.nullish().meta({ description: 'The run that hands it on; the delegation becomes its child' }),
};

/** What a delegation asks for: the payload of `delegate`, and the body of the REST route. */
export const askedDelegation = z.object({
  input: z
    .union([z.string().min(1), z.record(z.string(), z.unknown()), z.array(z.unknown())])
    .meta({ description: 'A text or JSON, of 50,000 characters at most' }),
  capability_id: word.nullish(),
  delegation_type: anyCase(delegationKinds).default('full'),
  priority: z.int().min(delegationPriority.min).max(delegationPriority.max).default(delegationPriority.default),
  ...delegationFacts,
  context: z
    .looseObject({ ...delegationFacts, original_context: freeForm.nullish(), delegated_capability: word.nullish() })
    .nullish()
    .meta({ description: 'Other members are what the delegatee is told' }),
});

export type AskedDelegation = z.output<typeof askedDelegation>;

export const askedFabric = freeForm.nullish().meta({
  description:
    'With `primary_plane_id` or `Primary_Plane_ID`: a plane of the preset of the tenant. Filled in when left out',
});

export const expiry = askedTime.nullish().meta({ description: 'Not to be taken later' });

/** How long to wait for an answer, in seconds. */
export const patience = z.coerce
  .number()
  .min(0)
  .max(60)
  .nullish()
  .meta({ description: 'Seconds to wait for the answer' });
