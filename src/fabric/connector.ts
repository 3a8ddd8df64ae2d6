/**
 * The port of the planes: what a connector is to the router. A connector makes exactly one attempt on the wire for each
 * call of `run` and never repeats anything by itself; it says what came of it, or throws a ConnectorError whose fault
 * says whether another attempt could do harm.
 */
import type { Clock } from '../core/clock.ts';
import type { JsonValue } from '../core/json.ts';
import type { GuardedFetch } from '../egress/guarded-fetch.ts';
import type { Action } from './action.ts';
import type { Binding } from './binding.ts';
import type { PlaneHealth, PlaneKind, PlaneName, Vendor } from './plane.ts';
import type { Preset } from './preset.ts';

/** An action on its way through a plane. */
export interface RoutedAction extends Action {
  readonly id: string;
  readonly tenantId: string;
  /** Who acts; '' when no agent does. */
  readonly agentId: string;
  readonly correlationId: string;
  readonly preset: Preset;
  readonly plane: PlaneName;
  /** The plane's id as it leaves the process: `ipaas_acme`. */
  readonly planeId: string;
  /** What the plane calls the action; of the kind that the connector's plane takes. */
  readonly binding: Binding;
  /** ISO-8601 UTC. */
  readonly createdAt: string;
}

/** One attempt. */
export interface ConnectorCall {
  /** The same for every attempt at this action on this plane, over restarts too. */
  readonly idempotencyKey: string;
  /** 1 for the first on the wire. */
  readonly attempt: number;
  /** Milliseconds since the epoch: when the answer is of no use any more. */
  readonly deadline: number;
  readonly signal: AbortSignal;
}

/** `accepted`: the plane took the action and will do it (a message is on the bus, a recipe began); `completed`: it is done. */
export interface ConnectorResult {
  readonly kind: 'completed' | 'accepted';
  /** What the plane calls it: a job, an offset, a message id. */
  readonly externalId?: string;
  /** What came back, as JSON. */
  readonly data?: JsonValue;
  /** Whether the plane said that it had done it before, by our key. */
  readonly deduplicated?: boolean;
  /** The vendor's id of the request, for their support. */
  readonly vendorRequestId?: string;
}

/** What a status check found out about an attempt whose outcome was unknown. */
export type Outcome = ConnectorResult | { readonly kind: 'not_done' | 'unknown' };

/**
 * - `not_sent`: nothing left here or arrived there (refused connection, name, TLS, connect timeout)
 * - `throttled`: the target refused for now
 * - `unavailable`: the plane itself, not what is behind it, said that it cannot
 * - `ambiguous`: it may have been done (timeout or reset after sending, 502, 504, a 503 of whoever is behind)
 * - `auth`, `invalid`, `too_large`: refused for good
 * - `rejected`: the target understood it and refused it for a reason of its own
 */
export const faults = [
  'not_sent',
  'rejected',
  'throttled',
  'unavailable',
  'ambiguous',
  'auth',
  'invalid',
  'too_large',
] as const;
export type Fault = (typeof faults)[number];

/** How an attempt failed. The message is for the log and for people; it holds no secret and no address of ours. */
export class ConnectorError extends Error {
  override readonly name = 'ConnectorError';
  readonly fault: Fault;
  /** How long the target asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** The target's status or code, e.g. `HTTP 503`, `ThrottlingException`. */
  readonly vendorCode: string | undefined;
  readonly vendorRequestId: string | undefined;

  constructor(
    fault: Fault,
    message: string,
    options: {
      readonly retryAfterMs?: number | undefined;
      readonly vendorCode?: string | undefined;
      readonly vendorRequestId?: string | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.fault = fault;
    this.retryAfterMs = options.retryAfterMs;
    this.vendorCode = options.vendorCode;
    this.vendorRequestId = options.vendorRequestId;
  }
}

/**
 * Whether the same attempt may be made again. After an unknown outcome only where the target does a key once.
 * @param dedupes whether the target honours our idempotency key
 */
export function mayRepeat(fault: Fault, dedupes: boolean): boolean {
  switch (fault) {
    case 'not_sent':
    case 'throttled':
    case 'unavailable':
      return true;
    case 'ambiguous':
      return dedupes;
    case 'rejected':
    case 'auth':
    case 'invalid':
    case 'too_large':
      return false;
  }
}

/** Whether a fault says something about how the plane is; the rest are about the action. */
export function countsAgainstPlane(fault: Fault): boolean {
  return fault === 'not_sent' || fault === 'unavailable' || fault === 'ambiguous';
}

export interface PlaneConnector {
  readonly plane: PlaneKind;
  readonly vendor: Vendor;
  /** Whether the target does an idempotency key once, however often it comes. */
  readonly dedupes: boolean;
  /**
   * One attempt.
   * @throws ConnectorError; the signal's reason when aborted before anything was sent, `ambiguous` when after
   */
  run(action: RoutedAction, call: ConnectorCall): Promise<ConnectorResult>;
  /** Asks the target what became of an attempt; left out where it cannot be asked. */
  outcome?(action: RoutedAction, call: ConnectorCall): Promise<Outcome>;
  /** How the plane is; costs the target next to nothing and changes nothing there. Does not throw. */
  health(signal: AbortSignal): Promise<PlaneHealth>;
  /** Lets go of connections; no call follows. */
  close(): Promise<void>;
}

/** A secret by the name of the environment variable that holds it. */
export type SecretReference = { readonly $env: string };

/** What connectors are made with, beside their settings. */
export interface ConnectorParts {
  readonly clock: Clock;
  /** Reaches the configured address of this plane and nothing else. */
  readonly fetch: GuardedFetch;
  /** The secret as it is now; never kept. @throws ConnectorError `auth` naming the variable when it is not set */
  readonly secret: (reference: SecretReference) => string;
}
