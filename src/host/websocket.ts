/**
 * `/invocations_ws` (protocol §13): accepts the upgrade, runs the handler, decides the close code, and writes the one
 * close record of the connection. The socket a handler sees is `agent-socket.ts`.
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { runInScope } from '../core/call.ts';
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import { isProtocolId, newUuid } from '../core/ids.ts';
import type { Log } from '../telemetry/log.ts';
import { baggageKey, hostAttribute, spanName } from '../telemetry/names.ts';
import { AgentSocket, SocketClosedError } from './agent-socket.ts';
import { resolveRequestId } from './call-identity.ts';
import type { HostLog } from './host-log.ts';
import { ClientGoneError, InboundCall, ServerStoppingError } from './inbound-call.ts';
import { decodePath } from './route.ts';
import { type createSpanStarter, failSpan } from './server-span.ts';
import type { SocketContext, SocketHandler } from './socket-handler.ts';

export interface SocketEndpointOptions {
  handler(): SocketHandler | undefined;
  readonly serverIdentity: string;
  /** `FOUNDRY_AGENT_SESSION_ID`; a WebSocket's session is this or a new one, never the query's (§8). */
  readonly environmentSessionId: string;
  /** 0 is off. */
  readonly pingMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly hostLog: HostLog;
  readonly startSpan: ReturnType<typeof createSpanStarter> | undefined;
  readonly flushTelemetry: () => void;
}

const SOCKET_PATH = '/invocations_ws';
/** Largest message taken, in bytes; beyond it the connection is closed with 1009 (§13.2). */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const INTERNAL_ERROR = 1011;
/** How long a client may take to answer the close frame of a stopping server, in milliseconds. */
const CLOSE_ANSWER_MS = 1000;

export interface SocketEndpoint {
  /** Takes over a connection whose client asked for an upgrade. */
  upgrade(incoming: IncomingMessage, connection: Duplex, head: Buffer): void;
  /** Connections whose handler has not finished. */
  readonly openCount: number;
  /** Ends the reading side of every connection; handlers may finish what they are at. */
  beginStop(): void;
  /** Closes what is left with 1011, and drops the connections whose clients do not answer that. */
  finishStop(): Promise<void>;
  /** Resolves when no connection is open. */
  whenEmpty(): Promise<void>;
}

