/**
 * One HTTP request of a plane and what its answer means. Everything goes through the guarded fetch, nothing is repeated
 * and no redirect is followed: a plane that moved is a plane to be configured anew.
 */
import { AosError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { HttpMethod } from './binding.ts';
import { type ConnectorCall, ConnectorError, type ConnectorParts, type Fault } from './connector.ts';

/** What is read of an answer. */
const MAX_ANSWER_BYTES = 1024 * 1024;

export interface PlaneRequest {
  readonly method: HttpMethod;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The exact bytes that are sent, and that a signature was made over. */
  readonly body?: string;
}

export interface PlaneAnswer {
  readonly status: number;
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  /** The body when it is JSON, its text when it is not, undefined when there is none. */
  readonly data: JsonValue | undefined;
}

/**
 * Sends a request once.
 * @throws ConnectorError `not_sent` or `ambiguous`; the signal's reason when aborted before it was sent
 */
export async function exchange(
  { fetch, clock }: Pick<ConnectorParts, 'fetch' | 'clock'>,
  request: PlaneRequest,
  call: Pick<ConnectorCall, 'deadline' | 'signal'>,
): Promise<PlaneAnswer> {
  const timeoutMs = call.deadline - clock.now();
  if (timeoutMs <= 0) throw new ConnectorError('not_sent', 'there is no time left to call the plane');
  let sent = false;
  try {
    const { status, headers, body } = await fetch(
      {
        method: request.method,
        url: request.url,
        headers: request.headers,
        ...(request.body !== undefined && { body: request.body }),
        timeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
        onSending: () => {
          sent = true;
        },
      },
      call.signal,
    );
    return { status, headers, data: dataOf(new TextDecoder().decode(body)) };
  } catch (thrown) {
    if (sent) {
      throw new ConnectorError('ambiguous', 'the plane was called and its answer did not come', {
        vendorCode: codeOf(thrown),
        cause: thrown,
      });
    }
    if (call.signal.aborted) throw call.signal.reason;
    // The guard's refusals are about our configuration: no later attempt fares better.
    const refused = thrown instanceof AosError && thrown.reason === 'EGRESS_REFUSED';
    throw new ConnectorError(
      refused ? 'invalid' : 'not_sent',
      refused ? `the plane's address is refused: ${thrown.message}` : 'the plane cannot be reached',
      { vendorCode: codeOf(thrown), cause: thrown },
    );
  }
}

/**
 * What an answer that is no success means.
 * @param answeredByPlane whether the plane itself gave it, so that nobody behind it has seen the request
 */
export function faultOf(
  { status, headers }: PlaneAnswer,
  now: number,
  { answeredByPlane = false, code }: { readonly answeredByPlane?: boolean; readonly code?: string | undefined } = {},
): ConnectorError {
  const fault = faultOfStatus(status, answeredByPlane);
  const vendorCode = code === undefined ? `HTTP ${status}` : `HTTP ${status} ${code}`;
  const retryAfterMs = retryAfter(headers['retry-after'], now);
  return new ConnectorError(fault, `${sentences[fault]} (${vendorCode})`, { vendorCode, retryAfterMs });
}

const sentences: Readonly<Record<Fault, string>> = {
  not_sent: 'the plane cannot be reached',
  rejected: 'the target refused the action',
  throttled: 'the plane takes no more for now',
  unavailable: 'the plane cannot work now',
  ambiguous: 'it is not known whether the action was done',
  auth: 'the plane does not accept who we say we are',
  invalid: 'the plane does not take the action as it is',
  too_large: 'the action is too large for the plane',
};

function faultOfStatus(status: number, answeredByPlane: boolean): Fault {
  switch (status) {
    case 401:
    case 403:
    case 407:
      return 'auth';
    case 413:
    case 414:
    case 431:
      return 'too_large';
    case 402:
    case 409:
    case 412:
    case 423:
      return 'rejected';
    case 425:
    case 429:
      return 'throttled';
    case 408:
      return 'ambiguous';
    case 501:
      return 'invalid';
  }
  if (status >= 500) return answeredByPlane ? 'unavailable' : 'ambiguous';
  return 'invalid';
}

/** `Retry-After` in milliseconds: seconds, or a date. */
export function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}(\.\d+)?$/.test(value.trim())) return Math.round(Number(value) * 1000);
  const at = Date.parse(value);
  return Number.isFinite(at) ? Math.max(0, at - now) : undefined;
}

export function succeeded({ status }: PlaneAnswer): boolean {
  return status >= 200 && status < 300;
}

/** The member a JSON pointer leads to, as text. */
export function textAt(data: JsonValue | undefined, pointer: string): string | undefined {
  let value: unknown = data;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}

function dataOf(text: string): JsonValue | undefined {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // A plane that took the action and answers nonsense has taken the action.
    return text.slice(0, 10_000);
  }
}

function codeOf(thrown: unknown): string {
  if (!(thrown instanceof AosError)) return 'failed';
  // The guard ends its sentence with the system's word in parentheses.
  return /\(([A-Z][A-Z0-9_]+)\)$/.exec(thrown.message)?.[1] ?? thrown.reason ?? thrown.code;
}
