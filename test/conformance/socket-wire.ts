/**
 * WebSocket by hand: the handshake and single frames over a `Wire`, so that frames no library would send can be sent,
 * and every frame that comes back is seen.
 */
import { createHash, randomBytes } from 'node:crypto';
import { ConnectionEnded, type Head, Wire } from './wire.ts';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly final: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

export interface FrameOptions {
  readonly final?: boolean;
  readonly masked?: boolean;
  /** The reserved bits, as they stand in the first byte. */
  readonly reserved?: number;
}

export const WEBSOCKET_HEADERS = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
} as const;

export class SocketWire {
  readonly wire: Wire;
  readonly head: Head;

  private constructor(wire: Wire, head: Head) {
    this.wire = wire;
    this.head = head;
  }

  /**
   * Asks for the upgrade and expects it to be granted.
   * @param early frames sent in the same breath as the handshake
   */
  static async open(
    port: number,
    target = '/invocations_ws',
    headers: Readonly<Record<string, string>> = {},
    early: Buffer = Buffer.alloc(0),
  ): Promise<SocketWire> {
    const wire = await Wire.open(port);
    const key = randomBytes(16).toString('base64');
    const lines = Object.entries({ host: 'agent.test', ...WEBSOCKET_HEADERS, 'sec-websocket-key': key, ...headers });
    const request = [`GET ${target} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''];
    wire.write(Buffer.concat([Buffer.from(request.join('\r\n'), 'latin1'), early]));
    const head = await wire.head();
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    if (head.status !== 101 || head.header('sec-websocket-accept') !== accept) {
      wire.close();
      throw new Error(`the upgrade was not granted: ${head.status}`);
    }
    return new SocketWire(wire, head);
  }

  send(opcode: number, payload: string | Buffer = '', options: FrameOptions = {}): void {
    this.wire.write(frameBytes(opcode, payload, options));
  }

  close(code?: number, reason = ''): void {
    this.send(OPCODE.close, code === undefined ? '' : closePayload(code, reason));
  }

  /** The next frame; undefined when the connection ended. */
  async frame(): Promise<Frame | undefined> {
    try {
      const [first = 0, second = 0] = await this.wire.take(2);
      if ((second & 0x80) !== 0) throw new Error('a server must not mask its frames');
      const short = second & 0x7f;
      const length =
        short < 126
          ? short
          : short === 126
            ? (await this.wire.take(2)).readUInt16BE()
            : Number((await this.wire.take(8)).readBigUInt64BE());
      return { final: (first & 0x80) !== 0, opcode: first & 0x0f, payload: Buffer.from(await this.wire.take(length)) };
    } catch (error) {
      if (error instanceof ConnectionEnded) return undefined;
      throw error;
    }
  }

  /** The next message frame as text, skipping control frames other than close. */
  async text(): Promise<string> {
    for (let frame = await this.frame(); frame !== undefined; frame = await this.frame()) {
      if (frame.opcode <= OPCODE.binary) return frame.payload.toString();
      if (frame.opcode === OPCODE.close) throw new Error(`closed: ${closeOf(frame).code}`);
    }
    throw new ConnectionEnded('the connection ended');
  }

  /** All close frames that come until the connection ends, the first being answered. */
  async ending(): Promise<{ code: number; reason: string }[]> {
    const closes: { code: number; reason: string }[] = [];
    for (let frame = await this.frame(); frame !== undefined; frame = await this.frame()) {
      if (frame.opcode !== OPCODE.close) continue;
      closes.push(closeOf(frame));
      if (closes.length === 1) this.send(OPCODE.close, frame.payload.subarray(0, 2));
    }
    return closes;
  }
}

export function frameBytes(opcode: number, payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const { final = true, masked = true, reserved = 0 } = options;
  const data = Buffer.from(payload);
  const length = data.length < 126 ? Buffer.of(data.length) : data.length < 65_536 ? Buffer.alloc(3) : Buffer.alloc(9);
  if (length.length === 3) {
    length[0] = 126;
    length.writeUInt16BE(data.length, 1);
  } else if (length.length === 9) {
    length[0] = 127;
    length.writeBigUInt64BE(BigInt(data.length), 1);
  }
  length[0] = (length[0] ?? 0) | (masked ? 0x80 : 0);
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  if (masked) for (let at = 0; at < data.length; at += 1) data[at] = (data[at] ?? 0) ^ (mask[at & 3] ?? 0);
  return Buffer.concat([Buffer.of((final ? 0x80 : 0) | reserved | opcode), length, mask, data]);
}

export function closePayload(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
}

/** Code and reason of a close frame; 1005 stands for none. */
export function closeOf({ payload }: Frame): { code: number; reason: string } {
  return payload.length < 2
    ? { code: 1005, reason: '' }
    : { code: payload.readUInt16BE(), reason: payload.subarray(2).toString() };
}
