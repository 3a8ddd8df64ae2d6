/**
 * A client of the REST doors that trusts nobody: every answer must be one that `openapi.json` declares, its status, its
 * content type and the shape of its body.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { describeOpenApi } from '../../src/invocations/openapi.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: JsonObject;
}

export interface ApiRequest {
  readonly body?: JsonValue;
  /** Sent as it is, in place of `body`. */
  readonly raw?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiClient {
  /** @throws Error when the answer is not one that the document declares */
  call(method: string, path: string, request?: ApiRequest): Promise<ApiAnswer>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<ApiAnswer>;
  post(path: string, body?: JsonValue, headers?: Readonly<Record<string, string>>): Promise<ApiAnswer>;
}

export interface Contract {
  readonly document: JsonObject;
  /** Everything that is wrong with an answer; empty for one as declared. */
  faults(method: string, path: string, answer: ApiAnswer, rawBody: string): readonly string[];
}

type Answer = { $ref?: string; content?: Record<string, { schema: JsonObject }> };
type Declared = { responses: Record<string, Answer> };

/** What the document declares. Paths without members win over those with. */
export function readContract(document: JsonObject = describeOpenApi()): Contract {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema({ ...document, $id: 'openapi' });
  const paths = document['paths'] as Record<string, Record<string, Declared>>;
  const templates = Object.keys(paths)
    .map((template) => ({
      template,
      pattern: new RegExp(`^${template.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}/?$`),
    }))
    .toSorted((one, other) => one.template.split('{').length - other.template.split('{').length);
  const validators = new Map<string, ValidateFunction>();

  /** The validator of the schema at a JSON pointer into the document. */
  function validator(pointer: string): ValidateFunction {
    const known = validators.get(pointer) ?? ajv.compile({ $ref: `openapi#${pointer}` });
    validators.set(pointer, known);
    return known;
  }

  function faults(method: string, path: string, { status, headers, body }: ApiAnswer, rawBody: string): string[] {
    const { pathname } = new URL(path, 'http://host');
    const template = templates.find(({ pattern }) => pattern.test(pathname))?.template;
    const type = headers.get('content-type') ?? '';
    if (template === undefined) {
      return status === 404 && type === 'application/json'
        ? []
        : [`${pathname} is not declared, yet answers ${status}`];
    }
    const verb = (method === 'HEAD' ? 'GET' : method).toLowerCase();
    const declared = paths[template]?.[verb];
    if (declared === undefined) {
      return status === 405 && headers.has('allow')
        ? []
        : [`${method} ${template} is not declared, yet answers ${status}`];
    }
    const named = declared.responses[String(status)];
    if (named === undefined) return [`${method} ${template} answers ${status}, which is not declared: ${rawBody}`];
    const { $ref } = named;
    const shared = (document['components'] as { responses?: Record<string, Answer> }).responses ?? {};
    const answer = $ref === undefined ? named : (shared[$ref.split('/').at(-1) ?? ''] ?? {});
    if (answer.content === undefined) return rawBody === '' ? [] : [`${status} has a body: ${rawBody}`];
    if (type !== 'application/json') return [`the content type is ${type}`];
    const steps = ['paths', template, verb, 'responses', String(status)].map(escapeStep).join('/');
    const place = $ref === undefined ? `/${steps}` : $ref.slice(1);
    const validate = validator(`${place}/content/application~1json/schema`);
    if (validate(body)) return [];
    const said = (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath || 'the body'} ${message}`);
    return [`${method} ${template} ${status}: ${said.join('; ')}: ${rawBody.slice(0, 500)}`];
  }
  return { document, faults };
}

/** As a step of a JSON pointer in a URI fragment. */
function escapeStep(step: string): string {
  return encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'));
}

let shared: Contract | undefined;

export function createApiClient(url: string, contract?: Contract): ApiClient {
  shared ??= contract ?? readContract();
  const held = contract ?? shared;

  async function call(method: string, path: string, { body, raw, headers = {} }: ApiRequest = {}): Promise<ApiAnswer> {
    const text = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      ...(text !== undefined && { body: text }),
    });
    const said = await response.text();
    const answer = { status: response.status, headers: response.headers, body: parsed(said) };
    const faults = method === 'HEAD' ? [] : held.faults(method, path, answer, said);
    if (faults.length > 0) throw new Error(faults.join('\n'));
    if (response.headers.get('x-trace-id') === null && response.status !== 503) throw new Error('it names no trace');
    return answer;
  }

  return {
    call,
    get: (path, headers = {}) => call('GET', path, { headers }),
    post: (path, body = {}, headers = {}) => call('POST', path, { body, headers }),
  };
}

function parsed(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return {};
  }
}
