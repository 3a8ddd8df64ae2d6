/**
 * What the protocol does around a handler (protocol §6): resolves the ids, binds the trace, runs the handler, turns what
 * it returns or throws into the response. The head's ids are added in `response-head.ts`.
 */
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { spanName } from '../telemetry/names.ts';
import { resolveInvocationId, resolveLookupSessionId, resolvePathId, resolveSessionId } from './call-identity.ts';
import { answerError, answerFailure } from './failure.ts';
import type { HostLog } from './host-log.ts';
import type { HttpCall, InvocationContext } from './http-call.ts';
import { sortResponse, superviseStream } from './response-stream.ts';
import { decodePath, type Endpoint, matchRoute, type Route } from './route.ts';
import { type createSpanStarter, failSpan } from './server-span.ts';
import { isEventStream, keepAlive } from './sse-keep-alive.ts';

/** Serves one request. The request's body is unread; the response may stream. */
export type InvocationHandler = (request: Request, context: InvocationContext) => Response | Promise<Response>;

/** A document, or what makes it; that is called once, when somebody first asks for it. */
export type DocumentSource = JsonObject | (() => JsonObject);

/** Whatever answers the paths the protocol does not own; a Hono app fits. */
export interface FetchApp {
  fetch(request: Request): Response | Promise<Response>;
}

export interface Handlers {
  invoke: InvocationHandler | undefined;
  get: InvocationHandler | undefined;
  cancel: InvocationHandler | undefined;
}

export interface EndpointOptions {
  readonly handlers: Handlers;
  readonly openapi: DocumentSource | undefined;
  readonly asyncapi: DocumentSource | undefined;
  readonly asyncapiYaml: string | undefined;
  readonly app: FetchApp | undefined;
  /** What `/readiness` says beside that it is healthy. */
  readonly readiness?: JsonObject | undefined;
  /** `FOUNDRY_AGENT_SESSION_ID`. */
  readonly environmentSessionId: string;
  /** 0 is off. */
  readonly sseKeepAliveMs: number;
  readonly clock: Clock;
  readonly log: HostLog;
  /** Undefined when spans are off. */
  readonly startSpan: ReturnType<typeof createSpanStarter> | undefined;
  /** Sends what telemetry has; called at the end of each call and never awaited by it. */
  readonly flushTelemetry: () => void;
}

/** Answers one request; never rejects. */
export type Endpoints = (request: Request, call: HttpCall) => Response | Promise<Response>;

