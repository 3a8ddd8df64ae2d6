/**
 * The HTTP server under the protocol: Node's, with the defaults that would break the contract overridden (protocol §2),
 * each request in its own scope, and a drain that finishes what was accepted.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { runInScope } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { errorBody } from '../core/errors.ts';
import type { Log } from '../telemetry/log.ts';
import type { Endpoints } from './endpoints.ts';
import type { HostLog } from './host-log.ts';
import { hostProcess } from './host-process.ts';
import { HttpCall } from './http-call.ts';
import { ClientGoneError, ServerStoppingError } from './inbound-call.ts';
import { createOverloadGuard, type OverloadOptions } from './overload.ts';
import { type HeadPolicy, HostResponse, HostResponseClass } from './response-head.ts';
import { Roster } from './roster.ts';
import { ConfigurationError } from './settings.ts';
import { refuseUpgrade, type SocketEndpoint } from './websocket.ts';

export interface HttpListenerOptions {
  readonly endpoints: Endpoints;
  readonly serverIdentity: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly hostLog: HostLog;
  /** Takes over connections that ask for a WebSocket; undefined when nobody serves them. */
  readonly sockets: SocketEndpoint | undefined;
  /** False lets every request in, whatever the load. */
  readonly overload: false | OverloadOptions;
}

export interface HttpListener {
  /** @returns the port in use (the one chosen by the system when `port` is 0) */
  listen(port: number, hostname: string): Promise<number>;
  /** Stops accepting, tells handlers, and lets them go on. */
  beginStop(): void;
  /** Resolves when no request is in flight. */
  whenEmpty(): Promise<void>;
  /** Cuts what is left. */
  finishStop(): void;
  readonly openCount: number;
}

/** Room for long `baggage` and pass-through headers; Node's own limit is a quarter of it. */
const MAX_HEADER_BYTES = 64 * 1024;
const HEADERS_TIMEOUT_MS = 60_000;
/** The system holds this many connections that were not accepted yet; beyond it clients time out in silence. */
const BACKLOG = 4096;

export function createHttpListener(options: HttpListenerOptions): HttpListener {
  const { endpoints, clock, log, hostLog } = options;
  const calls = new Roster<HttpCall>();
  const empty = new Set<() => void>();
  let draining = false;
  const policy: HeadPolicy = { serverIdentity: options.serverIdentity, isDraining: () => draining };

  // The environment a request listener is given: the raw request and response the `Request` was made from.
  const answer = getRequestListener(
    (request, environment) => endpoints(request, callOf((environment as { outgoing: ServerResponse }).outgoing)),
    { errorHandler: () => badRequest() },
  );

  const guard =
    options.overload === false
      ? undefined
      : createOverloadGuard({
          ...options,
          workedMs: hostProcess.workedMs,
          limits: options.overload,
          serve: onRequest,
          inFlight: () => calls.size,
          onEmpty: releaseWhenEmpty,
        });
  const listener =
    guard?.onRequest ??
    ((incoming: IncomingMessage, outgoing: ServerResponse) => onRequest(incoming, outgoing, clock.monotonic()));

  const server = createServer(
    {
      ServerResponse: HostResponseClass,
      maxHeaderSize: MAX_HEADER_BYTES,
      // No limit on how long a body may take to arrive (§2); the head still has to come in time.
      requestTimeout: 0,
      headersTimeout: HEADERS_TIMEOUT_MS,
      noDelay: true,
      // Other upgrades (`h2c`) are offers a server may ignore: such requests are served as plain HTTP.
      shouldUpgradeCallback: (incoming: IncomingMessage) => incoming.headers.upgrade?.toLowerCase() === 'websocket',
    },
    listener,
  );
  if (guard !== undefined) server.on('connection', guard.onConnection);
  server.on('upgrade', (incoming, connection, head) => {
    if (guard?.isRefusing) refuseUpgrade(incoming, connection, 503, options.serverIdentity);
    else if (options.sockets !== undefined) options.sockets.upgrade(incoming, connection, head);
    else refuseUpgrade(incoming, connection, 404, options.serverIdentity);
  });
  // An expectation we do not know is no reason to refuse; the reference ignores it too.
  server.on('checkExpectation', listener);

  function onRequest(incoming: IncomingMessage, outgoing: ServerResponse, arrivedAt: number): void {
    const call = new HttpCall(incoming, outgoing, log, arrivedAt);
    if (outgoing instanceof HostResponse) {
      outgoing.call = call;
      outgoing.policy = policy;
    }
    calls.add(call);
    makeParseable(incoming);
    runInScope(call, serve, call);
  }

  function serve(call: HttpCall): void {
    const { incoming, outgoing } = call;
    hostLog.requestStarted(call);
    outgoing.on('close', () => onClosed(call));
    void answer(incoming, outgoing);
  }

  function onClosed(call: HttpCall): void {
    const durationMs = clock.monotonic() - call.startedAt;
    const { writableFinished, headersSent } = call.outgoing;
    if (!writableFinished) call.abort(new ClientGoneError('the client closed the connection'));
    if (headersSent) hostLog.requestCompleted(call, durationMs, writableFinished);
    else hostLog.requestAbandoned(call, durationMs);
    calls.delete(call);
    if (!draining) return;
    // A stream whose head left before the drain began could not say `connection: close`.
    if (isEmpty()) server.closeIdleConnections();
    releaseWhenEmpty();
  }

  function isEmpty(): boolean {
    return calls.size === 0 && (guard === undefined || guard.waitingCount === 0);
  }

  function releaseWhenEmpty(): void {
    if (!isEmpty()) return;
    for (const release of empty) release();
    empty.clear();
  }

  return {
    listen: (port, hostname) => listen(server, port, hostname),
    beginStop() {
      draining = true;
      // Not the HTTP server's own `close`, which also ends idle connections: until the last call has ended, whoever is
      // connected may ask on (§2.4).
      NetServer.prototype.close.call(server);
      if (isEmpty()) server.closeIdleConnections();
      const reason = new ServerStoppingError('the server is shutting down');
      for (const call of calls) call.abort(reason);
    },
    whenEmpty() {
      return isEmpty() ? Promise.resolve() : new Promise((resolve) => empty.add(resolve));
    },
    finishStop() {
      server.close();
      server.closeAllConnections();
    },
    get openCount() {
      return calls.size;
    },
  };
}

