import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventStream, formatEvent, type ServerSentEvent } from '../../src/host/event-stream.ts';
import { startHost } from '../support/host.ts';

describe('a server-sent event', () => {
  test.each<[string, ServerSentEvent, string]>([
    ['text as it is', { data: 'hello' }, 'data: hello\n\n'],
    ['anything else as JSON', { data: { n: 1, t: 'a\nb' } }, 'data: {"n":1,"t":"a\\nb"}\n\n'],
    ['its id and its name', { id: 7, event: 'token', data: 'x' }, 'id: 7\nevent: token\ndata: x\n\n'],
    ['several lines, however they end', { data: 'a\nb\r\nc\rd' }, 'data: a\ndata: b\ndata: c\ndata: d\n\n'],
    ['nothing', { data: undefined }, 'data: null\n\n'],
  ])('carries %s', (_what, event, text) => {
    expect(formatEvent(event)).toBe(text);
  });

  test('is always one event, whatever its text holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (data) => {
        const text = formatEvent({ data });
        expect(text.indexOf('\n\n')).toBe(text.length - 2);
        expect(
          text
            .slice(0, -2)
            .split('\n')
            .every((line) => line.startsWith('data: ')),
        ).toBe(true);
      }),
    );
  });

  test.each(['a\nb', 'a\rb', 'a\0b'])('cannot be forged through an id such as %j', (id) => {
    expect(() => formatEvent({ id, data: '' })).toThrow(/must be one line/);
    expect(() => formatEvent({ event: id, data: '' })).toThrow(/must be one line/);
  });
});

describe('an event stream', () => {
  test('takes an event only when it is asked for, and ends with its source', async () => {
    let made = 0;
    const response = eventStream(count(3, () => (made += 1)));
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    await Promise.resolve();
    expect(made).toBe(0);
    expect(await response.text()).toBe('data: 1\n\ndata: 2\n\ndata: 3\n\n');
  });

  test('ends its source when the client leaves', async () => {
    const ended = Promise.withResolvers<void>();
    await using host = await startHost((server) => {
      server.onInvoke(() => eventStream(count(Number.POSITIVE_INFINITY, () => {}, ended.resolve)));
    });
    const client = new AbortController();
    const response = await fetch(`${host.url}/invocations`, { method: 'POST', signal: client.signal });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    client.abort();
    await ended.promise;
  });

  test('is cut when its source fails', async () => {
    await using host = await startHost((server) => {
      server.onInvoke(() =>
        eventStream(
          count(3, (n) => {
            if (n === 2) throw new Error('broken');
          }),
        ),
      );
    });
    const response = await fetch(`${host.url}/invocations`, { method: 'POST' });
    await expect(response.text()).rejects.toThrow();
  });
});

async function* count(
  last: number,
  onEach: (n: number) => void,
  onEnd: () => void = () => {},
): AsyncGenerator<ServerSentEvent> {
  try {
    for (let n = 1; n <= last; n += 1) {
      onEach(n);
      yield { data: n };
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    onEnd();
  }
}