/** @param WebSocketServerClass handed in because it is only loaded when a handler is registered */
export function createSocketEndpoint(
  options: SocketEndpointOptions,
  WebSocketServerClass: typeof WebSocketServer,
): SocketEndpoint {
  const { clock, hostLog, pingMs, startSpan, flushTelemetry } = options;
  const open = new Map<SocketCall, AgentSocket>();
  const connections = new Set<WebSocket>();
  const accepting = new WeakMap<IncomingMessage, SocketCall>();
  const empty = new Set<() => void>();
  let stopping = false;

  const server = new WebSocketServerClass({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    // Left alone, the library takes the first subprotocol a client offers; the host speaks none (§13.1).
    handleProtocols: () => false,
    maxPayload: MAX_MESSAGE_BYTES,
  });
  server.on('headers', (headers, incoming) => {
    headers.push(`x-platform-server: ${options.serverIdentity}`);
    const call = accepting.get(incoming);
    if (call !== undefined) headers.push(`x-agent-session-id: ${call.sessionId}`);
  });

  function upgrade(incoming: IncomingMessage, connection: Duplex, head: Buffer): void {
    const call = new SocketCall(incoming, options.log, clock.monotonic(), options.environmentSessionId);
    const handler = options.handler();
    if (handler === undefined || decodePath(call.path) !== SOCKET_PATH) {
      refuseUpgrade(incoming, connection, 404, options.serverIdentity);
      return;
    }
    if (stopping) {
      refuseUpgrade(incoming, connection, 503, options.serverIdentity);
      return;
    }
    accepting.set(incoming, call);
    runInScope(call, () => {
      if (startSpan !== undefined) {
        const { sessionId } = call;
        const subject = { operation: spanName.websocketSession, responseId: sessionId, sessionId };
        call.enterSpan(startSpan(subject, call.traceContext));
      }
      const acceptFailed = () => finish(call, { code: INTERNAL_ERROR, errorCode: 'accept_failed' });
      connection.once('close', acceptFailed);
      server.handleUpgrade(incoming, connection, head, (socket) => {
        connection.off('close', acceptFailed);
        void serve(socket, call, handler);
      });
    });
  }

  async function serve(connection: WebSocket, call: SocketCall, handler: SocketHandler): Promise<void> {
    const ping = pingMs > 0 ? clock.every(pingMs, () => connection.ping()) : undefined;
    const socket = new AgentSocket(
      connection,
      () => call.signal,
      () => call.abort(new ClientGoneError('the WebSocket is closed')),
    );
    connection.on('close', () => {
      ping?.cancel();
      connections.delete(connection);
      releaseIfEmpty();
    });
    connections.add(connection);
    open.set(call, socket);
    let failure: Error | undefined;
    try {
      await handler(socket, call);
    } catch (thrown) {
      // Letting the end of the connection propagate is the plain way to write a handler, not a fault of it.
      if (!(thrown instanceof SocketClosedError) && thrown !== call.abortReason) failure = asError(thrown);
    }
    // The end of the shutdown time may have closed and recorded it already.
    if (open.delete(call)) finish(call, closeAfter(socket, call, failure));
    releaseIfEmpty();
  }

  /** Closes the connection if it is still open; the code that ended it first is the one recorded (§13.4). */
  function closeAfter(socket: AgentSocket, call: SocketCall, failure: Error | undefined): Ending {
    const endedBefore = socket.ended;
    if (failure !== undefined) {
      hostLog.socketFailed(call.sessionId, failure);
      socket.close(INTERNAL_ERROR, 'Internal server error');
      return { code: endedBefore?.code ?? INTERNAL_ERROR, errorCode: 'internal_error', failure };
    }
    if (call.abortReason instanceof ServerStoppingError && endedBefore === undefined) {
      socket.close(INTERNAL_ERROR, 'Server is shutting down');
      return { code: INTERNAL_ERROR, errorCode: 'cancelled', failure: call.abortReason };
    }
    socket.close(1000, '');
    return { code: endedBefore?.code ?? 1000 };
  }

  function finish(call: SocketCall, ending: Ending): void {
    const durationMs = Math.floor(clock.monotonic() - call.startedAt);
    const { code, errorCode, failure } = ending;
    runInScope(call, () => {
      hostLog.socketClosed({
        sessionId: call.sessionId,
        code,
        durationMs,
        ...(errorCode === undefined ? {} : { errorCode }),
      });
    });
    if (call.span !== undefined) {
      call.span.setAttribute(hostAttribute.wsSessionId, call.sessionId);
      call.span.setAttribute(hostAttribute.wsCloseCode, code);
      call.span.setAttribute(hostAttribute.wsDurationMs, durationMs);
      if (errorCode !== undefined) {
        call.span.setAttribute(hostAttribute.wsErrorCode, errorCode);
        failSpan(call.span, failure ?? new Error(errorCode), errorCode);
      }
      call.span.end();
    }
    flushTelemetry();
  }

  function releaseIfEmpty(): void {
    if (open.size > 0 || connections.size > 0) return;
    for (const release of empty) release();
    empty.clear();
  }

  function whenEmpty(): Promise<void> {
    if (open.size === 0 && connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => empty.add(resolve));
  }

  return {
    upgrade,
    get openCount() {
      return open.size;
    },
    beginStop() {
      stopping = true;
      const reason = new ServerStoppingError('the server is shutting down');
      for (const [call, socket] of open) {
        call.abort(reason);
        socket.interrupt(reason);
      }
    },
    async finishStop() {
      for (const [call, socket] of open) finish(call, closeAfter(socket, call, undefined));
      open.clear();
      await Promise.race([whenEmpty(), clock.sleep(CLOSE_ANSWER_MS)]);
      for (const connection of connections) connection.terminate();
      server.close();
    },
    whenEmpty,
  };
}

/** Answers an upgrade that nobody will serve (decision D2: 404). */
export function refuseUpgrade(
  incoming: IncomingMessage,
  connection: Duplex,
  status: 404 | 503,
  serverIdentity: string,
): void {
  const body = STATUS_CODES[status] ?? '';
  // The client may be gone already; there is nobody left to tell.
  connection.on('error', () => {});
  connection.end(
    [
      `HTTP/1.1 ${status} ${body}`,
      'content-type: text/plain; charset=utf-8',
      `content-length: ${body.length}`,
      `x-platform-server: ${serverIdentity}`,
      `x-request-id: ${resolveRequestId(incoming)}`,
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

interface Ending {
  readonly code: number;
  readonly errorCode?: 'internal_error' | 'cancelled' | 'accept_failed';
  readonly failure?: Error;
}

class SocketCall extends InboundCall implements SocketContext {
  #headers: Headers | undefined;

  constructor(incoming: IncomingMessage, log: Log, startedAt: number, environmentSessionId: string) {
    super(incoming, log, startedAt);
    this.sessionId = isProtocolId(environmentSessionId) ? environmentSessionId : newUuid();
  }

  get headers(): Headers {
    if (this.#headers === undefined) {
      this.#headers = new Headers();
      for (const [name, values] of Object.entries(this.incoming.headersDistinct)) {
        for (const value of values ?? []) this.#headers.append(name, value);
      }
    }
    return this.#headers;
  }

  protected override baggage(): Readonly<Record<string, string>> {
    return { [baggageKey.sessionId]: this.sessionId };
  }
}
