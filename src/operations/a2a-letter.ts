/** What this server writes to agents, in the words of the agent-to-agent protocol: acceptances, results, answers. */
import type { JsonObject } from '../core/json.ts';
import { type Delegation, durationOf } from '../delegation/delegation.ts';
import type { Compose } from '../delegation/delegation-log.ts';
import type { SentLetter } from '../delegation/mail.ts';
import { type ActionRecord, showRecord } from '../fabric/action-record.ts';
import type { ActionStore } from '../fabric/action-store.ts';
import type { Task } from '../tasks/task.ts';
import type { MessageType } from './a2a-protocol.ts';

export interface ComposeParts {
  readonly actions: Pick<ActionStore, 'load'>;
}

export function createCompose({ actions }: ComposeParts): Compose {
  return async (tidings) => {
    if (tidings.kind === 'executed') {
      const { request, task } = tidings;
      return { type: 'execute_response', payload: executed(request, task, await actions.load(task.id, task.caller)) };
    }
    const { kind, delegation } = tidings;
    const { id, status, failure } = delegation;
    const types = {
      accepted: 'delegate_accept',
      rejected: 'delegate_reject',
      ended: 'delegate_result',
      withdrawn: 'cancel',
    } as const satisfies Record<typeof kind, MessageType>;
    const base = { delegation_id: id, status };
    const payloads = {
      accepted: { ...base, task_id: delegation.taskId },
      rejected: { ...base, error: failure?.message ?? null, code: failure?.code ?? null },
      ended: resultOf(delegation),
      withdrawn: { ...base, reason: failure?.message ?? null },
    };
    return { type: types[kind], payload: payloads[kind] };
  };
}

function resultOf(delegation: Delegation): JsonObject {
  const { id, status, result, failure } = delegation;
  return {
    delegation_id: id,
    status,
    result,
    error: failure?.message ?? null,
    code: failure?.code ?? null,
    tokens_used: delegation.tokens,
    cost_usd: delegation.costUsd,
    steps_executed: delegation.steps,
    duration_ms: durationOf(delegation),
    output_context: delegation.outputContext,
    task_id: delegation.taskId,
    run_id: delegation.runId,
  };
}

/** The answer to `execute` (domain reference §4.1). */
function executed({ fabric }: SentLetter, task: Task, record: ActionRecord | undefined): JsonObject {
  const shown = record === undefined ? {} : showRecord(record);
  const { code = 'cancelled', message = task.statusMessage ?? 'the action was cancelled' } = task.lastError ?? {};
  const failed = task.status !== 'completed';
  return {
    action_id: task.id,
    status: failed && shown['success'] !== false ? task.status : (shown['status'] ?? task.status),
    fabric_preset: shown['fabric_preset'] ?? fabric['fabric_preset'] ?? null,
    primary_plane_id: shown['primary_plane_id'] ?? fabric['primary_plane_id'] ?? null,
    routed_plane_id: shown['routed_plane_id'] ?? null,
    execution_path: shown['execution_path'] ?? null,
    result: shown['result'] ?? null,
    error: shown['error'] ?? (failed ? { code: code.toUpperCase(), message } : null),
    completed_at: shown['completed_at'] ?? task.completedAt,
    fabric_context_enriched: fabric['auto_enriched'] === true,
  };
}
