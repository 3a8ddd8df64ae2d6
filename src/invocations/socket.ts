/**
 * The same door over one WebSocket: each text message is what `POST /invocations` takes, optionally with the
 * `invocation_id` the caller gives it, or `{"cancel": id}`. Each answer is one JSON message: a run's numbered events,
 * of several runs at once, or an error. A connection that ends changes nothing about its runs.
 */
import { AosError, asError } from '../core/errors.ts';
import { isProtocolId, newUuid } from '../core/ids.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { parseJsonText } from '../core/json-text.ts';
import type { Gate } from '../dispatch.ts';
import type { Engine } from '../engine/engine.ts';
import { type AgentSocket, SocketClosedError, type SocketMessage } from '../host/agent-socket.ts';
import type { CallContext } from '../host/inbound-call.ts';
import type { EventLog } from '../runs/event-log.ts';
import { parseCancelReason, parseInvocationRequest } from './request.ts';
import { viewEvent, viewInvocation } from './view.ts';

/** Runs one connection may follow at a time. */
const MAX_RUNS = 64;

export interface SocketDoorParts {
  readonly gate: Gate;
  readonly events: Pick<EventLog, 'follow'>;
  readonly engine: Pick<Engine, 'cancel'>;
}

export type SocketDoor = (socket: AgentSocket, context: CallContext) => Promise<void>;

export function createSocketDoor({ gate, events, engine }: SocketDoorParts): SocketDoor {
  return async (socket, context) => {
    const connection = new AbortController();
    const underWay = new Set<Promise<void>>();
    const caller = { userId: context.userId };
    const send = (frame: JsonObject) => socket.send(JSON.stringify(frame));

    async function follow(id: string, body: JsonObject): Promise<void> {
      const { kind, work } = parseInvocationRequest(body);
      if (underWay.size > MAX_RUNS) {
        throw new AosError('overloaded', `this connection follows ${MAX_RUNS} runs already: wait for one to end`);
      }
      const { sessionId, callId } = context;
      const { run } = await gate.submit({ id, kind, sessionId, caller, body: work, callId });
      for await (const event of events.follow(run.id, 0, connection.signal)) await send(viewEvent(event));
    }

    async function cancel(id: string, body: JsonObject): Promise<void> {
      const run = await engine.cancel(id, parseCancelReason(body), caller);
      if (run === undefined) throw new AosError('not_found', `there is no invocation "${id}"`);
      await send({ type: 'invocation', ...JSON.parse(JSON.stringify(viewInvocation(run))) });
    }

    async function handle(message: SocketMessage): Promise<void> {
      let id: string | null = null;
      try {
        const { cancel: cancelled, invocation_id: named, ...body } = parseMessage(message);
        id = idOf(cancelled ?? named);
        if (cancelled === undefined) await follow(id, body);
        else await cancel(id, body);
      } catch (thrown) {
        const failure = asError(thrown);
        if (failure instanceof SocketClosedError) return;
        const known = failure instanceof AosError && failure.code !== 'internal_error';
        if (!known) context.log.error('a WebSocket message could not be handled', { error: failure });
        const error = known
          ? { code: failure.code, message: failure.message }
          : { code: 'internal_error', message: 'Internal server error' };
        await send({ type: 'error', invocation_id: id, error }).catch(() => {});
      }
    }

    try {
      for await (const message of socket) {
        const task = handle(message).finally(() => underWay.delete(task));
        underWay.add(task);
      }
    } finally {
      connection.abort();
      await Promise.all(underWay);
    }
  };
}

function parseMessage(message: SocketMessage): JsonObject {
  if (typeof message !== 'string') {
    throw new AosError('invalid_request', 'a message must be text (JSON), got a binary one');
  }
  const value = parseJsonText(message, 'the message');
  if (isJsonObject(value)) return value;
  throw new AosError(
    'invalid_request',
    'a message must be a JSON object: what POST /invocations takes, or {"cancel": id}',
  );
}

function idOf(given: unknown): string {
  if (given === undefined) return newUuid();
  if (typeof given === 'string' && isProtocolId(given)) return given;
  throw new AosError('invalid_request', 'an invocation id must be 1 to 256 of the characters A-Z a-z 0-9 - _ . :');
}
