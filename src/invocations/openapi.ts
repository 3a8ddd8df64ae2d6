/**
 * The OpenAPI document of the container, made from the schemas that check what comes in and describe what goes out.
 * `openapi.json` at the top of the repository is this document written down.
 */
import type { JsonObject, JsonValue } from '../core/json.ts';
import { HOST_VERSION } from '../host/server-identity.ts';
import { describeRest, securityOf } from '../operations/rest-document.ts';
import { operationSpecs } from '../operations/table.ts';
import { workflows } from '../orchestration/patterns.ts';
import { LIFECYCLE_VERSION } from './lifecycle.ts';
import { needs } from './need.ts';
import { componentSchemas, headers, parameters, ref, responses } from './openapi-component.ts';

const BOARD_REVIEW = {
  agent_ids: ['ceo', 'cfo', 'cmo'],
  workflow: 'collaborative',
  task: { type: 'strategic_review', data: { quarter: 'Q1-2026' } },
};
const LIST_RUNS = { operation: 'runs.list', input: { limit: 3 } };
const CHAT = { message: 'Where do we stand this quarter?' };
const EVENTS = [
  'id: 1\nevent: run.queued\ndata: {"invocation_id":"…","seq":1,"type":"run.queued","at":"…",…}\n\n',
  'id: 2\nevent: run.started\ndata: {…}\n\n',
].join('');

/** Of those who are not known, and of those who may not. */
const refusals: JsonObject = { '401': ref('responses', 'NotKnown'), '403': ref('responses', 'Refused') };

const METRICS: JsonObject = {
  get: {
    operationId: 'metrics',
    summary: 'Figures of this server in the text format of Prometheus',
    security: securityOf('admin'),
    responses: {
      '401': flatRefusal('Nobody is known to ask'),
      '403': flatRefusal('The caller is no administrator and has no scope server:metrics'),
      '200': { description: 'Figures of all tenants, of this process and of its calls', content: { 'text/plain': {} } },
    },
  },
};

export function describeOpenApi(): JsonObject {
  const schemas = componentSchemas();
  const workflow = property(schemas, 'Orchestration', 'workflow');
  workflow['enum'] = [...workflows];
  const rest = describeRest(operationSpecs);
  return {
    openapi: '3.1.0',
    info: {
      title: 'aos-agent-server',
      version: HOST_VERSION,
      description:
        'Durable multi-agent runs behind the invocations protocol of Azure AI Foundry hosted agents. A connection that ' +
        'drops never ends a run; a process that dies never loses one. A run is a numbered log of events, and every ' +
        'answer here is a view of it.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      'x-durable-invocations': LIFECYCLE_VERSION,
    },
    servers: [{ url: '/' }],
    paths: { ...paths(), '/metrics': METRICS, ...rest.paths },
    components: {
      schemas: { ...schemas, ...rest.schemas },
      parameters: { ...parameters, ...rest.parameters },
      headers: { ...headers, ...rest.headers },
      responses,
      securitySchemes: rest.securitySchemes,
    },
  };
}

