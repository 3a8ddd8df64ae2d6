/**
 * Server-sent events as a response: the format an agent streams in when its clients are to reconnect. The comments that
 * keep a silent stream open are not made here but on the way out (`sse-keep-alive.ts`).
 */

export interface ServerSentEvent {
  /** What a client that reconnects sends as `Last-Event-ID`. */
  readonly id?: string | number;
  /** The name browsers dispatch the event under; `message` when left out. */
  readonly event?: string;
  /** A string is sent as it is, anything else as JSON. */
  readonly data: unknown;
}

/**
 * A response that streams `events`, each taken when the client has room for it. When the client leaves, the iteration
 * is ended (`finally` blocks of a generator run); when the iteration throws, the connection is cut, so that the client
 * can tell a failure from the end.
 */
export function eventStream(events: AsyncIterable<ServerSentEvent>): Response {
  const iterator = events[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(formatEvent(value)));
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    // No event is taken before it is asked for.
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' } });
}

/** @throws TypeError for an id or a name that would end its line, and so could forge other events */
export function formatEvent({ id, event, data }: ServerSentEvent): string {
  const text = typeof data === 'string' ? data : (JSON.stringify(data) ?? 'null');
  const lines = text.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${field('id', id)}${field('event', event)}${lines.join('')}\n`;
}

function field(name: 'id' | 'event', value: string | number | undefined): string {
  if (value === undefined) return '';
  if (/[\r\n\0]/.test(String(value))) {
    throw new TypeError(`the ${name} of a server-sent event must be one line, but it is ${JSON.stringify(value)}`);
  }
  return `${name}: ${value}\n`;
}
