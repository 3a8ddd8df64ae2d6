/**
 * A run's events as server-sent events: who wants them, from which number on, and the stream itself.
 */
import { AosError } from '../core/errors.ts';
import { askedRepresentation } from '../host/accept.ts';
import { eventStream, type ServerSentEvent } from '../host/event-stream.ts';
import { EXPIRED, type Expiry } from '../identity/expiry.ts';
import type { RunEvent } from '../runs/event.ts';
import { viewServerSentEvent } from './view.ts';

/** Whether an `Accept` header prefers server-sent events to JSON. Wildcards and absence mean JSON. */
export function prefersEventStream(accept: string | null): boolean {
  return askedRepresentation(accept) === 'stream';
}

/**
 * The number after which a client wants events: `?after=`, else `Last-Event-ID` (what browsers send on reconnecting),
 * else `x-client-last-event-id` (which passes the platform's gateway); 0 when it names none.
 * @throws AosError invalid_request for anything but a whole number
 */
export function startAfter(headers: Headers, after: string | undefined): number {
  const sources = [
    ['the query parameter after', after],
    ['the header Last-Event-ID', headers.get('last-event-id')],
    ['the header x-client-last-event-id', headers.get('x-client-last-event-id')],
  ] as const;
  for (const [name, value] of sources) {
    if (value === undefined || value === null || value === '') continue;
    if (/^\d{1,15}$/.test(value)) return Number(value);
    throw new AosError(
      'invalid_request',
      `${name} must be the number of an event, such as 0 or 12, got ${JSON.stringify(value.slice(0, 40))}`,
    );
  }
  return 0;
}

/**
 * The response that streams `events`. A client that leaves ends the stream, never the run.
 * @param stop called when nobody reads any more
 * @param expiry when the reader's proof ends; the stream then ends with an event `error` that has no number, so that
 *   whoever comes back misses nothing
 */
export function streamEvents(events: AsyncIterable<RunEvent>, stop: () => void, expiry?: Expiry): Response {
  return eventStream(viewed(events, stop, expiry));
}

async function* viewed(
  events: AsyncIterable<RunEvent>,
  stop: () => void,
  expiry: Expiry | undefined,
): AsyncGenerator<ServerSentEvent> {
  try {
    for await (const event of events) yield viewServerSentEvent(event);
    if (expiry?.signal.aborted) yield { event: 'error', data: { error: EXPIRED } };
  } finally {
    expiry?.cancel();
    stop();
  }
}
