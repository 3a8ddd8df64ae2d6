/**
 * What an author writes for `/invocations_ws`. Apart from the endpoint that calls it, so that the declarations of the
 * library name nothing of the WebSocket package, which comes without types.
 */
import type { AgentSocket } from './agent-socket.ts';
import type { CallContext } from './inbound-call.ts';

/** What a handler is told about the connection it serves; there is no invocation id on a WebSocket. */
export interface SocketContext extends CallContext {
  /** The headers of the upgrade request. */
  readonly headers: Headers;
}

/** Serves one connection. When it returns, the connection is closed with 1000; when it throws, with 1011. */
export type SocketHandler = (socket: AgentSocket, context: SocketContext) => void | Promise<void>;