function callOf(outgoing: ServerResponse): HttpCall {
  if (outgoing instanceof HostResponse && outgoing.call !== undefined) return outgoing.call;
  throw new Error('a response without a call reached the endpoints');
}

/**
 * Makes a target and a Host that are legal on the wire, if odd, acceptable to the URL parser: the routes are matched on
 * the path alone and an odd Host is no reason to refuse a call.
 */
function makeParseable(incoming: IncomingMessage): void {
  const { url = '/', headers } = incoming;
  if (url.includes('\\')) incoming.url = url.replaceAll('\\', '%5C');
  const scheme = url[0] === '/' ? undefined : /^https?:\/\//i.exec(url)?.[0];
  if (scheme !== undefined) incoming.url = scheme.toLowerCase() + url.slice(scheme.length);
  else if (url[0] !== '/') incoming.url = `/${url}`;
  if (headers.host === undefined || !isPlainHost(headers.host)) headers.host = 'localhost';
}

/** Whether the URL parser gives a Host back as it was: the adapter refuses the others. */
function isPlainHost(host: string): boolean {
  return PLAIN_HOST.test(host) || URL.parse(`http://${host}/`)?.host === host.toLowerCase();
}

const PLAIN_HOST = /^[a-z0-9._-]+(?::(?:[1-5]\d{3,4}|[6-9]\d{3}))?$/;

function badRequest(): Response {
  const message = 'The request could not be read: its target or headers are malformed. Correct them and send it again.';
  const headers = { 'content-type': 'application/json' };
  return new Response(errorBody('invalid_request', message), { status: 400, headers });
}

function listen(server: Server, port: number, hostname: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(listenFault(error, port, hostname));
    server.once('error', onError);
    server.listen({ port, host: hostname, backlog: BACKLOG }, () => {
      server.off('error', onError);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function listenFault(error: NodeJS.ErrnoException, port: number, hostname: string): Error {
  switch (error.code) {
    case 'EADDRINUSE':
      return new ConfigurationError(
        `port ${port} on ${hostname} is already in use. Stop the program that holds it, or set PORT to a free port.`,
      );
    case 'EACCES':
      return new ConfigurationError(`port ${port} may not be opened by this user. Set PORT to a port above 1023.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ConfigurationError(`the address ${hostname} is not one of this machine's. Use 0.0.0.0 or 127.0.0.1.`);
    default:
      return error;
  }
}
