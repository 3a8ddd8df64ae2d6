/**
 * Every line the host itself writes, in one place (protocol §2.3, §2.5, §13.5). Secrets, paths of URLs and query
 * strings never appear.
 */
import type { Log } from '../telemetry/log.ts';
import { hostAttribute } from '../telemetry/names.ts';
import { traceIdOf } from '../telemetry/tracing.ts';
import { firstHeader } from './call-identity.ts';
import type { HttpCall } from './http-call.ts';
import type { HostSettings } from './settings.ts';

export interface SocketEnd {
  readonly sessionId: string;
  readonly code: number;
  readonly durationMs: number;
  /** `internal_error`, `cancelled` or `accept_failed`; absent when nothing went wrong. */
  readonly errorCode?: string;
}

export type HostLog = ReturnType<typeof createHostLog>;

/** @param requests takes the lines about single requests */
export function createHostLog(log: Log, requests: Log) {
  return {
    constructed(documents: { openapi: boolean; asyncapi: boolean }) {
      log.info(`Invocations protocol: openapi_spec_configured=${documents.openapi}`, {
        openapi_spec_configured: documents.openapi,
        asyncapi_spec_configured: documents.asyncapi,
      });
    },
    starting(hostname: string, port: number) {
      log.info(`Starting server on ${hostname}:${port}`);
    },
    started(hostname: string, port: number) {
      log.info(`Server started on ${hostname}:${port}`);
    },
    platform(settings: HostSettings, port: number) {
      const fields = {
        is_hosted: settings.isHosted,
        agent_name: orNotSet(settings.agentName),
        agent_version: orNotSet(settings.agentVersion),
        port,
        // Named apart from the `session_id` every record carries.
        default_session_id: orNotSet(settings.sessionId),
        sse_keepalive_interval: orDisabled(settings.sseKeepAliveMs),
        ws_ping_interval: orDisabled(settings.wsPingMs),
      };
      log.info(`Platform environment: ${inWords({ ...fields, session_id: fields.default_session_id })}`, fields);
    },
    connectivity(settings: HostSettings, otlpEndpoint: string, applicationInsights: boolean) {
      const fields = {
        project_endpoint: originOf(settings.projectEndpoint),
        otlp_endpoint: originOf(otlpEndpoint),
        application_insights: applicationInsights,
      };
      log.info(`Connectivity: ${inWords(fields)}`, fields);
    },
    options(shutdownTimeoutMs: number, serverIdentity: string) {
      const fields = { graceful_shutdown_timeout: `${shutdownTimeoutMs / 1000}s`, server_version: serverIdentity };
      log.info(`Host options: ${inWords(fields)}`, fields);
    },

    requestStarted(call: HttpCall) {
      requests.info(`Request started: ${call.incoming.method} ${call.path}${requestIds(call)}`);
    },
    requestCompleted(call: HttpCall, durationMs: number, whole: boolean) {
      const status = call.outgoing.statusCode;
      const end = whole ? '' : ' before its end';
      const text = `Request completed${end}: ${call.incoming.method} ${call.path} ${status} ${durationMs.toFixed(1)}ms${requestIds(call)}`;
      if (status >= 400) requests.warn(text);
      else requests.info(text);
    },
    /** The client left before there was a response. */
    requestAbandoned(call: HttpCall, durationMs: number) {
      const what = `${call.incoming.method} ${call.path} ${durationMs.toFixed(1)}ms${requestIds(call)}`;
      requests.info(`Request abandoned by the client: ${what}`);
    },

    notImplemented(invocationId: string, failure: Error) {
      log.error(`Invocation ${invocationId} failed: ${failure.message}`);
    },
    invocationFailed(invocationId: string, failure: Error) {
      log.error(`Error processing invocation ${invocationId}: ${failure.message}`, { error: failure });
    },
    lookupFailed(operation: 'get_invocation' | 'cancel_invocation', invocationId: string, failure: Error) {
      log.error(`Error in ${operation} ${invocationId}: ${failure.message}`, { error: failure });
    },
    appFailed(call: HttpCall, failure: Error) {
      log.error(`Error serving ${call.incoming.method} ${call.path}: ${failure.message}`, { error: failure });
    },

    handlerReplaced(kind: string, before: string, after: string) {
      log.warn(`A second ${kind} handler was registered: ${after} replaces ${before}`);
    },
    socketFailed(sessionId: string, failure: Error) {
      log.error(`Error in WebSocket handler of session ${sessionId}: ${failure.message}`, { error: failure });
    },
    /** Exactly once per connection; the handler's exception text never appears here. */
    socketClosed(end: SocketEnd) {
      const error = end.errorCode === undefined ? {} : { [hostAttribute.wsErrorCode]: end.errorCode };
      log.info(
        `invocations_ws connection closed: session_id=${end.sessionId} code=${end.code} duration_ms=${end.durationMs}`,
        {
          [hostAttribute.wsSessionId]: end.sessionId,
          [hostAttribute.wsCloseCode]: end.code,
          [hostAttribute.wsDurationMs]: end.durationMs,
          ...error,
        },
      );
    },

    /** At most once a second: a line for every refusal would be load of its own. */
    overloaded(refused: number, waiting: number) {
      log.warn(`Overloaded: ${refused} requests were refused with 503 since the last such line, ${waiting} wait`);
    },

    telemetryWarning(message: string) {
      log.warn(message);
    },
    stopping(cause: string) {
      log.info(`Stopping: ${cause}`);
    },
    drainTimedOut(calls: number, sockets: number) {
      log.warn(`Shutdown time is over with ${calls} requests and ${sockets} WebSockets still open; they are cut`);
    },
    hookFailed(hook: string, failure: Error) {
      log.warn(`The ${hook} failed: ${failure.message}`, { error: failure });
    },
    hookTimedOut(timeoutMs: number) {
      log.warn(`The shutdown hook did not finish within ${timeoutMs / 1000}s; the process goes on without it`);
    },
    forced(signal: string) {
      log.warn(`${signal} was received a second time: stopping without waiting`);
    },
    stopped() {
      log.info('Server stopped');
    },
  };
}

function orNotSet(value: string): string {
  return value === '' ? '(not set)' : value;
}

function orDisabled(ms: number): string {
  return ms === 0 ? 'disabled' : `${ms / 1000}s`;
}

function inWords(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([name]) => name !== 'default_session_id')
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

/** A URL reduced to scheme://host[:port]. */
function originOf(url: string): string {
  if (url === '') return '(not set)';
  const origin = URL.parse(url);
  return origin?.host ? `${origin.protocol}//${origin.host}` : '(redacted)';
}

/** The ids by which a caller's own logs can be joined with ours, when it sent any. */
function requestIds(call: HttpCall): string {
  const { headers } = call.incoming;
  if (headers['x-request-id'] === undefined && headers['x-ms-client-request-id'] === undefined) {
    if (headers['traceparent'] === undefined) return '';
  }
  const ids = [
    ['x-request-id', firstHeader(call.incoming, 'x-request-id')],
    ['x-ms-client-request-id', firstHeader(call.incoming, 'x-ms-client-request-id')],
    ['trace-id', traceIdOf(firstHeader(call.incoming, 'traceparent'))],
  ].filter(([, value]) => value);
  return ids.length === 0 ? '' : ` (${ids.map(([name, value]) => `${name}: ${value}`).join(', ')})`;
}
