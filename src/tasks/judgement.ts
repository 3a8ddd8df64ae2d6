/**
 * Judging what was observed by what was expected: plain assertions, no second opinion of a model. Each is one member of
 * a case; members this does not know are facts about the case and assert nothing.
 */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { Observation } from './handler-evaluation.ts';

type Assertion = (expected: JsonValue, observation: Observation) => readonly string[];

const assertions: Readonly<Record<string, Assertion>> = {
  expected_output_contains: (expected, { output }) => {
    const text = textOf(output).toLowerCase();
    const missing = textsOf(expected).filter((part) => !text.includes(part.toLowerCase()));
    return missing.map((part) => `the output does not contain "${part}"`);
  },
  expected_output_excludes: (expected, { output }) => {
    const text = textOf(output).toLowerCase();
    const found = textsOf(expected).filter((part) => text.includes(part.toLowerCase()));
    return found.map((part) => `the output contains "${part}"`);
  },
  expected_tools: (expected, { tools }) =>
    textsOf(expected)
      .filter((tool) => !tools.includes(tool))
      .map((tool) => `the tool ${tool} was not called`),
  output_schema: (expected, { output }) => fitsSchema(expected, output),
  max_cost_usd: (expected, { usage }) =>
    usage.cost_usd === null ? ['what it cost is not known'] : atMost('cost in USD', usage.cost_usd, expected),
  max_tokens: (expected, { usage }) => atMost('tokens', usage.tokens_input + usage.tokens_output, expected),
  max_duration_ms: (expected, { duration_ms: ms }) => atMost('milliseconds', ms, expected),
  max_latency_ms: (expected, { duration_ms: ms }) => atMost('milliseconds', ms, expected),
  expected_status: (expected, { status }) =>
    expected === status ? [] : [`it ${status}, and was expected to be ${textOf(expected)}`],
};

/**
 * What does not hold, one sentence each. A failed observation fails the case unless failing is what is expected.
 * @throws AosError invalid_request for an assertion that is none
 */
export function judge(expected: JsonObject, observation: Observation): readonly string[] {
  const failures = Object.entries(assertions).flatMap(([name, holds]) => {
    const value = expected[name];
    return value === undefined || value === null ? [] : holds(value, observation);
  });
  const failed = observation.status === 'failed' && expected['expected_status'] !== 'failed';
  return failed ? [`it failed: ${observation.error?.message ?? 'for no stated reason'}`, ...failures] : failures;
}

function atMost(what: string, got: number, expected: JsonValue): string[] {
  if (typeof expected !== 'number') throw invalid(`a bound on ${what} must be a number`);
  return got <= expected ? [] : [`${got} ${what} were used, and at most ${expected} were allowed`];
}

function fitsSchema(expected: JsonValue, output: JsonValue): string[] {
  if (!isJsonObject(expected)) throw invalid('output_schema must be a JSON schema');
  let schema: z.ZodType;
  try {
    schema = z.fromJSONSchema(expected as z.core.JSONSchema.JSONSchema);
  } catch {
    throw invalid('output_schema is not a JSON schema that can be used');
  }
  const { success, error } = schema.safeParse(structured(output));
  if (success) return [];
  return error.issues.map(({ path, message }) => `the output does not fit at "${path.join('.')}": ${message}`);
}

/** Models answer in text: where it is JSON, that is what a schema speaks of. */
function structured(output: JsonValue): JsonValue {
  if (typeof output !== 'string') return output;
  try {
    return JSON.parse(output.replace(/^```(?:json)?\s*|\s*```$/g, '')) as JsonValue;
  } catch {
    return output;
  }
}

function textsOf(value: JsonValue): string[] {
  return (Array.isArray(value) ? value : [value]).map(textOf);
}

function textOf(value: JsonValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function invalid(message: string): AosError {
  return new AosError('invalid_request', message, { reason: 'INVALID_TASK' });
}
