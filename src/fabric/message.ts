/**
 * What an action looks like on its way: the bodies that planes carry, with the member names of the original (domain
 * reference §5.5), and the headers every HTTP request of ours has.
 */
import { createHash } from 'node:crypto';
import type { JsonObject } from '../core/json.ts';
import type { RecipeBinding } from './binding.ts';
import type { RoutedAction } from './connector.ts';

/** The namespace of the UUIDs that stand for idempotency keys where a target wants a UUID. */
const KEY_NAMESPACE = Buffer.from('5b0f2f0c6d0a4f3e9a1b7c64d2f09e51', 'hex');

/** Who and whence, as headers. */
export function callHeaders(action: RoutedAction, idempotencyKey: string): Record<string, string> {
  return {
    'idempotency-key': headerText(idempotencyKey),
    'x-correlation-id': headerText(action.correlationId),
    'x-agent-id': headerText(action.agentId),
    'x-tenant-id': headerText(action.tenantId),
  };
}

/** The body that a recipe or workflow of an iPaaS gets. */
export function recipeBody(action: RoutedAction, binding: RecipeBinding, idempotencyKey: string): JsonObject {
  return {
    recipe_id: binding.recipe,
    recipe_name: binding.name ?? binding.recipe,
    idempotency_key: idempotencyKey,
    input: {
      entity_id: action.entityId ?? null,
      entity_type: action.entityType ?? null,
      action_type: action.type,
      data: action.data,
      correlation_id: action.correlationId,
      agent_id: action.agentId,
    },
    metadata: {
      tenant_id: action.tenantId,
      primary_plane_id: action.planeId,
      timestamp: action.createdAt,
    },
  };
}

/** The command that goes onto an event bus. Consumers do a `command_id` once. */
export function commandMessage(action: RoutedAction, idempotencyKey: string): JsonObject {
  return {
    command_id: idempotencyKey,
    command_type: `${action.target}.${action.type}`,
    entity_id: action.entityId ?? null,
    entity_type: action.entityType ?? null,
    payload: action.data,
    metadata: {
      agent_id: action.agentId,
      tenant_id: action.tenantId,
      correlation_id: action.correlationId,
      primary_plane_id: action.planeId,
      timestamp: action.createdAt,
      source: 'aos_agent',
    },
  };
}

/** What orders the messages of an entity: the member the binding names, else the entity, else the action. */
export function partitionKey(action: RoutedAction, key: string): string {
  if (key === 'tenant_id') return action.tenantId;
  const member = action.data[key];
  if (typeof member === 'string' || typeof member === 'number') return String(member);
  return action.entityId ?? action.id;
}

/** The row that goes into a staging table; its id is the idempotency key as a UUID. */
export function stagingRow(action: RoutedAction, idempotencyKey: string): Record<string, string | null> {
  return {
    id: keyUuid(idempotencyKey),
    entity_id: action.entityId ?? null,
    entity_type: action.entityType ?? null,
    action_type: action.type,
    payload: JSON.stringify(action.data),
    agent_id: action.agentId,
    tenant_id: action.tenantId,
    correlation_id: action.correlationId,
    primary_plane_id: action.planeId,
    status: 'pending_sync',
    created_at: action.createdAt,
  };
}

/** A key as a UUID (version 5), for targets whose carrier of it must be one: the same key, the same UUID. */
export function keyUuid(idempotencyKey: string): string {
  const bytes = createHash('sha1').update(KEY_NAMESPACE).update(idempotencyKey, 'utf8').digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Header values are visible ASCII; anything else is percent-encoded as UTF-8. */
function headerText(text: string): string {
  return text.toWellFormed().replaceAll(/[^\x21-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character));
}
