/**
 * One call of the REST door: who asks and in which trace, what is asked, the operation's answer or why there is none.
 * Every answer is JSON, also one with nothing to say: the seed systems' clients insist on it. Lines of JSON only for
 * those who ask for them.
 */
import { context } from '@opentelemetry/api';
import { currentCall } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { type RateLimiter, rateHeaders } from '../governance/limits/rate-limiter.ts';
import { askedRepresentation } from '../host/accept.ts';
import type { Need } from '../identity/access.ts';
import type { Entrance } from '../identity/entrance.ts';
import { watchExpiry } from '../identity/expiry.ts';
import type { Principal } from '../identity/principal.ts';
import {
  type ErrorFamily,
  needOf,
  type Operation,
  type OperationContext,
  type RestRoute,
} from '../operations/operation.ts';
import type { Log } from '../telemetry/log.ts';
import { presentedBy } from './caller.ts';
import { streamItems, untilExpired } from './event-stream.ts';
import { answerFailure } from './failure.ts';
import type { Idempotency, KeptAnswer } from './idempotency.ts';
import { type RequestInput, readInput } from './input.ts';
import { type ApiRoute, allowedMethods, methodFault } from './route-table.ts';
import { traceOf } from './trace.ts';

export interface ApiDoorParts {
  readonly entrance: Entrance;
  readonly idempotency: Idempotency;
  /** How often somebody may ask; as often as they like when left out. */
  readonly rates?: Pick<RateLimiter, 'take'> | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Fires when the server begins to stop: who waits or follows is let go. */
  readonly stopping: AbortSignal;
}

export interface ApiDoor {
  /** Answers a request to `route`; `path` holds the members of its template, decoded. Never rejects. */
  answer(route: ApiRoute, request: Request, path: Readonly<Record<string, string>>): Promise<Response>;
  /**
   * Lets in whoever asks for something that is no operation.
   * @throws AosError what the entrance refuses with
   */
  enter(request: Request, need: Need): Promise<Principal>;
  /** The answer to a request that could not even be routed. */
  refuse(failure: Error, family: ErrorFamily, request: Request, headers?: Record<string, string>): Response;
}

