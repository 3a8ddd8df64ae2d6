/**
 * An action as it is kept: what was asked, which plane did it, and how it ended. `accepted` means that a plane took it
 * and will do it; only `completed` means that it is done.
 */
import type { JsonObject } from '../core/json.ts';
import type { Caller } from '../runs/run.ts';
import type { Action } from './action.ts';
import type { Fault } from './connector.ts';
import { type PlaneName, planeIdOf } from './plane.ts';
import type { Preset } from './preset.ts';

/**
 * `waiting`: no plane can do it now, its run waits for one · `unknown`: an attempt may have done it, its run waits for
 * somebody who knows · `blocked`: no plane could, nothing was done · `timeout`: nobody settled an unknown outcome.
 */
export const actionStatuses = [
  'pending',
  'routing',
  'executing',
  'waiting',
  'unknown',
  'accepted',
  'completed',
  'failed',
  'timeout',
  'blocked',
] as const;
export type ActionStatus = (typeof actionStatuses)[number];

/** An attempt on the wire of which nobody has seen the end. */
export type InFlight = { plane: PlaneName; at: string };

export type ActionFailure = { code: string; message: string; fault?: Fault };

export interface ActionRecord extends Action {
  readonly id: string;
  readonly number: string;
  readonly caller: Caller;
  readonly runId: string;
  readonly taskId: string | undefined;
  readonly agentId: string;
  readonly correlationId: string;
  readonly status: ActionStatus;
  readonly statusMessage: string | undefined;
  /** The tenant's primary plane when the action was submitted. */
  readonly primaryPlaneId: string;
  /** The preset it was routed by. */
  readonly preset: Preset;
  readonly routedPlane: PlaneName | undefined;
  readonly executionPath: string | undefined;
  /** Ids of the planes that could not, in the order in which they were asked. */
  readonly fallbackFrom: readonly string[];
  readonly attempts: number;
  readonly inFlight: InFlight | undefined;
  readonly result: JsonObject | undefined;
  readonly error: ActionFailure | undefined;
  /** Name of the wait of its run. */
  readonly wait: string | undefined;
  readonly simulated: boolean;
  /** All times ISO-8601 UTC. */
  readonly createdAt: string;
  readonly routedAt: string | undefined;
  readonly completedAt: string | undefined;
}

/** Whether nothing more happens to it. */
export function isOver(status: ActionStatus): boolean {
  return ['accepted', 'completed', 'failed', 'timeout'].includes(status);
}

/** The action as results and answers show it (domain reference §5.5, §9.2). */
export function showRecord(record: ActionRecord): JsonObject {
  const { target, type, entityId, entityType, data, metadata, caller, routedPlane } = record;
  const { createdAt, completedAt } = record;
  return {
    id: record.id,
    action_id: record.id,
    status: record.status,
    status_message: record.statusMessage ?? null,
    success: record.status === 'completed' || record.status === 'accepted',
    target_system: target,
    action_type: type,
    payload: {
      target_system: target,
      action_type: type,
      entity_id: entityId ?? null,
      entity_type: entityType ?? null,
      data,
      metadata,
    },
    fabric_preset: record.preset,
    primary_plane_id: record.primaryPlaneId,
    Primary_Plane_ID: record.primaryPlaneId,
    routed_plane_id: routedPlane === undefined ? null : planeIdOf(routedPlane, caller.tenantId),
    execution_path: record.executionPath ?? null,
    fallback_from: [...record.fallbackFrom],
    attempts: record.attempts,
    agent_id: record.agentId === '' ? null : record.agentId,
    tenant_id: caller.tenantId,
    correlation_id: record.correlationId,
    run_id: record.runId,
    task_id: record.taskId ?? null,
    waiting_for: record.status === 'unknown' ? 'unknown_outcome' : record.status === 'waiting' ? 'plane' : null,
    simulation: record.simulated,
    created_at: createdAt,
    routed_at: record.routedAt ?? null,
    completed_at: completedAt ?? null,
    duration_ms: completedAt === undefined ? null : Date.parse(completedAt) - Date.parse(createdAt),
    result: record.result ?? null,
    error: record.error ?? null,
  };
}
