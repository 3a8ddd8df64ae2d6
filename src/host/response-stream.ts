/**
 * A handler's streamed body on its way out (protocol §11): pulled one chunk at a time, kept alive when it is an event
 * stream, stopped when the client leaves, and cut without a final chunk when it fails, so that the client can tell.
 */
import { afterTurn } from '../core/clock.ts';
import { asError } from '../core/errors.ts';

/** What the host wants to know of a stream's fate. Exactly one of the two is called, once. */
export interface StreamFate {
  /** The body came to its end, or the client stopped reading. */
  ended(): void;
  failed(failure: Error): void;
}

type Chunks = AsyncIterator<Uint8Array>;

/**
 * @param decorate wraps the chunks on their way (keep-alive comments)
 */
export function superviseStream(
  body: ReadableStream<unknown>,
  decorate: (chunks: Chunks) => Chunks,
  fate: StreamFate,
): ReadableStream<Uint8Array> {
  if (body.locked) throw new TypeError(ALREADY_READ);
  const reader = body.getReader();
  const chunks = decorate(readChunks(reader));
  let over = false;
  const settle = (report: () => void) => {
    if (over) return;
    over = true;
    report();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await chunks.next();
          if (!done) return controller.enqueue(value);
          settle(() => fate.ended());
          controller.close();
        } catch (thrown) {
          // The reader downstream is left waiting: whoever cuts the connection also cancels it.
          settle(() => fate.failed(asError(thrown)));
        }
      },
      async cancel(reason) {
        settle(() => fate.ended());
        await reader.cancel(reason).catch(() => {});
      },
    },
    // No chunk is taken from the handler before the socket wants one.
    { highWaterMark: 0 },
  );
}

function readChunks(reader: ReadableStreamDefaultReader<unknown>): Chunks {
  return {
    async next() {
      const { done, value } = await reader.read();
      return done ? { done: true, value: undefined } : { done: false, value: toBytes(value) };
    },
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

function toBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === 'string') return new TextEncoder().encode(chunk);
  throw new TypeError(`a streamed body must yield strings or Uint8Array, but it yielded ${typeof chunk}`);
}

/**
 * The response as it should be sent: one whose body is at hand becomes a plain one (so that it gets a content-length),
 * one whose body streams is handed to `supervise`.
 */
export function sortResponse(
  response: Response,
  supervise: (body: ReadableStream<unknown>, response: Response) => Response,
): Response | Promise<Response> {
  plainPartsKey ??= findPlainPartsKey();
  const parts: unknown = plainPartsKey === null ? undefined : Reflect.get(response, plainPartsKey);
  if (!Array.isArray(parts)) return sortNativeResponse(response, supervise);
  return parts[1] instanceof ReadableStream ? supervise(parts[1], response) : response;
}

/**
 * The HTTP server's `Response` keeps status, body and headers in plain form until somebody asks for `.body`, and writes
 * them out several times faster for it. Asking here would cost every response that, so we look at the plain form itself:
 * an array `[status, body, headers]` under a symbol. Where there is none (a response made by `fetch`, a body that is an
 * `ArrayBuffer`), `.body` is asked after all.
 */
function findPlainPartsKey(): symbol | null {
  const probe = new Response('probe');
  const holdsParts = (key: symbol) => {
    const parts: unknown = Reflect.get(probe, key);
    return Array.isArray(parts) && parts[1] === 'probe';
  };
  return Object.getOwnPropertySymbols(probe).find(holdsParts) ?? null;
}
let plainPartsKey: symbol | null | undefined;

async function sortNativeResponse(
  response: Response,
  supervise: (body: ReadableStream<unknown>, response: Response) => Response,
): Promise<Response> {
  const { body } = response;
  if (body === null) return response;
  if (body.locked) throw new TypeError(ALREADY_READ);
  const reader = body.getReader();
  const taken: unknown[] = [];
  // A body that was given whole comes in one chunk and ends; anything slower or longer is a stream.
  while (taken.length < 2) {
    const next = reader.read();
    const ready = await Promise.race([next, turnEnded()]);
    if (ready === undefined) return supervise(resumeBody(reader, taken, next), response);
    if (ready.done) return plainResponse(response, taken);
    taken.push(ready.value);
  }
  return supervise(resumeBody(reader, taken, undefined), response);
}

const ALREADY_READ = 'the handler returned a response whose body is already being read';

function plainResponse(response: Response, chunks: readonly unknown[]): Response {
  const { status, statusText, headers } = response;
  return new Response(Buffer.concat(chunks.map(toBytes)), { status, statusText, headers });
}

/** The stream from its beginning again, after `taken` was read off it and `next` asked for. */
function resumeBody(
  reader: ReadableStreamDefaultReader<unknown>,
  taken: unknown[],
  next: ReturnType<typeof reader.read> | undefined,
): ReadableStream<unknown> {
  let pending = next;
  return new ReadableStream<unknown>(
    {
      async pull(controller) {
        if (taken.length > 0) return controller.enqueue(taken.shift());
        const { done, value } = await (pending ?? reader.read());
        pending = undefined;
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

function turnEnded(): Promise<undefined> {
  return new Promise((resolve) => afterTurn(() => resolve(undefined)));
}
