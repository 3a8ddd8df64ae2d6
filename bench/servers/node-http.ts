/** Baseline: node:http with nothing around it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { nextTurn, reportPort, sseEvent } from './report.ts';

const server = createServer((request, response) => {
  if (request.url === '/readiness') {
    return void response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': 20 })
      .end('{"status":"healthy"}');
  }
  if (request.url === '/stream') return void stream(response);
  greet(request, response);
});

function greet(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { name } = JSON.parse(Buffer.concat(chunks).toString()) as { name: string };
    const body = JSON.stringify({ greeting: `Hello, ${name}!` });
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
      .end(body);
  });
}

async function stream(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  for (let number = 1; number <= 100; number++) {
    await nextTurn();
    response.write(sseEvent(number));
  }
  response.end();
}

server.listen(0, '127.0.0.1', () => reportPort((server.address() as AddressInfo).port));
