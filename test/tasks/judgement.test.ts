import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { Observation } from '../../src/tasks/handler-evaluation.ts';
import { judge } from '../../src/tasks/judgement.ts';

const observation: Observation = {
  status: 'completed',
  output: '{"decision": "Grow", "share": 0.4}',
  tools: ['calculator', 'date_time'],
  usage: { tokens_input: 100, tokens_output: 50, cost_usd: 0.02 },
  duration_ms: 1_200,
  error: null,
};
const failure: Partial<Observation> = {
  status: 'failed',
  output: null,
  error: { code: 'model_failed', message: 'busy' },
};
const schema = (share: string) => ({ type: 'object', required: ['decision'], properties: { share: { type: share } } });

describe('an assertion', () => {
  it.each<[JsonObject, Partial<Observation>, readonly string[]]>([
    [{}, {}, []],
    [{ input: 'a fact about the case', expected_output_contains: null }, {}, []],
    [{ expected_output_contains: 'grow' }, {}, []],
    [{ expected_output_contains: ['grow', 'shrink'] }, {}, ['the output does not contain "shrink"']],
    [{ expected_output_excludes: ['shrink', 'Decision'] }, {}, ['the output contains "Decision"']],
    [{ expected_tools: ['calculator'] }, {}, []],
    [{ expected_tools: ['http_fetch'] }, {}, ['the tool http_fetch was not called']],
    [{ output_schema: schema('number') }, {}, []],
    [{ output_schema: schema('string') }, {}, [expect.stringMatching(/^the output does not fit at "share": /)]],
    [{ output_schema: schema('number') }, { output: '```json\n{"decision": "Wait"}\n```' }, []],
    [
      { output_schema: schema('number') },
      { output: 'just words' },
      [expect.stringMatching(/^the output does not fit/)],
    ],
    [{ max_cost_usd: 0.02 }, {}, []],
    [{ max_cost_usd: 0.01 }, {}, ['0.02 cost in USD were used, and at most 0.01 were allowed']],
    [
      { max_cost_usd: 1 },
      { usage: { tokens_input: 1, tokens_output: 1, cost_usd: null } },
      ['what it cost is not known'],
    ],
    [{ max_tokens: 149 }, {}, ['150 tokens were used, and at most 149 were allowed']],
    [{ max_latency_ms: 1_000 }, {}, ['1200 milliseconds were used, and at most 1000 were allowed']],
    [{ max_duration_ms: 1_200 }, {}, []],
    [{}, failure, ['it failed: busy']],
    [{ expected_status: 'failed' }, failure, []],
    [{ expected_status: 'failed' }, {}, ['it completed, and was expected to be failed']],
  ])('%j', (expected, change, failures) => {
    expect(judge(expected, { ...observation, ...change })).toEqual(failures);
  });

  it.each<JsonObject>([{ max_tokens: 'few' }, { output_schema: 'text' }, { output_schema: { type: 'nonsense' } }])(
    'that is none is refused: %j',
    (expected) => {
      expect(() => judge(expected, observation)).toThrow(expect.objectContaining({ code: 'invalid_request' }));
    },
  );
});
