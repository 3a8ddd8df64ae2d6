/**
 * HTTP/1.1 by hand over a TCP socket: what is sent is exactly what the test says, and what comes back is kept as it
 * came, with repeated headers, chunk borders, and whether the message was complete.
 */
import { connect, type Socket } from 'node:net';

/** The peer ended the connection before what was awaited had come. */
export class ConnectionEnded extends Error {
  override readonly name = 'ConnectionEnded';
}

/** Nothing more came for a long time. */
export class WireTimeout extends Error {
  override readonly name = 'WireTimeout';
}

export interface Head {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** Names in lower case, values as latin-1 text, in order of arrival. */
  readonly headers: readonly (readonly [string, string])[];
  /** The value of a header that may come once at most; repeated ones are an error. */
  header(name: string): string | undefined;
  all(name: string): string[];
}

export interface Answer extends Head {
  readonly body: Buffer;
  readonly text: string;
  readonly chunks: readonly Buffer[];
  /** False when the connection ended before the message did. */
  readonly complete: boolean;
  json(): unknown;
}

export interface Ask {
  readonly method?: string;
  readonly target: string;
  /** Sent as written, in latin-1; `host` and `content-length` are added unless given. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Buffer;
}

const SILENCE_LIMIT_MS = 15_000;

/** One TCP connection. */
export class Wire {
  readonly socket: Socket;
  private buffer: Buffer = Buffer.alloc(0);
  private ended = false;
  private wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data: Buffer) => {
      this.buffer = this.buffer.length === 0 ? data : Buffer.concat([this.buffer, data]);
      this.wake();
    });
    const end = () => {
      this.ended = true;
      this.wake();
    };
    socket.on('end', end).on('close', end).on('error', end);
  }

  static open(port: number, host = '127.0.0.1'): Promise<Wire> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, noDelay: true }, () => {
        socket.off('error', reject);
        resolve(wire);
      });
      const wire = new Wire(socket);
      socket.once('error', reject);
    });
  }

  write(data: string | Buffer): void {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data);
  }

  ask(ask: Ask): void {
    this.write(requestBytes(ask));
  }

  /** Status line and headers of the next response; interim 1xx responses other than 101 are skipped. */
  async head(): Promise<Head> {
    for (;;) {
      const text = (await this.upTo('\r\n\r\n')).toString('latin1');
      const head = parseHead(text);
      if (head.status >= 200 || head.status === 101) return head;
    }
  }

  /** The next response, whole or as much as came of it. */
  async answer(method = 'GET'): Promise<Answer> {
    const head = await this.head();
    const chunks: Buffer[] = [];
    let complete = true;
    try {
      for await (const chunk of this.body(head, method)) chunks.push(chunk);
    } catch (error) {
      if (!(error instanceof ConnectionEnded)) throw error;
      complete = false;
    }
    const body = Buffer.concat(chunks);
    return {
      ...head,
      body,
      chunks,
      complete,
      text: body.toString('utf8'),
      json: () => JSON.parse(body.toString('utf8')),
    };
  }

  /** The body piece by piece: chunks as framed, or one piece for a counted body. Throws `ConnectionEnded` when cut. */
  async *body(head: Head, method = 'GET'): AsyncGenerator<Buffer> {
    if (method === 'HEAD' || head.status === 204 || head.status === 304) return;
    if (head.header('transfer-encoding') === 'chunked') {
      for (let chunk = await this.chunk(); chunk.length > 0; chunk = await this.chunk()) yield chunk;
      return;
    }
    const length = head.header('content-length');
    if (length !== undefined) {
      if (length !== '0') yield await this.take(Number(length));
      return;
    }
    for (;;) {
      const rest = await this.some();
      if (rest === undefined) return;
      yield rest;
    }
  }

  /** One chunk of a chunked body; empty for the last. */
  async chunk(): Promise<Buffer> {
    const size = Number.parseInt((await this.upTo('\r\n')).toString('latin1'), 16);
    const data = await this.take(size + 2);
    return data.subarray(0, size);
  }

  /** The next `count` bytes. */
  async take(count: number): Promise<Buffer> {
    while (this.buffer.length < count) await this.more();
    const taken = this.buffer.subarray(0, count);
    this.buffer = this.buffer.subarray(count);
    return taken;
  }

  /** Whatever has come, at least one byte; undefined at the end of the connection. */
  async some(): Promise<Buffer | undefined> {
    try {
      if (this.buffer.length === 0) await this.more();
    } catch (error) {
      if (error instanceof ConnectionEnded) return undefined;
      throw error;
    }
    return this.take(this.buffer.length);
  }

  /** Resolves when the peer has ended the connection; what came before is dropped. */
  async end(): Promise<void> {
    while ((await this.some()) !== undefined) {}
  }

  /** Ends without ceremony: the peer sees a reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  private async upTo(mark: string): Promise<Buffer> {
    for (;;) {
      const at = this.buffer.indexOf(mark);
      if (at >= 0) return (await this.take(at + mark.length)).subarray(0, at);
      await this.more();
    }
  }

  private async more(): Promise<void> {
    if (this.ended) throw new ConnectionEnded('the connection ended');
    const length = this.buffer.length;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new WireTimeout('nothing came')), SILENCE_LIMIT_MS);
      this.wake = resolve;
    }).finally(() => clearTimeout(timer));
    if (this.ended && this.buffer.length === length) throw new ConnectionEnded('the connection ended');
  }
}

/** One request on a connection of its own. */
export async function exchange(port: number, ask: Ask | string | Buffer): Promise<Answer> {
  const wire = await Wire.open(port);
  try {
    wire.write(typeof ask === 'object' && 'target' in ask ? requestBytes(ask) : ask);
    const method = typeof ask === 'object' && 'target' in ask ? ask.method : ask.toString('latin1').split(' ')[0];
    return await wire.answer(method);
  } finally {
    wire.close();
  }
}

export function post(port: number, target: string, ask: Omit<Ask, 'target' | 'method'> = {}): Promise<Answer> {
  return exchange(port, { method: 'POST', target, body: '', ...ask });
}

export function get(port: number, target: string, ask: Omit<Ask, 'target' | 'method'> = {}): Promise<Answer> {
  return exchange(port, { method: 'GET', target, ...ask });
}

export function requestBytes({ method = 'GET', target, headers = {}, body }: Ask): Buffer {
  const given = Object.keys(headers).map((name) => name.toLowerCase());
  const lines = [`${method} ${target} HTTP/1.1`];
  if (!given.includes('host')) lines.push('host: agent.test');
  if (body !== undefined && !given.includes('content-length') && !given.includes('transfer-encoding'))
    lines.push(`content-length: ${Buffer.byteLength(body)}`);
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === 'string' ? [value] : value) lines.push(`${name}: ${one}`);
  }
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body ?? '')]);
}

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/(\d\.\d) (\d{3}) ?(.*)$/.exec(first);
  if (status === null) throw new Error(`not a status line: ${JSON.stringify(first)}`);
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const all = (name: string) => headers.filter(([header]) => header === name).map(([, value]) => value);
  return {
    version: status[1] ?? '',
    status: Number(status[2]),
    reason: status[3] ?? '',
    headers,
    all,
    header: (name) => {
      const values = all(name);
      if (values.length > 1) throw new Error(`header ${name} came ${values.length} times: ${values.join(' | ')}`);
      return values[0];
    },
  };
}
