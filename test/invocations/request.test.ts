import { describe, expect, test } from 'vitest';
import { AosError } from '../../src/core/errors.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import { MAX_BODY_BYTES, parseInvocationRequest, readBody, readCancelReason } from '../../src/invocations/request.ts';

const review = {
  agent_ids: ['ceo', 'cfo'],
  workflow: 'collaborative',
  task: { type: 'review', data: { q: [1, null] } },
};

function refusal(body: JsonValue): AosError {
  try {
    parseInvocationRequest(body);
  } catch (error) {
    if (error instanceof AosError && error.code === 'invalid_request') return error;
    throw error;
  }
  throw new Error('the body was accepted');
}

function post(body: string | Uint8Array<ArrayBuffer>): Request {
  return new Request('http://localhost/invocations', { method: 'POST', body });
}

describe('what a body asks for', () => {
  test.each<[JsonObject, object]>([
    [{ message: 'Hello' }, { kind: 'chat', work: { message: 'Hello' }, background: false }],
    [
      { message: 'Hello', agent_id: 'cfo' },
      { kind: 'chat', work: { message: 'Hello', agent_id: 'cfo' } },
    ],
    [
      { message: 'Hello', agent_ids: ['cfo'] },
      { kind: 'chat', work: { message: 'Hello', agent_id: 'cfo' } },
    ],
    [{ message: 'Hello', agent_id: 'cfo', agent_ids: ['cfo'] }, { work: { message: 'Hello', agent_id: 'cfo' } }],
    [
      { message: 'Hello', background: true },
      { work: { message: 'Hello' }, background: true },
    ],
    [review, { kind: 'orchestration', work: { ...review, config: {} }, background: false }],
    [
      { ...review, background: true },
      { work: { ...review, config: {} }, background: true },
    ],
    [
      { agent_ids: ['ceo'], task: {} },
      { work: { agent_ids: ['ceo'], workflow: 'collaborative', task: {}, config: {} } },
    ],
    [
      { ...review, purpose: 'grow', context: { a: 1 }, config: { rounds: 3, mine: true } },
      { work: { ...review, purpose: 'grow', context: { a: 1 }, config: { rounds: 3, mine: true } } },
    ],
    [
      { agent_ids: ['ceo'], purpose: 'grow', config: { cycle_interval_seconds: 5 } },
      { work: { agent_ids: ['ceo'], purpose: 'grow', config: { cycle_interval_seconds: 5 } } },
    ],
    [
      { workflow: 'graph', graph: { nodes: [] } },
      { kind: 'orchestration', work: { workflow: 'graph', graph: { nodes: [] } } },
    ],
    [
      { message: 'Wait', second_message: 'steer' },
      { kind: 'chat', work: { message: 'Wait', second_message: 'steer' } },
    ],
    [
      { ...review, purpose: { purpose: 'grow', purpose_scope: 'EU' } },
      { work: { purpose: { purpose: 'grow', purpose_scope: 'EU' } } },
    ],
  ])('%j', (body, request) => {
    expect(parseInvocationRequest(body)).toMatchObject(request);
  });

  test('the way of answering is not part of the work', () => {
    const { work } = parseInvocationRequest(review);
    expect(parseInvocationRequest({ ...review, background: true }).work).toEqual(work);
  });
});

