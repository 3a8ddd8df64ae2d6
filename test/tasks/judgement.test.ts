import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { Observation } from '../../src/tasks/handler-evaluation.ts';
import { judge } from '../../src/tasks/judgement.ts';

const observed: Observation = {
  status: 'completed',
  output: 'Revenue is 4.2 million',
  tools: ['calculator'],
  usage: { tokens_input: 100, tokens_output: 50, cost_usd: 0.02 },
  duration_ms: 800,
  error: null,
};
const failed: Observation = {
  ...observed,
  status: 'failed',
  output: null,
  error: { code: 'model_failed', message: 'the model is away' },
};

describe('what was expected holds', () => {
  test.each<[JsonObject, Observation]>([
    [{}, observed],
    [{ name: 'a fact', input: 'x' }, observed],
    [{ expected_output_contains: 'REVENUE' }, observed],
    [{ expected_output_contains: ['revenue', '4.2'] }, observed],
    [{ expected_output_excludes: 'loss' }, observed],
    [{ expected_tools: ['calculator'] }, observed],
    [{ max_cost_usd: 0.02, max_tokens: 150, max_duration_ms: 800, max_latency_ms: 1000 }, observed],
    [{ output_schema: { type: 'string', minLength: 3 } }, observed],
    [{ output_schema: { type: 'object', required: ['a'] } }, { ...observed, output: '```json\n{"a": 1}\n```' }],
    [{ expected_status: 'failed' }, failed],
  ])('%j', (expected, observation) => {
    expect(judge(expected, observation)).toEqual([]);
  });
});

describe('what does not hold is said', () => {
  test.each<[JsonObject, Observation, RegExp]>([
    [{ expected_output_contains: 'profit' }, observed, /does not contain "profit"/],
    [{ expected_output_excludes: ['million'] }, observed, /contains "million"/],
    [{ expected_tools: 'http_fetch' }, observed, /http_fetch was not called/],
    [{ max_cost_usd: 0.01 }, observed, /0.02 cost in USD/],
    [{ max_cost_usd: 1 }, { ...observed, usage: { ...observed.usage, cost_usd: null } }, /not known/],
    [{ max_tokens: 149 }, observed, /150 tokens/],
    [{ max_duration_ms: 799 }, observed, /800 milliseconds/],
    [{ output_schema: { type: 'number' } }, observed, /does not fit/],
    [{ expected_status: 'failed' }, observed, /it completed/],
    [{}, failed, /it failed: the model is away/],
  ])('%j', (expected, observation, sentence) => {
    expect(judge(expected, observation)).toEqual([expect.stringMatching(sentence)]);
  });
});

test('an assertion that is none is refused', () => {
  expect(() => judge({ max_tokens: 'few' }, observed)).toThrow(/must be a number/);
  expect(() => judge({ output_schema: 'text' }, observed)).toThrow(/must be a JSON schema/);
});
