/**
 * The WebSocket of this door as an AsyncAPI document. It shares its schemas with the OpenAPI document.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { HOST_VERSION } from '../host/server-identity.ts';
import { LIFECYCLE_VERSION } from './lifecycle.ts';
import { componentSchemas, namedSchemas, ref } from './openapi-component.ts';
import { clientFrames, type FrameType } from './socket-frame.ts';

export function describeAsyncApi(): JsonObject {
  const schemas = {
    ...componentSchemas(),
    ...namedSchemas(Object.values(clientFrames), 'input'),
  };
  const asked = Object.keys(clientFrames) as FrameType[];
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'aos-agent-server over WebSocket',
      version: HOST_VERSION,
      description:
        'Each text message is one JSON object. Several runs may be under way on one connection: invocation_id tells ' +
        'them apart, request_id an answer from another. A connection that ends changes nothing about its runs. ' +
        `What a client may rely on: docs/durable-invocations.md, version ${LIFECYCLE_VERSION}.`,
      'x-durable-invocations': LIFECYCLE_VERSION,
    },
    defaultContentType: 'application/json',
    channels: {
      invocations: {
        address: '/invocations_ws',
        messages: {
          ...Object.fromEntries(asked.map((type) => [type, { payload: ref('schemas', `Frame.${type}`) }])),
          request: {
            summary: 'The short form of invoke: what POST /invocations takes',
            payload: {
              oneOf: [
                withInvocationId(schemas['Orchestration']),
                withInvocationId(schemas['Chat']),
                ref('schemas', 'OperationRequest'),
              ],
            },
          },
          cancelled: {
            summary: 'The short form of cancel',
            payload: withMembers({ cancel: ref('schemas', 'ProtocolId'), reason: { type: 'string' } }, ['cancel']),
          },
          event: { summary: 'A numbered event of a run', payload: ref('schemas', 'Event') },
          accepted: {
            summary: 'The answer to invoke: the run as it was admitted, created or joined',
            payload: answer('accepted', 'Invocation', { outcome: { enum: ['created', 'joined'] } }),
          },
          invocation: {
            summary: 'The answer to get and cancel: the run as it is',
            payload: answer('invocation', 'Invocation'),
          },
          result: {
            summary: 'The answer to operation and approval',
            payload: answer('result', 'OperationAnswer'),
          },
          end: {
            summary: 'Following a run has ended; seq is the number to go on after',
            payload: withMembers(
              {
                type: { const: 'end' },
                invocation_id: ref('schemas', 'ProtocolId'),
                seq: { type: 'integer' },
                reason: { enum: ['ended', 'unfollowed', 'shutting_down', 'token_expired'] },
              },
              ['type', 'invocation_id', 'seq', 'reason'],
            ),
          },
          pong: { payload: withMembers({ type: { const: 'pong' }, ...REQUEST_ID }, ['type']) },
          error: { payload: answer('error', 'Error', { invocation_id: { type: ['string', 'null'] } }) },
        },
      },
    },
    operations: {
      ask: { action: 'receive', channel: CHANNEL, messages: [...asked, 'request', 'cancelled'].map(message) },
      answer: {
        action: 'send',
        channel: CHANNEL,
        messages: ['event', 'accepted', 'invocation', 'result', 'end', 'pong', 'error'].map(message),
      },
    },
    components: { schemas },
  };
}

const CHANNEL = { $ref: '#/channels/invocations' };
const REQUEST_ID: JsonObject = { request_id: { type: 'string' } };

function message(name: string): JsonObject {
  return { $ref: `#/channels/invocations/messages/${name}` };
}

/** A frame of the type with the members of a schema. */
function answer(type: string, schema: string, members: JsonObject = {}): JsonObject {
  return {
    allOf: [ref('schemas', schema), withMembers({ type: { const: type }, ...REQUEST_ID, ...members }, ['type'])],
  };
}

/** A request over the socket may carry the id that a header carries over HTTP; the schemas take no other member. */
function withInvocationId(schema: JsonValue | undefined): JsonObject {
  const members = isJsonObject(schema) ? schema : {};
  return { ...members, properties: { ...Object(members['properties']), invocation_id: ref('schemas', 'ProtocolId') } };
}

function withMembers(properties: JsonObject, required: string[] = []): JsonObject {
  return { type: 'object', properties, required };
}
