/**
 * Where this process may connect to, and whether a connection goes there. Pure. A destination is a part of the
 * configuration (the model, the database …) with the host and port that it is at, as the operator wrote them.
 */
import { isIP } from 'node:net';

export type Destination =
  | {
      /** Whose it is: `database`, `model`, `identity`, `telemetry`, `self`, `operator`. */
      readonly part: string;
      /** A name or an address; `*.` at the beginning of a name stands for any labels. */
      readonly host: string;
      /** Any port when left out. */
      readonly port?: number | undefined;
    }
  | { readonly part: string /** Of a Unix socket. */; readonly path: string };

/** What somebody wants to connect to. */
export type ConnectionTarget = { readonly host: string; readonly port: number } | { readonly path: string };

const LOCAL_NAMES: readonly string[] = ['localhost', '127.0.0.1', '::1'];

/** The destination that a connection goes to; undefined when it goes to none of them. */
export function destinationOf(target: ConnectionTarget, destinations: Iterable<Destination>): Destination | undefined {
  for (const destination of destinations) if (leadsTo(destination, target)) return destination;
  return undefined;
}

function leadsTo(destination: Destination, target: ConnectionTarget): boolean {
  if ('path' in destination || 'path' in target) {
    return 'path' in destination && 'path' in target && destination.path === target.path;
  }
  if (destination.port !== undefined && destination.port !== target.port) return false;
  const [pattern, host] = [plainHost(destination.host), plainHost(target.host)];
  if (pattern.startsWith('*.')) return isIP(host) === 0 && host.endsWith(pattern.slice(1));
  // This machine's own names mean the same, whichever of them a client library prefers.
  return pattern === host || (LOCAL_NAMES.includes(pattern) && LOCAL_NAMES.includes(host));
}

/** In small letters, without the brackets of IPv6 and the root's dot. */
export function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}

/** The destination that a URL is at. @returns undefined for what is no URL with a host */
export function destinationOfUrl(part: string, url: string): Destination | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.hostname === '') return undefined;
  const port = Number(parsed.port) || DEFAULT_PORTS[parsed.protocol];
  return port === undefined ? undefined : { part, host: parsed.hostname, port };
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  'http:': 80,
  'ws:': 80,
  'https:': 443,
  'wss:': 443,
  'postgres:': 5432,
  'postgresql:': 5432,
  'redis:': 6379,
  'rediss:': 6379,
};

/**
 * A destination in the operator's words: `host`, `host:port`, `[address]:port`, `*.host:port`.
 * @returns undefined when it is none
 */
export function parseDestination(text: string): Destination | undefined {
  const [, six, name, digits] = /^(?:\[([0-9a-f:.]+)\]|((?:\*\.)?[a-z0-9_.-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = six ?? name;
  if (host === undefined || (six !== undefined && isIP(six) !== 6)) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  return { part: 'operator', host, port };
}

/** As people write it: `api.openai.com:443`, `[::1]:5432`, the path of a socket. */
export function showTarget(target: ConnectionTarget): string {
  if ('path' in target) return target.path;
  const host = plainHost(target.host);
  return `${isIP(host) === 6 ? `[${host}]` : host}:${target.port}`;
}
