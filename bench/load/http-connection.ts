/**
 * One keep-alive HTTP/1.1 connection over a raw socket, one request at a time. It understands just enough of responses
 * (status, content-length, chunked) to know where they end: a full client would cost more CPU than the servers it measures.
 */
import { connect, type Socket } from 'node:net';

export interface HttpConnectionEvents {
  onOpen?(connection: HttpConnection): void;
  /** A response is complete. */
  onReply(connection: HttpConnection, status: number): void;
  /** The socket is closed; `busy` tells whether a response was still awaited. */
  onClose(connection: HttpConnection, busy: boolean): void;
}

export interface HttpConnection {
  /** Writes a whole request. The connection must be idle. */
  send(request: Buffer): void;
  /** Whether a response is awaited. */
  readonly busy: boolean;
  readonly open: boolean;
  /** Bytes received so far. */
  readonly received: number;
  destroy(): void;
}

// All sockets of a process share one read buffer: its bytes are used up before the next read can start.
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);
const headEnd = Buffer.from('\r\n\r\n');

export function openHttpConnection(port: number, events: HttpConnectionEvents): HttpConnection {
  let busy = false;
  let open = false;
  let received = 0;
  /** Start of a response whose head is not complete yet. */
  let head = '';
  let status = 0;
  /** Body bytes still to come; -1 while in a head, Infinity in a chunked body. */
  let remaining = -1;
  let tail = '';

  const socket: Socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: readBuffer,
      callback: (length, bytes) => {
        received += length;
        take(bytes as Buffer, length);
        return true;
      },
    },
  });

  const connection: HttpConnection = {
    send(request) {
      busy = true;
      socket.write(request);
    },
    get busy() {
      return busy;
    },
    get open() {
      return open;
    },
    get received() {
      return received;
    },
    destroy: () => void socket.destroy(),
  };
  socket.on('connect', () => {
    open = true;
    events.onOpen?.(connection);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    open = false;
    events.onClose(connection, busy);
  });

  function take(bytes: Buffer, length: number): void {
    let bodyStart = 0;
    if (remaining === -1) {
      const end = bytes.subarray(0, length).indexOf(headEnd);
      if (end === -1 || head !== '') {
        head += bytes.toString('latin1', 0, length);
        const joined = head.indexOf('\r\n\r\n');
        if (joined === -1) return;
        bodyStart = length - (head.length - joined - 4);
        readHead(head.slice(0, joined + 2));
      } else {
        bodyStart = end + 4;
        readHead(bytes.toString('latin1', 0, end + 2));
      }
      head = '';
    }
    if (remaining === Number.POSITIVE_INFINITY) {
      tail = (tail + bytes.toString('latin1', Math.max(bodyStart, length - 7), length)).slice(-7);
      if (tail === '\r\n0\r\n\r\n' || tail === '0\r\n\r\n') finish();
    } else {
      remaining -= length - bodyStart;
      if (remaining <= 0) finish();
    }
  }

  function readHead(text: string): void {
    status = Number(text.slice(9, 12));
    const at = text.indexOf('ontent-length: ') + 1 || text.indexOf('ontent-Length: ') + 1;
    remaining = at > 0 ? Number(text.slice(at + 14, text.indexOf('\r', at))) : Number.POSITIVE_INFINITY;
  }

  function finish(): void {
    busy = false;
    remaining = -1;
    tail = '';
    events.onReply(connection, status);
  }

  return connection;
}

export interface HttpRequest {
  method: 'GET' | 'POST';
  path: string;
  accept?: string;
  /** JSON text; only with POST. */
  body?: string;
}

/** The bytes of a request as they go over the wire. */
export function requestBytes(port: number, request: HttpRequest): Buffer {
  const lines = [`${request.method} ${request.path} HTTP/1.1`, `host: 127.0.0.1:${port}`];
  if (request.accept !== undefined) lines.push(`accept: ${request.accept}`);
  if (request.body !== undefined) {
    lines.push('content-type: application/json', `content-length: ${Buffer.byteLength(request.body)}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${request.body ?? ''}`);
}
