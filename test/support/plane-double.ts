/** A plane over HTTP on loopback: keeps what came, does each key's effect, and misbehaves as a test says. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '../../src/core/json.ts';

export interface PlaneVisit {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The exact text that came. */
  readonly text: string;
}

export type PlaneManner = (response: ServerResponse, visit: PlaneVisit) => void;

export interface PlaneDouble {
  readonly url: string;
  readonly visits: readonly PlaneVisit[];
  /** How it answers from now on. */
  manner: PlaneManner;
  close(): Promise<void>;
}

export async function startPlaneDouble(manner: PlaneManner): Promise<PlaneDouble> {
  const visits: PlaneVisit[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = 'GET', url: path = '/', headers } = request;
    const visit = { method, path, headers, text: Buffer.concat(chunks).toString() };
    visits.push(visit);
    double.manner(response, visit);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const double: PlaneDouble = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    visits,
    manner,
    async close() {
      server.closeAllConnections();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
  return double;
}

/** Answers with a status and JSON. */
export const say =
  (status: number, body: JsonObject | undefined = {}, headers: Record<string, string> = {}): PlaneManner =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? '' : JSON.stringify(body));
  };

/** Takes the request and breaks the connection. */
export const breakOff: PlaneManner = (response) => {
  response.socket?.resetAndDestroy();
};

/** Takes the request and says nothing. */
export const hang: PlaneManner = () => {};

/** Answers what is not HTTP. */
export const babble: PlaneManner = (response) => {
  response.socket?.end('this is not HTTP\r\n\r\n');
};
