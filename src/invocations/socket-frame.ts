/**
 * The frames of `/invocations_ws`: what a client may send, one JSON object per text message, and what comes back beside
 * the events themselves. A frame without `type` is the short form: the body of `POST /invocations`, or `{"cancel": id}`.
 */
import { z } from 'zod';
import { closest } from '../core/closest.ts';
import { AosError } from '../core/errors.ts';
import { isProtocolId } from '../core/ids.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { parseJsonText } from '../core/json-text.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { SocketMessage } from '../host/agent-socket.ts';

const ID = 'must be 1 to 256 of the characters A-Z a-z 0-9 - _ . :';
const invocationId = z.string().refine(isProtocolId, { error: ID });
const requestId = z
  .string()
  .max(256)
  .optional()
  .meta({ description: 'Comes back on every frame that answers this one' });
const freeForm = z.record(z.string(), z.unknown());
const window = z.int().min(1).max(10_000).optional().meta({
  description: 'At most so many events are sent beyond the last one acknowledged; without it the connection decides',
});
const after = z.int().min(0).optional().meta({ description: 'The number of the last event the client has' });

/** The names of an approver's decisions, each an operation `approvals.<decision>`. */
export const decisions = ['approve', 'reject', 'ask', 'answer', 'escalate'] as const;

export const clientFrames = {
  invoke: z
    .strictObject({
      type: z.literal('invoke'),
      request_id: requestId,
      invocation_id: invocationId.optional(),
      session_id: invocationId.optional(),
      body: freeForm.meta({ description: 'What POST /invocations takes' }),
      follow: z.boolean().default(true).meta({ description: 'Whether the events of the run are sent' }),
      after,
      window,
    })
    .meta({ id: 'Frame.invoke', description: 'Starts a run, or joins the one of the same id' }),
  follow: z
    .strictObject({ type: z.literal('follow'), request_id: requestId, invocation_id: invocationId, after, window })
    .meta({ id: 'Frame.follow', description: 'Replays the events after a number and follows the run to its end' }),
  unfollow: z
    .strictObject({ type: z.literal('unfollow'), request_id: requestId, invocation_id: invocationId })
    .meta({ id: 'Frame.unfollow', description: 'Ends following; the run goes on' }),
  ack: z
    .strictObject({ type: z.literal('ack'), invocation_id: invocationId, seq: z.int().min(0) })
    .meta({ id: 'Frame.ack', description: 'The client has dealt with the events up to this number' }),
  get: z
    .strictObject({ type: z.literal('get'), request_id: requestId, invocation_id: invocationId })
    .meta({ id: 'Frame.get', description: 'Asks for the run as it is' }),
  cancel: z
    .strictObject({
      type: z.literal('cancel'),
      request_id: requestId,
      invocation_id: invocationId,
      reason: z.string().optional(),
    })
    .meta({ id: 'Frame.cancel', description: 'Asks for the end of a run' }),
  approval: z
    .looseObject({
      type: z.literal('approval'),
      request_id: requestId,
      approval_id: z.string().min(1),
      decision: z.enum(decisions),
    })
    .meta({
      id: 'Frame.approval',
      description: 'Decides an approval; the other members are those of the operation approvals.<decision>',
    }),
  operation: z
    .strictObject({
      type: z.literal('operation'),
      request_id: requestId,
      operation: z.string().min(1),
      input: freeForm.default({}),
    })
    .meta({ id: 'Frame.operation', description: 'Performs a management operation' }),
  ping: z
    .strictObject({ type: z.literal('ping'), request_id: requestId })
    .meta({ id: 'Frame.ping', description: 'Answered by a pong' }),
} as const;

export type FrameType = keyof typeof clientFrames;
export type ClientFrame = { [T in FrameType]: z.output<(typeof clientFrames)[T]> }[FrameType];
const frameTypes = Object.keys(clientFrames) as FrameType[];

/**
 * Reads one message.
 * @throws AosError invalid_request: what was expected, what came
 */
export function parseFrame(message: SocketMessage): ClientFrame {
  if (typeof message !== 'string') {
    throw new AosError('invalid_request', 'a message must be text (JSON), got a binary one');
  }
  const value = parseJsonText(message, 'the message');
  if (!isJsonObject(value)) {
    throw new AosError(
      'invalid_request',
      `a message must be a JSON object: a frame with a type (${frameTypes.join(', ')}), what POST /invocations takes, or {"cancel": id}`,
    );
  }
  const { type } = value;
  if (type === undefined) return shortForm(value);
  const known = frameTypes.find((name) => name === type);
  if (known === undefined) {
    throw new AosError(
      'invalid_request',
      `there is no frame of type ${JSON.stringify(type)}${closest(String(type), frameTypes, ', did you mean "%s"?')} (there are: ${frameTypes.join(', ')})`,
    );
  }
  return checkSchema(clientFrames[known], value, `the frame "${known}"`);
}

function shortForm({ cancel, reason, invocation_id: named, ...body }: JsonObject): ClientFrame {
  if (cancel === undefined) {
    const id = idOf(named);
    return { type: 'invoke', body, follow: true, ...(id !== undefined && { invocation_id: id }) };
  }
  if (reason !== undefined && typeof reason !== 'string') {
    throw new AosError('invalid_request', 'the reason of a cancel must be a text');
  }
  return { type: 'cancel', invocation_id: idOf(cancel) ?? '', ...(reason !== undefined && { reason }) };
}

function idOf(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && isProtocolId(given)) return given;
  throw new AosError('invalid_request', `an invocation id ${ID}`);
}

/** The ids a frame carries, as far as they can be read, so that an error about it can be told apart. */
export function idsOfMessage(message: SocketMessage): { request_id?: string; invocation_id: string | null } {
  try {
    const value: unknown = typeof message === 'string' ? JSON.parse(message) : undefined;
    if (typeof value !== 'object' || value === null) return { invocation_id: null };
    const { request_id, invocation_id, cancel } = value as Record<string, unknown>;
    const id = cancel ?? invocation_id;
    return {
      ...(typeof request_id === 'string' && { request_id }),
      invocation_id: typeof id === 'string' && isProtocolId(id) ? id : null,
    };
  } catch {
    return { invocation_id: null };
  }
}
