/**
 * The npm package: the protocol host as a library. What is not named here may change without notice.
 */
export type { Call } from './core/call.ts';
export { currentCall } from './core/call.ts';
export type { JsonObject, JsonValue } from './core/json.ts';
export { AgentServer, type AgentServerOptions, type ServerAddress } from './host/agent-server.ts';
export { type AgentSocket, SocketClosedError, type SocketMessage } from './host/agent-socket.ts';
export type { DocumentSource, FetchApp, InvocationHandler } from './host/endpoints.ts';
export { eventStream, type ServerSentEvent } from './host/event-stream.ts';
export { NotImplementedError, platformError } from './host/failure.ts';
export type { InvocationContext } from './host/http-call.ts';
export { type CallContext, ClientGoneError, ServerStoppingError } from './host/inbound-call.ts';
export type { OverloadOptions } from './host/overload.ts';
export { ConfigurationError } from './host/settings.ts';
export type { SocketContext, SocketHandler } from './host/socket-handler.ts';
export type { Log, LogFields, LogLevel } from './telemetry/log.ts';
