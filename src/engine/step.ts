/**
 * One step of a run: attempts, the pause between them, the end of waiting when the run is to stop. This is the only
 * retry loop of the system. A failure comes back as a value, so that it is stored and replayed like a result.
 */
import { untilAborted } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { AosError, asError, type ErrorCode, type Retry } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Log, LogFields } from '../telemetry/log.ts';
import type { StepContext, StepRetry } from './engine.ts';

const DEFAULT_RETRY = { attempts: 4, firstPauseMs: 500 };
const PAUSE_GROWTH = 3;
const LONGEST_ASKED_PAUSE_MS = 60_000;

export type StepOutcome =
  | { readonly value: JsonValue }
  | {
      readonly error: {
        readonly code: ErrorCode;
        readonly message: string;
        readonly retry: Retry;
        readonly reason?: string;
        readonly facts?: JsonObject;
      };
    };

export interface StepParts {
  /** Idempotency key of the step. */
  readonly key: string;
  readonly retry?: StepRetry | undefined;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
  /** Which step this is, for the log. */
  readonly fields: LogFields;
}

/** Runs the body until it has a result, fails for good, has failed too often, or the signal fires. Never rejects. */
export async function attemptStep(
  body: (step: StepContext) => Promise<JsonValue>,
  { key, retry, signal, clock, log, fields }: StepParts,
): Promise<StepOutcome> {
  const { attempts, firstPauseMs } = { ...DEFAULT_RETRY, ...retry };
  for (let attempt = 1; ; attempt++) {
    try {
      const value = await untilAborted(body({ signal, attempt, idempotencyKey: key }), signal);
      // A body without a result has one all the same: nothing is null.
      return { value: value ?? null };
    } catch (thrown) {
      if (signal.aborted) return failure(signal.reason, log, fields);
      const later = thrown instanceof AosError && thrown.retry === 'later';
      if (!later || attempt >= attempts) return failure(thrown, log, fields);
      // Whoever refused may ask for a longer pause than ours, within reason.
      const asked = Math.min(thrown.retryAfterMs ?? 0, LONGEST_ASKED_PAUSE_MS);
      const pause = Math.max(pauseAfter(attempt, firstPauseMs), asked);
      log.warn('step failed and is tried again', {
        attempt,
        pause_ms: pause,
        code: thrown.code,
        reason: thrown.message,
      });
      try {
        await clock.sleep(pause, signal);
      } catch {
        return failure(signal.reason, log, fields);
      }
    }
  }
}

/** Milliseconds to wait after a failed attempt (1, 2, 3 …): by default 0.5 s, 1.5 s, 4.5 s. */
export function pauseAfter(attempt: number, firstPauseMs: number = DEFAULT_RETRY.firstPauseMs): number {
  return firstPauseMs * PAUSE_GROWTH ** (attempt - 1);
}

/** The result that a stored outcome stands for. @throws AosError when it stands for a failure */
export function unwrap(outcome: StepOutcome): JsonValue {
  if ('value' in outcome) return outcome.value;
  const { code, message, retry, reason, facts = {} } = outcome.error;
  throw new AosError(code, message, { retry, facts, ...(reason !== undefined && { reason }) });
}

function failure(thrown: unknown, log: Log, fields: LogFields): StepOutcome {
  const { code, message, retry, reason, facts } = callerError(thrown, log, fields);
  const more = { ...(reason !== undefined && { reason }), ...(Object.keys(facts).length > 0 && { facts }) };
  return { error: { code, message, retry, ...more } };
}

/** What may be told about anything thrown: an AosError as it is, everything else only to the log. */
export function callerError(thrown: unknown, log: Log, fields: LogFields): AosError {
  if (thrown instanceof AosError) return thrown;
  log.error('a run met an unexpected error', { ...fields, error: asError(thrown) });
  return new AosError('internal_error', 'An internal error occurred; the log has the details.');
}
