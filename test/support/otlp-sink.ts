/**
 * An OTLP collector for tests and benchmarks, on a real socket: takes traces and logs over http/protobuf or gRPC and
 * shows what came. Requests are decoded only when somebody looks.
 */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import { Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { decodeLogs, decodeSpans, type ReceivedLog, type ReceivedSpan } from './otlp-decode.ts';

export interface ReceivedExport {
  /** `/v1/traces`, `/v1/logs`; for gRPC the same, whatever the service is called. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

export interface OtlpSink {
  /** What belongs into `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly url: string;
  readonly requests: readonly ReceivedExport[];
  spans(): ReceivedSpan[];
  logs(): ReceivedLog[];
  /** Resolves with all spans as soon as one of them satisfies `wanted`; rejects with what came instead after `withinMs`. */
  waitForSpan(wanted: (span: ReceivedSpan) => boolean, withinMs?: number): Promise<ReceivedSpan>;
  waitForLog(wanted: (log: ReceivedLog) => boolean, withinMs?: number): Promise<ReceivedLog>;
  close(): Promise<void>;
}

export interface OtlpSinkOptions {
  readonly port?: number;
  /** False counts nothing and keeps nothing: for benchmarks. */
  readonly keep?: boolean;
  /** Answers in place of the usual empty 200; does nothing to leave the exporter hanging. */
  readonly answer?: (request: ReceivedExport, response: ServerResponse) => void;
}

/** Starts a collector that speaks http/protobuf. */
export async function startOtlpSink(options: OtlpSinkOptions = {}): Promise<OtlpSink> {
  const { port = 0, keep = true, answer } = options;
  const arrivals = createArrivals();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const bytes = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes;
      const received = { path: request.url ?? '', headers: request.headers, body };
      if (keep) arrivals.add(received);
      if (answer !== undefined) answer(received, response);
      else response.writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 0 }).end();
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    ...arrivals.view,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Starts a collector that speaks gRPC. */
export async function startGrpcOtlpSink(): Promise<OtlpSink> {
  const arrivals = createArrivals();
  const server = new Server();
  const serve = (service: string, path: string) => {
    const identity = (bytes: Buffer) => bytes;
    const definition = {
      Export: {
        path: `/${service}/Export`,
        requestStream: false,
        responseStream: false,
        requestSerialize: identity,
        requestDeserialize: identity,
        responseSerialize: identity,
        responseDeserialize: identity,
      },
    };
    const implementation: UntypedServiceImplementation = {
      Export: (
        call: { request: Buffer; metadata: { getMap(): Record<string, unknown> } },
        done: (failure: null, response: Buffer) => void,
      ) => {
        arrivals.add({ path, headers: call.metadata.getMap() as IncomingHttpHeaders, body: call.request });
        done(null, Buffer.alloc(0));
      },
    };
    server.addService(definition, implementation);
  };
  serve('opentelemetry.proto.collector.trace.v1.TraceService', '/v1/traces');
  serve('opentelemetry.proto.collector.logs.v1.LogsService', '/v1/logs');
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (failure, bound) =>
      failure === null ? resolve(bound) : reject(failure),
    );
  });
  return {
    ...arrivals.view,
    url: `http://127.0.0.1:${port}`,
    close() {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

function createArrivals() {
  const requests: ReceivedExport[] = [];
  let listeners: (() => void)[] = [];
  const decoded = <Item>(path: string, decode: (bytes: Uint8Array) => Item[]) => {
    const items = new Map<ReceivedExport, Item[]>();
    return () =>
      requests
        .filter((request) => request.path.endsWith(path))
        .flatMap((request) => {
          const known = items.get(request) ?? decode(request.body);
          items.set(request, known);
          return known;
        });
  };
  const spans = decoded('/v1/traces', decodeSpans);
  const logs = decoded('/v1/logs', decodeLogs);
  const waitFor = async <Item>(what: string, all: () => Item[], wanted: (item: Item) => boolean, withinMs: number) => {
    const deadline = AbortSignal.timeout(withinMs);
    for (;;) {
      const found = all().find(wanted);
      if (found !== undefined) return found;
      if (deadline.aborted) throw new Error(`no such ${what} within ${withinMs} ms; ${describe(all())}`);
      await new Promise<void>((resolve) => {
        listeners.push(resolve);
        deadline.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  };
  return {
    add(request: ReceivedExport) {
      requests.push(request);
      const waiting = listeners;
      listeners = [];
      for (const resolve of waiting) resolve();
    },
    view: {
      requests,
      spans,
      logs,
      waitForSpan: (wanted: (span: ReceivedSpan) => boolean, withinMs = 10_000) =>
        waitFor('span', spans, wanted, withinMs),
      waitForLog: (wanted: (log: ReceivedLog) => boolean, withinMs = 10_000) => waitFor('log', logs, wanted, withinMs),
    },
  };
}

function describe(items: unknown[]): string {
  return `received: ${JSON.stringify(items, (_key, value) => (typeof value === 'bigint' ? String(value) : value))}`;
}
