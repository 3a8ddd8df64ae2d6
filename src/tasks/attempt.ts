/**
 * One attempt at a task: admits its run, has it executed here, and says what became of it. The run's id and request
 * follow from the task, so an attempt that is taken up again joins the run that exists and keeps its stored steps.
 */
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { isProtocolId } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Engine } from '../engine/engine.ts';
import { type Run, runKey } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Log } from '../telemetry/log.ts';
import type { AttemptEnding } from './attempt-outcome.ts';
import { attemptRunId, type Task } from './task.ts';
import { waitText } from './waiting.ts';

export interface AttemptParts {
  readonly runs: Pick<RunStore, 'admit' | 'steps'>;
  readonly engine: Pick<Engine, 'perform' | 'cancel'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the agents' model is the simulated one. */
  readonly simulated: boolean;
}

/** The step in which the program of an attempt says that its failure is no ordinary one of its code. */
export const RETRY_STEP = 'task/retry';

/** Whether the attempt begins: not when the task was cancelled, or when another pool has it now. */
export type Begun = 'yes' | 'cancelled' | 'lost';

/** How long a task that could not be executed now is left alone. */
const GIVE_BACK_MS = 1_000;

/**
 * @param begin says that the worker begins. Called when the run exists: a cancellation before it finds the task, one
 * after it the run
 * @returns what became of it; never rejects, and does not settle when the engine lets go of the run because the
 * process stops
 */
export async function executeAttempt(
  task: Task,
  parts: AttemptParts,
  begin: () => Promise<Begun>,
): Promise<AttemptEnding> {
  const { runs, engine, clock, log, simulated } = parts;
  const id = attemptRunId(task);
  try {
    await runs.admit({
      id,
      kind: 'task',
      sessionId: sessionOf(task),
      caller: task.caller,
      request: requestOf(task),
      simulated,
      simulation: task.submission.simulation,
      held: task.held,
      callId: task.callId,
      traceparent: task.traceparent ?? undefined,
      parentId: task.parentRunId ?? undefined,
      deadlineAt: isoTime(clock.now() + task.submission.timeout_seconds * 1000),
      actor: `task:${task.id}`,
    });
    const begun = await begin();
    if (begun === 'cancelled') await engine.cancel(id, 'The task was cancelled.', task.caller);
    if (begun !== 'yes') return { status: 'given_back', afterMs: 0 };
    return endingOf(await engine.perform(runKey(task.caller.tenantId, id)), runs);
  } catch (thrown) {
    if (thrown instanceof AosError && thrown.retry === 'never') return { status: 'failed', failure: thrown };
    const { tenantId } = task.caller;
    const reason = asError(thrown).message;
    log.warn('an attempt at a task could not be executed', { tenant_id: tenantId, task_id: task.id, reason });
    return { status: 'given_back', afterMs: GIVE_BACK_MS };
  }
}

/** What the program of the attempt works on. */
export function requestOf({ id, attempt, submission, held }: Task): JsonObject {
  const { task_type, payload, agent_id, target_system, action_type, metadata, simulation } = submission;
  const work = { task_id: id, attempt, task_type, payload, agent_id, target_system, action_type, metadata, simulation };
  // Whoever has to agree is asked for the whole of it.
  return held ? { ...work, submission } : work;
}

/** The session whose documents and conversation the task may use: the payload's, else one of its own. */
function sessionOf({ id, submission }: Task): string {
  const named = submission.payload['session_id'];
  return typeof named === 'string' && isProtocolId(named) ? named : id;
}

async function endingOf(run: Run, runs: AttemptParts['runs']): Promise<AttemptEnding> {
  switch (run.status) {
    case 'completed':
      return { status: 'completed', result: run.result ?? {} };
    case 'failed': {
      const { code, message } = run.error ?? { code: 'internal_error', message: 'The run failed without a reason.' };
      return { status: 'failed', failure: { code, message, retry: await retryOf(run, runs) } };
    }
    case 'timed_out':
      return {
        status: 'failed',
        failure: { code: 'timed_out', message: run.error?.message ?? 'The attempt took longer than it may.' },
      };
    case 'cancelled':
      return { status: 'cancelled', reason: run.cancelReason ?? 'The run of the task was cancelled.' };
    case 'waiting': {
      const reason = run.waitingFor ?? 'input';
      return { status: 'waiting', reason, message: waitText(reason) };
    }
    case 'queued':
    case 'running':
      // Another process has not let go of it yet.
      return { status: 'given_back', afterMs: GIVE_BACK_MS };
  }
}

async function retryOf(run: Run, runs: AttemptParts['runs']): Promise<'later' | 'never' | undefined> {
  const step = (await runs.steps(run)).find(({ name }) => name === RETRY_STEP);
  const said = step !== undefined && 'value' in step.outcome ? step.outcome.value : undefined;
  return said === 'later' || said === 'never' ? said : undefined;
}
