/** The HTTP half of a look-alike of somebody's service: reads requests, writes answers, breaks off when told to. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface DoubleRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** `break`: the connection goes without an answer. */
export type DoubleAnswer =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | 'break';

export interface HttpDouble {
  readonly url: string;
  /** Method and path of what came, with the query. */
  readonly log: readonly string[];
  readonly requests: readonly DoubleRequest[];
  close(): Promise<void>;
}

export async function startHttpDouble(
  answerTo: (request: DoubleRequest) => Promise<DoubleAnswer> | DoubleAnswer,
): Promise<HttpDouble> {
  const log: string[] = [];
  const requests: DoubleRequest[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = 'GET', url = '/', headers } = request;
    log.push(`${method} ${url}`);
    const received = { method, url: new URL(url, 'http://double'), headers, body: Buffer.concat(chunks) };
    requests.push(received);
    const answer = await answerTo(received);
    if (answer === 'break') {
      request.socket.resetAndDestroy();
      return;
    }
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    requests,
    async close() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
