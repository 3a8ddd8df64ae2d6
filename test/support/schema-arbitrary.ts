/**
 * Values that fit a JSON schema, and values that nearly do: what a fuzzer sends. Understands what zod writes.
 */
import fc from 'fast-check';
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/core/json.ts';

const MAX_DEPTH = 4;

/** @param root the document that references lead into */
export function valuesOf(schema: JsonObject, root: JsonObject, depth = 0): fc.Arbitrary<JsonValue> {
  // Schemas may refer to themselves.
  if (depth > MAX_DEPTH + 1) return anything();
  const { $ref, const: constant, enum: words, anyOf, oneOf, allOf, type } = schema;
  if (typeof $ref === 'string') return valuesOf(resolve($ref, root), root, depth);
  if (constant !== undefined) return fc.constant(constant);
  if (Array.isArray(words)) return fc.constantFrom(...words);
  const choices = anyOf ?? oneOf;
  if (Array.isArray(choices)) {
    return fc.oneof(...choices.filter(isJsonObject).map((choice) => valuesOf(choice, root, depth)));
  }
  if (Array.isArray(allOf)) {
    return fc
      .tuple(...allOf.filter(isJsonObject).map((part) => valuesOf(part, root, depth)))
      .map((parts) => Object.assign({}, ...parts.filter(isJsonObject)) as JsonObject);
  }
  if (Array.isArray(type)) return fc.oneof(...type.map((one) => valuesOf({ ...schema, type: one }, root, depth)));
  switch (type) {
    case 'string':
      return texts(schema);
    case 'integer':
      return fc.integer({ min: bound(schema, 'minimum', -1000), max: bound(schema, 'maximum', 1_000_000) });
    case 'number':
      return fc.double({
        min: bound(schema, 'minimum', -1e6),
        max: bound(schema, 'maximum', 1e6),
        noNaN: true,
        noDefaultInfinity: true,
      });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return lists(schema, root, depth);
    case 'object':
      return objects(schema, root, depth);
    default:
      return anything();
  }
}

/** Any small JSON. */
export function anything(): fc.Arbitrary<JsonValue> {
  return fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>;
}

/** The object with some of its members taken away, made something else, or strangers put beside them. */
export function spoilt(object: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonValue> {
  return fc.tuple(object, fc.nat(), fc.string(), anything()).map(([value, choice, name, other]) => {
    if (!isJsonObject(value)) return other;
    const names = Object.keys(value);
    const victim = names[choice % Math.max(1, names.length)];
    const without = Object.fromEntries(Object.entries(value).filter(([key]) => key !== victim));
    if (victim === undefined || choice % 3 === 0) return { ...value, [name]: other };
    return choice % 3 === 1 ? without : { ...value, [victim]: other };
  });
}

function texts(schema: JsonObject): fc.Arbitrary<string> {
  const { pattern, format } = schema;
  const maxLength = Math.min(bound(schema, 'maxLength', 40), 60);
  if (format === 'date-time') return dates();
  if (format === 'uri') return fc.webUrl();
  if (typeof pattern === 'string') {
    return fc.stringMatching(new RegExp(pattern.replace(/\{1,\d{3}\}/, '{1,20}'), 'u'));
  }
  return fc.oneof(
    fc.string({ minLength: Math.min(bound(schema, 'minLength', 0), maxLength), maxLength }),
    fc.string({ unit: 'binary', minLength: Math.min(bound(schema, 'minLength', 0), maxLength), maxLength }),
    dates(),
  );
}

function dates(): fc.Arbitrary<string> {
  return fc
    .date({ min: new Date('1990-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString());
}

function lists(schema: JsonObject, root: JsonObject, depth: number): fc.Arbitrary<JsonValue> {
  const items = isJsonObject(schema['items']) ? valuesOf(schema['items'], root, depth + 1) : anything();
  const length = { minLength: bound(schema, 'minItems', 0), maxLength: Math.min(bound(schema, 'maxItems', 3), 3) };
  return schema['uniqueItems'] === true
    ? fc.uniqueArray(items, { ...length, selector: (item) => JSON.stringify(item) })
    : fc.array(items, length);
}

function objects(schema: JsonObject, root: JsonObject, depth: number): fc.Arbitrary<JsonValue> {
  const { properties, required, additionalProperties } = schema;
  const members = isJsonObject(properties) ? properties : {};
  const needed = Array.isArray(required) ? required.map(String) : [];
  const known = Object.entries(members).filter(([name]) => depth < MAX_DEPTH || needed.includes(name));
  const record = fc.record(
    Object.fromEntries(known.map(([name, member]) => [name, valuesOf(member as JsonObject, root, depth + 1)])),
    { requiredKeys: needed.filter((name) => name in members) },
  );
  if (additionalProperties === undefined || additionalProperties === false || depth >= MAX_DEPTH) return record;
  const others = isJsonObject(additionalProperties) ? valuesOf(additionalProperties, root, depth + 1) : anything();
  return fc
    .tuple(record, fc.dictionary(fc.string({ maxLength: 10 }), others, { maxKeys: 2 }))
    .map(([own, more]) => ({ ...more, ...own }));
}

function bound(schema: JsonObject, name: string, otherwise: number): number {
  const value = schema[name];
  if (typeof value === 'number') return value;
  const exclusive = schema[`exclusive${name[0]?.toUpperCase()}${name.slice(1)}`];
  return typeof exclusive === 'number' ? exclusive + (name === 'minimum' ? 1e-6 : -1e-6) : otherwise;
}

function resolve(ref: string, root: JsonObject): JsonObject {
  const found = ref
    .slice(2)
    .split('/')
    .reduce<JsonValue | undefined>((value, key) => (isJsonObject(value) ? value[key] : undefined), root);
  if (!isJsonObject(found)) throw new Error(`${ref} leads nowhere`);
  return found;
}
