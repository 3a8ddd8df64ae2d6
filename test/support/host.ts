/**
 * A host in this process on a port of its own, for tests of what handlers see and do. What the wire looks like from
 * outside is tested against a process of its own, in `test/conformance`.
 */
import { AgentServer, type AgentServerOptions } from '../../src/index.ts';

export interface TestHost extends AsyncDisposable {
  readonly url: string;
  readonly server: AgentServer;
  /** Every log record so far. */
  records(): Record<string, unknown>[];
}

/** Starts a server with the handlers that `register` gives it; stops it when the test ends. */
export async function startHost(
  register: (server: AgentServer) => void,
  options: AgentServerOptions = {},
): Promise<TestHost> {
  const lines: string[] = [];
  const server = new AgentServer({
    port: 0,
    hostname: '127.0.0.1',
    signals: false,
    environment: {},
    logSink: { write: (line) => lines.push(line) },
    shutdownTimeoutMs: 5000,
    ...options,
  });
  register(server);
  const { url } = await server.listen();
  return {
    url,
    server,
    records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    [Symbol.asyncDispose]: () => server.close(),
  };
}
