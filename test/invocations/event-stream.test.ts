import { describe, expect, test } from 'vitest';
import { prefersEventStream, startAfter, streamEvents } from '../../src/invocations/event-stream.ts';
import { testEvent } from '../support/run-event.ts';

describe('who wants events', () => {
  test.each([
    [null, false],
    ['', false],
    ['*/*', false],
    ['application/json', false],
    ['text/event-stream', true],
    ['Text/Event-Stream; charset=utf-8', true],
    ['text/event-stream, */*', true],
    ['text/event-stream;q=0', false],
    ['application/json, text/event-stream', false],
    ['text/event-stream, application/json', true],
    ['application/json;q=0.5, text/event-stream', true],
    ['text/event-stream;q=0.5, application/json', false],
    ['text/event-stream-like', false],
  ])('Accept: %s → %s', (accept, wants) => {
    expect(prefersEventStream(accept)).toBe(wants);
  });
});

describe('from which number on', () => {
  test.each<[Record<string, string>, string | undefined, number]>([
    [{}, undefined, 0],
    [{}, '7', 7],
    [{}, '', 0],
    [{ 'last-event-id': '3' }, undefined, 3],
    [{ 'x-client-last-event-id': '4' }, undefined, 4],
    [{ 'last-event-id': '3', 'x-client-last-event-id': '4' }, undefined, 3],
    [{ 'last-event-id': '3' }, '5', 5],
    [{ 'last-event-id': '3' }, '0', 0],
  ])('%j and after=%s start after %d', (headers, after, number) => {
    expect(startAfter(new Headers(headers), after)).toBe(number);
  });

  test.each<[Record<string, string>, string | undefined, string]>([
    [{}, '-1', 'the query parameter after must be the number of an event, such as 0 or 12, got "-1"'],
    [{}, '1.5', 'got "1.5"'],
    [{ 'last-event-id': 'abc' }, undefined, 'the header Last-Event-ID must be'],
    [{ 'x-client-last-event-id': '9'.repeat(99) }, undefined, 'the header x-client-last-event-id must be'],
  ])('%j and after=%s are refused', (headers, after, message) => {
    expect(() => startAfter(new Headers(headers), after)).toThrow(message);
  });
});

describe('the stream', () => {
  const event = (seq: number) => testEvent('run.progress', { progress: seq / 2 }, { runId: 'r', seq, at: 't' });

  test('is the events in server-sent form, and ends with them', async () => {
    async function* events() {
      yield event(1);
      yield event(2);
    }
    const response = streamEvents(events(), () => {});
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await response.text()).toBe(
      [1, 2]
        .map(
          (seq) =>
            `id: ${seq}\nevent: run.progress\ndata: {"invocation_id":"r","seq":${seq},"type":"run.progress","at":"t","progress":${seq / 2}}\n\n`,
        )
        .join(''),
    );
  });

  test('is not read faster than its reader reads, and stops when the reader leaves', async () => {
    let produced = 0;
    let stopped = false;
    let closed = false;
    async function* events() {
      try {
        for (;;) yield event(++produced);
      } finally {
        closed = true;
      }
    }
    const body = streamEvents(events(), () => {
      stopped = true;
    }).body;
    const reader = body?.getReader();
    await reader?.read();
    expect(produced).toBeLessThan(5);
    await reader?.cancel();
    expect({ stopped, closed }).toEqual({ stopped: true, closed: true });
  });
});
