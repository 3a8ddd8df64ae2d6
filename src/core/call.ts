/**
 * The context of one inbound call, carried by async-local storage: code far below a handler finds the ids and the
 * trace of the call it works for without passing them through every signature.
 *
 * A scope is what the storage holds. One storage serves both the call's identity and OpenTelemetry's context, because
 * entering a storage costs every request; see `telemetry/tracing.ts` for the trace half.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Who and what one inbound call is. Absent values are empty strings. */
export interface Call {
  /** The invocation this call starts, reads or cancels; empty on a WebSocket. */
  readonly invocationId: string;
  readonly sessionId: string;
  /** `x-agent-user-id`: opaque key of the end user, for partitioning data here; never forwarded (protocol §12). */
  readonly userId: string;
  /** `x-agent-foundry-call-id`: opaque; forwarded unchanged on calls to Foundry services (protocol §12). */
  readonly callId: string;
  /** The other end of the connection. */
  readonly address?: string | undefined;
}

export interface Scope {
  readonly call: Call | undefined;
  /** The OpenTelemetry context of this scope; typed and read by `telemetry/tracing.ts` alone. */
  readonly traceContext: unknown;
}

const scopes = new AsyncLocalStorage<Scope>();

/** Runs `work` inside `scope`: everything it starts, now or later, finds that scope. */
export function runInScope<Arguments extends unknown[], Result>(
  scope: Scope,
  work: (...parameters: Arguments) => Result,
  ...parameters: Arguments
): Result {
  return scopes.run(scope, work, ...parameters);
}

export function currentScope(): Scope | undefined {
  return scopes.getStore();
}

/** The call that the running code works for; undefined outside of one (timers, start-up, resumed runs). */
export function currentCall(): Call | undefined {
  return scopes.getStore()?.call;
}
