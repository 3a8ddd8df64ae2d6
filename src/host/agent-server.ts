/**
 * The host library's front: an agent author registers handlers and listens; the hosted-agent invocations protocol
 * around them is ours. Put together here from parts that know nothing of each other: listener, endpoints, WebSocket,
 * log, telemetry.
 */
import { context } from '@opentelemetry/api';
import { afterTurn, type Clock, systemClock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { type Exporters, exportersWanted, setting } from '../telemetry/export.ts';
import { createLog, createTurnSink, type Log, type LogSink } from '../telemetry/log.ts';
import { installTraceContext, installTracerProvider, silentTracerProvider } from '../telemetry/tracing.ts';
import { createEndpoints, type FetchApp, type Handlers, type InvocationHandler } from './endpoints.ts';
import { createHostLog, type HostLog } from './host-log.ts';
import { hostProcess } from './host-process.ts';
import { createHttpListener, type HttpListener } from './http-listener.ts';
import { serverIdentity } from './server-identity.ts';
import { createSpanStarter } from './server-span.ts';
import { type Environment, type HostSettings, readSettings } from './settings.ts';
import { createSocketEndpoint, type SocketEndpoint, type SocketHandler } from './websocket.ts';

export interface AgentServerOptions {
  /** Port to listen on; wins over `PORT`. 0 lets the system choose. */
  readonly port?: number;
  /** Address to listen on; all of them when not given, as the platform expects. */
  readonly hostname?: string;
  /** Served at `/invocations/docs/openapi.json` as given. */
  readonly openapi?: JsonObject;
  /** Served at `/invocations/docs/asyncapi.json` as given. */
  readonly asyncapi?: JsonObject;
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
  /** Answers the paths the protocol does not own, e.g. a Hono app. */
  readonly app?: FetchApp;
  /** Segments that libraries on top of the host add to `x-platform-server`, each `name/version (runtime/version)`. */
  readonly serverIdentity?: readonly string[];
  /** Whether SIGTERM and SIGINT stop the server and end the process; true unless given. */
  readonly signals?: boolean;
  /** The environment to read settings from; the process's unless given. */
  readonly environment?: Environment;
  /** Where log lines go; standard error unless given. */
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
    this.#sink = options.logSink ?? createTurnSink(hostProcess.writeError);
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
    await this.#startTelemetry();
    const shared = {
      clock: this.#clock,
      serverIdentity: this.#identity,
      environmentSessionId: this.#settings.sessionId,
      startSpan: this.#spansWanted() ? createSpanStarter(this.#settings) : undefined,
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
    this.#hostLog.stopping(cause);
    for (const callback of this.#beforeShutdown) {
      try {
        callback();
      } catch (thrown) {
        this.#hostLog.hookFailed('pre-shutdown callback', asError(thrown));
      }
    }
    await this.#drain();
    if (this.#shutdownTimeoutMs > 0 && this.#shutdownHook !== undefined) await this.#runHook(this.#shutdownHook);
    this.#hostLog.stopped();
    await this.#exporters?.shutdown();
    this.#sink.flush?.();
  }

  async #drain(): Promise<void> {
    const listener = this.#listener;
    const sockets = this.#sockets;
    listener?.beginStop();
    sockets?.beginStop();
    const finished = Promise.all([listener?.whenEmpty(), sockets?.whenEmpty()]);
    if ((await this.#within(this.#shutdownTimeoutMs, finished)) === LATE) {
      const open = { requests: listener?.openCount ?? 0, sockets: sockets?.openCount ?? 0 };
      if (this.#shutdownTimeoutMs > 0) this.#hostLog.drainTimedOut(open.requests, open.sockets);
    }
    await sockets?.finishStop();
    listener?.finishStop();
    // What was cut gets to clean up after itself: sources of streams are closed, their last lines written.
    await this.#within(CLEAN_UP_MS, Promise.resolve(listener?.whenEmpty()));
    await new Promise<void>(afterTurn);
  }

  async #runHook(hook: () => void | Promise<void>): Promise<void> {
    try {
      const outcome = await this.#within(this.#shutdownTimeoutMs, Promise.resolve(hook()));
      if (outcome === LATE) this.#hostLog.hookTimedOut(this.#shutdownTimeoutMs);
    } catch (thrown) {
      this.#hostLog.hookFailed('shutdown hook', asError(thrown));
    }
  }

  /** What `work` resolves to, or `LATE` after `ms` milliseconds. */
  async #within<Result>(ms: number, work: Promise<Result>): Promise<Result | typeof LATE> {
    const { promise: late, resolve } = Promise.withResolvers<typeof LATE>();
    const timer = this.#clock.after(ms, () => resolve(LATE));
    try {
      return await Promise.race([work, late]);
    } finally {
      timer.cancel();
    }
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

  async #startTelemetry(): Promise<void> {
    installTraceContext();
    const { otlp, azureMonitor } = exportersWanted(this.#environment);
    if (otlp || azureMonitor) {
      const onWarning = (message: string) => this.#hostLog.telemetryWarning(message);
      try {
        const { startExporters } = await import('../telemetry/exporters.ts');
        const { agentName, agentVersion, agentId, ...rest } = this.#settings;
        const agent = { ...rest, name: agentName, version: agentVersion, id: agentId };
        this.#exporters = await startExporters({ env: this.#environment, agent, onWarning });
      } catch (thrown) {
        onWarning(`Telemetry could not be set up and is off: ${asError(thrown).message}`);
      }
    }
    this.#hasOtherTracing = !installTracerProvider(this.#exporters?.tracerProvider ?? silentTracerProvider);
  }
  /** Whether the program brought an OpenTelemetry set-up of its own. */
  #hasOtherTracing = false;

  #spansWanted(): boolean {
    const hasReceiver = this.#exporters !== undefined || this.#hasOtherTracing;
    return this.#options.spans ?? (this.#settings.spans && hasReceiver);
  }

  #register(kind: keyof Handlers, handler: InvocationHandler): void {
    const before = this.#handlers[kind];
    if (before !== undefined) this.#hostLog.handlerReplaced(kind, nameOf(before), nameOf(handler));
    this.#handlers[kind] = handler;
  }

  #sayStarted(hostname: string, port: number): void {
    const otlpEndpoint =
      setting(this.#environment, 'OTEL_EXPORTER_OTLP_ENDPOINT') ??
      setting(this.#environment, 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
    this.#hostLog.started(hostname, port);
    this.#hostLog.platform(this.#settings, port);
    this.#hostLog.connectivity(this.#settings, otlpEndpoint, exportersWanted(this.#environment).azureMonitor);
    this.#hostLog.options(this.#shutdownTimeoutMs, this.#identity);
  }
}

const CLEAN_UP_MS = 1000;
const LATE: unique symbol = Symbol('late');

function nameOf(handler: { readonly name: string }): string {
  return handler.name || '(anonymous)';
}
