/**
 * Admission control, the wiring: it stands between Node's request event and the host, before anything is parsed or
 * logged. `admission.ts` decides; here is measured, queued and refused.
 *
 * Why here: when handlers compute, the queue is not in this process but in its sockets. Left alone, Node reads every
 * socket that is ready and runs every handler before it looks at anything else, so that one turn of the event loop lasts
 * as long as all of them together. What exceeds a turn's budget is therefore put aside, and started or refused a little
 * per turn; between the turns new connections, health checks and work under way are heard.
 *
 * Lag and the work in the queue are counted in processor time of this thread: on a machine that gives it little, everything
 * takes long, but that is not a reason to refuse what the process would get done with what it is given.
 *
 * A refused request costs about what the smallest request costs. Its connection stays open: a client that has to
 * connect again costs several times as much.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterTurn, type Clock } from '../core/clock.ts';
import { errorBody } from '../core/errors.ts';
import { type AdmissionLimits, defaultLimits, judgeArrival, mayWait, type Verdict } from './admission.ts';
import { resolveRequestId } from './call-identity.ts';
import { createTurnMeter } from './event-loop.ts';
import type { HostLog } from './host-log.ts';
import { createPacemaker } from './pacemaker.ts';

/** Limits of admission control that differ from the defaults. */
export type OverloadOptions = Partial<AdmissionLimits>;

export interface OverloadGuardOptions {
  readonly limits: OverloadOptions;
  readonly clock: Clock;
  /** Milliseconds of processor time this thread has used. */
  workedMs(): number;
  readonly hostLog: HostLog;
  readonly serverIdentity: string;
  /** Serves a request that is let in. */
  serve(incoming: IncomingMessage, outgoing: ServerResponse, arrivedAt: number): void;
  /** Requests that are being served. */
  inFlight(): number;
  /** Called when nobody waits any more. */
  onEmpty(): void;
}

export interface OverloadGuard {
  onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void;
  /** A connection was accepted. */
  onConnection(): void;
  /** Whether a request that arrived now would be refused. */
  readonly isRefusing: boolean;
  /** Requests neither started nor answered with a refusal yet. */
  readonly waitingCount: number;
}

interface Arrival {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** Monotonic milliseconds. */
  readonly arrivedAt: number;
}

const REPORT_EVERY_MS = 1000;
/** From this many milliseconds on, a turn of the loop is felt by connections that wait to be accepted. */
const LONG_TURN_MS = 5;
/** While none of those that wait may be started, look again after this long. */
const LOOK_AGAIN_MS = 5;
/** Starts tried in the first turn, and in any. */
const FIRST_SLOTS = 4;
const MOST_SLOTS = 512;
/** A turn this many times its budget holds work of requests started before: fewer are started in the next. */
const LONG_TURN_BUDGETS = 3;

