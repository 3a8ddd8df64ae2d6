/** What became of a program, as the end of its run. */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { RunFailure } from '../runs/run.ts';
import type { Ending } from './run-ledger.ts';

export function endingOf(result: JsonObject): Ending {
  return { status: 'completed', event: { key: 'run.completed', type: 'run.completed', data: { result } }, result };
}

export function failedEnding({ code, message }: AosError): Ending {
  const error: RunFailure = { code, message };
  return { status: 'failed', event: { key: 'run.failed', type: 'run.failed', data: { error } }, error };
}

export function cancelledEnding(reason: string): Ending {
  return { status: 'cancelled', event: { key: 'run.cancelled', type: 'run.cancelled', data: { reason } } };
}

/** @param reason of the signal that ended the run */
export function interruptedEnding(reason: unknown): Ending {
  const { code, message } = reason instanceof AosError ? reason : new AosError('cancelled', 'The run was cancelled.');
  if (code !== 'timed_out') return cancelledEnding(message);
  const error: RunFailure = { code, message };
  return { status: 'timed_out', event: { key: 'run.timed_out', type: 'run.timed_out', data: { error } }, error };
}
