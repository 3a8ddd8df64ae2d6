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
  const details = parsed.error.issues.flatMap((issue) => findings(issue, schema));
  const [first, ...others] = details;
  const more = others.length === 0 ? '' : ` (and ${others.length} more, see details)`;
  throw new AosError('invalid_request', `${what} cannot be used: ${first?.message}${more}`, {
    details: others.length === 0 ? [] : details,
  });
}

function findings(issue: z.core.$ZodIssue, schema: z.ZodType): ErrorDetail[] {
  const path = issue.path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .slice(1);
  if (issue.code === 'unrecognized_keys') {
    const known = fieldsAt(schema, issue.path);
    const within = path === '' ? '' : `${path}.`;
    return issue.keys.map((key) => ({
      code: 'unknown_field',
      message: `unknown field "${within}${key}"${closest(key, known, ', did you mean "%s"?')}${known.length === 0 ? '' : ` (known: ${known.join(', ')})`}`,
    }));
  }
  if (issue.code === 'invalid_type') {
    const expected = TYPE_NAMES[issue.expected] ?? issue.expected;
    const isNumber = issue.expected === 'number' || issue.expected === 'int';
    const got = isNumber && typeof issue.input === 'number' ? shown(issue.input) : nameOfKind(issue.input);
    return [fault(path, issue.input, `expected ${expected}`, got)];
  }
  if (issue.code === 'invalid_value' && /^Invalid (?:option|input): /.test(issue.message)) {
    const values = issue.values.map((value) => JSON.stringify(value)).join(', ');
    return [fault(path, issue.input, `expected ${issue.values.length === 1 ? '' : 'one of '}${values}`)];
  }
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    const kinds = issue.errors.flatMap((issues) =>
      issues.flatMap((each) =>
        each.code === 'invalid_type' && each.path.length === 0 ? [TYPE_NAMES[each.expected] ?? each.expected] : [],
      ),
    );
    const expected = kinds.length === issue.errors.length ? [...new Set(kinds)].join(' or ') : 'something else';
    return [fault(path, issue.input, `expected ${expected}`, nameOfKind(issue.input))];
  }
  return [{ code: 'invalid_field', message: `"${path}": ${sentenceOf(issue)}` }];
}

/** The fields of the object at a place of the data. */
function fieldsAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  let at: z.core.$ZodType | undefined = schema;
  for (const key of [...path, undefined]) {
    while (at instanceof z.ZodOptional || at instanceof z.ZodNullable || at instanceof z.ZodDefault) at = at.unwrap();
    if (key === undefined) break;
    if (at instanceof z.ZodObject) at = at.shape[String(key)] as z.core.$ZodType | undefined;
    else if (at instanceof z.ZodArray) at = at.element;
    else if (at instanceof z.ZodRecord) at = at.valueType;
    else return [];
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function fault(path: string, input: unknown, expected: string, got = shown(input)): ErrorDetail {
  return input === undefined
    ? { code: 'missing_field', message: `"${path}" is missing: ${expected}` }
    : { code: 'invalid_field', message: `"${path}": ${expected}, got ${got}` };
}

/** What was expected and what came, where the schema has no sentence of its own. */
function sentenceOf(issue: z.core.$ZodIssue): string {
  const { message } = issue;
  if ((issue.code === 'too_small' || issue.code === 'too_big') && /^Too (?:small|big): /.test(message)) {
    return `${message}, got ${sizeOf(issue.input)}`;
  }
  return message;
}

/** How much of a value a sentence repeats. */
const MOST_SHOWN = 40;

function shown(value: unknown): string {
  if (typeof value === 'number' && Number.isNaN(value)) return 'something else';
  if (typeof value === 'object' || value === undefined) return nameOfKind(value);
  const text = JSON.stringify(value);
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)}…`;
}

function sizeOf(value: unknown): string {
  if (typeof value === 'string' || Array.isArray(value)) return String(value.length);
  return shown(value);
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
