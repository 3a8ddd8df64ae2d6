/** One attempt at bringing a message out, and what its answer means. It never repeats anything by itself. */
import type { Clock } from '../core/clock.ts';
import { AosError, type Retry } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { GuardedFetch } from './guarded-fetch.ts';
import { signatureHeaders } from './signature.ts';

/** Nobody reads what receivers say; some of it must be read for the connection's sake. */
const MAX_ANSWER_BYTES = 16_384;

/** Redirects are not followed: a receiver that has moved gives its new address. */
export type DeliveryFetch = GuardedFetch;

export interface DeliveryAttemptParts {
  readonly fetch: DeliveryFetch;
  readonly secret: string | undefined;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

export interface OutgoingMessage {
  readonly id: string;
  readonly tenant_id: string;
  readonly user_id: string;
  readonly kind: string;
  readonly subject: string;
  readonly url: string;
  readonly headers: JsonObject;
  readonly body: string;
}

export type DeliveryOutcome =
  | { readonly type: 'delivered'; readonly status: number }
  | {
      readonly type: 'failed';
      readonly retry: Retry;
      /** The HTTP status, if there was an answer. */
      readonly status: number | null;
      /** For people; of the failure's text only what is written for them. */
      readonly error: string;
      /** The receiver's wish: not again before so many milliseconds. */
      readonly notBeforeMs?: number;
    }
  /** Broken off because the process stops. */
  | { readonly type: 'stopped' };

export async function attemptDelivery(
  { fetch, secret, clock, timeoutMs }: DeliveryAttemptParts,
  { id, tenant_id: tenantId, user_id: userId, kind, subject, url, headers, body }: OutgoingMessage,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const timestamp = Math.floor(clock.now() / 1000);
  try {
    const response = await fetch(
      {
        url,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'user-agent': 'aos-agent-server',
          ...(headers as Record<string, string>),
          ...signatureHeaders(secret, { id, timestamp, body }),
        },
        body,
        timeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
        maxRedirects: 0,
        about: { id, tenantId, userId, kind, subject },
      },
      signal,
    );
    return judge(response.status, response.headers['retry-after'], clock.now());
  } catch (thrown) {
    if (signal.aborted) return { type: 'stopped' };
    if (!(thrown instanceof AosError)) throw thrown;
    return { type: 'failed', retry: thrown.retry, status: null, error: thrown.message };
  }
}

function judge(status: number, retryAfter: string | undefined, now: number): DeliveryOutcome {
  if (status >= 200 && status < 300) return { type: 'delivered', status };
  if (status === 410) return failed('never', status, 'the receiver wants no more messages (410 Gone)');
  if (status >= 300 && status < 400) {
    return failed('later', status, `the receiver answered with a redirect (${status}), which is not followed`);
  }
  // A refusal may be a mistake that is being mended there, so everything else is worth another attempt.
  const notBeforeMs = waitWish(retryAfter, now);
  const outcome = failed('later', status, `the receiver answered ${status}`);
  return notBeforeMs === undefined ? outcome : { ...outcome, notBeforeMs };
}

function failed(retry: Retry, status: number, error: string) {
  return { type: 'failed', retry, status, error } as const;
}

/** Milliseconds from now, of a `Retry-After` in seconds or as a date. */
function waitWish(retryAfter: string | undefined, now: number): number | undefined {
  if (retryAfter === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - now;
  return ms > 0 ? ms : undefined;
}
