/**
 * Answers of the invocations door to callers who ask no oftener than they may. A refusal is the protocol's own kind of
 * error; how often somebody may still ask stands beside every answer.
 */
import { AosError, errorBody } from '../core/errors.ts';
import { type Asked, type RateLimiter, rateHeaders } from '../governance/limits/rate-limiter.ts';
import type { Caller } from '../runs/run.ts';

/** Counts the call, once it is known whose it is. @throws AosError rate_limited */
export type Limit = (caller: Caller) => Promise<void>;

/** @param answer calls `limit` before it does anything for the caller */
export async function answerWithin(
  rates: Pick<RateLimiter, 'take'> | undefined,
  asked: Omit<Asked, 'caller'>,
  answer: (limit: Limit) => Promise<Response>,
): Promise<Response> {
  let headers: Record<string, string> = {};
  let refusal: AosError | undefined;
  const limit: Limit = async (caller) => {
    const state = await rates?.take({ ...asked, caller });
    if (state === undefined) return;
    headers = rateHeaders(state);
    refusal = state.refusal;
    if (refusal !== undefined) throw refusal;
  };
  try {
    const response = await answer(limit);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  } catch (thrown) {
    if (refusal === undefined || thrown !== refusal) throw thrown;
    return refuse(refusal, headers);
  }
}

function refuse(refusal: AosError, headers: Record<string, string>): Response {
  const { code, message, details, status } = withFacts(refusal);
  return new Response(errorBody(code, message, details), {
    status,
    headers: { 'content-type': 'application/json', 'x-platform-error-source': 'user', ...headers },
  });
}

/** The protocol's error has no room for facts but its details. */
export function withFacts(refusal: AosError): AosError {
  const { code, message, facts, reason = 'RATE_LIMITED', retryAfterMs = 0 } = refusal;
  const retryAfter = Math.ceil(retryAfterMs / 1000);
  const detail = { ...facts, code: reason, message, retry_after_seconds: retryAfter };
  return new AosError(code, message, { details: [detail], facts, retryAfterMs });
}
