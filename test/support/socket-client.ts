/** A client of `/invocations_ws` that keeps what it gets. */
import { WebSocket } from 'ws';
import type { JsonObject } from '../../src/core/json.ts';

export interface SocketClient extends Disposable {
  send(message: JsonObject): void;
  /** All messages so far. */
  readonly received: readonly JsonObject[];
  /** Resolves with the messages so far as soon as one satisfies `wanted`. */
  until(wanted: (message: JsonObject) => boolean): Promise<readonly JsonObject[]>;
  /** How the connection ended. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** @param url of the server, `http://…`; @param query with its question mark */
export async function openSocket(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  query = '',
): Promise<SocketClient> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/invocations_ws${query}`, { headers });
  const received: JsonObject[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  let news = Promise.withResolvers<void>();
  const tell = () => {
    news.resolve();
    news = Promise.withResolvers();
  };
  socket.on('message', (data) => {
    received.push(JSON.parse(String(data)) as JsonObject);
    tell();
  });
  socket.on('close', (code, reason) => closed.resolve({ code, reason: reason.toString() }));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return {
    received,
    closed: closed.promise,
    send: (message) => socket.send(JSON.stringify(message)),
    async until(wanted) {
      while (!received.some(wanted)) await news.promise;
      return received;
    },
    [Symbol.dispose]: () => socket.close(),
  };
}
