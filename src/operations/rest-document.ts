/**
 * The table of operations as the paths and schemas of an OpenAPI document: what is documented is what checks the input
 * and types the output. An operation's name is its operationId.
 */
import { z } from 'zod';
import { catalogue, type ErrorCode } from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { Access } from '../identity/access.ts';
import { type ErrorFamily, needOf, type OperationSpec } from './operation.ts';

export interface RestDocument {
  readonly paths: JsonObject;
  readonly schemas: JsonObject;
  readonly parameters: JsonObject;
  readonly headers: JsonObject;
  readonly securitySchemes: JsonObject;
}

const SENTENCES: Readonly<Partial<Record<ErrorCode, string>>> = {
  invalid_request: 'The request cannot be used: the sentence says what was expected, what came and what to do',
  unauthenticated: 'Nobody is known to ask: no token or key came, or not a good one',
  forbidden:
    'The caller lacks a right, or governance does not allow it: `right`, or `rule` and `accountable`, say what stood in the way',
  not_found: 'The caller has no such thing',
  conflict: 'The state of things does not allow it',
  payload_too_large: 'The body is larger than 16 MiB',
  unsupported: 'It is understood and cannot be done, or the Idempotency-Key was used for another request',
  rate_limited:
    'The caller asks too often, or its tenant has as much under way as it may: `Retry-After` says when to come again',
  internal_error: 'The server failed; its log says why',
  overloaded: 'The server has too much to do, or is stopping',
};

const members = {
  code: { type: 'string', description: 'A word for programs, in capitals' },
  trace_id: { type: 'string' },
  details: {
    type: 'array',
    description: 'One finding each, when there are several',
    items: {
      type: 'object',
      properties: { code: { type: 'string' }, message: { type: 'string' } },
      required: ['code', 'message'],
    },
  },
};

const failure = (sentence: 'error' | 'detail'): JsonObject => ({
  type: 'object',
  description: 'Why there is no answer; beside these members stand facts of the case, e.g. the `status` in the way',
  properties: { [sentence]: { type: 'string' }, ...members },
  required: [sentence, 'code', 'trace_id', 'details'],
});

const SCHEMA: Readonly<Record<ErrorFamily, string>> = { flat: 'FlatFailure', detail: 'DetailFailure' };

export function describeRest(specs: readonly OperationSpec[]): RestDocument {
  const schemas: JsonObject = {
    FlatFailure: failure('error'),
    DetailFailure: failure('detail'),
    HostFailure: {
      type: 'object',
      description: 'The refusal of an overloaded server, before anybody looked at the path',
      properties: { error: { type: 'object', properties: { code: { type: 'string' }, message: { type: 'string' } } } },
      required: ['error'],
    },
  };
  const paths: Record<string, JsonObject> = {};
  for (const spec of specs) {
    const { path, aliases = [], method } = spec.rest;
    for (const [index, template] of [path, ...aliases].entries()) {
      const operationId = index === 0 ? spec.name : `${spec.name}.alias-${index}`;
      const item = { operationId, ...describeOperation(spec, schemas) };
      paths[template] = { ...paths[template], [method.toLowerCase()]: item };
    }
  }
  return { paths, schemas, parameters, headers, securitySchemes };
}

const parameters: JsonObject = {
  TenantId: {
    name: 'X-Tenant-ID',
    in: 'header',
    description:
      'Whose things these are: one of the tenants that the token or key allows, its own when left out; with AUTH_MODE=off any, ' +
      '`default` when left out. Another tenant never sees them',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
  },
  TraceId: {
    name: 'X-Trace-Id',
    in: 'header',
    description: 'The trace of the call; it comes back, and what the call starts belongs to it',
    schema: { type: 'string' },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description: 'The same key with the same request gets the first answer again, for 24 hours',
    schema: { type: 'string', pattern: '^[!-~]{1,255}$' },
  },
};

