/**
 * What the documents of this door refer to by name: its schemas, parameters, headers and error answers.
 */
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import { operationAnswer, operationBody } from './envelope.ts';
import { errorSchema, eventSchema } from './event-schema.ts';
import { cancelBody, chatBody, orchestrationBody } from './request.ts';
import { invocationSchema } from './view.ts';

/** Every named schema, once. Request bodies as they may be sent, answers as they are sent. */
export function componentSchemas(): JsonObject {
  return {
    ProtocolId: { type: 'string', pattern: '^[A-Za-z0-9\\-_.:]{1,256}$' },
    ...namedSchemas([orchestrationBody, chatBody, cancelBody, operationBody], 'input'),
    ...namedSchemas([invocationSchema, operationAnswer, errorSchema, eventSchema], 'output'),
  };
}

export function namedSchemas(schemas: readonly z.ZodType[], io: 'input' | 'output'): JsonObject {
  const named: JsonObject = {};
  for (const schema of schemas) {
    const { $defs = {} } = z.toJSONSchema(schema, { io, override: ({ jsonSchema }) => simplify(jsonSchema, io) });
    Object.assign(named, JSON.parse(JSON.stringify($defs).replaceAll('#/$defs/', '#/components/schemas/')));
  }
  return named;
}

/** Leaves out what says nothing. Answers may grow members, so their objects stay open. */
function simplify(schema: z.core.JSONSchema.BaseSchema, io: 'input' | 'output'): void {
  if (io === 'output' && schema.additionalProperties === false) delete schema.additionalProperties;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  delete schema.propertyNames;
}

export const parameters: JsonObject = {
  SessionId: {
    name: 'agent_session_id',
    in: 'query',
    description: 'The session whose conversation this turn belongs to; a new one when left out or not a valid id',
    schema: { $ref: '#/components/schemas/ProtocolId' },
  },
  InvocationIdHeader: {
    name: 'x-agent-invocation-id',
    in: 'header',
    description:
      "The caller's name for the run, which makes repeating the call harmless; a new UUID when left out or not a valid id",
    schema: { $ref: '#/components/schemas/ProtocolId' },
  },
  InvocationId: {
    name: 'invocation_id',
    in: 'path',
    required: true,
    schema: { $ref: '#/components/schemas/ProtocolId' },
  },
  UserId: {
    name: 'x-agent-user-id',
    in: 'header',
    description: "Set by the platform: the end user, opaque. Another user's run is not found",
    schema: { type: 'string' },
  },
  After: {
    name: 'after',
    in: 'query',
    description: 'Stream the events after this number; wins over the two headers',
    schema: { type: 'integer', minimum: 0, default: 0 },
  },
  LastEventId: {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'The same, as a browser sends it when it reconnects',
    schema: { type: 'integer', minimum: 0 },
  },
  ClientLastEventId: {
    name: 'x-client-last-event-id',
    in: 'header',
    description: "The same, under a name that passes the platform's gateway",
    schema: { type: 'integer', minimum: 0 },
  },
};

export const headers: JsonObject = {
  InvocationId: {
    description: 'The id of the run',
    required: true,
    schema: { $ref: '#/components/schemas/ProtocolId' },
  },
  SessionId: {
    description: 'The session of the call',
    required: true,
    schema: { $ref: '#/components/schemas/ProtocolId' },
  },
};

export const responses: JsonObject = {
  InvalidRequest: failure('The request cannot be used: the message says what was expected, what came and what to do'),
  NotFound: failure('The caller has no invocation of this id'),
  NotThere: failure('The operation was asked about something that the caller does not have'),
  Refused: failure(
    'It was refused: the caller lacks a right, or a rule forbids it; the details carry the finer code and the facts',
  ),
  NotKnown: {
    ...failure('Nobody is known to ask: no token or key came, or not a good one'),
    headers: { 'www-authenticate': { schema: { type: 'string' } } },
  },
  Ended: failure('The run has ended otherwise and cannot be cancelled'),
  TooLarge: failure('The body is larger than 16 MiB'),
  TooOften: {
    ...failure('The caller asks too often, or its tenant has as much under way as it may'),
    headers: { 'retry-after': { schema: { type: 'integer' } } },
  },
  InternalError: failure('The server failed; the log says why'),
  Unavailable: {
    ...failure('The server is overloaded or stopping; a run that was accepted goes on'),
    headers: { 'retry-after': { schema: { type: 'integer' } } },
  },
};

function failure(description: string): JsonObject {
  return { description, content: { 'application/json': { schema: ref('schemas', 'Error') } } };
}

/** A reference to a component. */
export function ref(kind: 'schemas' | 'parameters' | 'headers' | 'responses', name: string): JsonObject {
  return { $ref: `#/components/${kind}/${name}` };
}
