/**
 * The one catalogue of failures that may leave the process. An entry says what happened to the caller (`status`),
 * whether the same call may be repeated (`retry`), and nothing about our insides: the text of an unexpected exception
 * goes to the log, never to a response. Codes are never reused for another meaning.
 */
import type { JsonObject, JsonValue } from './json.ts';

/** `later`: the same call may succeed unchanged; `never`: change the call first. */
export type Retry = 'later' | 'never';

export const catalogue = {
  invalid_request: { status: 400, retry: 'never' },
  unauthenticated: { status: 401, retry: 'never' },
  forbidden: { status: 403, retry: 'never' },
  not_found: { status: 404, retry: 'never' },
  method_not_allowed: { status: 405, retry: 'never' },
  conflict: { status: 409, retry: 'never' },
  payload_too_large: { status: 413, retry: 'never' },
  unsupported: { status: 422, retry: 'never' },
  unprocessable: { status: 422, retry: 'never' },
  limit_exceeded: { status: 422, retry: 'never' },
  handoff_refused: { status: 422, retry: 'never' },
  cancelled: { status: 409, retry: 'never' },
  /** Too often, or more at a time than the tenant may: `retryAfterMs` says when to come again. */
  rate_limited: { status: 429, retry: 'later' },
  internal_error: { status: 500, retry: 'later' },
  not_implemented: { status: 501, retry: 'never' },
  not_supported: { status: 501, retry: 'never' },
  model_failed: { status: 502, retry: 'later' },
  unreachable: { status: 502, retry: 'later' },
  unavailable: { status: 503, retry: 'later' },
  overloaded: { status: 503, retry: 'later' },
  shutting_down: { status: 503, retry: 'later' },
  timed_out: { status: 504, retry: 'later' },
} as const satisfies Record<string, { status: number; retry: Retry }>;

export type ErrorCode = keyof typeof catalogue;

/** One finding inside an error, e.g. one faulty field of a body. */
export interface ErrorDetail {
  code: string;
  message: string;
  [member: string]: JsonValue;
}

/** A failure whose message is written for the caller: what was expected, what came, where, and what to do. */
export class AosError extends Error {
  override readonly name = 'AosError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly retry: Retry;
  readonly details: readonly ErrorDetail[];
  /** A finer word than the code for programs, in capitals, e.g. `TASK_TERMINAL`. */
  readonly reason: string | undefined;
  /** Facts that belong beside the message, e.g. the status that stood in the way. */
  readonly facts: JsonObject;
  /** How long whoever refused asks to be left alone, in milliseconds; a hint for the pause before trying again. */
  readonly retryAfterMs: number | undefined;
  /** How to prove who one is (`WWW-Authenticate`), of refusals for want of it. */
  readonly challenge: string | undefined;

  /** @param options.retry overrides the catalogue where one code covers both, e.g. a model that is busy or refuses the key */
  constructor(
    code: ErrorCode,
    message: string,
    options: {
      details?: readonly ErrorDetail[];
      reason?: string;
      facts?: JsonObject;
      cause?: unknown;
      retry?: Retry;
      retryAfterMs?: number;
      challenge?: string;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = catalogue[code].status;
    this.retry = options.retry ?? catalogue[code].retry;
    this.details = options.details ?? [];
    this.reason = options.reason;
    this.facts = options.facts ?? {};
    this.retryAfterMs = options.retryAfterMs;
    this.challenge = options.challenge;
  }
}

/** Anything thrown, as an Error: non-errors are wrapped so that handlers need no second case. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`a non-error was thrown: ${String(thrown)}`);
}

/** The wire form of an error in the invocations protocol: code, message, then the optional members (protocol §9). */
export function errorBody(code: string, message: string, details: readonly ErrorDetail[] = []): string {
  return JSON.stringify({ error: details.length === 0 ? { code, message } : { code, message, details } });
}
