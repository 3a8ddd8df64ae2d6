/** The smallest agent: one question in, one answer out. */
import { AgentServer } from 'aos-agent-server';

const server = new AgentServer();

server.onInvoke(async (request) => {
  const { name = 'world' } = (await request.json()) as { name?: string };
  return Response.json({ greeting: `Hello, ${name}!` });
});

await server.listen();
