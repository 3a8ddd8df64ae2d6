/**
 * How this door says that something went wrong. The seed systems' clients know two families, told apart by the member
 * that holds the sentence: `error` under `/api`, `detail` under `/api/v1`. Beside it stand a word for programs, the
 * trace, and the facts of the failure. The text of an unexpected exception never leaves the process.
 */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { ErrorFamily } from '../operations/operation.ts';

/** The body was no JSON object: 400 in every family, where other faults of the input are 422 in `detail`. */
export const MALFORMED_BODY = 'MALFORMED_BODY';
/** What else is 400 in every family: the request is well formed, its time has only passed. */
const BAD_REQUESTS: readonly (string | undefined)[] = [MALFORMED_BODY, 'RUN_AT_PAST'];

export interface FailureAnswer {
  readonly status: number;
  readonly body: JsonObject;
  readonly headers: Readonly<Record<string, string>>;
}

export function answerFailure(failure: Error, family: ErrorFamily, traceId: string): FailureAnswer {
  const known = failure instanceof AosError && failure.code !== 'internal_error' ? failure : undefined;
  const status = known === undefined ? 500 : statusOf(known, family);
  return {
    status,
    body: {
      ...known?.facts,
      [family === 'flat' ? 'error' : 'detail']: known?.message ?? 'Internal server error',
      code: known?.reason ?? (known?.code ?? 'internal_error').toUpperCase(),
      trace_id: traceId,
      details: [...(known?.details ?? [])],
    },
    headers: {
      ...retryHeaders(status, known?.retryAfterMs),
      ...(known?.challenge !== undefined && { 'www-authenticate': known.challenge }),
    },
  };
}

/** When to come again, in whole seconds: what whoever refused said, and soon when the server has too much to do. */
function retryHeaders(status: number, retryAfterMs: number | undefined): Record<string, string> {
  if (status !== 503 && status !== 429) return {};
  return { 'retry-after': String(Math.ceil((retryAfterMs ?? 1000) / 1000)) };
}

function statusOf(failure: AosError, family: ErrorFamily): number {
  if (family === 'detail' && failure.code === 'invalid_request' && !BAD_REQUESTS.includes(failure.reason)) return 422;
  return failure.status;
}

/** The family of a path that no operation owns. */
export function familyOf(path: string): ErrorFamily {
  return /^\/api\/v\d/.test(path) ? 'detail' : 'flat';
}
