/**
 * The invocations door: turns the protocol's calls into work requests, and a run and its numbered events into answers.
 * It holds no state of its own; a client that leaves changes nothing about the run it asked for.
 */
import type { Clock } from '../core/clock.ts';
import { AosError, catalogue, errorBody } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import type { Gate } from '../dispatch.ts';
import type { RateLimiter } from '../governance/limits/rate-limiter.ts';
import type { InvocationContext } from '../host/http-call.ts';
import type { Entrance } from '../identity/entrance.ts';
import { type Expiry, watchExpiry } from '../identity/expiry.ts';
import type { Principal } from '../identity/principal.ts';
import type { EventLog } from '../runs/event-log.ts';
import { enderOf, isTerminal, keyOfRun, type Run } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Envelope } from './envelope.ts';
import { prefersEventStream, startAfter, streamEvents } from './event-stream.ts';
import { answerWithin, type Limit } from './limited-answer.ts';
import { needs } from './need.ts';
import { presentedBy } from './platform-caller.ts';
import { type Reading, startReading } from './reading.ts';
import { parseInvocationRequest, readBody, readCancelReason } from './request.ts';
import { viewInvocation } from './view.ts';

/** How long an answer to a cancel waits for the run to end. */
const CANCEL_WAIT_MS = 2_000;

export interface DoorParts {
  readonly entrance: Entrance;
  readonly gate: Pick<Gate, 'submit' | 'cancel'>;
  readonly runs: Pick<RunStore, 'find'>;
  readonly events: Pick<EventLog, 'of'>;
  /** Management operations, which the platform has no routes for. */
  readonly envelope: Envelope;
  /** How often somebody may ask; as often as they like when left out. */
  readonly rates?: Pick<RateLimiter, 'take'> | undefined;
  readonly clock: Clock;
  /**
   * How long answers under way may still take once the server begins to stop, in milliseconds; shorter than the host's
   * drain, so that they end in words rather than in a cut connection.
   */
  readonly drainMs: number;
}

export interface InvocationDoor {
  invoke(request: Request, context: InvocationContext): Promise<Response>;
  get(request: Request, context: InvocationContext): Promise<Response>;
  cancel(request: Request, context: InvocationContext): Promise<Response>;
}

