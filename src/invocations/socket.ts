/**
 * The same door over one WebSocket: runs are started, followed, cancelled, approvals decided and operations performed
 * by typed frames (`socket-frame.ts`), many runs on one connection. A connection that ends changes nothing about its
 * runs: another one follows them from the last number it has.
 *
 * Who asks is found out once, from the request that opened the connection; whoever is not let in gets a frame `error` and
 * close code 1008, and so does whoever's token expires.
 */
import type { Clock } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Gate } from '../dispatch.ts';
import type { RateLimiter } from '../governance/limits/rate-limiter.ts';
import type { SocketRoom } from '../governance/limits/socket-room.ts';
import { type AgentSocket, SocketClosedError, type SocketMessage } from '../host/agent-socket.ts';
import type { SocketContext } from '../host/socket-handler.ts';
import type { Need } from '../identity/access.ts';
import type { Entrance } from '../identity/entrance.ts';
import { EXPIRED, watchExpiry } from '../identity/expiry.ts';
import type { Principal } from '../identity/principal.ts';
import type { EventLog } from '../runs/event-log.ts';
import { type Caller, keyOfRun, type Run } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Envelope } from './envelope.ts';
import { createFlowWindow, type FlowWindow } from './flow-window.ts';
import { withFacts } from './limited-answer.ts';
import { needs } from './need.ts';
import { presentedBy } from './platform-caller.ts';
import { parseCancelReason, parseInvocationRequest } from './request.ts';
import { type ClientFrame, idsOfMessage, parseFrame } from './socket-frame.ts';
import { viewEvent, viewInvocation } from './view.ts';

/** "Policy violation": the code for those who are not let in. */
const NOT_LET_IN = 1008;
/** "Try again later": the code for those for whom there is no room now. */
const TRY_LATER = 1013;
/** Runs one connection may follow at a time. */
const MAX_RUNS = 64;
/** Frames one connection may have under way at a time, the followed runs not counted. */
const MAX_FRAMES = 256;

/** Frames that ask for nothing, and those that only look. */
const FREE_FRAMES: readonly ClientFrame['type'][] = ['ping', 'ack', 'unfollow'];
const LOOKS: readonly ClientFrame['type'][] = ['get', 'follow'];

export interface SocketDoorParts {
  readonly entrance: Entrance;
  readonly gate: Pick<Gate, 'submit' | 'cancel'>;
  readonly runs: Pick<RunStore, 'find'>;
  readonly events: Pick<EventLog, 'of'>;
  readonly envelope: Envelope;
  /** How often frames may ask for something; as often as they like when left out. */
  readonly rates?: Pick<RateLimiter, 'take'> | undefined;
  /** Room for connections of a tenant; there is as much as they like when left out. */
  readonly room?: Pick<SocketRoom, 'enter'> | undefined;
  readonly clock: Clock;
  /** How long followers are still served once the server begins to stop, in milliseconds. */
  readonly drainMs: number;
}

export type SocketDoor = (socket: AgentSocket, context: SocketContext) => Promise<void>;

export function createSocketDoor(parts: SocketDoorParts): SocketDoor {
  return async (socket, context) => {
    const principal = await identify(parts.entrance, socket, context);
    if (principal === undefined) return;
    const leave = await enter(parts.room, socket, principal);
    if (leave === undefined) return;
    const connection = new Connection(parts, socket, context, principal);
    const expiry = watchExpiry(principal, parts.clock);
    expiry.signal.addEventListener('abort', () => void connection.expire(), { once: true });
    try {
      for await (const message of socket) await connection.take(message);
      // The iteration ends when the client has gone, or when the server stops: then followers have a while yet.
      if (socket.ended === undefined) await connection.drain();
    } finally {
      expiry.cancel();
      leave();
      await connection.close();
    }
  };
}

/** Who opened the connection; undefined when it has been closed because nobody knows. */
async function identify(
  entrance: Entrance,
  socket: AgentSocket,
  context: SocketContext,
): Promise<Principal | undefined> {
  try {
    return await entrance.identify(presentedBy(context, context, { byQuery: true }));
  } catch (thrown) {
    const failure = asError(thrown);
    if (!(failure instanceof AosError) || failure.status >= 500) throw failure;
    const { code, message } = failure;
    await socket.send(JSON.stringify({ type: 'error', error: { code, message } })).catch(() => {});
    socket.close(NOT_LET_IN, code);
    return undefined;
  }
}

/** Takes room for the connection; undefined when it has been closed because there is none. */
async function enter(
  room: SocketDoorParts['room'],
  socket: AgentSocket,
  { caller }: Principal,
): Promise<(() => void) | undefined> {
  if (room === undefined) return () => {};
  try {
    return await room.enter(caller.tenantId);
  } catch (thrown) {
    if (!(thrown instanceof AosError) || thrown.code !== 'rate_limited') throw thrown;
    const { code, message, details } = withFacts(thrown);
    await socket.send(JSON.stringify({ type: 'error', error: { code, message, details } })).catch(() => {});
    socket.close(TRY_LATER, code);
    return undefined;
  }
}

