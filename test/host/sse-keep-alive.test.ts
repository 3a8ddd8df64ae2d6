import { describe, expect, test } from 'vitest';
import { isEventStream, keepAlive } from '../../src/host/sse-keep-alive.ts';
import { ManualClock } from '../support/manual-clock.ts';

const INTERVAL = 1000;
const COMMENT = ': keep-alive\n\n';

/** A source whose chunks a test hands over one by one, and a log of what came out. */
function scene() {
  const clock = new ManualClock();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const iterator = readable.values();
  const received: string[] = [];
  const stream = keepAlive(iterator, INTERVAL, clock);
  const finished = (async () => {
    for await (const chunk of stream) received.push(Buffer.from(chunk).toString());
  })();
  const write = async (text: string) => {
    void writer.write(Buffer.from(text));
    await clock.advance(0);
  };
  return { clock, write, writer, received, finished, stream };
}

describe('keep-alive comments', () => {
  test('come after each full interval of silence, also before the first chunk', async () => {
    const { clock, received } = scene();
    await clock.advance(INTERVAL - 1);
    expect(received).toEqual([]);
    await clock.advance(1);
    expect(received).toEqual([COMMENT]);
    await clock.advance(2 * INTERVAL);
    expect(received).toEqual([COMMENT, COMMENT, COMMENT]);
  });

  test('are put off by every chunk', async () => {
    const { clock, write, received } = scene();
    await clock.advance(INTERVAL - 1);
    await write('data: 1\n\n');
    await clock.advance(INTERVAL - 1);
    expect(received).toEqual(['data: 1\n\n']);
    await clock.advance(1);
    expect(received).toEqual(['data: 1\n\n', COMMENT]);
  });

  test.each(['data: 1', 'data: 1\n', 'data: 1\r\n'])('never land inside the unfinished event %j', async (half) => {
    const { clock, write, received } = scene();
    await write(half);
    await clock.advance(5 * INTERVAL);
    expect(received).toEqual([half]);
    await write('\n\n');
    await clock.advance(INTERVAL);
    expect(received).toEqual([half, '\n\n', COMMENT]);
  });

  test.each(['data: 1\n\n', 'data: 1\r\n\r\n', 'data: 1\r\r'])('follow an event ended as in %j', async (event) => {
    const { clock, write, received } = scene();
    for (const character of event) await write(character);
    await clock.advance(INTERVAL);
    expect(received.at(-1)).toBe(COMMENT);
  });

  test('end with the source and leave no timer behind', async () => {
    const { clock, write, writer, received, finished } = scene();
    await write('data: 1\n\n');
    await writer.close();
    await finished;
    await clock.advance(10 * INTERVAL);
    expect(received).toEqual(['data: 1\n\n']);
    expect(clock.armed).toBe(0);
  });

  test('pass the source’s failure on', async () => {
    const { writer, finished } = scene();
    const failed = expect(finished).rejects.toThrow('broke');
    await writer.abort(new Error('broke'));
    await failed;
  });
});

test.each([
  ['text/event-stream', true],
  ['Text/Event-Stream; charset=utf-8', true],
  ['application/x-ndjson', false],
  ['text/event-streaming', false],
  [null, false],
])('content-type %s is an event stream: %s', (contentType, expected) => {
  expect(isEventStream(contentType)).toBe(expected);
});
