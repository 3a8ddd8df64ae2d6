/** `fabric_action`: an action on an enterprise system, brought there by the planes of its tenant. */
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { actionType, targetSystem } from '../fabric/action.ts';
import { planeNamed } from '../fabric/plane.ts';
import type { ActionOrder, Router } from '../fabric/router.ts';
import type { Run } from '../runs/run.ts';
import { taskIdOf } from './task.ts';
import type { TaskHandler, TaskWork } from './task-handler.ts';

/** How long the run waits for a plane, or for somebody who knows, unless the payload says otherwise. */
const DEFAULT_WAIT_SECONDS = 24 * 3600;
const MAX_WAIT_SECONDS = 30 * 24 * 3600;

export function createFabricActionHandler(router: Router): TaskHandler {
  return (work, { scope, traceContext }) => router.route(scope, 'action', orderOf(work, scope.run), traceContext);
}

/**
 * The order of a task. Its id is the task's, so that every attempt at the task is the same action to the planes.
 * @throws AosError unprocessable for a target, an action or a plane that there is not
 */
export function orderOf({ payload, agentId }: TaskWork, { id, caller, request, sessionId }: Run): ActionOrder {
  const taskId = taskIdOf(id);
  // A job's own action stands in its payload; a task's beside it.
  const word = (name: string) => text(request[name]) ?? text(payload[name]) ?? '';
  const named = text(payload['plane']);
  const plane = named === undefined ? undefined : planeNamed(named, caller.tenantId);
  if (named !== undefined && plane === undefined) {
    throw new AosError('unprocessable', `"${named}" is no plane`, { reason: 'UNKNOWN_PLANE' });
  }
  const { entity_id: entityId, data, metadata } = payload;
  return {
    id: taskId,
    taskId,
    agentId: agentId ?? '',
    correlationId: text(payload['correlation_id']) ?? sessionId,
    target: targetSystem(word('target_system')),
    type: actionType(word('action_type')),
    entityId: typeof entityId === 'number' ? String(entityId) : text(entityId),
    entityType: text(payload['entity_type']),
    data: isJsonObject(data) ? data : {},
    metadata: isJsonObject(metadata) ? metadata : {},
    plane,
    simulate: request['simulation'] === true,
    onUnavailable: payload['on_unavailable'] === 'wait' ? 'wait' : 'fail',
    waitMs: waitSeconds(payload['wait_seconds']) * 1000,
  };
}

function waitSeconds(given: JsonValue | undefined): number {
  return typeof given === 'number' && given > 0 ? Math.min(given, MAX_WAIT_SECONDS) : DEFAULT_WAIT_SECONDS;
}

function text(value: JsonObject[string] | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
