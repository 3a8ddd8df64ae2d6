/**
 * One WebSocket as a handler sees it: messages in as an async iterable, messages out with back-pressure. Neither
 * direction can grow memory without bound: a reader that does not read makes `send` wait, a handler that does not
 * receive makes the peer wait.
 */
import type { WebSocket } from 'ws';

/** A text message is a string, a binary one a `Uint8Array`. */
export type SocketMessage = string | Uint8Array;

/** The connection has ended; `code` and `reason` are those of its close frame (1006 without one). */
export class SocketClosedError extends Error {
  override readonly name = 'SocketClosedError';
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string) {
    super(`the WebSocket is closed (code ${code}${reason === '' ? '' : `: ${reason}`})`);
    this.code = code;
    this.reason = reason;
  }
}

/** Bytes that may wait for a slow reader before `send` waits too. */
const OUTBOX_LIMIT = 1024 * 1024;
/** Received messages and bytes that may wait for the handler before the peer is made to wait. */
const INBOX_MESSAGES = 128;
const INBOX_BYTES = 1024 * 1024;

const SENT = Promise.resolve();
const END = { done: true, value: undefined } as const;
const asNext = (value: SocketMessage) => ({ done: false, value }) as const;
const TEXT = { binary: false };
const BINARY = { binary: true };
const NO_STATUS_RECEIVED = 1005;

export class AgentSocket implements AsyncIterable<SocketMessage> {
  readonly #signal: () => AbortSignal;
  readonly #onEnd: () => void;
  readonly #socket: WebSocket;
  readonly #inbox: SocketMessage[] = [];
  #inboxBytes = 0;
  #waiting: PromiseWithResolvers<SocketMessage> | undefined;
  #ended: SocketClosedError | undefined;
  #interrupted: Error | undefined;

  /** @internal made by the server, one per connection */
  constructor(socket: WebSocket, signal: () => AbortSignal, onEnd: () => void) {
    this.#socket = socket;
    this.#signal = signal;
    this.#onEnd = onEnd;
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#deliver(data, isBinary));
    // A broken frame: the library has sent the close code that says so; the client's answer adds nothing.
    socket.on('error', (error) => this.#end(closeCodeOf(error), ''));
    socket.on('close', (code: number, reason: Buffer) => {
      this.#end(code === NO_STATUS_RECEIVED ? 1000 : code, reason.toString());
    });
  }

  /** Fires when the connection has ended, whoever ended it, or the server begins to stop. */
  get signal(): AbortSignal {
    return this.#signal();
  }

  /** How the connection ended, whoever ended it first; undefined while it is open. */
  get ended(): SocketClosedError | undefined {
    return this.#ended;
  }

  /**
   * The next message, in the order they came; messages received before the end are delivered before it is reported.
   * @throws SocketClosedError when the connection has ended
   */
  receive(): Promise<SocketMessage> {
    const message = this.#inbox.shift();
    if (message !== undefined) {
      this.#inboxBytes -= message.length;
      if (this.#socket.isPaused && this.#hasRoom()) this.#socket.resume();
      return Promise.resolve(message);
    }
    const over = this.#ended ?? this.#interrupted;
    if (over !== undefined) return Promise.reject(over);
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** The messages until the connection ends, however it ends; a `receive` loop learns the code. */
  [Symbol.asyncIterator](): AsyncIterator<SocketMessage, undefined> {
    // By hand, because an async generator costs a message as much as receiving it.
    return {
      next: () => this.receive().then(asNext, (thrown: unknown) => this.#asEnd(thrown)),
      return: async () => END,
    };
  }

  /**
   * Sends a string as a text message, bytes as a binary one. Resolves at once while the peer keeps up, else when the
   * message is with the operating system: await it, and a slow reader slows the handler down instead of filling memory.
   * @throws SocketClosedError when the connection has ended
   */
  send(message: SocketMessage): Promise<void> {
    const socket = this.#socket;
    if (this.#ended !== undefined || socket.readyState !== socket.OPEN) {
      return Promise.reject(this.#ended ?? new SocketClosedError(1006, ''));
    }
    // Text is encoded here: frames that are bytes throughout are written in one go, those with a string in them are not.
    const binary = typeof message !== 'string';
    const bytes = binary ? message : Buffer.from(message);
    if (socket.bufferedAmount < OUTBOX_LIMIT) {
      socket.send(bytes, binary ? BINARY : TEXT);
      return SENT;
    }
    return new Promise((resolve, reject) => {
      socket.send(bytes, binary ? BINARY : TEXT, (failure) =>
        failure ? reject(this.#ended ?? new SocketClosedError(1006, '')) : resolve(),
      );
    });
  }

  /**
   * Closes the connection; harmless when it has ended.
   * @param code 1000, 3000–4999, or another code that may be sent; anything else throws a TypeError
   * @param reason at most 123 bytes of UTF-8
   */
  close(code = 1000, reason = ''): void {
    if (this.#ended !== undefined) return;
    this.#socket.close(code, reason);
    this.#end(code, reason);
  }

  /** @internal ends the reading side because the server stops; what is being handled may still be answered */
  interrupt(reason: Error): void {
    this.#interrupted ??= reason;
    this.#rejectWaiting(reason);
  }

  #asEnd(thrown: unknown): typeof END {
    if (thrown === this.#ended || thrown === this.#interrupted) return END;
    throw thrown;
  }

  #deliver(data: Buffer, isBinary: boolean): void {
    const message = isBinary ? data : data.toString();
    if (this.#waiting !== undefined) {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting.resolve(message);
      return;
    }
    this.#inbox.push(message);
    this.#inboxBytes += message.length;
    if (!this.#hasRoom()) this.#socket.pause();
  }

  #hasRoom(): boolean {
    return this.#inbox.length < INBOX_MESSAGES && this.#inboxBytes < INBOX_BYTES;
  }

  #end(code: number, reason: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = new SocketClosedError(code, reason);
    this.#rejectWaiting(this.#ended);
    this.#onEnd();
  }

  #rejectWaiting(reason: Error): void {
    this.#waiting?.reject(reason);
    this.#waiting = undefined;
  }
}

/** The close code the WebSocket library has sent for a frame it could not take; 1006 for a broken connection. */
function closeCodeOf(error: Error & { code?: string }): number {
  switch (error.code) {
    case 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH':
      return 1009;
    case 'WS_ERR_INVALID_UTF8':
      return 1007;
    default:
      return error.code?.startsWith('WS_ERR_') ? 1002 : 1006;
  }
}
