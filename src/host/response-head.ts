/**
 * The one place every response head of the host passes: whatever built the response (a handler, the router, an error
 * path), the platform headers and ids are set here, over anything a handler put there, and in one record (setting
 * headers one by one costs more than everything else the host does to a request).
 */
import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { isSafeHeaderText } from './call-identity.ts';
import type { HttpCall } from './http-call.ts';

/** What the head needs to know of the server. */
export interface HeadPolicy {
  /** The value of `x-platform-server`. */
  readonly serverIdentity: string;
  /** While draining, connections are told to close. */
  isDraining(): boolean;
}

export class HostResponse extends ServerResponse {
  call: HttpCall | undefined;
  policy: HeadPolicy | undefined;
  #headIsLatin1 = false;

  override writeHead(
    status: number,
    reasonOrHeaders?: string | OutgoingHttpHeaders | OutgoingHttpHeader[],
    maybeHeaders?: OutgoingHttpHeaders | OutgoingHttpHeader[],
  ): this {
    const given = typeof reasonOrHeaders === 'string' ? maybeHeaders : reasonOrHeaders;
    const { call, policy } = this;
    if (call === undefined || policy === undefined || Array.isArray(given)) {
      return super.writeHead(status, given as OutgoingHttpHeaders);
    }
    const head = headRecord(given ?? {}, call, policy);
    this.#headIsLatin1 = !isAscii(head);
    return super.writeHead(status, head);
  }

  // Node writes the head in the encoding of the text that follows it; bytes leave it the one HTTP has, Latin-1.
  override end(chunk?: unknown, ...rest: never[]): this {
    return super.end(this.#headIsLatin1 && typeof chunk === 'string' ? Buffer.from(chunk) : chunk, ...rest);
  }
}

/** The type of the class in the shape `http.createServer` wants. */
export const HostResponseClass: typeof ServerResponse<IncomingMessage> = HostResponse;

function headRecord(given: OutgoingHttpHeaders, call: HttpCall, policy: HeadPolicy): OutgoingHttpHeaders {
  const head: OutgoingHttpHeaders = {};
  for (const name of Object.keys(given)) {
    if (isOurs(name)) continue;
    const value = given[name];
    // What Node refuses would abort the whole response after the handler has succeeded; it is dropped and said.
    if (!HEADER_NAME.test(name) || (typeof value === 'string' && !isSafeHeaderText(value))) {
      call.log.error(`Response header ${JSON.stringify(name)} holds characters no header may hold; it was left out`);
      continue;
    }
    head[name] = value;
  }
  head['x-platform-server'] = policy.serverIdentity;
  head['x-request-id'] = call.requestId;
  if (call.invocationId !== '') head['x-agent-invocation-id'] = call.invocationId;
  if (call.startsInvocation) head['x-agent-session-id'] = call.sessionId;
  if (policy.isDraining()) head['connection'] = 'close';
  return head;
}

function isAscii(head: OutgoingHttpHeaders): boolean {
  for (const name in head) {
    const value = head[name];
    if (typeof value === 'string' && NOT_ASCII.test(value)) return false;
  }
  return true;
}

const NOT_ASCII = /[\x80-\xff]/;
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;

/** Headers only the host may set. The lengths spare most names the lower-casing. */
function isOurs(name: string): boolean {
  switch (name.length) {
    case 12:
      return name.toLowerCase() === 'x-request-id';
    case 17:
      return name.toLowerCase() === 'x-platform-server';
    case 18:
      return name.toLowerCase() === 'x-agent-session-id';
    case 21:
      return name.toLowerCase() === 'x-agent-invocation-id';
    default:
      return false;
  }
}
