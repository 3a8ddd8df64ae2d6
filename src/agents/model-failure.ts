/**
 * What a failed model call means to the caller: whether the same call may succeed later, and what to check when it may
 * not. Written for people; the provider's own words can hold keys, prompts and addresses and go to the log only.
 */
import { AosError, type Retry } from '../core/errors.ts';

/** How the model is called in messages, and where its settings are. */
export interface ModelLabel {
  /** e.g. `Azure OpenAI deployment "gpt-4o"` */
  readonly model: string;
  /** What to check when the provider does not accept who we are, e.g. `AZURE_OPENAI_API_KEY`. */
  readonly credential: string;
  /** What to check when the provider does not know what we ask for. */
  readonly address: string;
}

/** The longest piece of a provider's own words that is kept for the log. */
const CAUSE_LENGTH = 500;

/** Anything a provider's client threw, as the AosError the caller gets. */
export function modelFailure(label: ModelLabel, thrown: unknown): AosError {
  const own = aosErrorIn(thrown);
  if (own !== undefined) return own;
  const status = numberIn(thrown, 'statusCode');
  const code = providerCode(thrown);
  const [retry, sentence] = meaningOf(label, status, code);
  return failure(label, retry, sentence, thrown);
}

/** An answer that arrived but is not one. `finishReason` is the provider's. */
export function unusableAnswer(label: ModelLabel, finishReason: string, hasContent: boolean): AosError | undefined {
  if (finishReason === 'content-filter') {
    return failure(label, 'never', "was stopped by the provider's content filter: change the task or the filter");
  }
  if (finishReason === 'error' || finishReason === 'interrupted' || finishReason === 'none') {
    return failure(label, 'later', 'broke off in the middle of an answer');
  }
  if (hasContent) return undefined;
  return finishReason === 'length'
    ? failure(
        label,
        'never',
        'used up its output limit before the first word of the answer: raise the limit of the deployment',
      )
    : failure(label, 'later', 'answered with no text');
}

export function stalledCall(label: ModelLabel, seconds: number): AosError {
  return failure(label, 'later', `sent nothing for ${seconds} seconds; the call was given up`);
}

export function failure(label: ModelLabel, retry: Retry, sentence: string, thrown?: unknown): AosError {
  return new AosError('model_failed', `${label.model} ${sentence}`, {
    retry,
    ...(thrown === undefined ? {} : { cause: slimCause(thrown) }),
    ...retryHint(thrown),
  });
}

/** How long the provider asks to be left alone, by any of the headers they say it in. */
function retryHint(thrown: unknown): { retryAfterMs?: number } {
  const headers = memberOf(thrown, 'responseHeaders');
  const given = (name: string) => {
    const value = memberOf(headers, name);
    return typeof value === 'string' ? value : '';
  };
  const after = given('retry-after');
  const ms = [
    /^\d+(\.\d+)?$/.test(given('retry-after-ms')) ? Number(given('retry-after-ms')) : Number.NaN,
    /^\d+(\.\d+)?$/.test(after) ? Number(after) * 1000 : Number.NaN,
    // A time of day is the provider's: it is counted from what its own clock says.
    Date.parse(after) - Date.parse(given('date')),
  ].find((value) => value >= 0);
  return ms === undefined ? {} : { retryAfterMs: Math.ceil(ms) };
}

function meaningOf(label: ModelLabel, status: number | undefined, code: string | undefined): [Retry, string] {
  if (code === 'content_filter') {
    return ['never', "refused the request by the provider's content filter: change the task or the filter"];
  }
  if (code === 'context_length_exceeded')
    return ['never', 'cannot take a request this long: shorten the task or the context'];
  if (code === 'insufficient_quota')
    return ['never', `has no quota left: check the plan and billing of ${label.credential}`];
  switch (status) {
    case undefined:
      return ['later', `cannot be reached: check ${label.address} and the network`];
    case 400:
    case 422:
      return [
        'never',
        `refused the request as invalid (HTTP ${status}): check ${label.address}; the model must be a chat model`,
      ];
    case 401:
      return ['never', `did not accept the credentials (HTTP 401): check ${label.credential}`];
    case 403:
      return [
        'never',
        `denied access (HTTP 403): check the rights of ${label.credential} and the network rules of the resource`,
      ];
    case 404:
      return ['never', `was not found (HTTP 404): check ${label.address}`];
    case 429:
      return ['later', 'is busy (HTTP 429, rate limit)'];
    default:
      // 200 is a response that broke off or could not be read; 408, 409 and 5xx pass by themselves.
      return status < 400 || status === 408 || status === 409 || status >= 500
        ? ['later', status < 400 ? 'broke off in the middle of an answer' : `failed (HTTP ${status})`]
        : ['never', `refused the request (HTTP ${status}): check ${label.address}`];
  }
}

/** An AosError thrown below the provider's client (the sign-in, the stall guard) means what it says. */
function aosErrorIn(thrown: unknown): AosError | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if (error instanceof AosError) return error;
  }
  return undefined;
}

/** The provider's own code for the failure, of an error answer or an error inside a stream. */
function providerCode(thrown: unknown): string | undefined {
  const data = memberOf(thrown, 'data');
  for (const holder of [memberOf(data, 'error'), data, thrown]) {
    const code = memberOf(holder, 'code');
    if (typeof code === 'string') return code;
  }
  return undefined;
}

function memberOf(value: unknown, member: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[member] : undefined;
}

function numberIn(value: unknown, member: string): number | undefined {
  const found = memberOf(value, member);
  return typeof found === 'number' ? found : undefined;
}

/** Enough to find the fault; not the request (prompts), the response or its headers, which the thrown object carries. */
function slimCause(thrown: unknown): Error {
  const message = memberOf(thrown, 'message');
  const status = numberIn(thrown, 'statusCode');
  return new Error(
    `${status === undefined ? '' : `HTTP ${status}: `}${String(message ?? thrown).slice(0, CAUSE_LENGTH)}`,
  );
}
