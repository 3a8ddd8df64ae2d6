/**
 * The WebSocket of this door as an AsyncAPI document. It shares its schemas with the OpenAPI document.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { HOST_VERSION } from '../host/server-identity.ts';
import { componentSchemas, ref } from './openapi-component.ts';

export function describeAsyncApi(): JsonObject {
  const schemas = componentSchemas();
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'aos-agent-server over WebSocket',
      version: HOST_VERSION,
      description:
        'Each text message to the server asks for a run, or cancels one; each text message from it is one numbered ' +
        'event of a run, or an error. Several runs may be under way on one connection: invocation_id tells them apart.',
    },
    defaultContentType: 'application/json',
    channels: {
      invocations: {
        address: '/invocations_ws',
        messages: {
          request: {
            payload: { oneOf: [withInvocationId(schemas['Orchestration']), withInvocationId(schemas['Chat'])] },
          },
          cancel: {
            payload: withMembers({ cancel: ref('schemas', 'ProtocolId'), reason: { type: 'string' } }, ['cancel']),
          },
          event: { payload: ref('schemas', 'Event') },
          invocation: {
            summary: 'The answer to a cancel: the run as it is right after the request',
            payload: {
              allOf: [ref('schemas', 'Invocation'), withMembers({ type: { const: 'invocation' } }, ['type'])],
            },
          },
          error: {
            payload: {
              allOf: [
                ref('schemas', 'Error'),
                withMembers({ type: { const: 'error' }, invocation_id: { type: ['string', 'null'] } }, ['type']),
              ],
            },
          },
        },
      },
    },
    operations: {
      ask: { action: 'receive', channel: CHANNEL, messages: [message('request'), message('cancel')] },
      answer: { action: 'send', channel: CHANNEL, messages: ['event', 'invocation', 'error'].map(message) },
    },
    components: { schemas },
  };
}

const CHANNEL = { $ref: '#/channels/invocations' };

function message(name: string): JsonObject {
  return { $ref: `#/channels/invocations/messages/${name}` };
}

/** A request over the socket may carry the id that a header carries over HTTP; the schemas take no other member. */
function withInvocationId(schema: JsonValue | undefined): JsonObject {
  const members = isJsonObject(schema) ? schema : {};
  return { ...members, properties: { ...Object(members['properties']), invocation_id: ref('schemas', 'ProtocolId') } };
}

function withMembers(properties: JsonObject, required: string[] = []): JsonObject {
  return { type: 'object', properties, required };
}
