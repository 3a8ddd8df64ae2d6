/**
 * WebSocket load over raw sockets: an echo in closed loop, and sockets that only stand. Frames are built once and
 * echoes are recognised by their length, so that the generator stays far below the cost of the servers.
 */
import { connect, type Socket } from 'node:net';
import { openWindow, type WindowResult } from './closed-loop.ts';

export interface EchoTask {
  kind: 'echo';
  port: number;
  path: string;
  serverPid: number;
  connections: number;
  /** Length of the text message, 1–125 bytes. */
  messageBytes: number;
  warmUpMs: number;
  measureMs: number;
}

const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

export function runEcho(task: EchoTask): Promise<WindowResult> {
  return new Promise((resolve, reject) => {
    const frame = textFrame(task.messageBytes);
    const echoLength = task.messageBytes + 2;
    const sockets: Socket[] = [];
    let count = 0;
    let stopped = false;
    for (let i = 0; i < task.connections; i++) {
      let pending = 0;
      const socket = upgrade(task.port, task.path, {
        onUpgrade: (upgraded) => upgraded.write(frame),
        onBytes: (from, bytes) => {
          pending += bytes.length;
          if (pending < echoLength) return;
          if (pending > echoLength || bytes.at(-1) !== 0x61)
            return reject(new Error(`expected an echo of ${echoLength} bytes, got ${pending}`));
          pending = 0;
          count++;
          if (!stopped) from.write(frame);
        },
        onClose: () => {
          if (!stopped) reject(new Error('the server closed a socket of the echo benchmark'));
        },
      });
      sockets.push(socket);
    }
    setTimeout(() => {
      count = 0;
      const window = openWindow(task.serverPid);
      setTimeout(() => {
        stopped = true;
        const result = { count, failures: 0, ...window.close() };
        for (const socket of sockets) socket.destroy();
        resolve(result);
      }, task.measureMs);
    }, task.warmUpMs);
  });
}

export interface IdleSocketsTask {
  kind: 'idle-sockets';
  port: number;
  path: string;
  count: number;
}

let standing: Socket[] = [];

/** Opens sockets and leaves them standing until `closeIdleSockets`; resolves when all are upgraded. */
export async function openIdleSockets(task: IdleSocketsTask): Promise<{ open: number }> {
  for (let opened = 0; opened < task.count; ) {
    const batch = Math.min(50, task.count - opened);
    await Promise.all(
      Array.from(
        { length: batch },
        () =>
          new Promise<void>((resolve, reject) => {
            standing.push(
              upgrade(task.port, task.path, {
                onUpgrade: () => resolve(),
                onBytes: () => {},
                onClose: () => reject(new Error('refused')),
              }),
            );
          }),
      ),
    );
    opened += batch;
  }
  return { open: standing.length };
}

export function closeIdleSockets(): { open: number } {
  for (const socket of standing) socket.destroy();
  standing = [];
  return { open: 0 };
}

interface UpgradeEvents {
  onUpgrade(socket: Socket): void;
  onBytes(socket: Socket, bytes: Uint8Array): void;
  onClose(): void;
}

function upgrade(port: number, path: string, events: UpgradeEvents): Socket {
  let upgraded = false;
  let head = '';
  const socket: Socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: readBuffer,
      callback: (length, bytes) => {
        if (upgraded) events.onBytes(socket, bytes.subarray(0, length));
        else {
          head += (bytes as Buffer).toString('latin1', 0, length);
          if (head.includes('\r\n\r\n')) {
            upgraded = head.startsWith('HTTP/1.1 101');
            if (upgraded) events.onUpgrade(socket);
            else socket.destroy();
          }
        }
        return true;
      },
    },
  });
  socket.on('connect', () => {
    socket.write(
      `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
        'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    );
  });
  socket.on('error', () => {});
  socket.on('close', () => events.onClose());
  return socket;
}

/** A final text frame of `length` letters `a`, masked as clients must. */
function textFrame(length: number): Buffer {
  const mask = [0x37, 0xfa, 0x21, 0x3d];
  const payload = Array.from({ length }, (_, i) => 0x61 ^ (mask[i % 4] ?? 0));
  return Buffer.from([0x81, 0x80 | length, ...mask, ...payload]);
}
