/** The agent-to-agent protocol of the blueprint (domain reference §4): where it is spoken, and its kinds of messages. */
export const A2A_PATH = '/api/v1/a2a';
export const A2A_VERSION = '1.1';
export const WELL_KNOWN = '/.well-known/agent.json';

/** Requests, then what answers them. */
export const messageTypes = [
  'discover',
  'discover_response',
  'capability_query',
  'capability_response',
  'execute',
  'execute_response',
  'delegate',
  'delegate_accept',
  'delegate_reject',
  'delegate_result',
  'status_query',
  'status_response',
  'cancel',
  'cancel_ack',
  'context_share',
  'context_update',
  'ping',
  'pong',
  'error',
] as const;
export type MessageType = (typeof messageTypes)[number];
