/**
 * Our host, from the built package, with the handlers of the baselines. Arguments: `burn` makes an invocation cost 10 ms
 * of CPU, `late` makes it wait a little before, `no-overload` switches admission control off.
 */
import { burnCpu, eventStream, reportPort } from './report.ts';

// By a computed address: type checking must not depend on the build, and what is measured is the build.
const built = new URL('../../dist/src/index.js', import.meta.url).href;
const { AgentServer } = (await import(built)) as typeof import('../../src/index.ts');

const burns = process.argv.includes('burn');
const waits = process.argv.includes('late');
const server = new AgentServer({
  port: 0,
  hostname: '127.0.0.1',
  ...(process.argv.includes('no-overload') ? { overload: false } : {}),
});
server.onInvoke(async (request: Request) => {
  if (request.headers.get('accept') === 'text/event-stream') {
    return new Response(eventStream(100), { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
  }
  const { name } = (await request.json()) as { name: string };
  if (waits) await new Promise((resolve) => setTimeout(resolve, 5));
  if (burns) burnCpu(10);
  return Response.json({ greeting: `Hello, ${name}!` });
});
server.onWebSocket(async (socket) => {
  for await (const message of socket) await socket.send(message);
});
const { port } = await server.listen();
reportPort(port);
