/**
 * JSON as data: its type, and the one canonical text form that hashes and idempotency comparisons use.
 */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON that a schema let through is JSON. */
export function jsonOf(value: unknown): JsonObject {
  const json = JSON.parse(JSON.stringify(value ?? {})) as JsonObject;
  return isJsonObject(json) ? json : {};
}

/** The value as JSON with object keys sorted and no blanks: equal values give equal text. */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (isJsonObject(value)) {
    const members = Object.entries(value)
      // Like JSON itself: a member that is undefined is not there.
      .filter(([, member]) => member !== undefined)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}
