/** Several answers streamed at once over one WebSocket; the client can stop any of them while the others go on. */
import { setTimeout as delay } from 'node:timers/promises';
import { AgentServer, type AgentSocket } from 'aos-agent-server';

/** A question under a name the client gives it, or the name of an answer it has heard enough of. */
type ClientMessage = { id: string; ask: string } | { cancel: string };

const server = new AgentServer();

server.onWebSocket(async (socket) => {
  const answers = new Map<string, AbortController>();
  for await (const text of socket) {
    const message = JSON.parse(String(text)) as ClientMessage;
    if ('cancel' in message) {
      answers.get(message.cancel)?.abort();
      continue;
    }
    const controller = new AbortController();
    answers.set(message.id, controller);
    // Not awaited: the next message is read while this one is being answered.
    void answer(socket, message.id, message.ask, controller.signal);
  }
});

async function answer(socket: AgentSocket, id: string, question: string, cancelled: AbortSignal): Promise<void> {
  const send = (message: object) => socket.send(JSON.stringify({ id, ...message }));
  try {
    // The socket's signal fires when the client leaves: nobody would hear the rest.
    for await (const token of think(question, AbortSignal.any([cancelled, socket.signal]))) await send({ token });
    await send({ end: 'completed' });
  } catch (error) {
    if (socket.signal.aborted) return;
    if (!cancelled.aborted) server.log.error('an answer failed', { error });
    await send({ end: cancelled.aborted ? 'cancelled' : 'failed' }).catch(() => {});
  }
}

/** Stands in for a model that streams its tokens and, like any good one, takes a signal. */
async function* think(question: string, signal: AbortSignal): AsyncGenerator<string> {
  for (const token of `${question}? It depends on the hour.`.split(' ')) {
    await delay(100, undefined, { signal });
    yield token;
  }
}

await server.listen();
