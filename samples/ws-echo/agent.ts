/** Sends every message of a WebSocket back, text as text and bytes as bytes. */
import { AgentServer } from 'aos-agent-server';

const server = new AgentServer();

server.onWebSocket(async (socket) => {
  for await (const message of socket) await socket.send(message);
});

await server.listen();
