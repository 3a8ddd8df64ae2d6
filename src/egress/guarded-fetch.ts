/**
 * HTTP requests to addresses that somebody else named: a model, a caller's `callback_url`. Such a request may only
 * reach the public internet, so each one, and each redirect it meets, is checked before anything is sent: the name is
 * resolved once, every address it has must be public, and the connection goes to exactly those addresses. What comes
 * back is bounded in size and time. Nothing is repeated; a failure says whether trying again may help.
 */
import { lookup as dnsLookup } from 'node:dns/promises';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type BlockList, isIP, type LookupFunction } from 'node:net';
import { untilAborted } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { withEgressPermit } from './egress-permit.ts';
import { addressBlocks, isPublicAddress, isWithin } from './public-address.ts';

export interface GuardedRequest {
  readonly url: string;
  /** GET when left out. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** When a redirect leads to another origin, only those go along that say nothing about who asks. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Longest time for everything together, redirects and body included. */
  readonly timeoutMs: number;
  /** What is read of the body; the rest is left and `truncated` says so. */
  readonly maxBytes: number;
  /** How many redirects are followed; the answer to the last one is given as it is. 0 when left out. */
  readonly maxRedirects?: number;
  /** Called when the connection stands and the request goes out on it: what failed before has certainly not been sent. */
  readonly onSending?: () => void;
  /** Whose it is and what it is for, for whoever records requests in place of making them. */
  readonly about?: {
    readonly id?: string | undefined;
    readonly tenantId: string;
    readonly userId: string;
    readonly kind: string;
    readonly subject: string;
  };
}

export interface GuardedResponse {
  /** Where the answer came from, after redirects. */
  readonly url: string;
  readonly status: number;
  /** Names in small letters; several values joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly truncated: boolean;
}

/**
 * @throws AosError invalid_request (reason `EGRESS_REFUSED`) when the address may not be reached, `unreachable` when
 *   the other side cannot be, `timed_out`; the signal's reason when aborted
 */
export type GuardedFetch = (request: GuardedRequest, signal: AbortSignal) => Promise<GuardedResponse>;

export interface Address {
  readonly address: string;
  readonly family: number;
}

export interface GuardedFetchOptions {
  readonly clock: Clock;
  /**
   * Address blocks (`127.0.0.0/8`) that may be reached although they are not public, over `http` and on any port as
   * well. None when left out.
   */
  readonly allow?: readonly string[];
  /** Ports that may be reached at public addresses; only 443 when left out. */
  readonly ports?: readonly number[];
  /** Every address of a name; the system's resolver when left out. */
  readonly resolve?: (hostname: string) => Promise<readonly Address[]>;
}

interface Guard {
  readonly allowed: BlockList;
  readonly ports: readonly number[];
  readonly resolve: (hostname: string) => Promise<readonly Address[]>;
}

/** What may go along to another origin. */
const IMPERSONAL_HEADERS = ['accept', 'accept-language', 'content-type', 'user-agent'];

export function createGuardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const { clock, allow = [], ports = [443], resolve = systemResolver } = options;
  const guard: Guard = { allowed: addressBlocks(allow), ports, resolve };
  return async (asked, signal) => {
    signal.throwIfAborted();
    const seconds = asked.timeoutMs / 1000;
    const late = new AbortController();
    const timer = clock.after(asked.timeoutMs, () =>
      late.abort(new AosError('timed_out', `${originOf(asked.url)} did not answer within ${seconds} s`)),
    );
    const either = AbortSignal.any([signal, late.signal]);
    try {
      return await follow(guard, asked, either);
    } catch (thrown) {
      if (either.aborted) throw either.reason;
      throw thrown;
    } finally {
      timer.cancel();
    }
  };
}

/** Makes the request and those that redirects ask for, each checked like the first. */
async function follow(guard: Guard, asked: GuardedRequest, signal: AbortSignal): Promise<GuardedResponse> {
  const { maxRedirects = 0 } = asked;
  let next: GuardedRequest = asked;
  for (let redirects = 0; ; redirects++) {
    const url = permittedUrl(next.url);
    const addresses = await untilAborted(permittedAddresses(guard, url), signal);
    const response = await exchange(url, addresses, next, signal);
    const location = redirects < maxRedirects ? response.headers['location'] : undefined;
    if (location === undefined || ![301, 302, 303, 307, 308].includes(response.status)) return response;
    next = redirected(next, response.status, url, location);
  }
}

