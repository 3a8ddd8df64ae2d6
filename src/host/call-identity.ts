/**
 * Who is calling, and under which ids: the pure rules of protocol §7 and §8. An id that breaks the rules is replaced,
 * never rejected.
 */
import type { IncomingMessage } from 'node:http';
import { isProtocolId, newHexUuid, newUuid } from '../core/ids.ts';
import { traceIdOf } from '../telemetry/tracing.ts';

/** What the rules read of a request; Node's `IncomingMessage` fits. */
export type RequestHead = Pick<IncomingMessage, 'headers' | 'rawHeaders'>;

const MAX_REQUEST_ID_LENGTH = 256;

/**
 * The first value of a header sent more than once (Node joins them with commas, which no id survives).
 * @param name lower case
 */
export function firstHeader(request: RequestHead, name: string): string | undefined {
  const joined = request.headers[name];
  if (typeof joined !== 'string' || !joined.includes(',')) return Array.isArray(joined) ? joined[0] : joined;
  const { rawHeaders } = request;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) return rawHeaders[index + 1]?.trim();
  }
  return joined;
}

/** The id of a new invocation: the caller's if it is valid, else a fresh UUID. */
export function resolveInvocationId(request: RequestHead): string {
  const asked = firstHeader(request, 'x-agent-invocation-id');
  return isProtocolId(asked) ? asked : newUuid();
}

/** The id in the path of GET and cancel: a fresh UUID stands in for one that could not be an id (decision D3). */
export function resolvePathId(pathId: string): string {
  return isProtocolId(pathId) ? pathId : newUuid();
}

/**
 * The session of a POST: query, else environment, else new. An invalid query value does not fall back to the
 * environment's: it gets a fresh UUID.
 */
export function resolveSessionId(query: URLSearchParams | undefined, environmentId: string): string {
  const candidate = sessionQuery(query) || environmentId;
  return isProtocolId(candidate) ? candidate : newUuid();
}

/** The session of GET and cancel: query, else environment, else empty; nothing is made up (decision D4). */
export function resolveLookupSessionId(query: URLSearchParams | undefined, environmentId: string): string {
  const candidate = sessionQuery(query) || environmentId;
  return isProtocolId(candidate) ? candidate : '';
}

function sessionQuery(query: URLSearchParams | undefined): string {
  return query?.getAll('agent_session_id').at(-1) ?? '';
}

/**
 * The value of `x-request-id` on the response: the trace id of the caller's trace, else the caller's own request id,
 * else `ownTraceId` (of a span we started), else a new one.
 */
export function resolveRequestId(request: RequestHead, ownTraceId?: string): string {
  const traceId = traceIdOf(firstHeader(request, 'traceparent'));
  if (traceId !== undefined && isSafeHeaderText(traceId)) return traceId;
  const asked = firstHeader(request, 'x-request-id');
  if (asked && asked.length <= MAX_REQUEST_ID_LENGTH && isSafeHeaderText(asked)) return asked;
  return ownTraceId ?? newHexUuid();
}

/** Whether Node would write this value into a response header as it is. */
export function isSafeHeaderText(value: string): boolean {
  return !/[^\t\x20-\x7e\x80-\xff]/.test(value);
}

/** The caller's pass-through headers: lower-cased name → value. */
export function clientHeaders(request: RequestHead): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of Object.keys(request.headers)) {
    if (name.startsWith('x-client-')) found[name] = firstHeader(request, name) ?? '';
  }
  return found;
}