/** How a caller says who he is; which of them counts is the server's `AUTH_MODE`. */
const securitySchemes: JsonObject = {
  Bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'AUTH_MODE=jwt: a signed token' },
  ClientBearer: {
    type: 'apiKey',
    in: 'header',
    name: 'x-client-authorization',
    description: "The same, as `Bearer <token>`, under a name that passes the platform's gateway",
  },
  ApiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'AUTH_MODE=api-key: a key' },
  PlatformUser: {
    type: 'apiKey',
    in: 'header',
    name: 'x-agent-user-id',
    description: 'AUTH_MODE=platform: set by the platform, which has authenticated the caller',
  },
};

/**
 * The proofs that do for a right, named with it; the last, which is none, is for servers with `AUTH_MODE=off`.
 */
export function securityOf(access: Access): JsonObject[] {
  if (access === 'public') return [];
  return [...Object.keys(securitySchemes).map((scheme) => ({ [scheme]: [access] })), {}];
}

const headers: JsonObject = {
  TraceId: { description: 'The trace of the call', required: true, schema: { type: 'string' } },
  Location: { description: 'Where to read what was made', schema: { type: 'string' } },
  IdempotentReplay: {
    description: '`true`: the answer to the first call with this Idempotency-Key',
    schema: { type: 'string', const: 'true' },
  },
};

function describeOperation(spec: OperationSpec, schemas: JsonObject): JsonObject {
  const { rest, summary, description, example } = spec;
  const hasBody = rest.method !== 'GET' && rest.method !== 'DELETE';
  const { body, query, path } = describeInput(spec, hasBody, schemas);
  return {
    tags: [spec.name.split('.')[0] ?? ''],
    summary,
    ...(description !== undefined && { description }),
    security: securityOf(needOf(spec).access),
    parameters: [
      ...path,
      ...query,
      parameter('TenantId'),
      parameter('TraceId'),
      ...(rest.method === 'POST' ? [parameter('IdempotencyKey')] : []),
    ],
    ...(hasBody && {
      requestBody: {
        required: Array.isArray(body['required']) || '$ref' in body,
        content: {
          'application/json': { schema: body, ...(example?.input !== undefined && { example: example.input }) },
        },
      },
    }),
    responses: describeAnswers(spec, schemas),
  };
}

