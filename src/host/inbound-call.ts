/**
 * What one inbound call is, over HTTP or WebSocket: identity headers, query, signal, trace. It is at once what a handler
 * receives and what code below it finds in async-local storage (`Scope`). Everything a call may not need is worked out
 * when first asked for.
 */
import type { IncomingMessage } from 'node:http';
import { type Context, type Span, type Tracer, trace } from '@opentelemetry/api';
import type { Call, Scope } from '../core/call.ts';
import type { Log } from '../telemetry/log.ts';
import { scopeName } from '../telemetry/names.ts';
import { extractContext, withBaggage } from '../telemetry/tracing.ts';
import { clientHeaders, firstHeader } from './call-identity.ts';
import { splitTarget } from './route.ts';

/** What every handler is told about the call it serves. Absent values are empty strings. */
export interface CallContext extends Call {
  /** The older identity pair of container protocol 1.0.0 (decision D6). */
  readonly userIsolationKey: string;
  readonly chatIsolationKey: string;
  /** The caller's `x-client-*` headers: lower-cased name → value. */
  readonly clientHeaders: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** One query parameter; the last value when it is repeated, as the reference implementation reads it. */
  queryValue(name: string): string | undefined;
  /**
   * Fires when the client has gone (`ClientGoneError`) or the server begins to stop (`ServerStoppingError`); on stopping,
   * the handler still has the shutdown time to finish. `request.signal` fires only when the client has gone.
   */
  readonly signal: AbortSignal;
  /** Its records carry this call's ids. */
  readonly log: Log;
  readonly tracer: Tracer;
}

export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
}
export class ServerStoppingError extends Error {
  override readonly name = 'ServerStoppingError';
}

export abstract class InboundCall implements CallContext, Scope {
  readonly incoming: IncomingMessage;
  readonly log: Log;
  /** Raw path, not decoded, without the query. */
  readonly path: string;
  /** Monotonic milliseconds. */
  readonly startedAt: number;

  invocationId = '';
  sessionId = '';
  span: Span | undefined;

  readonly #rawQuery: string;
  #query: URLSearchParams | undefined;
  #traceContext: Context | undefined;
  #abort: AbortController | undefined;
  #abortReason: Error | undefined;

  constructor(incoming: IncomingMessage, log: Log, startedAt: number) {
    this.incoming = incoming;
    this.log = log;
    this.startedAt = startedAt;
    const { path, query } = splitTarget(incoming.url ?? '/');
    this.path = path;
    this.#rawQuery = query;
  }

  /** What this call adds to the caller's baggage. */
  protected abstract baggage(): Readonly<Record<string, string>> | undefined;

  get call(): this {
    return this;
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#rawQuery);
    return this.#query;
  }

  /** The query, or undefined when there is none to parse. */
  get queryIfAny(): URLSearchParams | undefined {
    return this.#rawQuery === '' ? undefined : this.query;
  }

  /** The query as it came, with its question mark; '' when there is none. */
  get search(): string {
    return this.#rawQuery === '' ? '' : `?${this.#rawQuery}`;
  }

  queryValue(name: string): string | undefined {
    return this.#rawQuery === '' ? undefined : this.query.getAll(name).at(-1);
  }

  get userId(): string {
    return firstHeader(this.incoming, 'x-agent-user-id') ?? '';
  }

  get callId(): string {
    return firstHeader(this.incoming, 'x-agent-foundry-call-id') ?? '';
  }

  get address(): string | undefined {
    return this.incoming.socket.remoteAddress;
  }

  get userIsolationKey(): string {
    return firstHeader(this.incoming, 'x-agent-user-isolation-key') ?? '';
  }

  get chatIsolationKey(): string {
    return firstHeader(this.incoming, 'x-agent-chat-isolation-key') ?? '';
  }

  get clientHeaders(): Readonly<Record<string, string>> {
    return clientHeaders(this.incoming);
  }

  get tracer(): Tracer {
    return trace.getTracer(scopeName.invocations);
  }

  /** The caller's trace context and baggage with what this call adds, and the server span once there is one. */
  get traceContext(): Context {
    if (this.#traceContext === undefined) {
      const incoming = extractContext(this.incoming.headers);
      const added = this.baggage();
      this.#traceContext = added === undefined ? incoming : withBaggage(incoming, added);
    }
    return this.#traceContext;
  }

  enterSpan(span: Span): void {
    this.#traceContext = trace.setSpan(this.traceContext, span);
    this.span = span;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#abortReason !== undefined) this.#abort.abort(this.#abortReason);
    return this.#abort.signal;
  }

  /** Fires the signal; the first reason stays. */
  abort(reason: Error): void {
    this.#abortReason ??= reason;
    this.#abort?.abort(this.#abortReason);
  }

  get abortReason(): Error | undefined {
    return this.#abortReason;
  }
}
