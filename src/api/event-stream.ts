/**
 * An operation's stream as server-sent events, with a comment in every 15 s of silence so that proxies keep it open.
 */
import type { Clock } from '../core/clock.ts';
import { eventStream, type ServerSentEvent } from '../host/event-stream.ts';
import { keepAlive } from '../host/sse-keep-alive.ts';
import { EXPIRED, type Expiry } from '../identity/expiry.ts';
import type { StreamItem } from '../operations/operation.ts';

const HEARTBEAT_MS = 15_000;

/** @param stop called when nobody reads any more */
export function streamItems(items: AsyncIterable<StreamItem>, clock: Clock, stop: () => void): Response {
  const response = eventStream(framed(items, stop));
  const { body, headers } = response;
  if (body === null) return response;
  const chunks = keepAlive(chunksOf(body), HEARTBEAT_MS, clock);
  const commented = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        stop();
        await chunks.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(commented, { headers });
}

/** The items, and when they end because the proof of their reader did, a last one that says so. */
export async function* untilExpired(items: AsyncIterable<StreamItem>, expiry: Expiry): AsyncGenerator<StreamItem> {
  try {
    yield* items;
  } catch (thrown) {
    if (!expiry.signal.aborted) throw thrown;
  } finally {
    expiry.cancel();
  }
  if (expiry.signal.aborted) yield { event: 'error', data: { error: EXPIRED } };
}

async function* framed(items: AsyncIterable<StreamItem>, stop: () => void): AsyncGenerator<ServerSentEvent> {
  try {
    for await (const { id, event, data } of items) {
      // Members that are not there stay away, rather than there and undefined.
      yield { ...(id !== undefined && { id }), ...(event !== undefined && { event }), data };
    }
  } finally {
    stop();
  }
}

function chunksOf(body: ReadableStream<Uint8Array>): AsyncIterator<Uint8Array> {
  const reader = body.getReader();
  return {
    async next() {
      const { done, value } = await reader.read();
      return done ? { done: true, value: undefined } : { done: false, value };
    },
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}
