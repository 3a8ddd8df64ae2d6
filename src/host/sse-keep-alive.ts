/**
 * Comments that keep a silent event stream open through proxies with idle timeouts (protocol §11). The interval counts
 * silence: every chunk and every comment starts it again. A comment never lands inside an unfinished event.
 */
import type { Clock, Timer } from '../core/clock.ts';

const COMMENT = new TextEncoder().encode(': keep-alive\n\n');
/** The blank line that ends an event, in each of the line ends the format allows. */
const EVENT_END = /(?:\n\n|\r\r|\r\n\r\n)$/;

/** Whether a response of this type gets comments: the media type of its final `content-type`. */
export function isEventStream(contentType: string | null): boolean {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() === 'text/event-stream';
}

/**
 * The chunks of `source` with comments in its silences. One chunk at most is taken ahead of the consumer; errors pass
 * through, and when the consumer stops, the source is stopped.
 * @param intervalMs silence in milliseconds before a comment
 */
export async function* keepAlive(
  source: AsyncIterator<Uint8Array>,
  intervalMs: number,
  clock: Clock,
): AsyncGenerator<Uint8Array> {
  let next: Promise<IteratorResult<Uint8Array>> | undefined;
  // The last bytes sent, as text: enough to see whether they end an event.
  let tail = '\n\n';
  try {
    for (;;) {
      next ??= source.next();
      const silence = EVENT_END.test(tail) ? waitSilence(clock, intervalMs) : undefined;
      const first = silence === undefined ? await next : await Promise.race([next, silence.over]);
      silence?.timer.cancel();
      if (first === SILENT) {
        yield COMMENT;
        continue;
      }
      next = undefined;
      if (first.done) return;
      tail = (tail + Buffer.from(first.value.slice(-4)).toString('latin1')).slice(-4);
      yield first.value;
    }
  } finally {
    await source.return?.();
  }
}

const SILENT = Symbol('silent');

function waitSilence(clock: Clock, intervalMs: number): { over: Promise<typeof SILENT>; timer: Timer } {
  const { promise, resolve } = Promise.withResolvers<typeof SILENT>();
  return { over: promise, timer: clock.after(intervalMs, () => resolve(SILENT)) };
}