export function createInvocationDoor(parts: DoorParts): InvocationDoor {
  const { entrance, gate, runs, events, envelope, rates, clock, drainMs } = parts;

  /** The caller's run; another user's is as unknown as one that never was. */
  async function find(context: InvocationContext, { caller }: Principal): Promise<Run> {
    const run = await runs.find(context.invocationId, caller);
    if (run !== undefined) return run;
    throw new AosError(
      'not_found',
      `there is no invocation "${context.rawPathId.slice(0, 256)}": use the invocation_id that POST /invocations answered`,
    );
  }

  const reading = (request: Request, context: InvocationContext): Reading =>
    startReading(request.signal, context.signal, clock, drainMs);

  /** Streams what comes after event `after`, to the run's end or until the client leaves or the server stops. */
  function stream(run: Run, after: number, reading: Reading, principal: Principal): Response {
    if (after > run.lastEvent) {
      throw new AosError(
        'invalid_request',
        `event ${after} is not there yet: the newest event of invocation "${run.id}" is ${run.lastEvent}`,
      );
    }
    // Nothing more will ever come: 204 is what tells an EventSource to stop reconnecting.
    if (isTerminal(run.status) && after === run.lastEvent) return new Response(null, { status: 204 });
    const expiry: Expiry = watchExpiry(principal, clock);
    const signal = AbortSignal.any([reading.signal, expiry.signal]);
    return streamEvents(events.of(run.caller.tenantId).follow(keyOfRun(run), after, signal), reading.leave, expiry);
  }

  /** The run once it has ended, or as it is when `signal` fires first. */
  async function ended(run: Run, signal: AbortSignal): Promise<Run> {
    if (isTerminal(run.status)) return run;
    // The log ends with the run, so its last event is the news.
    for await (const _event of events.of(run.caller.tenantId).follow(keyOfRun(run), run.lastEvent, signal));
    return (await runs.find(run.id, run.caller)) ?? run;
  }

  async function invoke(request: Request, context: InvocationContext, limit: Limit): Promise<Response> {
    const principal = await entrance.identify(presentedBy(request, context));
    const { caller } = principal;
    await limit(caller);
    const streamed = prefersEventStream(request.headers.get('accept'));
    const after = streamed ? startAfter(request.headers, context.queryValue('after')) : 0;
    const body = await readBody(request);
    if (isJsonObject(body) && 'operation' in body) {
      const { callId, signal } = context;
      const performed = await envelope.perform(body, { caller, principal, callId, signal });
      return json(JSON.stringify(performed), performed.status === 204 ? 200 : performed.status);
    }
    await entrance.admit(principal, needs.start);
    const asked = parseInvocationRequest(body);
    const { run, outcome } = await gate.submit({
      id: context.invocationId,
      kind: asked.kind,
      sessionId: context.sessionId,
      caller,
      body: asked.work,
      callId: context.callId,
    });
    if (asked.background) return answer(run, 202);
    // A number can only be meant for a run that was there before.
    if (streamed) return stream(run, outcome === 'joined' ? after : 0, reading(request, context), principal);
    const { signal, leave } = reading(request, context);
    const last = await ended(run, signal).finally(leave);
    return isTerminal(last.status) ? answer(last, statusOf(last)) : stopping(last);
  }

  async function get(request: Request, context: InvocationContext, limit: Limit): Promise<Response> {
    const streamed = prefersEventStream(request.headers.get('accept'));
    const principal = await entrance.enter(presentedBy(request, context, { byQuery: streamed }), needs.read);
    await limit(principal.caller);
    const run = await find(context, principal);
    if (!streamed) return answer(run, 200);
    const after = startAfter(request.headers, context.queryValue('after'));
    return stream(run, after, reading(request, context), principal);
  }

  async function cancel(request: Request, context: InvocationContext, limit: Limit): Promise<Response> {
    const principal = await entrance.enter(presentedBy(request, context), needs.cancel);
    await limit(principal.caller);
    const reason = await readCancelReason(request);
    const before = await find(context, principal);
    if (before.status === 'cancelled') return answer(before, 200);
    const asked = (await gate.cancel(before.id, reason, enderOf(before.caller, principal.caller))) ?? before;
    const patience = new AbortController();
    const timer = clock.after(CANCEL_WAIT_MS, () => patience.abort());
    const run = await ended(asked, AbortSignal.any([patience.signal, request.signal]));
    timer.cancel();
    if (run.status === 'cancelled') return answer(run, 200);
    if (!isTerminal(run.status)) return answer(run, 202);
    throw new AosError('conflict', `invocation "${run.id}" cannot be cancelled: it is ${run.status} already`);
  }

  const within =
    (method: string, route: string, perform: typeof invoke): InvocationDoor['invoke'] =>
    (request, context) =>
      answerWithin(rates, { method, route }, (limit) => perform(request, context, limit));
  return {
    invoke: within('POST', '/invocations', invoke),
    get: within('GET', '/invocations/{invocation_id}', get),
    cancel: within('POST', '/invocations/{invocation_id}/cancel', cancel),
  };
}

/** What waiting for the run amounts to as an HTTP status: the result, or why there is none. */
function statusOf(run: Run): number {
  switch (run.status) {
    case 'failed':
      return catalogue[run.error?.code ?? 'internal_error'].status;
    case 'cancelled':
      return catalogue.cancelled.status;
    case 'timed_out':
      return catalogue.timed_out.status;
    default:
      return 200;
  }
}

/** Nobody but a client of a stopping server reads this: its run is not over, and goes on when the server is back. */
function stopping(run: Run): Response {
  const message = `the server is stopping; the run is kept and goes on at the next start: GET /invocations/${run.id}`;
  return json(errorBody('shutting_down', message), catalogue.shutting_down.status, { 'retry-after': '5' });
}

function answer(run: Run, status: number): Response {
  const view = viewInvocation(run);
  return json(JSON.stringify(view), status, status === 202 ? { location: view.links.self } : {});
}

function json(body: string, status: number, headers: Record<string, string> = {}): Response {
  return new Response(body, { status, headers: { 'content-type': 'application/json', ...headers } });
}
