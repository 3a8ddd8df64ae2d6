/** Agents as the agent-to-agent protocol writes them. */
import { z } from 'zod';
import {
  agentHealths,
  agentKinds,
  agentRoles,
  authSchemes,
  type Capability,
  capabilityKinds,
  certificationStatuses,
  type Endpoint,
  endpointOperations,
  endpointProtocols,
  type ListedAgent,
} from '../delegation/agent-card.ts';
import { A2A_VERSION, messageTypes, WELL_KNOWN } from './a2a-protocol.ts';
import { agentId, freeForm, time } from './field.ts';

export const endpointView = z.object({
  url: z.string(),
  protocol: z.enum(endpointProtocols),
  version: z.string(),
  auth_scheme: z.enum(authSchemes),
  auth_config: freeForm.meta({ description: 'Kept, and shown to nobody' }),
  supported_operations: z.array(z.enum(endpointOperations)),
  rate_limit_rpm: z.int().nullable(),
  health_check_path: z.string(),
});

export const capabilityView = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string(),
  capability_type: z.enum(capabilityKinds),
  input_schema: freeForm,
  output_schema: freeForm,
  requires_approval: z.boolean(),
  requires_context: z.boolean(),
  max_tokens: z.int().nullable(),
  timeout_seconds: z.number(),
  tags: z.array(z.string()),
});

export const cardView = z
  .object({
    id: agentId,
    name: z.string(),
    description: z.string(),
    version: z.string(),
    tenant_id: z.string(),
    organization: z.string().nullable(),
    owner: z.string().nullable(),
    agent_type: z.enum(agentKinds),
    role: z.enum(agentRoles),
    endpoints: z.array(endpointView),
    primary_endpoint: endpointView.nullable(),
    capabilities: z.array(capabilityView),
    protocol_version: z.string(),
    supported_message_types: z.array(z.string()),
    certification_id: z.string().nullable(),
    certification_status: z.enum(certificationStatuses),
    trust_level: z.int(),
    max_concurrent_tasks: z.int(),
    max_context_tokens: z.int(),
    supported_languages: z.array(z.string()),
    can_delegate: z.boolean(),
    can_accept_delegation: z.boolean(),
    preferred_collaborators: z.array(z.string()),
    health_status: z.enum(agentHealths),
    health_detail: z.string().nullable(),
    last_health_check: time.nullable(),
    created_at: time.nullable().meta({ description: 'null: it is an agent of this server, and nobody registered it' }),
    updated_at: time.nullable(),
    tags: z.array(z.string()),
    metadata: freeForm,
    well_known_path: z.string(),
  })
  .meta({ id: 'AgentCard', description: 'What an agent says about itself' });

export function viewCard({ id, tenantId, card, ...listing }: ListedAgent): z.input<typeof cardView> {
  const [primary] = card.endpoints;
  return {
    id,
    name: card.name,
    description: card.description,
    version: card.version,
    tenant_id: tenantId,
    organization: card.organization,
    owner: card.owner,
    agent_type: card.kind,
    role: card.role,
    endpoints: card.endpoints.map(viewEndpoint),
    primary_endpoint: primary === undefined ? null : viewEndpoint(primary),
    capabilities: card.capabilities.map(viewCapability),
    protocol_version: A2A_VERSION,
    supported_message_types: [...messageTypes],
    certification_id: card.certificationId,
    certification_status: card.certification,
    trust_level: card.trust,
    max_concurrent_tasks: card.maxConcurrent,
    max_context_tokens: card.maxContextTokens,
    supported_languages: [...card.languages],
    can_delegate: card.canDelegate,
    can_accept_delegation: card.canAccept,
    preferred_collaborators: [...card.preferred],
    health_status: listing.health,
    health_detail: listing.healthDetail,
    last_health_check: listing.checkedAt,
    created_at: listing.registeredAt,
    updated_at: listing.updatedAt,
    tags: [...card.tags],
    metadata: { ...card.metadata },
    well_known_path: WELL_KNOWN,
  };
}

function viewEndpoint(endpoint: Endpoint): z.input<typeof endpointView> {
  return {
    url: endpoint.url,
    protocol: endpoint.protocol,
    version: endpoint.version,
    auth_scheme: endpoint.authScheme,
    // May hold what only the agent's owner is to know.
    auth_config: {},
    supported_operations: [...endpoint.operations],
    rate_limit_rpm: endpoint.rateLimitRpm,
    health_check_path: endpoint.healthCheckPath,
  };
}

export function viewCapability(capability: Capability): z.input<typeof capabilityView> {
  return {
    id: capability.id,
    name: capability.name,
    description: capability.description,
    capability_type: capability.kind,
    input_schema: { ...capability.inputSchema },
    output_schema: { ...capability.outputSchema },
    requires_approval: capability.requiresApproval,
    requires_context: capability.requiresContext,
    max_tokens: capability.maxTokens,
    timeout_seconds: capability.timeoutSeconds,
    tags: [...capability.tags],
  };
}
