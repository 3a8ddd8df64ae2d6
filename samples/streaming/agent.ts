/**
 * An answer streamed as numbered server-sent events. A client that loses its connection asks for what comes after the
 * last number it saw: the answer went on without it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { AgentServer, eventStream, type InvocationContext } from 'aos-agent-server';
import { Transcript } from './transcript.ts';

const transcripts = new Map<string, Transcript>();
const server = new AgentServer();

server.onInvoke(async (request, context) => {
  const { message } = (await request.json()) as { message: string };
  const transcript = new Transcript();
  transcripts.set(context.invocationId, transcript);
  void speak(message, transcript);
  return follow(transcript, request, context);
});

server.onGetInvocation((request, context) => {
  const transcript = transcripts.get(context.invocationId);
  return transcript === undefined
    ? new Response('no such answer\n', { status: 404 })
    : follow(transcript, request, context);
});

function follow(transcript: Transcript, request: Request, context: InvocationContext): Response {
  const lastSeen = Number(context.queryValue('after') ?? request.headers.get('last-event-id')) || 0;
  return eventStream(events(transcript, lastSeen));
}

async function* events(transcript: Transcript, lastSeen: number) {
  for await (const { number, word } of transcript.after(lastSeen)) yield { id: number, event: 'word', data: { word } };
}

/** Stands in for a model that streams its tokens. Nobody has to listen for it to go on. */
async function speak(message: string, transcript: Transcript): Promise<void> {
  for (const word of `You said ${message}, and I have thought about it.`.split(' ')) {
    await delay(100);
    transcript.append(word);
  }
  transcript.complete();
}

await server.listen();