export function createApiDoor({ entrance, idempotency, rates, clock, log, stopping }: ApiDoorParts): ApiDoor {
  function refuse(failure: Error, family: ErrorFamily, request: Request, more: Record<string, string> = {}): Response {
    const traceId = traceOf(request.headers).id;
    const { status, body, headers } = answerFailure(failure, family, traceId);
    if (status === 500)
      log.error('an API call failed', { method: request.method, path: pathOf(request), error: failure });
    return json(JSON.stringify(body), status, { ...headers, ...more, 'x-trace-id': traceId });
  }

  async function perform(
    operation: Operation,
    route: ApiRoute,
    request: Request,
    path: Record<string, string>,
    told: Record<string, string>,
  ) {
    const trace = traceOf(request.headers);
    const { rest } = operation.spec;
    const streams = operation.stream !== undefined && wantsStream(rest, request);
    const principal = await entrance.enter(presentedBy(request, { byQuery: streams }), needOf(operation.spec));
    const { caller } = principal;
    if (rates !== undefined && rest.unlimited !== true) {
      const state = await rates.take({ caller, method: request.method, route: route.template });
      Object.assign(told, rateHeaders(state));
      if (state.refusal !== undefined) throw state.refusal;
    }
    const read = await readInput(operation.spec, request, path);
    const leaving = new AbortController();
    const signal = AbortSignal.any([request.signal, stopping, leaving.signal]);
    const call: OperationContext = { caller, principal, signal, callId: currentCall()?.callId ?? '' };
    const headers = { 'x-trace-id': trace.id };

    if (streams) {
      const input = resumed(read.input, rest, request.headers);
      const expiry = watchExpiry(principal, clock);
      const whileProved = { ...call, signal: AbortSignal.any([signal, expiry.signal]) };
      const items = await context.with(trace.context, () => operation.stream?.(input, whileProved));
      if (items !== undefined) {
        const response = streamItems(untilExpired(items, expiry), clock, () => leaving.abort());
        response.headers.set('x-trace-id', trace.id);
        return response;
      }
    }
    if (rest.lines !== undefined && wantsLines(request)) {
      const output = await context.with(trace.context, () => operation.perform(read.input, call));
      const { lines, headers: more } = rest.lines(output);
      const type = { 'content-type': LINES };
      return new Response(lines.map((line) => `${line}\n`).join(''), { headers: { ...type, ...headers, ...more } });
    }
    const work = () =>
      context.with(trace.context, async () => answerOf(rest, await operation.perform(read.input, call), read));
    const key = request.method === 'POST' ? request.headers.get('idempotency-key') : null;
    if (key === null) return respond(await work(), headers);
    const keyed = { caller, key, route: `POST ${route.template}`, request: `${pathOf(request)}\n${read.body}` };
    const { replayed, ...answer } = await idempotency.once(keyed, work);
    return respond(answer, replayed ? { ...headers, 'x-idempotent-replay': 'true' } : headers);
  }

  return {
    refuse,
    enter: (request, need) => entrance.enter(presentedBy(request), need),
    async answer(route, request, path) {
      const operation = route.operations.get(request.method === 'HEAD' ? 'GET' : request.method);
      if (operation === undefined) {
        const [some] = route.operations.values();
        const family = some?.spec.rest.family ?? 'flat';
        return refuse(methodFault(route, request.method), family, request, { allow: allowedMethods(route) });
      }
      // How often the caller may still ask stands on every answer, whatever it is.
      const told: Record<string, string> = {};
      try {
        const response = await perform(operation, route, request, path, told);
        for (const [name, value] of Object.entries(told)) response.headers.set(name, value);
        return response;
      } catch (thrown) {
        return refuse(asError(thrown), operation.spec.rest.family, request, told);
      }
    },
  };
}

const LINES = 'application/x-ndjson';

/** Without the query, which may hold what belongs into no log. */
function pathOf({ url }: Request): string {
  return new URL(url).pathname;
}

function wantsLines({ headers }: Request): boolean {
  return headers.get('accept')?.includes(LINES) ?? false;
}

function wantsStream({ stream }: RestRoute, request: Request): boolean {
  if (stream === undefined || request.method === 'HEAD') return false;
  const format = new URLSearchParams(request.url.split('?')[1]).get('format');
  if (format === 'json') return false;
  return (askedRepresentation(request.headers.get('accept')) ?? stream.unasked) === 'stream';
}

/** A browser that reconnects names the last event it has in a header; the query wins. */
function resumed(input: JsonObject, { stream }: RestRoute, headers: Headers): JsonObject {
  const last = headers.get('last-event-id') ?? headers.get('x-client-last-event-id');
  if (stream === undefined || last === null || last === '' || input[stream.resume] !== undefined) return input;
  return { ...input, [stream.resume]: last };
}

function answerOf(rest: RestRoute, output: JsonObject, { unknown }: RequestInput): KeptAnswer {
  const status = rest.statusOf?.(output) ?? rest.status;
  const location = rest.location?.(output) ?? null;
  if (status === 204) return { status, location, body: '' };
  const warnings = unknown.map((name) => `unknown field "${name.slice(0, 100)}" was left out`);
  const warned = rest.family === 'detail' && warnings.length > 0 ? { ...output, warnings } : output;
  return { status, location, body: JSON.stringify(warned) };
}

function respond({ status, location, body }: KeptAnswer, headers: Record<string, string>): Response {
  const more = location === null ? headers : { ...headers, location };
  return status === 204 ? new Response(null, { status, headers: more }) : json(body, status, more);
}

function json(body: string, status: number, headers: Record<string, string>): Response {
  return new Response(body, { status, headers: { 'content-type': 'application/json', ...headers } });
}