interface Following {
  readonly stop: AbortController;
  readonly window: FlowWindow;
  readonly done: Promise<void>;
}

type FollowOptions = { readonly after?: number | undefined; readonly window?: number | undefined };
type EndReason = 'ended' | 'unfollowed' | 'shutting_down' | typeof EXPIRED.code;

class Connection {
  readonly #parts: SocketDoorParts;
  readonly #socket: AgentSocket;
  readonly #context: SocketContext;
  readonly #principal: Principal;
  readonly #caller: Caller;
  readonly #following = new Map<string, Following>();
  readonly #frames = new Set<Promise<void>>();
  #closing: EndReason | undefined;

  constructor(parts: SocketDoorParts, socket: AgentSocket, context: SocketContext, principal: Principal) {
    this.#parts = parts;
    this.#socket = socket;
    this.#context = context;
    this.#principal = principal;
    this.#caller = principal.caller;
  }

  /** Takes a message; what it asks for goes on beside the next ones, unless too much is under way. */
  async take(message: SocketMessage): Promise<void> {
    const frame = this.#handle(message).finally(() => this.#frames.delete(frame));
    this.#frames.add(frame);
    if (this.#frames.size >= MAX_FRAMES) await Promise.race(this.#frames);
  }

  /** Waits for the followed runs to end, as long as the server's stop allows. */
  async drain(): Promise<void> {
    const patience = new AbortController();
    const followed = Promise.all([...this.#following.values()].map(({ done }) => done));
    const asked = Promise.all(this.#frames);
    await Promise.race([
      Promise.all([followed, asked]),
      this.#parts.clock.sleep(this.#parts.drainMs, patience.signal).catch(() => {}),
    ]);
    patience.abort();
    this.#closing = 'shutting_down';
  }

  /** The proof of who asks has ended: what is followed ends with the word for it, then the connection. */
  async expire(): Promise<void> {
    this.#closing = EXPIRED.code;
    const followed = [...this.#following.values()];
    for (const { stop } of followed) stop.abort();
    await Promise.all(followed.map(({ done }) => done));
    await this.#send({ type: 'error', error: EXPIRED }).catch(() => {});
    this.#socket.close(NOT_LET_IN, EXPIRED.code);
  }

  async close(): Promise<void> {
    for (const { stop } of this.#following.values()) stop.abort();
    await Promise.all([...this.#following.values()].map(({ done }) => done));
    await Promise.all(this.#frames);
  }

  #send(frame: JsonObject): Promise<void> {
    return this.#socket.send(JSON.stringify(frame));
  }

  async #handle(message: SocketMessage): Promise<void> {
    let ids = idsOfMessage(message);
    try {
      const frame = parseFrame(message);
      // A run without a name gets one here, so that an error about it can say which it was.
      if (frame.type === 'invoke') {
        frame.invocation_id ??= newUuid();
        ids = { ...ids, invocation_id: frame.invocation_id };
      }
      await this.#answer(frame);
    } catch (thrown) {
      const failure = asError(thrown);
      if (failure instanceof SocketClosedError) return;
      await this.#send({ type: 'error', ...ids, error: this.#wordsOf(failure) }).catch(() => {});
    }
  }

  async #answer(frame: ClientFrame): Promise<void> {
    await this.#limit(frame.type);
    const tag = 'request_id' in frame && frame.request_id !== undefined ? { request_id: frame.request_id } : {};
    switch (frame.type) {
      case 'invoke':
        return this.#invoke(frame, tag);
      case 'follow':
        await this.#admit(needs.read);
        return this.#follow(await this.#find(frame.invocation_id), frame);
      case 'unfollow':
        this.#followed(frame.invocation_id).stop.abort();
        return;
      case 'ack':
        this.#followed(frame.invocation_id).window.acknowledge(frame.seq);
        return;
      case 'get':
        await this.#admit(needs.read);
        return this.#send({ type: 'invocation', ...tag, ...viewed(await this.#find(frame.invocation_id)) });
      case 'cancel': {
        await this.#admit(needs.cancel);
        const reason = parseCancelReason(frame.reason === undefined ? {} : { reason: frame.reason });
        const run = await this.#parts.gate.cancel(frame.invocation_id, reason, this.#caller);
        if (run === undefined) throw unknownRun(frame.invocation_id);
        return this.#send({ type: 'invocation', ...tag, ...viewed(run) });
      }
      case 'approval': {
        const { type: _type, request_id: _request, approval_id, decision, ...rest } = frame;
        return this.#operate(`approvals.${decision}`, { ...(rest as JsonObject), id: approval_id }, tag);
      }
      case 'operation':
        return this.#operate(frame.operation, frame.input as JsonObject, tag);
      case 'ping':
        return this.#send({ type: 'pong', ...tag });
    }
  }

  async #invoke(frame: Extract<ClientFrame, { type: 'invoke' }>, tag: JsonObject): Promise<void> {
    const { body, follow, after, window } = frame;
    if ('operation' in body) {
      const { operation, input = {} } = body as { operation: string; input?: JsonObject };
      return this.#operate(operation, input, tag);
    }
    await this.#admit(needs.start);
    const { kind, work } = parseInvocationRequest(body as JsonObject);
    const id = frame.invocation_id ?? newUuid();
    if (follow) this.#checkRoom(id);
    const { run, outcome } = await this.#parts.gate.submit({
      id,
      kind,
      sessionId: frame.session_id ?? this.#context.sessionId,
      caller: this.#caller,
      body: work,
      callId: this.#context.callId,
    });
    if ('request_id' in tag || !follow) {
      await this.#send({ type: 'accepted', ...tag, outcome, ...viewed(run) });
    }
    // A number can only be meant for a run that was there before.
    if (follow) this.#follow(run, { after: outcome === 'joined' ? after : 0, window });
  }

  async #operate(operation: string, input: JsonObject, tag: JsonObject): Promise<void> {
    const { callId, signal } = this.#context;
    const context = { caller: this.#caller, principal: this.#principal, callId, signal };
    const answer = await this.#parts.envelope.perform({ operation, input }, context);
    await this.#send({ type: 'result', ...tag, ...answer });
  }

  #admit(need: Need): Promise<void> {
    return this.#parts.entrance.admit(this.#principal, need);
  }

  /** What keeps a connection going is free; the rest counts as a request of its own. */
  async #limit(type: ClientFrame['type']): Promise<void> {
    if (FREE_FRAMES.includes(type)) return;
    const method = LOOKS.includes(type) ? 'GET' : 'POST';
    const asked = { caller: this.#caller, method, route: `/invocations_ws ${type}` };
    const state = await this.#parts.rates?.take(asked);
    if (state?.refusal !== undefined) throw withFacts(state.refusal);
  }

  async #find(id: string): Promise<Run> {
    const run = await this.#parts.runs.find(id, this.#caller);
    if (run === undefined) throw unknownRun(id);
    return run;
  }

  #followed(id: string): Following {
    const following = this.#following.get(id);
    if (following !== undefined) return following;
    throw new AosError('invalid_request', `this connection does not follow invocation "${id}": send a frame "follow"`);
  }

