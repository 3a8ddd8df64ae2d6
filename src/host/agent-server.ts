/**
 * The host library's front: an agent author registers handlers and listens; the hosted-agent invocations protocol
 * around them is ours. Put together here from parts that know nothing of each other: listener, endpoints, WebSocket,
 * log, telemetry.
 */
import { context } from '@opentelemetry/api';
import { type Clock, systemClock } from '../core/clock.ts';
import type { JsonObject } from '../core/json.ts';
import type { Exporters } from '../telemetry/export.ts';
import { createLog, createTurnSink, type Log, type LogSink } from '../telemetry/log.ts';
import { createTextSink } from '../telemetry/log-text.ts';
import {
  createEndpoints,
  type DocumentSource,
  type FetchApp,
  type Handlers,
  type InvocationHandler,
} from './endpoints.ts';
import { createHostLog, type HostLog } from './host-log.ts';
import { hostProcess } from './host-process.ts';
import { startHostTelemetry, telemetryTargets } from './host-telemetry.ts';
import { createHttpListener, type HttpListener } from './http-listener.ts';
import type { OverloadOptions } from './overload.ts';
import { serverIdentity } from './server-identity.ts';
import { createSpanStarter } from './server-span.ts';
import { type Environment, type HostSettings, readSettings } from './settings.ts';
import { shutDown } from './shutdown.ts';
import type { SocketHandler } from './socket-handler.ts';
import { createSocketEndpoint, type SocketEndpoint } from './websocket.ts';

export interface AgentServerOptions {
  /** Port to listen on; wins over `PORT`. 0 lets the system choose. */
  readonly port?: number;
  /** Address to listen on; all of them when not given, as the platform expects. */
  readonly hostname?: string;
  /** What `GET /readiness` says beside `"status": "healthy"`. */
  readonly readiness?: JsonObject;
  /** Served at `/invocations/docs/openapi.json` as given. One that takes long to make is made when it is first asked for. */
  readonly openapi?: DocumentSource;
  /** The same for `/invocations/docs/asyncapi.json`. */
  readonly asyncapi?: DocumentSource;
  /** Served at `/invocations/docs/asyncapi.yaml` to the letter. */
  readonly asyncapiYaml?: string;
  /**
   * Milliseconds that work in flight, and then the shutdown hook, get to finish; 30,000 unless given. 0 ends at once
   * and skips the hook.
   */
  readonly shutdownTimeoutMs?: number;
  /** Whether the host records spans of its own; unless given, when `AGENTSERVER_SPANS` allows it and somebody receives them. */
  readonly spans?: boolean;
  /** `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`; wins over `AOS_LOG_LEVEL`. */
  readonly logLevel?: string;
  /**
   * Admission control: what exceeds the process's capacity is refused at once with 503 and `Retry-After`, so that the
   * rest is served in time and `/readiness` always answers. On with its defaults unless given.
   */
  readonly overload?: false | OverloadOptions;
  /** Answers the paths the protocol does not own, e.g. a Hono app. */
  readonly app?: FetchApp;
  /** Segments that libraries on top of the host add to `x-platform-server`, each `name/version (runtime/version)`. */
  readonly serverIdentity?: readonly string[];
  /** Whether SIGTERM and SIGINT stop the server and end the process; true unless given. */
  readonly signals?: boolean;
  /** The environment to read settings from; the process's unless given. */
  readonly environment?: Environment;
  /** Where log lines go; standard error unless given: as JSON, at a terminal as text. */
  readonly logSink?: LogSink;
  readonly clock?: Clock;
}

/** Where a server listens. */
export interface ServerAddress {
  readonly hostname: string;
  readonly port: number;
  /** As reached from this machine. */
  readonly url: string;
}

const DEFAULT_SHUTDOWN_TIMEOUT_MS = 30_000;

export class AgentServer {
  /** The server's log; records written while a call is served carry its ids. */
  readonly log: Log;

