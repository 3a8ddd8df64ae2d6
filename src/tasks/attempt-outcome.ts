/** What the ending of an attempt makes of its task: which columns change, and which fact there is to tell. Pure. */
import type { JsonObject } from '../core/json.ts';
import type { WaitReason } from '../runs/run.ts';
import { type AttemptFailure, afterFailure, type RetryPace, retryDelayMs } from './retry.ts';
import type { Task } from './task.ts';
import type { TaskStatus } from './task-state.ts';
import type { TaskFact } from './task-store.ts';

/** What became of an attempt. */
export type AttemptEnding =
  | { readonly status: 'completed'; readonly result: JsonObject }
  | { readonly status: 'failed'; readonly failure: AttemptFailure }
  | { readonly status: 'cancelled'; readonly reason: string }
  /** The run waits; the task needs no worker until it is woken. */
  | { readonly status: 'waiting'; readonly reason: WaitReason; readonly message: string }
  /** The attempt was not executed, or not to its end: any worker may go on with it after the pause. */
  | { readonly status: 'given_back'; readonly afterMs: number };

export interface TaskChange {
  readonly status: TaskStatus;
  readonly status_message?: string | null;
  readonly result?: string;
  readonly last_error?: string;
  readonly waiting_for?: WaitReason;
  readonly completed_at?: Date;
  readonly due_at?: Date;
  readonly retry_count?: number;
  readonly attempt?: number;
  readonly held?: false;
}

export interface Outcome {
  readonly set: TaskChange;
  readonly fact?: TaskFact;
}

/** @param random from 0 to below 1 */
export function outcomeOf(
  task: Task,
  ending: AttemptEnding,
  { now, pace, random }: { now: Date; pace: RetryPace; random: number },
): Outcome {
  switch (ending.status) {
    case 'completed': {
      const result = JSON.stringify(ending.result);
      return { fact: 'task.completed', set: { status: 'completed', status_message: null, result, completed_at: now } };
    }
    case 'cancelled':
      return {
        fact: 'task.cancelled',
        set: { status: 'cancelled', status_message: ending.reason, completed_at: now },
      };
    case 'waiting': {
      const { reason, message } = ending;
      const status = reason === 'approval' ? 'awaiting_approval' : 'running';
      return { set: { status, status_message: message, waiting_for: reason } };
    }
    case 'given_back': {
      const { afterMs } = ending;
      return { set: { status: 'pending', ...(afterMs > 0 && { due_at: new Date(now.getTime() + afterMs) }) } };
    }
    case 'failed':
      return failureOutcome(task, ending.failure, { now, pace, random });
  }
}

function failureOutcome(
  task: Task,
  failure: AttemptFailure,
  { now, pace, random }: { now: Date; pace: RetryPace; random: number },
): Outcome {
  const { code, message } = failure;
  const { retryCount, attempt, submission } = task;
  const next = afterFailure(failure, { retryCount, maxRetries: submission.max_retries });
  const last_error = JSON.stringify({ code, message });
  if (next !== 'retrying') {
    const said = next === 'dead' ? `given up after ${retryCount + 1} attempts: ${message}` : message;
    return { fact: `task.${next}`, set: { status: next, last_error, status_message: said, completed_at: now } };
  }
  return {
    fact: 'task.retrying',
    set: {
      status: 'retrying',
      last_error,
      status_message: `attempt ${attempt} failed: ${message}`,
      retry_count: retryCount + 1,
      attempt: attempt + 1,
      // The attempt had begun, so they have agreed.
      ...(task.held && { held: false as const }),
      due_at: new Date(now.getTime() + retryDelayMs(retryCount + 1, pace, random)),
    },
  };
}
