/**
 * One HTTP request on its way through the host; the head of its response takes its ids from here.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterTurn } from '../core/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { baggageKey } from '../telemetry/names.ts';
import { firstHeader, resolveRequestId } from './call-identity.ts';
import { type CallContext, ClientGoneError, InboundCall } from './inbound-call.ts';
import type { Member } from './roster.ts';

/** What a handler is told about the request it serves. Absent values are empty strings. */
export interface InvocationContext extends CallContext {
  /** The id in the path as the caller wrote it (percent-decoded), even where `invocationId` had to replace it; '' on POST. */
  readonly rawPathId: string;
}

export class HttpCall extends InboundCall implements InvocationContext, Member {
  readonly outgoing: ServerResponse;
  rawPathId = '';
  place = -1;
  /** Whether this call starts an invocation: only then does the response carry `x-agent-session-id` (§7). */
  startsInvocation = false;
  #requestId: string | undefined;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse, log: Log, startedAt: number) {
    super(incoming, log, startedAt);
    this.outgoing = outgoing;
  }

  get requestId(): string {
    this.#requestId ??= resolveRequestId(this.incoming, this.span?.spanContext().traceId);
    return this.#requestId;
  }

  /** Whether the client went away before it had its answer. */
  get isAbandoned(): boolean {
    return this.abortReason instanceof ClientGoneError;
  }

  /** Whether a handler failed for no other reason than that the client left: its upload broke off, its signal fired. */
  failedByLeaving(failure: Error): boolean {
    if (!this.isAbandoned) return false;
    for (let error: unknown = failure; error instanceof Error; error = error.cause) {
      if (error === this.abortReason || error === this.incoming.errored || error.name === 'AbortError') return true;
    }
    return false;
  }

  /** Ends the connection once what was written is on its way, without the final chunk: the client sees a broken body. */
  cut(): void {
    const { socket } = this.outgoing;
    // Chunks written in this turn are still corked; they go out before the turn ends.
    afterTurn(() => socket?.destroySoon());
  }

  /** Lookups read another call's invocation; only the call that starts one names it downstream (§14.1). */
  protected override baggage(): Readonly<Record<string, string>> | undefined {
    if (!this.startsInvocation) return undefined;
    const entries = { [baggageKey.invocationId]: this.invocationId, [baggageKey.sessionId]: this.sessionId };
    const requestId = firstHeader(this.incoming, 'x-request-id');
    return requestId ? { ...entries, [baggageKey.requestId]: requestId } : entries;
  }
}