  #checkRoom(id: string): void {
    if (this.#following.has(id)) {
      throw new AosError('conflict', `this connection follows invocation "${id}" already: unfollow it first`);
    }
    if (this.#following.size >= MAX_RUNS) {
      throw new AosError('overloaded', `this connection follows ${MAX_RUNS} runs already: wait for one to end`);
    }
  }

  #follow(run: Run, { after = 0, window: size }: FollowOptions): void {
    this.#checkRoom(run.id);
    if (after > run.lastEvent) {
      throw new AosError(
        'invalid_request',
        `event ${after} is not there yet: the newest event of invocation "${run.id}" is ${run.lastEvent}`,
      );
    }
    const stop = new AbortController();
    const window = createFlowWindow(size, after);
    const done = this.#forward(run, after, window, stop.signal).finally(() => this.#following.delete(run.id));
    this.#following.set(run.id, { stop, window, done });
  }

  async #forward(run: Run, after: number, window: FlowWindow, signal: AbortSignal): Promise<void> {
    let seq = after;
    try {
      for await (const event of this.#parts.events.of(run.caller.tenantId).follow(keyOfRun(run), after, signal)) {
        await window.room(event.seq, signal);
        await this.#send(viewEvent(event));
        seq = event.seq;
      }
    } catch (thrown) {
      const failure = asError(thrown);
      if (failure instanceof SocketClosedError) return;
      if (!signal.aborted) {
        await this.#send({ type: 'error', invocation_id: run.id, error: this.#wordsOf(failure) }).catch(() => {});
        return;
      }
    }
    const reason: EndReason = signal.aborted ? (this.#closing ?? 'unfollowed') : 'ended';
    await this.#send({ type: 'end', invocation_id: run.id, seq, reason }).catch(() => {});
  }

  /** What the client may know of a failure; the log gets the rest. */
  #wordsOf(failure: Error): JsonObject {
    if (failure instanceof AosError && failure.code !== 'internal_error') {
      const { code, message, details } = failure;
      return { code, message, ...(details.length > 0 && { details: [...details] }) };
    }
    this.#context.log.error('a WebSocket frame could not be handled', { error: failure });
    return { code: 'internal_error', message: 'Internal server error' };
  }
}

function viewed(run: Run): JsonObject {
  return JSON.parse(JSON.stringify(viewInvocation(run))) as JsonObject;
}

function unknownRun(id: string): AosError {
  return new AosError('not_found', `there is no invocation "${id}"`);
}
