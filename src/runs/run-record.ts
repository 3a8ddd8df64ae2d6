/**
 * A run as the table has it. Status, kind, reasons and error are written only from the types they are read back as.
 */
import type { Selectable } from 'kysely';
import type { RunTable } from '../store/tables/run.ts';
import type { Run, RunFailure, RunKind, RunStatus, WaitReason } from './run.ts';

export type RunRow = Selectable<RunTable>;

export function toRun(row: RunRow): Run {
  return {
    id: row.id,
    kind: row.kind as RunKind,
    sessionId: row.session_id,
    caller: { tenantId: row.tenant_id, userId: row.user_id },
    request: row.request,
    requestHash: row.request_hash,
    status: row.status as RunStatus,
    waitingFor: row.waiting_for as WaitReason | null,
    wakeAt: row.wake_at?.toISOString() ?? null,
    parentId: row.parent_id,
    rootId: row.root_id,
    depth: row.depth,
    definition: row.definition,
    forkOf: row.fork_of,
    actor: row.actor,
    priority: row.priority,
    result: row.result,
    error: row.error as RunFailure | null,
    cancelReason: row.cancel_reason,
    traceparent: row.traceparent,
    callId: row.call_id,
    simulated: row.simulated,
    simulation: row.simulation,
    held: row.held,
    createdAt: row.created_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    completedAt: row.completed_at?.toISOString() ?? null,
    deadlineAt: row.deadline_at?.toISOString() ?? null,
    lastEvent: row.last_event,
    lastHash: row.last_hash,
  };
}