function paths(): JsonObject {
  return {
    '/invocations': {
      post: {
        operationId: 'invoke',
        security: securityOf(needs.start.access),
        summary: 'Start an orchestration or a chat turn, or join the one of the same id; or perform an operation',
        description:
          'Waits for the end by default. With `"background": true` it answers 202 at once; with `Accept: ' +
          'text/event-stream` it streams the events. A client that leaves ends nothing: read the run later under its ' +
          'id. The same `x-agent-invocation-id` with the same body joins the run; with another body it is a conflict. ' +
          'The answer to waiting is the invocation whatever became of it: 200 when it completed, else the status of ' +
          'its `error` (409 cancelled, 502 the model failed, 504 timed out, 500 otherwise). With `operation` it performs ' +
          'one of the operations below by its operationId, for callers whom the platform gives no other route.',
        parameters: [
          ref('parameters', 'SessionId'),
          ref('parameters', 'InvocationIdHeader'),
          ref('parameters', 'UserId'),
        ],
        requestBody: {
          required: true,
          content: {
            'application/json': {
              schema: {
                oneOf: [ref('schemas', 'Orchestration'), ref('schemas', 'Chat'), ref('schemas', 'OperationRequest')],
              },
              examples: {
                'board review': { value: BOARD_REVIEW },
                'in the background': { value: { ...BOARD_REVIEW, background: true } },
                'chat turn': { value: CHAT },
                operation: { value: LIST_RUNS },
              },
            },
          },
        },
        responses: {
          '200': started('The run completed, or its events are streamed; or the operation was performed', {
            stream: true,
            operation: true,
          }),
          '201': started('The operation made something', { operation: true }),
          '202': started('The run, or what the operation began, goes on in the background', {
            location: true,
            operation: true,
          }),
          '400': ref('responses', 'InvalidRequest'),
          '409': started('The id belongs to another request (Error), or the run was cancelled (Invocation)', {
            error: true,
          }),
          ...refusals,
          '404': ref('responses', 'NotThere'),
          '413': ref('responses', 'TooLarge'),
          '422': ref('responses', 'Refused'),
          '500': started('The run failed (Invocation), or the server did (Error)', { error: true }),
          '502': started('The run failed because the model did not answer'),
          '429': ref('responses', 'TooOften'),
          '503': ref('responses', 'Unavailable'),
          '504': started('The run took longer than config.timeout_seconds'),
        },
      },
    },
    '/invocations/{invocation_id}': {
      parameters: [ref('parameters', 'InvocationId'), ref('parameters', 'UserId')],
      get: {
        operationId: 'getInvocation',
        security: securityOf(needs.read.access),
        summary: 'Read a run, or replay and follow its events',
        description:
          'JSON by default. With `Accept: text/event-stream` it replays the events after the given number and follows ' +
          'the run to its end; 204 says that there is nothing more to come, which stops an EventSource.',
        parameters: [
          ref('parameters', 'After'),
          ref('parameters', 'LastEventId'),
          ref('parameters', 'ClientLastEventId'),
        ],
        responses: {
          ...refusals,
          '200': found('The run as it is, or its events', { stream: true }),
          '204': { description: 'The run has ended and there are no events after the given number' },
          '400': ref('responses', 'InvalidRequest'),
          '404': ref('responses', 'NotFound'),
          '500': ref('responses', 'InternalError'),
          '429': ref('responses', 'TooOften'),
          '503': ref('responses', 'Unavailable'),
        },
      },
    },
    '/invocations/{invocation_id}/cancel': {
      parameters: [ref('parameters', 'InvocationId'), ref('parameters', 'UserId')],
      post: {
        operationId: 'cancelInvocation',
        security: securityOf(needs.cancel.access),
        summary: 'End a run, reaching the model call it is in',
        requestBody: { required: false, content: { 'application/json': { schema: ref('schemas', 'Cancel') } } },
        responses: {
          ...refusals,
          '200': found('The run is cancelled, by this call or an earlier one'),
          '202': found('The run was asked to end and has not ended yet'),
          '400': ref('responses', 'InvalidRequest'),
          '404': ref('responses', 'NotFound'),
          '409': ref('responses', 'Ended'),
          '500': ref('responses', 'InternalError'),
          '429': ref('responses', 'TooOften'),
          '503': ref('responses', 'Unavailable'),
        },
      },
    },
    '/invocations/docs/openapi.json': documentPath('openapi', 'This document'),
    '/invocations/docs/asyncapi.json': documentPath(
      'asyncapi',
      'The WebSocket /invocations_ws as an AsyncAPI document',
    ),
    '/openapi.json': documentPath('openapiAtRoot', 'This document'),
    '/readiness': {
      get: {
        operationId: 'readiness',
        summary: 'Whether the container takes requests',
        responses: {
          '200': {
            description: 'It does',
            content: {
              'application/json': {
                schema: { type: 'object', properties: { status: { const: 'healthy' } }, required: ['status'] },
              },
            },
          },
        },
      },
    },
    '/': {
      get: {
        operationId: 'welcome',
        summary: 'What this is and one call to try, as HTML, JSON or text',
        responses: {
          '200': { description: 'Welcome', content: { 'text/html': {}, 'application/json': {}, 'text/plain': {} } },
        },
      },
    },
  };
}

/** An answer to POST: carries both ids. */
function started(
  description: string,
  {
    stream = false,
    location = false,
    error = false,
    operation = false,
  }: { stream?: boolean; location?: boolean; error?: boolean; operation?: boolean } = {},
): JsonObject {
  return {
    description,
    headers: {
      'x-agent-invocation-id': ref('headers', 'InvocationId'),
      'x-agent-session-id': ref('headers', 'SessionId'),
      ...(location && { location: { description: 'Where to read the run', schema: { type: 'string' } } }),
    },
    content: {
      'application/json': {
        schema: oneOf([
          ref('schemas', 'Invocation'),
          ...(error ? [ref('schemas', 'Error')] : []),
          ...(operation ? [ref('schemas', 'OperationAnswer')] : []),
        ]),
      },
      ...(stream && eventStream),
    },
  };
}

function oneOf(schemas: readonly JsonObject[]): JsonObject {
  const [only, ...others] = schemas;
  return only !== undefined && others.length === 0 ? only : { oneOf: [...schemas] };
}

/** An answer about a run that exists: carries its id alone. */
function found(description: string, { stream = false } = {}): JsonObject {
  return {
    description,
    headers: { 'x-agent-invocation-id': ref('headers', 'InvocationId') },
    content: { 'application/json': { schema: ref('schemas', 'Invocation') }, ...(stream && eventStream) },
  };
}

const eventStream: JsonObject = {
  'text/event-stream': {
    schema: {
      type: 'string',
      description:
        'Server-sent events: `id` is the number of the event (send the last one back to go on after it), `event` its ' +
        'type, `data` one line of JSON as in the schema Event. The stream ends after the last event of the run.',
      contentMediaType: 'text/event-stream',
    },
    example: EVENTS,
  },
};

function flatRefusal(description: string): JsonObject {
  return { description, content: { 'application/json': { schema: ref('schemas', 'FlatFailure') } } };
}

function documentPath(operationId: string, description: string): JsonObject {
  const content = { 'application/json': { schema: { type: 'object' } } };
  return { get: { operationId, summary: description, responses: { '200': { description, content } } } };
}

function property(schemas: JsonObject, schema: string, name: string): JsonObject {
  const found: JsonValue | undefined = [schema, 'properties', name].reduce<JsonValue | undefined>(
    (value, key) => (typeof value === 'object' && value !== null && !Array.isArray(value) ? value[key] : undefined),
    schemas,
  );
  return found as JsonObject;
}
