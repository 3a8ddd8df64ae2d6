/**
 * The guard of the process: a connection goes out only to what the server is configured with, or where code that has
 * checked an address itself holds a permit for it. Nothing else leaves, whatever library makes the connection.
 */
import type { Clock } from '../core/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { type ConnectionTarget, type Destination, destinationOf, plainHost, showTarget } from './destination.ts';
import { currentEgressPermit } from './egress-permit.ts';
import { addressBlocks, isWithin } from './public-address.ts';
import { type ConnectionVerdict, installConnectionJudge } from './socket-hook.ts';

/** `guard` refuses what is not known, `observe` lets it go and says so. */
export const egressModes = ['guard', 'observe', 'off'] as const;
export type EgressMode = (typeof egressModes)[number];

/** A connection was refused. Clients give it to whoever waits for them, as any failure of a connection. */
export class EgressRefusedError extends Error {
  override readonly name = 'EgressRefusedError';
  readonly code = 'EGRESS_REFUSED';
}

export interface EgressCounts {
  readonly allowed: number;
  readonly refused: number;
  /** Would have been refused. */
  readonly observed: number;
}

export interface EgressGuard {
  /** Adds what the server is configured with. */
  allow(...destinations: readonly (Destination | undefined)[]): void;
  /** Watches over the process from now on; until `stop`. */
  start(): void;
  stop(): void;
  counts(): EgressCounts;
}

export interface EgressGuardOptions {
  readonly mode: EgressMode;
  /** Whether permits of checked addresses count for nothing: only what is allowed by name may be reached. */
  readonly strict?: boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Is told of a refused destination, at most once a minute for each. */
  readonly onRefused?: (destination: string) => void;
}

/** How often the same destination is told. */
const TELL_AGAIN_MS = 60_000;
/** Destinations that are remembered as told; somebody who tries many must not fill the memory. */
const MAX_TOLD = 1_000;

/** Of this link and this machine's platform: no name that is configured has its service there. */
const linkLocal = addressBlocks(['169.254.0.0/16', 'fe80::/10']);

export function createEgressGuard({ mode, strict = false, clock, log, onRefused }: EgressGuardOptions): EgressGuard {
  const destinations: Destination[] = [];
  const told = new Map<string, number>();
  const counts = { allowed: 0, refused: 0, observed: 0 };
  let uninstall: (() => void) | undefined;

  function mayTell(place: string): boolean {
    const now = clock.monotonic();
    const last = told.get(place);
    if (last !== undefined && now - last < TELL_AGAIN_MS) return false;
    if (told.size >= MAX_TOLD) told.delete(told.keys().next().value ?? '');
    told.delete(place);
    told.set(place, now);
    return true;
  }

  /** Counts and tells a refusal. @returns what whoever wanted to connect is told */
  function refusalOf(place: string): EgressRefusedError {
    counts.refused += 1;
    if (mayTell(place)) {
      log.warn('a connection was refused: it goes to nothing that this server is configured with', {
        destination: place,
      });
      onRefused?.(place);
    }
    return new EgressRefusedError(
      `this server does not connect to ${place}: it is no database, model, plane, telemetry or identity service that it is configured with; an operator may allow it with AOS_EGRESS_ALLOW`,
    );
  }

  function unknown(place: string): ConnectionVerdict {
    if (mode === 'guard') return { kind: 'refuse', refusal: refusalOf(place) };
    counts.observed += 1;
    if (mayTell(place)) {
      log.info(
        'a connection goes to nothing that this server is configured with; it would be refused by AOS_EGRESS=guard',
        {
          destination: place,
        },
      );
    }
    return { kind: 'allow', refusal: () => refusalOf(place) };
  }

  function judge(target: ConnectionTarget | 'datagram'): ConnectionVerdict {
    if (target === 'datagram') return unknown('a UDP address');
    const place = showTarget(target);
    const refusal = () => refusalOf(place);
    const permit = strict || 'path' in target ? undefined : permitFor(target);
    if (permit !== undefined) {
      const { addresses } = permit;
      counts.allowed += 1;
      return addresses === undefined
        ? { kind: 'allow', refusal }
        : { kind: 'allow', mayReach: (address) => addresses.includes(address), refusal };
    }
    const known = destinationOf(target, destinations);
    if (known === undefined) return unknown(place);
    counts.allowed += 1;
    const isNamed = 'host' in known && plainHost(known.host).startsWith('169.254.');
    return isNamed ? { kind: 'allow', refusal } : { kind: 'allow', mayReach: isNotLinkLocal, refusal };
  }

  return {
    allow(...given) {
      for (const destination of given) if (destination !== undefined) destinations.push(destination);
    },
    start() {
      if (mode !== 'off') uninstall ??= installConnectionJudge(judge);
    },
    stop() {
      uninstall?.();
      uninstall = undefined;
    },
    counts: () => ({ ...counts }),
  };
}

function permitFor({ host, port }: Extract<ConnectionTarget, { host: string }>) {
  const permit = currentEgressPermit();
  return permit !== undefined && permit.port === port && plainHost(permit.host) === plainHost(host)
    ? permit
    : undefined;
}

function isNotLinkLocal(address: string): boolean {
  return !isWithin(linkLocal, address);
}
