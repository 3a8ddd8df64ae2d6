/**
 * The input of an operation out of a request: the path's members, then the query's, then the body's. What stands in
 * the path counts most. Whether it fits is the operation's to judge.
 */
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { parseJsonText } from '../core/json-text.ts';
import { nameOfKind } from '../core/schema-check.ts';
import { readRequestText } from '../host/request-text.ts';
import type { OperationSpec } from '../operations/operation.ts';
import { MALFORMED_BODY } from './failure.ts';

const MAX_BODY_BYTES = 16 * 1024 * 1024;

export interface RequestInput {
  readonly input: JsonObject;
  /** Members of the body that the operation does not know, and so leaves out. */
  readonly unknown: readonly string[];
  /** The body as it came; what idempotency compares. */
  readonly body: string;
}

/**
 * @param path the members that stand in the path, decoded
 * @throws AosError invalid_request (malformed) or payload_too_large
 */
export async function readInput(
  spec: OperationSpec,
  request: Request,
  path: Readonly<Record<string, string>>,
): Promise<RequestInput> {
  const hasBody = !['GET', 'HEAD', 'DELETE'].includes(request.method);
  const query = readQuery(request);
  const body = hasBody ? await readRequestText(request, MAX_BODY_BYTES) : '';
  const members = parseBody(body);
  const isKnown = (name: string) => Object.hasOwn(spec.input.shape, name);
  const isOpen = spec.input.def.catchall !== undefined;
  // Beside a body, the query may hold only what the operation knows: `?code=` and its like are for others.
  const asked = hasBody ? Object.fromEntries(Object.entries(query).filter(([name]) => isKnown(name))) : query;
  const input = { ...asked, ...members, ...path };
  return { input, unknown: isOpen ? [] : Object.keys(members).filter((name) => !isKnown(name)), body };
}

function readQuery(request: Request): JsonObject {
  const mark = request.url.indexOf('?');
  // The last of several counts, as everywhere in this server.
  return mark === -1 ? {} : Object.fromEntries(new URLSearchParams(request.url.slice(mark)));
}

function parseBody(text: string): JsonObject {
  if (text.trim() === '') return {};
  let value: JsonValue;
  try {
    value = parseJsonText(text, 'the request body');
  } catch (failure) {
    const said = failure instanceof AosError ? failure.message : '';
    throw new AosError('invalid_request', `Invalid JSON body: ${said}`, { reason: MALFORMED_BODY, cause: failure });
  }
  if (isJsonObject(value)) return value;
  throw new AosError('invalid_request', `Invalid JSON body: expected an object, got ${nameOfKind(value)}`, {
    reason: MALFORMED_BODY,
  });
}
