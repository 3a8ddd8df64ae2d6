import { describe, expect, test } from 'vitest';
import { idsOfMessage, parseFrame } from '../../src/invocations/socket-frame.ts';

describe('a frame', () => {
  test.each<[unknown, object]>([
    [
      { type: 'invoke', body: { message: 'Hi' } },
      { type: 'invoke', body: { message: 'Hi' }, follow: true },
    ],
    [{ type: 'follow', invocation_id: 'a', after: 3 }, { after: 3 }],
    [
      { type: 'operation', operation: 'runs.list' },
      { operation: 'runs.list', input: {} },
    ],
    [
      { type: 'approval', approval_id: 'x', decision: 'approve', notes: 'fine' },
      { decision: 'approve', notes: 'fine' },
    ],
    [{ message: 'Hi' }, { type: 'invoke', body: { message: 'Hi' }, follow: true }],
    [
      { message: 'Hi', invocation_id: 'a' },
      { type: 'invoke', invocation_id: 'a' },
    ],
    [
      { cancel: 'a', reason: 'late' },
      { type: 'cancel', invocation_id: 'a', reason: 'late' },
    ],
  ])('%j is understood', (message, frame) => {
    expect(parseFrame(JSON.stringify(message))).toMatchObject(frame);
  });

  test.each<[unknown, string]>([
    [{ type: 'folow', invocation_id: 'a' }, 'there is no frame of type "folow", did you mean "follow"?'],
    [{ type: 'follow' }, '"invocation_id" is missing'],
    [{ type: 'follow', invocation_id: 'a', after: -1 }, '"after"'],
    [{ type: 'invoke', body: {}, windw: 3 }, 'unknown field "windw", did you mean "window"?'],
    [{ type: 'invoke', body: {}, invocation_id: 'a b' }, '"invocation_id": must be 1 to 256 of the characters'],
    [{ type: 'approval', approval_id: 'x', decision: 'maybe' }, '"decision"'],
    [{ type: 7 }, 'there is no frame of type 7'],
    [{ cancel: 'a b' }, 'an invocation id must be'],
    [[], 'a message must be a JSON object: a frame with a type (invoke, follow'],
  ])('%j is refused in words', (message, words) => {
    expect(() => parseFrame(JSON.stringify(message))).toThrow(words);
  });
});

test.each<[string, object]>([
  ['{"type":"follow","request_id":"r","invocation_id":"a"}', { request_id: 'r', invocation_id: 'a' }],
  ['{"cancel":"a"}', { invocation_id: 'a' }],
  ['{"request_id":4,"invocation_id":"not one"}', { invocation_id: null }],
  ['{"broken', { invocation_id: null }],
  ['null', { invocation_id: null }],
])('the ids of %s are %j, whatever is wrong with it', (message, ids) => {
  expect(idsOfMessage(message)).toEqual(ids);
});