export function createOverloadGuard(options: OverloadGuardOptions): OverloadGuard {
  const { clock, serve } = options;
  const limits: AdmissionLimits = { ...defaultLimits, ...options.limits };
  const turn = createTurnMeter(clock);
  const pacemaker = createPacemaker({ ...options, limits, onLook });
  const waiting: Arrival[] = [];
  const refused: Arrival[] = [];

  function onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const now = clock.monotonic();
    pacemaker.arrived(now);
    if (isHealthCheck(incoming.url)) {
      serve(incoming, outgoing, now);
      return;
    }
    const verdict = judge(now);
    if (verdict === 'start') {
      pacemaker.started();
      serve(incoming, outgoing, now);
      return;
    }
    (verdict === 'wait' ? waiting : refused).push({ incoming, outgoing, arrivedAt: now });
    startPump();
  }

  function judge(now: number): Verdict {
    const elapsed = turn.elapsed(now);
    if (connections !== connectionsAtArrival) catchBreathIfNeeded();
    const moment = {
      turnMs: breathless ? Number.POSITIVE_INFINITY : elapsed,
      unproven: pacemaker.unproven(),
      waiting: waiting.length,
      pressedMs: pacemaker.pressedMs(now),
    };
    return judgeArrival(moment, pacemaker.pace, limits);
  }

  // Accepting. The loop accepts one connection per turn: while turns are long, those who wait to be accepted are a queue
  // that nobody sees. When one was accepted and turns have been long, nothing is started before turns without starts have
  // accepted all who wait, or until their share of the time is used up.

  let connections = 0;
  let connectionsAtArrival = 0;
  let connectionsAtPump = 0;
  let breathless = false;
  let acceptingSince: number | undefined;

  function catchBreathIfNeeded(): void {
    connectionsAtArrival = connections;
    if (turn.takeBusyMs() >= LONG_TURN_MS) breathless = true;
  }

  function hasMoreToAccept(now: number): boolean {
    acceptingSince ??= now;
    const hasAccepted = connections !== connectionsAtPump;
    connectionsAtPump = connections;
    if (hasAccepted && now - acceptingSince < limits.acceptBudgetMs) return true;
    acceptingSince = undefined;
    breathless = false;
    return false;
  }

  // The pump works off what waits, a little in each turn. Every start has a task of its own, because a handler does most
  // of its work after its starter has returned: only the next task can see what it has cost.

  let pumping = false;
  let pumpedAt = 0;
  let slots = FIRST_SLOTS;
  let slotsUsed = 0;
  let startsBegan: number | undefined;

  function startPump(): void {
    if (pumping) return;
    pumping = true;
    pumpedAt = clock.monotonic();
    slots = FIRST_SLOTS;
    slotsUsed = 0;
    afterTurn(pump);
  }

  function pump(): void {
    const now = clock.monotonic();
    const turnMs = now - pumpedAt;
    pumpedAt = now;
    if (hasMoreToAccept(now)) {
      afterTurn(pump);
      return;
    }
    refuseSome();
    pacemaker.pressed(now, waiting.length > 0);
    if (waiting.length === 0 && refused.length === 0) {
      pumping = false;
      options.onEmpty();
      return;
    }
    if (refused.length === 0 && !pacemaker.mayStart(now)) {
      clock.after(LOOK_AGAIN_MS, pump);
      return;
    }
    if (turnMs > limits.turnBudgetMs * LONG_TURN_BUDGETS) slots = Math.max(1, slots >> 1);
    else if (slotsUsed === slots) slots = Math.min(MOST_SLOTS, slots * 2);
    slotsUsed = 0;
    startsBegan = undefined;
    for (let slot = Math.min(slots, waiting.length); slot > 0; slot--) afterTurn(startNext);
    afterTurn(pump);
  }

  function startNext(): void {
    const now = clock.monotonic();
    startsBegan ??= now;
    if (now - startsBegan >= limits.turnBudgetMs || !pacemaker.mayStart(now)) return;
    const next = waiting.shift();
    if (next === undefined) return;
    slotsUsed++;
    if (next.incoming.socket.destroyed) return;
    pacemaker.started();
    serve(next.incoming, next.outgoing, next.arrivedAt);
  }

  // Refusing.

  let refusalsToReport = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;

  function refuseSome(): void {
    if (refused.length === 0) return;
    const began = clock.monotonic();
    let spent = 0;
    let count = 0;
    while (count < refused.length && spent < limits.refusalBudgetMs) {
      refuse(refused[count++]);
      spent = clock.monotonic() - began;
    }
    refused.splice(0, count);
    refusalsToReport += count;
    pacemaker.spentOnRefusals(spent);
  }

  function refuse(arrival: Arrival | undefined): void {
    if (arrival === undefined || arrival.incoming.socket.destroyed) return;
    const { incoming, outgoing } = arrival;
    outgoing.writeHead(503, {
      'content-type': 'application/json',
      'content-length': REFUSAL.length,
      'retry-after': '1',
      // Neither the caller's fault nor the agent's (§7). No invocation has come into being, so there are no ids of one.
      'x-platform-error-source': 'platform',
      'x-platform-server': options.serverIdentity,
      'x-request-id': resolveRequestId(incoming),
    });
    outgoing.end(REFUSAL);
  }

  /** Those who came last give way: the others have waited already and are the next to be served. */
  function refuseHopeless(now: number): void {
    let keep = waiting.length;
    const pressedMs = pacemaker.pressedMs(now);
    for (; keep > 0; keep--) {
      const last = waiting[keep - 1];
      if (last === undefined) break;
      if (mayWait({ ahead: keep - 1, ageMs: now - last.arrivedAt }, pressedMs, pacemaker.pace, limits)) break;
    }
    if (keep < waiting.length) refused.push(...waiting.splice(keep));
  }

  function onLook(now: number): boolean {
    refuseHopeless(now);
    if (refusalsToReport > 0 && now - reportedAt >= REPORT_EVERY_MS) {
      options.hostLog.overloaded(refusalsToReport, waiting.length);
      refusalsToReport = 0;
      reportedAt = now;
    }
    return pumping || refusalsToReport > 0;
  }

  return {
    onRequest,
    onConnection() {
      connections++;
    },
    get isRefusing() {
      return judge(clock.monotonic()) === 'refuse';
    },
    get waitingCount() {
      return waiting.length + refused.length;
    },
  };
}

const REFUSAL = errorBody(
  'overloaded',
  'The server has more requests than it can serve. Send the same request again after the time in Retry-After.',
);

/** Health is answered whatever the load: a process that is busy is not one that should be restarted. */
function isHealthCheck(target: string | undefined): boolean {
  return target === '/readiness' || target?.startsWith('/readiness?') === true;
}
