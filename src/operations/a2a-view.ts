/** Agents, delegations and messages as the agent-to-agent protocol of the blueprint writes them (domain reference §4). */
import { z } from 'zod';
import { isJsonObject, type JsonObject } from '../core/json.ts';
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
import { type Delegation, delegationKinds, delegationStatuses, durationOf } from '../delegation/delegation.ts';
import type { SentLetter } from '../delegation/mail.ts';
import { agentId, freeForm, protocolId, time } from './field.ts';

export const A2A_PATH = '/api/v1/a2a';
export const A2A_VERSION = '1.1';
export const WELL_KNOWN = '/.well-known/agent.json';

/** Requests, then what answers them. */
export const messageTypes = [
  'discover',
  'discover_response',
  'capability_query',
  'capability_response',
  'execute',
  'execute_response',
  'delegate',
  'delegate_accept',
  'delegate_reject',
  'delegate_result',
  'status_query',
  'status_response',
  'cancel',
  'cancel_ack',
  'context_share',
  'context_update',
  'ping',
  'pong',
  'error',
] as const;
export type MessageType = (typeof messageTypes)[number];

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

export const fabricView = z
  .object({
    primary_plane_id: z.string().nullable(),
    Primary_Plane_ID: z.string().nullable(),
    fabric_preset: z.string().nullable(),
    auto_enriched: z.boolean().meta({ description: 'Whether this server filled it in' }),
  })
  .meta({ id: 'MessageFabricContext' });

export function viewFabric(fabric: JsonObject): z.input<typeof fabricView> {
  const text = (name: string) => (typeof fabric[name] === 'string' ? fabric[name] : null);
  return {
    primary_plane_id: text('primary_plane_id'),
    Primary_Plane_ID: text('primary_plane_id'),
    fabric_preset: text('fabric_preset'),
    auto_enriched: fabric['auto_enriched'] === true,
  };
}

export const delegationView = z
  .object({
    id: z.string(),
    delegation_id: z.string().meta({ description: 'The same as id' }),
    tenant_id: z.string(),
    status: z.enum(delegationStatuses),
    from_agent: agentId,
    to_agent: agentId,
    delegator_id: agentId,
    delegatee_id: agentId,
    capability_id: z.string(),
    delegation_type: z.enum(delegationKinds),
    priority: z.int().meta({ description: '1 to 10; 10 is the most urgent' }),
    input: z.unknown(),
    context: z.object({
      original_input: z.unknown(),
      original_context: freeForm,
      delegation_reason: z.string().nullable(),
      delegated_capability: z.string(),
      max_steps: z.int(),
      max_cost_usd: z.number(),
      timeout_seconds: z.number(),
      delegation_chain: z.array(z.string()),
      shared_state: freeForm,
    }),
    result: z.unknown(),
    output_context: freeForm.nullable(),
    error: z.string().nullable(),
    error_code: z.string().nullable(),
    tokens_used: z.int().nullable(),
    cost_usd: z.number().nullable(),
    steps_executed: z.int().nullable(),
    duration_ms: z.int().nullable(),
    correlation_id: z.string(),
    message_id: z.string(),
    parent_delegation_id: z.string().nullable(),
    parent_run_id: z.string().nullable().meta({ description: 'The run that handed it on' }),
    task_id: z.string().nullable().meta({ description: 'The task that does it; null when another server does' }),
    run_id: z.string().nullable(),
    fabric_context: fabricView,
    scan: freeForm.nullable().meta({ description: 'What screening for personal data found' }),
    created_at: time,
    accepted_at: time.nullable(),
    completed_at: time.nullable(),
    deadline_at: time,
  })
  .meta({ id: 'Delegation', description: 'Work that one agent handed to another' });

export function viewDelegation(delegation: Delegation): z.input<typeof delegationView> {
  const { budget, failure } = delegation;
  return {
    id: delegation.id,
    delegation_id: delegation.id,
    tenant_id: delegation.caller.tenantId,
    status: delegation.status,
    from_agent: delegation.from,
    to_agent: delegation.to,
    delegator_id: delegation.from,
    delegatee_id: delegation.to,
    capability_id: delegation.capability,
    delegation_type: delegation.kind,
    priority: delegation.priority,
    input: delegation.input,
    context: {
      original_input: delegation.input,
      original_context: delegation.context,
      delegation_reason: delegation.reason,
      delegated_capability: delegation.capability,
      max_steps: budget.steps,
      max_cost_usd: budget.costUsd,
      timeout_seconds: delegation.timeoutSeconds,
      delegation_chain: [...delegation.chain],
      shared_state: delegation.sharedState,
    },
    result: delegation.result,
    output_context: delegation.outputContext,
    error: failure?.message ?? null,
    error_code: failure?.code ?? null,
    tokens_used: delegation.tokens,
    cost_usd: delegation.costUsd,
    steps_executed: delegation.steps,
    duration_ms: durationOf(delegation),
    correlation_id: delegation.correlationId,
    message_id: delegation.messageId,
    parent_delegation_id: delegation.parentId,
    parent_run_id: delegation.parentRunId,
    task_id: delegation.taskId,
    run_id: delegation.runId,
    fabric_context: viewFabric(delegation.fabric),
    scan: delegation.scan,
    created_at: delegation.createdAt,
    accepted_at: delegation.acceptedAt,
    completed_at: delegation.completedAt,
    deadline_at: delegation.deadlineAt,
  };
}

export const messageView = z
  .object({
    id: protocolId,
    type: z.enum(messageTypes),
    from_agent: z.string(),
    to_agent: z.string().nullable().meta({ description: 'null: this server' }),
    correlation_id: z.string(),
    in_reply_to: z.string().nullable(),
    payload: freeForm,
    timestamp: time,
    created_at: time.meta({ description: 'The same as timestamp' }),
    expires_at: time.nullable(),
    fabric_context: fabricView,
    metadata: freeForm,
    protocol_version: z.string(),
    seq: z.int().nullable().meta({ description: 'Its number in the inbox of to_agent; null when it is in none' }),
  })
  .meta({ id: 'A2aMessage', description: 'A message from one agent to another' });

export type MessageView = z.input<typeof messageView>;

export function viewMessage(letter: SentLetter): MessageView {
  return {
    id: letter.id,
    type: messageTypes.find((type) => type === letter.type) ?? 'error',
    from_agent: letter.from,
    to_agent: letter.to === '' ? null : letter.to,
    correlation_id: letter.correlationId,
    in_reply_to: letter.inReplyTo,
    payload: letter.payload,
    timestamp: letter.createdAt,
    created_at: letter.createdAt,
    expires_at: letter.expiresAt,
    fabric_context: viewFabric(letter.fabric),
    metadata: letter.metadata,
    protocol_version: A2A_VERSION,
    seq: letter.to === '' || letter.seq === 0 ? null : letter.seq,
  };
}

/** JSON that a schema let through is JSON. */
export function jsonOf(value: unknown): JsonObject {
  const json = JSON.parse(JSON.stringify(value ?? {})) as JsonObject;
  return isJsonObject(json) ? json : {};
}
