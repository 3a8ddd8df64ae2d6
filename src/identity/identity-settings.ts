/** The variables of identity, judged together: which way of knowing who asks, and all that it needs. */
import { closest } from '../core/closest.ts';
import { sortRoles } from './access.ts';
import type { PlatformRules } from './authenticator.ts';
import { authModes } from './principal.ts';
import { isTenantId } from './tenant-choice.ts';
import type { ClaimRules } from './token-claims.ts';
import {
  ANY_DIRECTORY,
  type IssuedRules,
  type PublicAlgorithm,
  publicAlgorithms,
  type SecretRules,
} from './token-rules.ts';

type VariableName =
  | 'AUTH_MODE'
  | 'AUTH_JWKS_URL'
  | 'AUTH_ISSUER'
  | 'AUTH_AUDIENCE'
  | 'AUTH_ALGORITHMS'
  | 'AUTH_ENTRA_TENANTS'
  | 'AUTH_HS256_SECRET'
  | 'AUTH_TENANT'
  | 'AUTH_PLATFORM_ROLES'
  | 'AUTH_PLATFORM_ADMINS'
  | 'AOS_API_KEYS'
  | 'AOS_API_KEYS_FILE';
/** The environment, blank values left out. */
export type IdentityVariables = Readonly<Partial<Record<VariableName, string | undefined>>>;

export type IdentitySettings =
  | { readonly mode: 'off' }
  | ({ readonly mode: 'platform' } & PlatformRules)
  | {
      readonly mode: 'jwt';
      readonly issued: IssuedRules | undefined;
      readonly signed: SecretRules | undefined;
      readonly claims: ClaimRules;
    }
  /** `text`: the keys themselves; else they are read from the file. */
  | { readonly mode: 'api-key'; readonly file: string | undefined; readonly text: string | undefined };

type Fault = (sentence: string) => undefined;

const ENTRA_ISSUER = `https://login.microsoftonline.com/${ANY_DIRECTORY}/v2.0`;
const DIRECTORY_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SHORTEST_SECRET = 32;

/**
 * @param isHosted whether the platform started this container: then it says who asks, unless told otherwise
 * @param fault takes every fault, in a sentence without secrets
 * @returns undefined when there is a fault
 */
export function readIdentity(given: IdentityVariables, isHosted: boolean, fault: Fault): IdentitySettings | undefined {
  const asked = (given.AUTH_MODE ?? (isHosted ? 'platform' : 'off')).toLowerCase();
  const mode = authModes.find((known) => known === asked);
  if (mode === undefined) {
    const meant = closest(asked, authModes, ' (did you mean %s?)');
    return fault(`AUTH_MODE must be one of ${authModes.join(', ')}${meant}, but it is ${JSON.stringify(asked)}`);
  }
  if (given.AUTH_TENANT !== undefined && !isTenantId(given.AUTH_TENANT)) {
    return fault('AUTH_TENANT must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -');
  }
  switch (mode) {
    case 'off':
      return { mode };
    case 'platform':
      return platform(given, fault);
    case 'jwt':
      return jwt(given, fault);
    case 'api-key':
      return apiKeys(given, fault);
  }
}

function platform(given: IdentityVariables, fault: Fault): IdentitySettings | undefined {
  const words = listOf(given.AUTH_PLATFORM_ROLES ?? 'operator,approver');
  const held = sortRoles(words);
  if (held.roles.length + held.scopes.length < words.length) {
    return fault(
      `AUTH_PLATFORM_ROLES must be a list of viewer, operator, approver, admin, but it is "${words.join()}"`,
    );
  }
  return { mode: 'platform', held, admins: listOf(given.AUTH_PLATFORM_ADMINS), tenant: given.AUTH_TENANT ?? 'default' };
}

function apiKeys({ AOS_API_KEYS: text, AOS_API_KEYS_FILE: file }: IdentityVariables, fault: Fault) {
  if ((text === undefined) === (file === undefined)) {
    return fault('AUTH_MODE=api-key needs AOS_API_KEYS_FILE, the file of keys, or AOS_API_KEYS, the keys themselves');
  }
  return { mode: 'api-key', file, text } as const;
}

function jwt(given: IdentityVariables, fault: Fault): IdentitySettings | undefined {
  const directories =
    given.AUTH_ENTRA_TENANTS === undefined ? undefined : listOf(given.AUTH_ENTRA_TENANTS.toLowerCase());
  const strange = directories?.find((id) => !DIRECTORY_ID.test(id));
  if (strange !== undefined) {
    return fault(`AUTH_ENTRA_TENANTS must be ids of directories, but one is ${JSON.stringify(strange)}`);
  }
  const secret = given.AUTH_HS256_SECRET;
  if (secret !== undefined && secret.length < SHORTEST_SECRET) {
    return fault(`AUTH_HS256_SECRET must be at least ${SHORTEST_SECRET} characters, but it is (hidden)`);
  }
  const audiences = listOf(given.AUTH_AUDIENCE);
  const isIssued = given.AUTH_JWKS_URL !== undefined || directories !== undefined;
  if (!isIssued && secret === undefined) {
    return fault('AUTH_MODE=jwt needs AUTH_JWKS_URL, AUTH_ENTRA_TENANTS or AUTH_HS256_SECRET to verify tokens with');
  }
  const issued = isIssued ? issuedRules(given, { directories, audiences }, fault) : undefined;
  if (isIssued && issued === undefined) return undefined;
  return {
    mode: 'jwt',
    issued,
    signed: secret === undefined ? undefined : { secret, issuer: isIssued ? undefined : given.AUTH_ISSUER, audiences },
    claims: { entraTenants: directories, tenant: given.AUTH_TENANT },
  };
}

function issuedRules(
  given: IdentityVariables,
  { directories, audiences }: { directories: readonly string[] | undefined; audiences: readonly string[] },
  fault: Fault,
): IssuedRules | undefined {
  const issuer = given.AUTH_ISSUER ?? (directories === undefined ? undefined : ENTRA_ISSUER);
  if (issuer === undefined || audiences.length === 0) {
    return fault('AUTH_MODE=jwt needs AUTH_ISSUER and AUTH_AUDIENCE: without them tokens meant for others would do');
  }
  if (directories === undefined && issuer.includes(ANY_DIRECTORY)) {
    return fault(
      `AUTH_ISSUER has ${ANY_DIRECTORY} in it, so AUTH_ENTRA_TENANTS must say which directories are allowed`,
    );
  }
  const [only, ...others] = directories ?? [];
  const jwksUrl =
    given.AUTH_JWKS_URL ??
    `https://login.microsoftonline.com/${others.length === 0 ? only : 'common'}/discovery/v2.0/keys`;
  const url = URL.parse(jwksUrl);
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)))) {
    return fault('AUTH_JWKS_URL must be an https address: whoever can change the keys on their way can be anybody');
  }
  const algorithms = listOf(given.AUTH_ALGORITHMS ?? 'RS256');
  const known = algorithms.filter((name): name is PublicAlgorithm => publicAlgorithms.some((each) => each === name));
  if (known.length !== algorithms.length || known.length === 0) {
    return fault(
      `AUTH_ALGORITHMS must be a list of ${publicAlgorithms.join(', ')}; what is signed with a secret is set by AUTH_HS256_SECRET`,
    );
  }
  return { jwksUrl, issuer, audiences, algorithms: known };
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
