/**
 * Requests to every route of an OpenAPI document: most fit it, some nearly do, some do not at all. Ids in paths are
 * looked up when a request is sent, because by then more of them are known.
 */
import fc from 'fast-check';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/core/json.ts';
import { anything, spoilt, valuesOf } from './schema-arbitrary.ts';

export interface Wish {
  readonly method: string;
  readonly template: string;
  /** For each member of the path: which of the ids there are, or a text of its own. */
  readonly members: readonly (number | string)[];
  /** With its question mark; '' for none. */
  readonly search: string;
  readonly body: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** Ids by the name of the member of a path they stand for. */
export type KnownIds = Record<string, string[]>;

const STRANGE = ['nope', 'a b', '%', 'é', '💥'];

export function pathOf({ template, members, search }: Wish, known: KnownIds): string {
  let next = 0;
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const member = members[next++ % members.length] ?? 0;
    const there = [...(known[name] ?? []), ...STRANGE];
    const id = typeof member === 'string' ? member : (there[member % there.length] ?? 'x');
    // Dots and slashes would make another path of it.
    return encodeURIComponent(id.replace(/^\.*$|\//g, 'x').toWellFormed());
  });
  return path + search;
}

/** @param leftOut paths that are not asked for */
export function wishesOf(document: JsonObject, leftOut: RegExp): fc.Arbitrary<Wish> {
  const wishes = Object.entries(document['paths'] as Record<string, JsonObject>)
    .filter(([template]) => !leftOut.test(template))
    .flatMap(([template, { parameters: shared = [], ...methods }]) =>
      Object.entries(methods).map(([method, operation]) => {
        const { parameters: own = [], requestBody: body } = operation as JsonObject;
        const parameters = [shared, own].flat().filter(isJsonObject);
        return wishFor(document, { template, method: method.toUpperCase(), parameters, body });
      }),
    );
  return fc.oneof(...wishes);
}

interface Route {
  readonly template: string;
  readonly method: string;
  readonly parameters: readonly JsonObject[];
  readonly body: unknown;
}

function wishFor(document: JsonObject, { template, method, parameters, body }: Route): fc.Arbitrary<Wish> {
  return fc.record({
    method: fc.constant(method),
    template: fc.constant(template),
    members: fc.array(
      fc.oneof({ weight: 6, arbitrary: fc.nat(200) }, { weight: 1, arbitrary: fc.string({ minLength: 1 }) }),
      { minLength: 4, maxLength: 4 },
    ),
    search: searches(document, parameters),
    body: bodies(document, body),
    headers: headers.map((more) => ({ accept: 'application/json', ...more })),
  });
}

function searches(document: JsonObject, parameters: readonly JsonObject[]): fc.Arbitrary<string> {
  const asked = parameters
    .map((parameter) => dereference(document, parameter))
    .filter((parameter) => parameter['in'] === 'query');
  const values = asked.map((parameter): [string, fc.Arbitrary<JsonValue>] => [
    String(parameter['name']),
    fc.oneof(
      { weight: 9, arbitrary: valuesOf(parameter['schema'] as JsonObject, document) },
      { weight: 1, arbitrary: anything() },
    ),
  ]);
  const needed = asked.filter((parameter) => parameter['required'] === true).map(({ name }) => String(name));
  const record: Record<string, fc.Arbitrary<JsonValue>> = Object.fromEntries(values);
  return fc.record(record, { requiredKeys: needed }).map((query) => {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      search.set(name, typeof value === 'string' ? value : JSON.stringify(value));
    }
    return search.size === 0 ? '' : `?${search}`;
  });
}

function bodies(document: JsonObject, requestBody: unknown): fc.Arbitrary<string | undefined> {
  const content = isJsonObject(requestBody) ? requestBody['content'] : undefined;
  const media = isJsonObject(content) ? content['application/json'] : undefined;
  const schema = isJsonObject(media) ? media['schema'] : undefined;
  if (!isJsonObject(schema)) return fc.constant(undefined);
  const fitting = valuesOf(schema, document);
  return fc.oneof(
    { weight: 6, arbitrary: fitting.map((value) => JSON.stringify(value)) },
    { weight: 3, arbitrary: spoilt(fitting).map((value) => JSON.stringify(value)) },
    {
      weight: 1,
      arbitrary: fc.oneof(
        anything().map((value) => JSON.stringify(value)),
        fc.string(),
      ),
    },
  );
}

/** Mostly none: what is refused for its headers says nothing about the rest. */
const headers: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 9, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        'x-tenant-id': fc.constantFrom('default', 'acme', 'no spaces'),
        'x-agent-user-id': fc.constantFrom('u1', 'ü'),
        'idempotency-key': fc.constantFrom('k1', 'k2', 'a b'),
        'x-trace-id': fc.constantFrom('t', 'ab'.repeat(16), 'no, never'),
      },
      { requiredKeys: [] },
    ),
  },
);

function dereference(document: JsonObject, parameter: JsonObject): JsonObject {
  const { $ref } = parameter;
  if (typeof $ref !== 'string') return parameter;
  const { parameters } = document['components'] as { parameters: Record<string, JsonObject> };
  return parameters[$ref.split('/').at(-1) ?? ''] ?? {};
}