export function createEndpoints(options: EndpointOptions): Endpoints {
  const { handlers, log, clock, environmentSessionId, sseKeepAliveMs, startSpan, flushTelemetry, app } = options;
  const readiness = JSON.stringify({ status: 'healthy', ...options.readiness });
  const openapi = documentText(options.openapi);
  const asyncapi = documentText(options.asyncapi);

  return (request, call) => {
    const route = matchRoute(call.incoming.method ?? 'GET', decodePath(call.path));
    if (route.kind === 'endpoint') return serve(route.endpoint, request, call);
    if (route.kind === 'unknown' && app !== undefined) return serveApp(app, request, call);
    return answerRoute(route, call);
  };

  function serve(endpoint: Endpoint, request: Request, call: HttpCall): Response | Promise<Response> {
    switch (endpoint.name) {
      case 'invoke':
        return invoke(request, call);
      case 'get':
        return lookUp(spanName.getInvocation, handlers.get, endpoint.pathId, request, call);
      case 'cancel':
        return lookUp(spanName.cancelInvocation, handlers.cancel, endpoint.pathId, request, call);
      case 'openapi':
        return document(openapi(), 'application/json', 'No OpenAPI spec registered');
      case 'asyncapi-json':
        return document(asyncapi(), 'application/json', 'No AsyncAPI spec registered');
      case 'asyncapi-yaml':
        return document(options.asyncapiYaml, 'application/yaml', 'No AsyncAPI spec registered');
      case 'readiness':
        return json(readiness);
    }
  }

  function invoke(request: Request, call: HttpCall): Response | Promise<Response> {
    call.invocationId = resolveInvocationId(call.incoming);
    call.sessionId = resolveSessionId(call.queryIfAny, environmentSessionId);
    call.startsInvocation = true;
    if (handlers.invoke === undefined) {
      const message = 'No invoke handler is registered: call onInvoke() before listen()';
      log.notImplemented(call.invocationId, new Error(message));
      return answerError(501, 'not_implemented', message, 'upstream').response;
    }
    enterServerSpan(spanName.invokeAgent, call);
    return handle(handlers.invoke, request, call, (failure) => {
      const answer = answerFailure(failure, true);
      if (answer.code === 'not_implemented') log.notImplemented(call.invocationId, failure);
      else if (answer.status >= 500) log.invocationFailed(call.invocationId, failure);
      return answer;
    });
  }

  function lookUp(
    operation: 'get_invocation' | 'cancel_invocation',
    handler: InvocationHandler | undefined,
    pathId: string,
    request: Request,
    call: HttpCall,
  ): Response | Promise<Response> {
    call.rawPathId = pathId;
    call.invocationId = resolvePathId(pathId);
    call.sessionId = resolveLookupSessionId(call.queryIfAny, environmentSessionId);
    if (handler === undefined) {
      return answerError(404, 'not_found', `${operation} not implemented`, 'upstream').response;
    }
    enterServerSpan(operation, call);
    return handle(handler, request, call, (failure) => {
      const answer = answerFailure(failure, false);
      if (answer.status >= 500) log.lookupFailed(operation, call.invocationId, failure);
      return answer;
    });
  }

  function enterServerSpan(operation: string, call: HttpCall): void {
    if (startSpan === undefined) return;
    const { invocationId, sessionId } = call;
    const requestId = call.incoming.headers['x-request-id'];
    const subject = { operation, responseId: invocationId, sessionId, invocationId };
    call.enterSpan(startSpan(typeof requestId === 'string' ? { ...subject, requestId } : subject, call.traceContext));
  }

  async function handle(
    handler: InvocationHandler,
    request: Request,
    call: HttpCall,
    answerTo: (failure: Error) => ReturnType<typeof answerFailure>,
  ): Promise<Response> {
    try {
      const response = checkResponse(await handler(request, call));
      let streams = false;
      const sorted = sortResponse(response, (body, head) => {
        streams = true;
        return supervise(head, body, call);
      });
      const ready = sorted instanceof Promise ? await sorted : sorted;
      if (!streams) endCall(call);
      return ready;
    } catch (thrown) {
      const failure = asError(thrown);
      if (call.failedByLeaving(failure)) {
        endCall(call);
        return answerFailure(failure, false).response;
      }
      const answer = answerTo(failure);
      if (call.span !== undefined && answer.status >= 500) failSpan(call.span, failure, answer.code);
      endCall(call);
      return answer.response;
    }
  }

  function supervise(response: Response, body: ReadableStream<unknown>, call: HttpCall): Response {
    const { status, statusText, headers } = response;
    if (call.incoming.method === 'HEAD') {
      // Nobody will read the body: waiting for its end, which may never come, would hold back the head.
      void body.cancel().catch(() => {});
      endCall(call);
      return new Response(null, { status, statusText, headers });
    }
    const commented = sseKeepAliveMs > 0 && call.startsInvocation && isEventStream(headers.get('content-type'));
    const stream = superviseStream(body, (chunks) => (commented ? keepAlive(chunks, sseKeepAliveMs, clock) : chunks), {
      ended: () => endCall(call),
      failed(failure) {
        // A source that fails because its reader has left is no fault of anybody.
        if (!call.isAbandoned) {
          log.invocationFailed(call.invocationId, failure);
          if (call.span !== undefined) failSpan(call.span, failure, 'internal_error');
        }
        endCall(call);
        call.cut();
      },
    });
    return new Response(stream, { status, statusText, headers });
  }

  function endCall(call: HttpCall): void {
    call.span?.end();
    flushTelemetry();
  }

  async function serveApp(app: FetchApp, request: Request, call: HttpCall): Promise<Response> {
    try {
      const response = checkResponse(await app.fetch(request));
      return await sortResponse(response, (body, head) => supervise(head, body, call));
    } catch (thrown) {
      const failure = asError(thrown);
      const answer = answerFailure(failure, false);
      if (answer.status >= 500) log.appFailed(call, failure);
      return answer.response;
    }
  }
}

/** The answers of the router itself: plain text, no error source (protocol §6.6–§6.8, decision D7). */
function answerRoute(route: Exclude<Route, { kind: 'endpoint' }>, call: HttpCall): Response {
  switch (route.kind) {
    case 'method-not-allowed':
      return text(405, 'Method Not Allowed', { allow: route.allow });
    case 'redirect': {
      // The Host header is the caller's own word, echoed and used for nothing else.
      const host = call.incoming.headersDistinct['host']?.[0] ?? 'localhost';
      const path = encodeURI(route.path).replace(/[?#]/g, encodeURIComponent);
      const location = `http://${host}${path}${call.search}`;
      return new Response(null, { status: 307, headers: { location, 'content-length': '0' } });
    }
    case 'unknown':
      return text(404, 'Not Found');
  }
}

function checkResponse(answer: unknown): Response {
  if (!isResponse(answer)) {
    throw new TypeError(
      `a handler must return a Response, but it returned ${answer === null ? 'null' : typeof answer}`,
    );
  }
  const { status } = answer;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`a handler's response must have a status from 200 to 599, but it has ${status}`);
  }
  return answer;
}

/** By its tag: `fetch` returns Node's own class, which is not the one the HTTP server has put in its place. */
function isResponse(answer: unknown): answer is Response {
  return Object.prototype.toString.call(answer) === '[object Response]';
}

function documentText(source: DocumentSource | undefined): () => string | undefined {
  let made: string | undefined;
  return () => {
    if (source === undefined) return undefined;
    made ??= JSON.stringify(typeof source === 'function' ? source() : source);
    return made;
  };
}

function document(content: string | undefined, contentType: string, missing: string): Response {
  if (content === undefined) return answerError(404, 'not_found', missing, 'upstream').response;
  return new Response(content, { headers: { 'content-type': contentType } });
}

function json(body: string): Response {
  return new Response(body, { headers: { 'content-type': 'application/json' } });
}

function text(status: number, body: string, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers } });
}
