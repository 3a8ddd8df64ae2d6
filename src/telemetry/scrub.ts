/**
 * Keeps secrets out of the log, however deep they lie: by the name of a field, and by the look of a value.
 */
const SECRET_NAME =
  /(authorization|api[-_]?key|secret|password|passwd|credential|connection[-_]?string|cookie|private[-_]?key|access[-_]?token|refresh[-_]?token|id[-_]?token|^token$)/i;
const SECRET_VALUE =
  /\b(Bearer\s+[\w\-.~+/]{8,}=*|InstrumentationKey=[^;\s]+|sk-[A-Za-z0-9_-]{16,})|(:\/\/[^\s:/@]+:)[^\s@/]+@/g;
const REDACTED = '[redacted]';
/** Deeper than any record of ours; stops a cyclic object. */
const MAX_DEPTH = 8;

/** A copy of `fields` with secrets replaced by `[redacted]` and errors written as type, message and stack. */
export function scrub(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return scrubObject(fields, 0);
}

function scrubObject(fields: Readonly<Record<string, unknown>>, depth: number): Record<string, unknown> {
  const clean: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) {
    clean[name] = SECRET_NAME.test(name) ? REDACTED : scrubValue(fields[name], depth);
  }
  return clean;
}

function scrubValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return scrubText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '[too deep]';
  if (value instanceof Error) {
    const cause = value.cause === undefined ? {} : { cause: scrubValue(value.cause, depth + 1) };
    return { type: value.name, message: scrubText(value.message), stack: scrubText(value.stack ?? ''), ...cause };
  }
  if (Array.isArray(value)) return value.map((item) => scrubValue(item, depth + 1));
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  return scrubObject(value as Record<string, unknown>, depth + 1);
}

/** A text with what looks like a secret replaced. */
export function scrubText(text: string): string {
  return text.replace(SECRET_VALUE, (_match, _secret, userInfo: string | undefined) =>
    userInfo === undefined ? REDACTED : `${userInfo}${REDACTED}@`,
  );
}
