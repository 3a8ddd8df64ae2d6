/**
 * Requests a page or an API of the public internet for an agent, through the guard that every outgoing request to a
 * foreign address takes. Only text comes back, and not too much of it. Sending something needs an approval, because
 * what an agent knows leaves with it.
 */
import { z } from 'zod';
import { AosError } from '../../core/errors.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import type { GuardedFetch, GuardedResponse } from '../../egress/guarded-fetch.ts';
import type { Caller } from '../../runs/run.ts';
import type { Tool, ToolContext } from '../tool.ts';

const input = z.object({
  url: z.string().min(1).max(2000).describe('An absolute https URL.'),
  method: z.enum(['GET', 'HEAD', 'POST']).default('GET'),
  body: z.string().max(100_000).optional().describe('What a POST sends.'),
  content_type: z.string().max(100).optional().describe('Of the body; application/json when left out.'),
});
type Input = z.output<typeof input>;

const TIMEOUT_MS = 20_000;
const MAX_BYTES = 500_000;
const MAX_REDIRECTS = 5;
const TEXTUAL = /^(text\/[\w.+-]+|application\/(json|xml|javascript|yaml|x-ndjson|[\w.-]+\+(json|xml)))$/;

/**
 * Whether somebody's agents may reach the public internet: it is a direct call, past every plane.
 * @throws AosError forbidden (`DIRECT_FORBIDDEN`) when not
 */
export type PermitDirect = (asked: {
  readonly caller: Caller;
  readonly url: string;
  readonly simulation: boolean;
}) => Promise<void>;

export interface HttpFetchParts {
  readonly fetch: GuardedFetch;
  /** Everybody may when left out. */
  readonly permitDirect?: PermitDirect | undefined;
  /** Takes what simulated runs would have requested. */
  readonly record: GuardedFetch;
}

export function createHttpFetch({ fetch, permitDirect, record }: HttpFetchParts): Tool<Input> {
  return {
    name: 'http_fetch',
    version: '1',
    description: 'Requests a public web address and gives back its text. Use it when a URL is to be read.',
    input,
    effect: 'external',
    effectOf: ({ method }) => (method === 'POST' ? 'external' : 'read'),
    requiresApproval: ({ method }) => method === 'POST',
    // The request ends itself before that, with a better sentence.
    timeoutMs: TIMEOUT_MS + 5000,
    run: (asked, context) => request(fetch, asked, context),
    simulate: async (asked, context) => ({ ...(await request(record, asked, context)), simulated: true }),
  };

  async function request(through: GuardedFetch, asked: Input, context: ToolContext): Promise<JsonObject> {
    const { url, method, body, content_type = 'application/json' } = asked;
    const { signal, idempotencyKey, caller, sessionId, simulation } = context;
    if (method !== 'POST' && body !== undefined) {
      throw new AosError('invalid_request', `a ${method} has no body: leave it out or use POST`);
    }
    await permitDirect?.({ caller, url, simulation });
    const sending = method === 'POST' ? { 'content-type': content_type, 'idempotency-key': idempotencyKey } : {};
    const response = await through(
      {
        url,
        method,
        headers: { accept: 'text/*, application/json, */*;q=0.1', 'user-agent': 'aos-agent-server', ...sending },
        ...(body === undefined ? {} : { body }),
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_BYTES,
        maxRedirects: method === 'POST' ? 0 : MAX_REDIRECTS,
        about: { id: idempotencyKey, ...caller, kind: 'http_fetch', subject: sessionId },
      },
      signal,
    );
    const answer = { url: response.url, status: response.status, content_type: mediaTypeOf(response) };
    return method === 'HEAD' ? { ...answer, headers: { ...response.headers } } : { ...answer, ...contentOf(response) };
  }
}

/** @throws AosError unsupported for what is no text */
function contentOf(response: GuardedResponse): { text?: string; json?: JsonValue; truncated?: true } {
  const type = mediaTypeOf(response);
  if (response.body.length === 0) return { text: '' };
  if (!TEXTUAL.test(type)) {
    throw new AosError('unsupported', `${response.url} answered with ${type || 'an unnamed type'}; only text is read`);
  }
  const text = decoded(response);
  if (response.truncated) return { text, truncated: true };
  if (!type.includes('json')) return { text };
  try {
    return { json: JSON.parse(text) as JsonValue };
  } catch {
    return { text };
  }
}

function decoded({ headers, body }: GuardedResponse): string {
  const charset = /charset="?([\w.-]+)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset).decode(body);
  } catch {
    return new TextDecoder().decode(body);
  }
}

function mediaTypeOf({ headers }: GuardedResponse): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}
