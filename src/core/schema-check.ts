/**
 * Data from outside against a schema: what it says, or everything that is wrong with it in words for whoever sent it.
 */
import { z } from 'zod';
import { closest } from './closest.ts';
import { AosError, type ErrorDetail } from './errors.ts';
import type { JsonValue } from './json.ts';

/**
 * @param what names the data in the message, e.g. 'the request body'
 * @throws AosError invalid_request that says the first fault; with several, all of them are its details
 */
export function checkSchema<Schema extends z.ZodType>(
  schema: Schema,
  value: JsonValue,
  what: string,
): z.output<Schema> {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const details = parsed.error.issues.flatMap((issue) => findings(issue, known));
  const [first, ...others] = details;
  const more = others.length === 0 ? '' : ` (and ${others.length} more, see details)`;
  throw new AosError('invalid_request', `${what} cannot be used: ${first?.message}${more}`, {
    details: others.length === 0 ? [] : details,
  });
}

function findings(issue: z.core.$ZodIssue, known: readonly string[]): ErrorDetail[] {
  const path = issue.path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .slice(1);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      code: 'unknown_field',
      message: `unknown field "${key}"${closest(key, known, ', did you mean "%s"?')} (known: ${known.join(', ')})`,
    }));
  }
  if (issue.code === 'invalid_type') {
    const expected = TYPE_NAMES[issue.expected] ?? issue.expected;
    return issue.input === undefined
      ? [{ code: 'missing_field', message: `"${path}" is missing: expected ${expected}` }]
      : [{ code: 'invalid_field', message: `"${path}": expected ${expected}, got ${nameOfKind(issue.input)}` }];
  }
  return [{ code: 'invalid_field', message: `"${path}": ${issue.message}` }];
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  record: 'an object',
  object: 'an object',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
};

/** What kind of JSON a value is, in words. */
export function nameOfKind(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : (TYPE_NAMES[typeof value] ?? typeof value);
}
