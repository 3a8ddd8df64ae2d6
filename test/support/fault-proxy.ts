/** A TCP proxy between a client and a server that breaks what goes through it, as the test says. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * - `pass`: all goes through
 * - `swallow`: requests go through, answers do not
 * - `cut`: requests go through; with the first byte of an answer the connection breaks
 */
export type ProxyMode = 'pass' | 'swallow' | 'cut';

export interface FaultProxy {
  readonly port: number;
  mode: ProxyMode;
  /** Connections that were opened so far. */
  readonly connections: number;
  /** All that clients sent, as text. */
  readonly sent: string;
  close(): Promise<void>;
}

export async function startFaultProxy(target: number): Promise<FaultProxy> {
  const open = new Set<Socket>();
  let connections = 0;
  let sent = '';
  const server = createServer((client) => {
    connections++;
    const upstream = connect(target, '127.0.0.1');
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
    client.on('data', (data) => {
      sent += data.toString();
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (proxy.mode === 'pass') client.write(data);
      if (proxy.mode === 'cut') client.resetAndDestroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: FaultProxy = {
    port: (server.address() as AddressInfo).port,
    mode: 'pass',
    get connections() {
      return connections;
    },
    get sent() {
      return sent;
    },
    async close() {
      if (!server.listening) return;
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
