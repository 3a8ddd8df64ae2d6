/**
 * A chat-completions endpoint on a real socket, as OpenAI and Azure speak it: keeps what it was sent, answers what the
 * test says, and tells when a client hangs up in the middle.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '../../src/core/json.ts';

export interface ModelCall {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: JsonObject;
  /** Resolves when the client ends the connection before the answer is over. */
  readonly hungUp: Promise<void>;
}

export type ModelAnswer = (response: ServerResponse, call: ModelCall) => void | Promise<void>;

export interface ModelServer extends AsyncDisposable {
  readonly url: string;
  readonly calls: ModelCall[];
  answer: ModelAnswer;
}

export async function startModelServer(answer: ModelAnswer = saying('Hello', ' world')): Promise<ModelServer> {
  const calls: ModelCall[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const hangUp = Promise.withResolvers<void>();
    response.on('close', () => {
      if (!response.writableFinished) hangUp.resolve();
    });
    const call: ModelCall = {
      path: request.url ?? '',
      headers: request.headers,
      body: JSON.parse(Buffer.concat(chunks).toString('utf8')) as JsonObject,
      hungUp: hangUp.promise,
    };
    calls.push(call);
    await double.answer(response, call);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const double: ModelServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    answer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return double;
}

/** Streams the pieces, the usage and the end, as the providers do. */
export function saying(...pieces: readonly string[]): ModelAnswer {
  return (response) => {
    beginStream(response);
    for (const piece of pieces) writeChunk(response, { delta: { content: piece } });
    writeChunk(response, { delta: {}, finish_reason: 'stop' });
    response.write(`data: ${JSON.stringify({ ...HEAD, choices: [], usage: USAGE })}\n\n`);
    response.end('data: [DONE]\n\n');
  };
}

/** Asks for tools, each call in pieces, as the providers do; `arguments` is sent as it is. */
export function calling(...calls: readonly { id: string; name: string; arguments: string }[]): ModelAnswer {
  return (response) => {
    beginStream(response);
    for (const [index, { id, name, arguments: given }] of calls.entries()) {
      const half = Math.floor(given.length / 2);
      const head = { index, id, type: 'function', function: { name, arguments: '' } };
      writeChunk(response, { delta: { tool_calls: [head] } });
      for (const piece of [given.slice(0, half), given.slice(half)]) {
        writeChunk(response, { delta: { tool_calls: [{ index, function: { arguments: piece } }] } });
      }
    }
    writeChunk(response, { delta: {}, finish_reason: 'tool_calls' });
    response.write(`data: ${JSON.stringify({ ...HEAD, choices: [], usage: USAGE })}\n\n`);
    response.end('data: [DONE]\n\n');
  };
}

/** Refuses as the providers do, with an error object. */
export function refusing(status: number, error: JsonObject = {}, headers: Record<string, string> = {}): ModelAnswer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify({ error: { message: 'raw words of the provider, key sk-secret-123456', ...error } }));
  };
}

export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
}

export function writeChunk(response: ServerResponse, choice: JsonObject): void {
  response.write(`data: ${JSON.stringify({ ...HEAD, choices: [{ index: 0, ...choice }] })}\n\n`);
}

const HEAD = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-2024-08-06' };
const USAGE = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 };