  readonly #options: AgentServerOptions;
  readonly #settings: HostSettings;
  readonly #environment: Environment;
  readonly #clock: Clock;
  readonly #sink: LogSink & { flush?(): void };
  readonly #hostLog: HostLog;
  readonly #identity: string;
  readonly #shutdownTimeoutMs: number;
  readonly #handlers: Handlers = { invoke: undefined, get: undefined, cancel: undefined };
  readonly #beforeShutdown: (() => void)[] = [];
  #socketHandler: SocketHandler | undefined;
  #shutdownHook: (() => void | Promise<void>) | undefined;
  #exporters: Exporters | undefined;
  #listener: HttpListener | undefined;
  #sockets: SocketEndpoint | undefined;
  #closing: Promise<void> | undefined;

  /** @throws ConfigurationError when the environment or an option holds a value the server cannot work with */
  constructor(options: AgentServerOptions = {}) {
    this.#options = options;
    this.#environment = options.environment ?? hostProcess.environment();
    this.#clock = options.clock ?? systemClock;
    this.#settings = readSettings(this.#environment, options);
    this.#identity = serverIdentity(hostProcess.nodeVersion(), options.serverIdentity);
    this.#shutdownTimeoutMs = Math.max(0, options.shutdownTimeoutMs ?? DEFAULT_SHUTDOWN_TIMEOUT_MS);
    this.#sink = options.logSink ?? standardErrorSink();
    if (options.logSink === undefined) hostProcess.onExit(() => this.#sink.flush?.());

    const logOptions = { level: this.#settings.logLevel, sink: this.#sink };
    this.log = createLog({
      ...logOptions,
      onRecord: (level, message, fields) =>
        this.#exporters?.emitLog({ time: this.#clock.now(), level, message, fields, context: context.active() }),
    });
    // What the host says about each request is what its spans say; it is written, not exported a second time.
    this.#hostLog = createHostLog(this.log, createLog(logOptions));
    this.#hostLog.constructed({
      openapi: options.openapi !== undefined,
      asyncapi: options.asyncapi !== undefined || options.asyncapiYaml !== undefined,
    });
  }

  /** Serves `POST /invocations`. The last registration counts. */
  onInvoke(handler: InvocationHandler): void {
    this.#register('invoke', handler);
  }

  /** Serves `GET /invocations/{id}`. The last registration counts. */
  onGetInvocation(handler: InvocationHandler): void {
    this.#register('get', handler);
  }

  /** Serves `POST /invocations/{id}/cancel`. Nothing is cancelled by itself: this handler does it. */
  onCancelInvocation(handler: InvocationHandler): void {
    this.#register('cancel', handler);
  }

  /** Serves connections to `/invocations_ws`. Must be registered before `listen`; the last registration counts. */
  onWebSocket(handler: SocketHandler): void {
    if (this.#socketHandler !== undefined) {
      this.#hostLog.handlerReplaced('WebSocket', nameOf(this.#socketHandler), nameOf(handler));
    }
    this.#socketHandler = handler;
  }

  /** Runs once work in flight has finished or run out of time; it gets as long again. The last registration counts. */
  onShutdown(hook: () => void | Promise<void>): void {
    this.#shutdownHook = hook;
  }

  /** Runs first of all when the server begins to stop, before the listener closes. All registrations run. */
  onBeforeShutdown(callback: () => void): void {
    this.#beforeShutdown.push(callback);
  }

