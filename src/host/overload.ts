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
import {
  type AdmissionLimits,
  adaptPace,
  defaultLimits,
  hasTimeToSpare,
  judgeArrival,
  type LoopSample,
  mayStartUnproven,
  mayWait,
  unhurried,
} from './admission.ts';
import { resolveRequestId } from './call-identity.ts';
import { createLagMeter, createTurnMeter, type LagSample } from './event-loop.ts';
import type { HostLog } from './host-log.ts';

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

const SAMPLE_EVERY_MS = 50;
/** A request in flight for so many samples has shown that it waits rather than computes. */
const UNPROVEN_SAMPLES = 3;
const REPORT_EVERY_MS = 1000;
/** From this many milliseconds on, a turn of the loop is felt by connections that wait to be accepted. */
const LONG_TURN_MS = 5;
/** While starts are slowed down and none is due, look again after this long. */
const LOOK_AGAIN_MS = 5;
/** Starts tried in the first turn, and in any. */
const FIRST_SLOTS = 4;
const MOST_SLOTS = 512;
/** A turn this many times its budget holds work of requests started before: fewer are started in the next. */
const LONG_TURN_BUDGETS = 3;

export function createOverloadGuard(options: OverloadGuardOptions): OverloadGuard {
  const { clock, workedMs, serve } = options;
  const limits: AdmissionLimits = { ...defaultLimits, ...options.limits };
  const turn = createTurnMeter(clock);
  const lag = createLagMeter(clock, SAMPLE_EVERY_MS, onSample);
  const allowance = createAllowance();
  const waiting: Arrival[] = [];
  const refused: Arrival[] = [];
  let pressedSince: number | undefined;
  let pace = unhurried;
  // Since the last sample.
  let arrived = 0;
  let started = 0;
  let refusingMs = 0;
  let inFlightBefore = 0;
  /** Requests in flight at the last samples, the oldest first. */
  let inFlightLately: readonly number[] = [];
  let workedBefore = workedMs();

  function onRequest(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const now = clock.monotonic();
    if (arrived++ === 0) lag.start(now);
    if (isHealthCheck(incoming.url)) {
      serve(incoming, outgoing, now);
      return;
    }
    const verdict = judge(now);
    if (verdict === 'start') {
      started++;
      serve(incoming, outgoing, now);
      return;
    }
    (verdict === 'wait' ? waiting : refused).push({ incoming, outgoing, arrivedAt: now });
    startPump();
  }

  function judge(now: number) {
    const elapsed = turn.elapsed(now);
    if (connections !== connectionsAtArrival) catchBreathIfNeeded();
    const turnMs = breathless ? Number.POSITIVE_INFINITY : elapsed;
    const moment = { turnMs, unproven: unproven(), waiting: waiting.length, pressedMs: pressedMs(now) };
    return judgeArrival(moment, pace, limits);
  }

  function unproven(): number {
    return options.inFlight() - (inFlightLately[0] ?? 0);
  }

  function pressedMs(now: number): number {
    return pressedSince === undefined ? 0 : now - pressedSince;
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
  let slots = FIRST_SLOTS;
  let slotsUsed = 0;
  let startsBegan: number | undefined;
  let pumpedAt = 0;

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
    if (waiting.length > 0) pressedSince ??= now;
    else if (refused.length === 0) {
      pumping = false;
      pressedSince = undefined;
      options.onEmpty();
      return;
    }
    allowance.refill(now, pace.startsPerSecond);
    if (refused.length === 0 && !mayStart()) {
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
    if (now - startsBegan >= limits.turnBudgetMs || !mayStart()) return;
    const next = waiting.shift();
    if (next === undefined) return;
    slotsUsed++;
    if (next.incoming.socket.destroyed) return;
    allowance.take();
    started++;
    serve(next.incoming, next.outgoing, next.arrivedAt);
  }

  /** With nothing in flight a start can do no harm, whatever the pace. */
  function mayStart(): boolean {
    return (allowance.left() && mayStartUnproven(unproven(), pace, limits)) || options.inFlight() === 0;
  }

  function refuseSome(): void {
    if (refused.length === 0) return;
    const began = clock.monotonic();
    let spent = 0;
    let count = 0;
    while (count < refused.length && spent < limits.refusalBudgetMs) {
      refuse(refused[count++]);
      spent = clock.monotonic() - began;
    }
    refusingMs += spent;
    refused.splice(0, count);
    answeredWithRefusal += count;
  }

  function refuse(arrival: Arrival | undefined): void {
    if (arrival === undefined || arrival.incoming.socket.destroyed) return;
    const { incoming, outgoing } = arrival;
    outgoing.writeHead(503, {
      'content-type': 'application/json',
      'content-length': REFUSAL.length,
      'retry-after': '1',
      'x-platform-error-source': 'platform',
      'x-platform-server': options.serverIdentity,
      'x-request-id': resolveRequestId(incoming),
    });
    outgoing.end(REFUSAL);
  }

  let answeredWithRefusal = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;

  /** Those who came last give way: the others have waited already and are the next to be served. */
  function refuseHopeless(now: number): void {
    let keep = waiting.length;
    const pressed = pressedMs(now);
    for (; keep > 0; keep--) {
      const last = waiting[keep - 1];
      if (last === undefined || mayWait({ ahead: keep - 1, ageMs: now - last.arrivedAt }, pressed, pace, limits)) break;
    }
    if (keep < waiting.length) refused.push(...waiting.splice(keep));
  }

  function onSample({ now, previous, lagMs, busyMs }: LagSample): void {
    if (hasTimeToSpare(now - previous, busyMs)) pressedSince = undefined;
    const pressed = pressedSince !== undefined && pressedSince <= previous;
    const workedNow = workedMs();
    const worked = workedNow - workedBefore;
    workedBefore = workedNow;
    const inFlightNow = options.inFlight();
    const finished = Math.max(0, started - (inFlightNow - inFlightBefore));
    inFlightBefore = inFlightNow;
    inFlightLately = [...inFlightLately, inFlightNow].slice(-UNPROVEN_SAMPLES);
    const sample: LoopSample = {
      elapsedMs: now - previous,
      // Later than it has worked the loop can only be through no fault of its own.
      lagMs: Math.min(lagMs, worked),
      busyMs: Math.max(0, busyMs - refusingMs),
      workedMs: Math.max(0, worked - refusingMs),
      started,
      finished,
      pressed,
    };
    pace = adaptPace(pace, sample, limits);
    refuseHopeless(now);
    report(now);
    if (arrived === 0 && !pumping && answeredWithRefusal === 0) lag.stop();
    arrived = 0;
    started = 0;
    refusingMs = 0;
  }

  function report(now: number): void {
    if (answeredWithRefusal === 0 || now - reportedAt < REPORT_EVERY_MS) return;
    options.hostLog.overloaded(answeredWithRefusal, waiting.length);
    answeredWithRefusal = 0;
    reportedAt = now;
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

/** How many requests may be started now when starts per second are limited. What is not used within one sample lapses. */
function createAllowance() {
  let left = Number.POSITIVE_INFINITY;
  let refilledAt = 0;
  return {
    refill(now: number, perSecond: number): void {
      const earned = ((now - refilledAt) * perSecond) / 1000;
      const most = Math.max(1, (perSecond * SAMPLE_EVERY_MS) / 1000);
      left =
        perSecond === Number.POSITIVE_INFINITY
          ? perSecond
          : Math.min(most, (left === Number.POSITIVE_INFINITY ? 0 : left) + earned);
      refilledAt = now;
    },
    take(): void {
      left--;
    },
    left: () => left >= 1,
  };
}
