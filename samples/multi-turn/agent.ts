/** A conversation: the session in `?agent_session_id=` ties its turns together. */
import { AgentServer } from 'aos-agent-server';

const conversations = new Map<string, string[]>();
const server = new AgentServer();

server.onInvoke(async (request, { sessionId }) => {
  const { message } = (await request.json()) as { message: string };
  const said = conversations.get(sessionId) ?? [];
  conversations.set(sessionId, [...said, message]);
  return Response.json({ session_id: sessionId, turn: said.length + 1, reply: reply(said, message) });
});

/** Stands in for a model, which would be given the conversation so far in the same way. */
function reply(said: readonly string[], message: string): string {
  const name = [...said, message].flatMap((text) => /my name is (\w+)/i.exec(text)?.[1] ?? []).at(-1);
  if (name === undefined) return 'Pleased to meet you. What is your name?';
  return /what is my name/i.test(message) ? `Your name is ${name}.` : `Hello, ${name}.`;
}

await server.listen();