function describeInput(spec: OperationSpec, hasBody: boolean, schemas: JsonObject) {
  const inPath = [...spec.rest.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
  const whole = jsonSchema(spec.input, 'input', schemas);
  const named = inPath.length === 0 && '$ref' in whole;
  const object = named ? {} : dereference(whole, schemas);
  const properties = isJsonObject(object['properties']) ? object['properties'] : {};
  const required = Array.isArray(object['required']) ? object['required'] : [];
  const at = (place: 'path' | 'query', name: string): JsonObject => {
    const { description, ...schema } = properties[name] as JsonObject;
    return {
      name,
      in: place,
      ...(description !== undefined && { description }),
      ...((place === 'path' || required.includes(name)) && { required: true }),
      schema,
    };
  };
  const others = Object.keys(properties).filter((name) => !inPath.includes(name));
  const stillRequired = required.filter((name) => others.includes(String(name)));
  const body = named
    ? whole
    : {
        type: 'object',
        properties: Object.fromEntries(others.map((name) => [name, properties[name] ?? {}])),
        ...(stillRequired.length > 0 && { required: stillRequired }),
      };
  return {
    path: inPath.map((name) => at('path', name)),
    query: (hasBody ? (spec.rest.query ?? []) : others).map((name) => at('query', name)),
    body,
  };
}

function describeAnswers(spec: OperationSpec, schemas: JsonObject): JsonObject {
  const { rest, output, example, errors = [] } = spec;
  const content = {
    'application/json': {
      schema: jsonSchema(output, 'output', schemas),
      ...(example?.output !== undefined && { example: example.output }),
    },
    ...(rest.lines !== undefined && {
      'application/x-ndjson': { schema: { type: 'string', description: 'One JSON object per line' } },
    }),
    ...(rest.stream !== undefined && {
      'text/event-stream': {
        schema: {
          type: 'string',
          description: rest.stream.description,
          contentMediaType: 'text/event-stream',
        },
        example: rest.stream.example,
      },
    }),
  };
  const answerHeaders = {
    'X-Trace-Id': header('TraceId'),
    ...(rest.location !== undefined && { Location: header('Location') }),
    ...(rest.method === 'POST' && { 'X-Idempotent-Replay': header('IdempotentReplay') }),
  };
  const ok = { description: spec.summary, headers: answerHeaders, ...(rest.status !== 204 && { content }) };
  const keyed: ErrorCode[] = rest.method === 'POST' ? ['conflict', 'unsupported'] : [];
  const large: ErrorCode[] = rest.method === 'GET' || rest.method === 'DELETE' ? [] : ['payload_too_large'];
  // Who is not known may only have what is public, and what changes something is judged.
  const guarded: ErrorCode[] = needOf(spec).access === 'public' ? [] : ['unauthenticated', 'forbidden'];
  const limited: ErrorCode[] = rest.unlimited === true ? [] : ['rate_limited'];
  const refused = [...guarded, ...keyed, ...large, ...limited];
  const always: ErrorCode[] = ['invalid_request', ...refused, 'internal_error', 'overloaded'];
  const codes = new Set<ErrorCode>([...always, ...errors]);
  const answers = new Map<number, JsonObject>();
  for (const code of codes) {
    for (const status of statusesOf(code, rest.family)) answers.set(status, describeFailure(code, status, rest.family));
  }
  if (rest.statusOf !== undefined) {
    answers.set(503, {
      description: 'It is unhealthy, or overloaded',
      content: {
        'application/json': {
          schema: {
            anyOf: [jsonSchema(output, 'output', schemas), schemaRef(SCHEMA[rest.family]), schemaRef('HostFailure')],
          },
        },
      },
    });
  }
  const failures = [...answers].toSorted(([one], [other]) => one - other);
  return Object.fromEntries([[String(rest.status), ok], ...failures.map(([status, said]) => [String(status), said])]);
}

/** In the `detail` family what is malformed is 400, and what does not fit is 422. */
function statusesOf(code: ErrorCode, family: ErrorFamily): readonly number[] {
  const { status } = catalogue[code];
  return code === 'invalid_request' && family === 'detail' ? [status, 422] : [status];
}

function describeFailure(code: ErrorCode, status: number, family: ErrorFamily): JsonObject {
  const own = schemaRef(SCHEMA[family]);
  return {
    description: SENTENCES[code] ?? `The request ended as ${code}`,
    headers: {
      ...(status !== 503 && { 'X-Trace-Id': header('TraceId') }),
      ...(status === 401 && { 'WWW-Authenticate': { schema: { type: 'string' } } }),
      ...((status === 503 || status === 429) && { 'Retry-After': { schema: { type: 'string' } } }),
    },
    content: { 'application/json': { schema: status === 503 ? { anyOf: [own, schemaRef('HostFailure')] } : own } },
  };
}

/** The schema as JSON schema, its named parts moved to `schemas`. */
function jsonSchema(schema: z.ZodType, io: 'input' | 'output', schemas: JsonObject): JsonObject {
  const made = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema: node }) => simplify(node, io),
  });
  const text = JSON.stringify(made).replaceAll('#/$defs/', '#/components/schemas/');
  const { $defs, $schema: _dialect, ...rest } = JSON.parse(text) as JsonObject;
  for (const [name, named] of Object.entries(isJsonObject($defs) ? $defs : {})) {
    const before = schemas[name];
    if (before !== undefined && JSON.stringify(before) !== JSON.stringify(named)) {
      throw new Error(`two schemas are called ${name}`);
    }
    schemas[name] = named;
  }
  return rest;
}

/** Leaves out what says nothing. Answers may grow members, so their objects stay open. */
function simplify(schema: z.core.JSONSchema.BaseSchema, io: 'input' | 'output'): void {
  if (io === 'output' && schema.additionalProperties === false) delete schema.additionalProperties;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  delete schema.propertyNames;
}

function dereference(schema: JsonObject, schemas: JsonObject): JsonObject {
  const { $ref } = schema;
  const named = typeof $ref === 'string' ? schemas[$ref.replace('#/components/schemas/', '')] : undefined;
  return isJsonObject(named) ? named : schema;
}

const schemaRef = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });
const parameter = (name: string): JsonObject => ({ $ref: `#/components/parameters/${name}` });
const header = (name: string): JsonObject => ({ $ref: `#/components/headers/${name}` });