describe('a body that cannot be used is refused with what to do', () => {
  test.each<[JsonValue, string]>([
    [null, 'must be a JSON object, got null'],
    [['ceo'], 'must be a JSON object, got a list'],
    ['hello', 'must be a JSON object, got a text'],
    [{}, 'has neither message nor task: send { "message": "…" }'],
    [{ background: true }, 'has neither message nor task'],
    [{ message: 'x', task: {} }, 'has both message (a chat turn) and task (an orchestration)'],
    [{ message: 'x', workflow: 'sequential' }, 'has both message (a chat turn) and workflow (an orchestration)'],
    [{ purpose: 'grow' }, '"agent_ids" is missing: expected a list'],
    [
      { agent_ids: ['ceo'] },
      'the request body has neither task (work that ends) nor purpose (work that goes on until it is stopped)',
    ],
    [{ message: 'x', second_message: 'shout' }, '"second_message": must be one of reject, enqueue, interrupt, steer'],
    [{ task: {} }, '"agent_ids" is missing: expected a list'],
    [{ ...review, agent_ids: [] }, '"agent_ids": Too small: expected array to have >=1 items'],
    [{ ...review, agent_ids: ['ceo', 7] }, '"agent_ids[1]": expected a text, got a number'],
    [{ ...review, agent_ids: ['a b'] }, '"agent_ids[0]": must be 1 to 128 of the characters'],
    [{ ...review, agent_ids: ['ceo', 'ceo'] }, '"agent_ids": must name each agent once'],
    [{ ...review, agent_ids: Array.from({ length: 33 }, (_, i) => `a${i}`) }, '"agent_ids": Too big'],
    [{ ...review, task: 'do it' }, '"task": expected an object, got a text'],
    [{ ...review, config: { rounds: 0 } }, '"config.rounds": Too small'],
    [{ ...review, config: { timeout_seconds: -1 } }, '"config.timeout_seconds": Too small'],
    [{ ...review, background: 'yes' }, '"background": expected true or false, got a text'],
    [{ ...review, workflw: 'x' }, 'unknown field "workflw", did you mean "workflow"?'],
    [{ message: ' \n' }, '"message": must not be empty'],
    [{ message: 7 }, '"message": expected a text, got a number'],
    [{ message: 'x', agent_ids: ['ceo', 'cfo'] }, '"agent_ids": Too big'],
    [{ message: 'x', agent_id: 'ceo', agent_ids: ['cfo'] }, 'agent_id "ceo" and agent_ids ["cfo"] differ'],
    [
      { message: 'x', agnt: 'ceo' },
      'unknown field "agnt" (known: message, agent_id, agent_ids, second_message, simulation, background)',
    ],
  ])('%j', (body, message) => {
    expect(refusal(body).message).toContain(message);
  });

  test('several faults are told together', () => {
    const { message, details } = refusal({ agent_ids: 'ceo', task: 1, speed: 'fast' });
    expect(message).toContain('(and 2 more, see details)');
    expect(details.map(({ code }) => code)).toEqual(['invalid_field', 'invalid_field', 'unknown_field']);
  });
});

describe('reading the body', () => {
  test('text becomes a request', async () => {
    expect(parseInvocationRequest(await readBody(post('\ufeff{"message":"Grüße 世界"}')))).toMatchObject({
      work: { message: 'Grüße 世界' },
    });
  });

  test.each<[string, string | Uint8Array<ArrayBuffer>, object]>([
    ['nothing', '', { code: 'invalid_request', message: expect.stringContaining('it is empty; send a JSON object') }],
    ['half a text', '{"message":"x"', { message: expect.stringContaining('at line 1, column 15, got the end') }],
    ['bytes', new Uint8Array([0x7b, 0xff, 0x7d]), { message: 'the request body is not UTF-8 text' }],
    ['too much', `"${'x'.repeat(MAX_BODY_BYTES)}"`, { code: 'payload_too_large' }],
  ])('%s is refused', async (_title, body, failure) => {
    await expect(readBody(post(body))).rejects.toMatchObject(failure);
  });

  test.each([
    ['', 'cancelled by the caller'],
    ['{}', 'cancelled by the caller'],
    ['{"reason":"  "}', 'cancelled by the caller'],
    ['{"reason":"wrong\\u0000 quarter\\n"}', 'wrong quarter'],
  ])('the reason of the cancel %j is %j', async (body, reason) => {
    expect(await readCancelReason(post(body))).toBe(reason);
  });

  test('the reason of a cancel is cut to what is kept, never inside a character', async () => {
    const reason = await readCancelReason(post(JSON.stringify({ reason: `x${'😀'.repeat(300)}` })));
    expect(reason).toHaveLength(500);
    expect(reason.isWellFormed()).toBe(true);
  });

  test.each(['[]', '{"reason":7}', '{"why":"x"}', '{'])('the cancel %j is refused', async (body) => {
    await expect(readCancelReason(post(body))).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
