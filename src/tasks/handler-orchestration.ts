/** `orchestration`: the payload, a body as the orchestration API takes it, becomes a run of its own that the task waits for. */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { ChildWork, RunScope } from '../engine/engine.ts';
import type { Governor } from '../governance/governor.ts';
import { refusalOf } from '../governance/verdict.ts';
import type { Run } from '../runs/run.ts';
import type { TaskHandler } from './task-handler.ts';

/** What an orchestration is started with: its checked request, and the definition it is pinned to. */
export type PreparedOrchestration = Pick<ChildWork, 'request' | 'definition'>;

/**
 * Checks a submission as the gate does, and pins its definition.
 * @throws AosError invalid_request
 */
export type PrepareOrchestration = (body: JsonObject, run: Run) => Promise<PreparedOrchestration>;

export function createOrchestrationHandler(prepare: PrepareOrchestration, governor: Governor): TaskHandler {
  return async ({ payload }, { scope }) => {
    const { orchestration_id: _, ...asked } = payload;
    const body = await permitted(governor, scope, asked);
    // Stored: what it is pinned to must not change when the task is taken up again.
    const prepared = await scope.step(PREPARED, async () => {
      const { request, definition } = await prepare(body, scope.run);
      return definition === undefined ? { request } : { request, definition };
    });
    const child = await scope.child('orchestration', { kind: 'orchestration', ...prepared });
    if (child.status !== 'completed') throw failureOf(child);
    const summary = child.result?.['summary'] ?? null;
    return { orchestration_id: child.id, status: child.status, summary };
  };
}

const PREPARED = 'orchestration/prepared';

/** What may be run of it, once whoever has to agree has. @throws AosError what governance refuses it with */
async function permitted(governor: Governor, scope: RunScope, body: JsonObject): Promise<JsonObject> {
  const name = 'orchestration/submit';
  const what = { kind: 'run', type: 'submit', target: null, actionClass: 'orchestration', effect: 'write' } as const;
  const hasBegun = scope.isSettled(PREPARED);
  const verdict = await governor.allow(scope, { name, what, agentId: null, args: body, hasBegun });
  if (verdict.kind !== 'allow') throw refusalOf(verdict);
  return verdict.args;
}

/** How the orchestration's end ends the task: what may pass is tried again, as another orchestration. */
function failureOf({ id, status, error, cancelReason }: Run): AosError {
  if (status === 'cancelled') {
    return new AosError('cancelled', `the orchestration ${id} was cancelled: ${cancelReason ?? 'no reason was given'}`);
  }
  const { code, message } = error ?? { code: 'internal_error', message: `it ended as ${status}` };
  return new AosError(code, `the orchestration ${id} ${status === 'timed_out' ? 'timed out' : 'failed'}: ${message}`);
}
