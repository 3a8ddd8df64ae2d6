/** What may leave this process, and where it may go. */
import { z } from 'zod';
import { type Destination, parseDestination } from '../egress/destination.ts';
import { type EgressMode, egressModes } from '../egress/egress-guard.ts';
import { type PlaceVariables, readPlace } from './place.ts';
import { oneOf, onOff, text, type Variables } from './value.ts';

const destinations = z
  .string()
  .refine((value) => namesIn(value).every((name) => parseDestination(name) !== undefined), {
    error: 'places such as proxy.example.com:3128, *.example.com or [fd00::1]:443, separated by commas',
  })
  .transform((value) => namesIn(value).flatMap((name) => parseDestination(name) ?? []));

export const egressVariables = {
  AOS_CALLBACK_SECRET: text.min(16, { error: 'at least 16 characters' }).optional(),
  AOS_ALLOW_PRIVATE_CALLBACKS: onOff.optional(),
  AOS_EGRESS: oneOf(egressModes).optional(),
  AOS_EGRESS_ALLOW: destinations.optional(),
  AOS_ALLOW_HTTP_FETCH: onOff.optional(),
};
export type EgressVariables = Variables<typeof egressVariables>;

/** What may leave this process. */
export interface EgressConfig {
  readonly mode: EgressMode;
  /** Where it may connect to beside what it is configured with. */
  readonly allow: readonly Destination[];
  /** Whether agents may read the public internet where direct calls of systems are forbidden. */
  readonly allowHttpFetch: boolean;
}

export interface CallbackConfig {
  /** What callbacks are signed with; undefined: they are not signed. */
  readonly callbackSecret: string | undefined;
  /** Whether callbacks may go to loopback and private addresses. */
  readonly allowPrivateCallbacks: boolean;
}

export const egressDefaults: EgressConfig = Object.freeze({
  mode: 'observe',
  allow: Object.freeze([]),
  allowHttpFetch: false,
});
export const callbackDefaults: CallbackConfig = { callbackSecret: undefined, allowPrivateCallbacks: false };

export function readEgress(variables: EgressVariables & PlaceVariables): EgressConfig {
  const { environment } = readPlace(variables);
  return Object.freeze({
    mode: variables.AOS_EGRESS ?? (environment === 'development' ? 'observe' : 'guard'),
    allow: Object.freeze(variables.AOS_EGRESS_ALLOW ?? []),
    allowHttpFetch: variables.AOS_ALLOW_HTTP_FETCH ?? egressDefaults.allowHttpFetch,
  });
}

export function readCallbacks(variables: EgressVariables): CallbackConfig {
  return {
    callbackSecret: variables.AOS_CALLBACK_SECRET,
    allowPrivateCallbacks: variables.AOS_ALLOW_PRIVATE_CALLBACKS ?? callbackDefaults.allowPrivateCallbacks,
  };
}

function namesIn(list: string): string[] {
  return list.split(/[\s,]+/).filter((name) => name !== '');
}