  /**
   * Starts listening.
   * @throws ConfigurationError when the port cannot be had
   */
  async listen(): Promise<ServerAddress> {
    const { hostname = '0.0.0.0' } = this.#options;
    const { port } = this.#settings;
    const { exporters, hasReceiver } = await startHostTelemetry(this.#environment, this.#settings, (message) =>
      this.#hostLog.telemetryWarning(message),
    );
    this.#exporters = exporters;
    const spans = this.#options.spans ?? (this.#settings.spans && hasReceiver);
    const shared = {
      clock: this.#clock,
      serverIdentity: this.#identity,
      environmentSessionId: this.#settings.sessionId,
      startSpan: spans ? createSpanStarter(this.#settings) : undefined,
      flushTelemetry: () => void this.#exporters?.flush(),
    };
    if (this.#socketHandler !== undefined) {
      const { WebSocketServer } = await import('ws');
      this.#sockets = createSocketEndpoint(
        {
          ...shared,
          handler: () => this.#socketHandler,
          pingMs: this.#settings.wsPingMs,
          log: this.log,
          hostLog: this.#hostLog,
        },
        WebSocketServer,
      );
    }
    const endpoints = createEndpoints({
      ...shared,
      handlers: this.#handlers,
      openapi: this.#options.openapi,
      readiness: this.#options.readiness,
      asyncapi: this.#options.asyncapi,
      asyncapiYaml: this.#options.asyncapiYaml,
      app: this.#options.app,
      sseKeepAliveMs: this.#settings.sseKeepAliveMs,
      log: this.#hostLog,
    });
    const listener = createHttpListener({
      ...shared,
      endpoints,
      log: this.log,
      hostLog: this.#hostLog,
      sockets: this.#sockets,
      overload: this.#options.overload ?? {},
    });
    this.#hostLog.starting(hostname, port);
    const actualPort = await listener.listen(port, hostname);
    this.#listener = listener;
    if (this.#options.signals !== false) this.#stopOnSignal();
    this.#sayStarted(hostname, actualPort);
    return {
      hostname,
      port: actualPort,
      url: `http://${hostname === '0.0.0.0' ? 'localhost' : hostname}:${actualPort}`,
    };
  }

  /** Stops accepting, lets work in flight finish within the shutdown time, runs the shutdown hook. Harmless when repeated. */
  close(): Promise<void> {
    this.#closing ??= this.#stop('close() was called');
    return this.#closing;
  }

  async #stop(cause: string): Promise<void> {
    await shutDown(
      {
        beforeShutdown: this.#beforeShutdown,
        listener: this.#listener,
        sockets: this.#sockets,
        hook: this.#shutdownHook,
        timeoutMs: this.#shutdownTimeoutMs,
        clock: this.#clock,
        hostLog: this.#hostLog,
      },
      cause,
    );
    await this.#exporters?.shutdown();
    this.#sink.flush?.();
  }

  #stopOnSignal(): void {
    let stopping = false;
    hostProcess.onTermination((signal) => {
      if (stopping) {
        this.#hostLog.forced(signal);
        this.#sink.flush?.();
        hostProcess.exit(1);
        return;
      }
      stopping = true;
      this.#closing ??= this.#stop(`${signal} was received`);
      void this.#closing.finally(() => hostProcess.exit(0));
    });
  }

  #register(kind: keyof Handlers, handler: InvocationHandler): void {
    const before = this.#handlers[kind];
    if (before !== undefined) this.#hostLog.handlerReplaced(kind, nameOf(before), nameOf(handler));
    this.#handlers[kind] = handler;
  }

  #sayStarted(hostname: string, port: number): void {
    const { otlpEndpoint, applicationInsights } = telemetryTargets(this.#environment);
    this.#hostLog.started(hostname, port);
    this.#hostLog.platform(this.#settings, port);
    this.#hostLog.connectivity(this.#settings, otlpEndpoint, applicationInsights);
    this.#hostLog.options(this.#shutdownTimeoutMs, this.#identity);
  }
}

/** Standard error: JSON for machines, text where a person reads along. */
function standardErrorSink(): LogSink & { flush(): void } {
  const { errorIsTerminal, writeError } = hostProcess;
  const text = createTextSink(writeError);
  return createTurnSink(errorIsTerminal() ? (lines) => text.write(lines) : writeError);
}

function nameOf(handler: { readonly name: string }): string {
  return handler.name || '(anonymous)';
}
