/**
 * What a handler's failure becomes on the wire (protocol §6, §9): the caller learns a code and whose fault it was,
 * never the exception's text. The one exception is a failure tagged as the platform's, whose detail the platform asked for.
 */
import { AosError, errorBody } from '../core/errors.ts';

/** Thrown by an invoke handler: the feature does not exist yet. Answered with 501 and this message. */
export class NotImplementedError extends Error {
  override readonly name = 'NotImplementedError';
}

export type ErrorSource = 'user' | 'platform' | 'upstream';

const platformErrors = new WeakSet<object>();

/**
 * Tags an error as the platform's fault rather than the agent's: the response then carries
 * `x-platform-error-source: platform` and the error's type and message in `x-platform-error-detail`.
 * @returns the same error, to be thrown
 */
export function platformError<Failure extends Error>(failure: Failure): Failure {
  platformErrors.add(failure);
  return failure;
}

export interface FailureAnswer {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly response: Response;
}

/**
 * @param mayBeUnimplemented whether `NotImplementedError` means 501 here (POST only)
 */
export function answerFailure(failure: Error, mayBeUnimplemented: boolean): FailureAnswer {
  if (failure instanceof NotImplementedError && mayBeUnimplemented) {
    return answerError(501, 'not_implemented', failure.message, 'upstream');
  }
  // Our own catalogue's messages are written for callers; everything else stays inside.
  if (failure instanceof AosError && failure.code !== 'internal_error') {
    return answerError(failure.status, failure.code, failure.message, failure.status < 500 ? 'user' : 'upstream', {
      failure,
    });
  }
  if (platformErrors.has(failure)) {
    return answerError(500, 'internal_error', 'Internal server error', 'platform', { detail: errorDetail(failure) });
  }
  return answerError(500, 'internal_error', 'Internal server error', 'upstream');
}

/** An error response of a protocol endpoint. */
export function answerError(
  status: number,
  code: string,
  message: string,
  source: ErrorSource,
  extra: { readonly detail?: string; readonly failure?: AosError } = {},
): FailureAnswer {
  const headers: Record<string, string> = { 'content-type': 'application/json', 'x-platform-error-source': source };
  if (extra.detail !== undefined) headers['x-platform-error-detail'] = extra.detail;
  if (extra.failure?.challenge !== undefined) headers['www-authenticate'] = extra.failure.challenge;
  const retryAfterMs = extra.failure?.retryAfterMs;
  if (retryAfterMs !== undefined) headers['retry-after'] = String(Math.ceil(retryAfterMs / 1000));
  const body = errorBody(code, message, extra.failure?.details);
  return { status, code, message, response: new Response(body, { status, headers }) };
}

const MAX_DETAIL_LENGTH = 2048;
const TRUNCATED = '...[truncated]';

/**
 * `<type>: <message>` as a header value of at most 2048 characters: control characters become blanks and characters
 * outside Latin-1 become `?` before it is cut, so that the cut cannot split one (protocol §7).
 */
export function errorDetail(failure: Error): string {
  const text = `${failure.name}: ${failure.message}`.replace(/\p{Cc}/gu, ' ').replace(/[^\x20-\xff]/gu, '?');
  return text.length <= MAX_DETAIL_LENGTH ? text : text.slice(0, MAX_DETAIL_LENGTH - TRUNCATED.length) + TRUNCATED;
}
