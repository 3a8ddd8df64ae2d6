/** How it is known who asks, and from where they may. Those of `AUTH_…` are judged in `identity/identity-settings.ts`. */
import { type IdentitySettings, readIdentity } from '../identity/identity-settings.ts';
import { isHosted, type PlaceVariables } from './place.ts';
import { type Fault, onOff, pathFrom, text, type Variables } from './value.ts';

export const identityVariables = {
  AOS_ALLOW_UNAUTHENTICATED: onOff.optional(),
  AUTH_MODE: text.optional(),
  AUTH_JWKS_URL: text.optional(),
  AUTH_ISSUER: text.optional(),
  AUTH_AUDIENCE: text.optional(),
  AUTH_ALGORITHMS: text.optional(),
  AUTH_ENTRA_TENANTS: text.optional(),
  AUTH_HS256_SECRET: text.optional(),
  AUTH_TENANT: text.optional(),
  AUTH_PLATFORM_ROLES: text.optional(),
  AUTH_PLATFORM_ADMINS: text.optional(),
  AOS_API_KEYS: text.optional(),
  AOS_API_KEYS_FILE: text.optional(),
};
export type IdentityVariables = Variables<typeof identityVariables>;

export interface EntranceConfig {
  /** How it is known who asks. */
  readonly identity: IdentitySettings;
  /** Whether others than this machine may connect. */
  readonly listenEverywhere: boolean;
}

export const entranceDefaults: EntranceConfig = { identity: Object.freeze({ mode: 'off' }), listenEverywhere: false };

export function readEntrance(
  variables: IdentityVariables & PlaceVariables,
  workingDirectory: string,
  fault: Fault,
): EntranceConfig {
  const given = { ...variables, AOS_API_KEYS_FILE: pathFrom(workingDirectory, variables.AOS_API_KEYS_FILE) };
  const hosted = isHosted(variables);
  const identity = readIdentity(given, hosted, fault) ?? entranceDefaults.identity;
  return {
    identity: Object.freeze(identity),
    listenEverywhere: identity.mode !== 'off' || hosted || variables.AOS_ALLOW_UNAUTHENTICATED === true,
  };
}