/** @throws AosError when the address is none that may be asked for, whatever it resolves to */
function permittedUrl(address: string): URL {
  const url = URL.parse(address);
  if (url === null) throw refused(`expected an absolute URL, got "${shortened(address)}"`);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw refused(`expected an https URL, got one that begins with ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '') throw refused('a URL with a user or password in it is not requested');
  return url;
}

/** The addresses of the URL's host. One that may not be reached refuses all: resolvers that mix them are at play. */
async function permittedAddresses({ allowed, ports, resolve }: Guard, url: URL): Promise<readonly Address[]> {
  // The parser has brought decimal, octal and hexadecimal forms to the usual one.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const family = isIP(host);
  const addresses = family === 0 ? await resolved(resolve, host) : [{ address: host, family }];
  const inside = addresses.filter(({ address }) => isWithin(allowed, address));
  if (inside.length === addresses.length) return addresses;
  if (!addresses.every(({ address }) => isWithin(allowed, address) || isPublicAddress(address))) {
    throw refused(`${host} is not on the public internet; only public addresses are requested`);
  }
  if (url.protocol !== 'https:') throw refused(`${url.origin} would be requested without encryption; expected https`);
  if (!ports.includes(portOf(url))) {
    throw refused(`port ${portOf(url)} of ${host} is not requested; expected ${ports.join(' or ')}`);
  }
  return addresses;
}

async function resolved(resolve: Guard['resolve'], host: string): Promise<readonly Address[]> {
  const addresses = await resolve(host).catch((cause: unknown) => {
    throw new AosError('unreachable', `the name ${host} cannot be resolved: check the address`, { cause });
  });
  if (addresses.length === 0) throw new AosError('unreachable', `the name ${host} has no address: check it`);
  return addresses;
}

/** One request to one of the addresses, and its answer. */
async function exchange(
  url: URL,
  addresses: readonly Address[],
  { method = 'GET', headers = {}, body, maxBytes, onSending }: GuardedRequest,
  signal: AbortSignal,
): Promise<GuardedResponse> {
  const make = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const permit = {
    part: 'request',
    host: url.hostname,
    port: portOf(url),
    addresses: addresses.map(({ address }) => address),
  };
  const request = withEgressPermit(permit, () =>
    make(url, {
      method,
      signal,
      // A connection of its own, to the addresses that were checked, past every proxy and pool.
      agent: false,
      lookup: pinned(addresses),
      headers: {
        accept: '*/*',
        ...headers,
        // A packed body could unpack to more than was bargained for.
        'accept-encoding': 'identity',
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      },
    }),
  );
  checkPeer(request, addresses);
  if (onSending !== undefined) {
    request.once('socket', (socket) =>
      socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
        if (!socket.destroyed) onSending();
      }),
    );
  }
  try {
    const response = await answered(request, body);
    const read = await readBounded(response, maxBytes);
    const own: Record<string, string> = {};
    for (const [name, value] of Object.entries(response.headers)) {
      if (value !== undefined) own[name] = Array.isArray(value) ? value.join(', ') : value;
    }
    const encoding = own['content-encoding']?.toLowerCase() ?? 'identity';
    if (encoding !== 'identity') {
      throw new AosError('unsupported', `${url.host} answered packed (${shortened(encoding)}) although asked not to`);
    }
    return { url: url.href, status: response.statusCode ?? 0, headers: own, ...read };
  } catch (thrown) {
    if (signal.aborted) throw signal.reason;
    if (thrown instanceof AosError) throw thrown;
    throw new AosError('unreachable', `${url.host} cannot be reached or broke off (${codeOf(thrown)})`, {
      cause: thrown,
    });
  } finally {
    request.destroy();
  }
}

function answered(request: ClientRequest, body: string | Uint8Array | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve);
    // Stays for the life of the request: a connection that breaks later must not go unheard.
    request.on('error', reject);
    request.end(body);
  });
}

async function readBounded(
  response: IncomingMessage,
  maxBytes: number,
): Promise<{ body: Uint8Array; truncated: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) break;
  }
  return { body: Buffer.concat(chunks).subarray(0, maxBytes), truncated: size > maxBytes };
}

/** Gives every connection the addresses that were checked, whatever the name resolves to by now. */
function pinned(addresses: readonly Address[]): LookupFunction {
  return (_hostname, options, callback) => {
    const [first] = addresses;
    if (options.all === true) callback(null, [...addresses]);
    else callback(null, first?.address ?? '', first?.family);
  };
}

/** Ends a connection that stands to another address than one that was checked, before anything is sent on it. */
function checkPeer(request: ClientRequest, addresses: readonly Address[]): void {
  request.once('socket', (socket) => {
    socket.once('connect', () => {
      const peer = socket.remoteAddress;
      if (peer === undefined || addresses.some(({ address }) => address === peer)) return;
      socket.destroy(refused('the connection went to another address than the one that was checked'));
    });
  });
}

function redirected(asked: GuardedRequest, status: number, from: URL, location: string): GuardedRequest {
  const url = URL.parse(location, from.href);
  if (url === null) throw refused(`${from.host} redirects to what is no URL`);
  const { method = 'GET', headers = {}, body, ...bounds } = asked;
  const becomesGet = status === 303 ? method !== 'HEAD' : status <= 302 && method === 'POST';
  const kept = Object.entries(headers).filter(([name]) => {
    if (becomesGet && name.toLowerCase().startsWith('content-')) return false;
    return url.origin === from.origin || IMPERSONAL_HEADERS.includes(name.toLowerCase());
  });
  return {
    ...bounds,
    url: url.href,
    method: becomesGet ? 'GET' : method,
    headers: Object.fromEntries(kept),
    ...(becomesGet || body === undefined ? {} : { body }),
  };
}

function systemResolver(hostname: string): Promise<readonly Address[]> {
  return dnsLookup(hostname, { all: true });
}

function refused(message: string): AosError {
  return new AosError('invalid_request', message, { reason: 'EGRESS_REFUSED' });
}

function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
}

function originOf(address: string): string {
  return URL.parse(address)?.host ?? 'the address';
}

/** The system's word for what went wrong, such as ECONNREFUSED; never its sentence. */
function codeOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  return /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? code : 'connection failed';
}

function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
}
