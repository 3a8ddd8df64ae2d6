import { describe, expect, test } from 'vitest';
import { type IdentityVariables, readIdentity } from '../../src/identity/identity-settings.ts';

function read(given: IdentityVariables, isHosted = false) {
  const faults: string[] = [];
  const settings = readIdentity(given, isHosted, (sentence) => {
    faults.push(sentence);
    return undefined;
  });
  return { settings, faults };
}

const TID = '11111111-2222-3333-4444-555555555555';
const OTHER = '21111111-2222-3333-4444-555555555555';
const issued = {
  AUTH_JWKS_URL: 'https://i.example.com/keys',
  AUTH_ISSUER: 'https://i.example.com',
  AUTH_AUDIENCE: 'a',
};
const SECRET = 's'.repeat(32);

describe('how it is known who asks', () => {
  test.each<[string, IdentityVariables, boolean, object]>([
    ['nothing is set', {}, false, { mode: 'off' }],
    [
      'nothing is set, and the platform runs it',
      {},
      true,
      { mode: 'platform', held: { roles: ['operator', 'approver'], scopes: [] }, admins: [], tenant: 'default' },
    ],
    ['the platform runs it, and the operator knows better', { AUTH_MODE: 'OFF' }, true, { mode: 'off' }],
    [
      'its users are named',
      { AUTH_MODE: 'platform', AUTH_PLATFORM_ROLES: 'viewer', AUTH_PLATFORM_ADMINS: 'u1, u2', AUTH_TENANT: 'acme' },
      false,
      { held: { roles: ['viewer'] }, admins: ['u1', 'u2'], tenant: 'acme' },
    ],
    [
      'an issuer',
      { AUTH_MODE: 'jwt', ...issued, AUTH_AUDIENCE: 'a, b', AUTH_ALGORITHMS: 'ES256,RS256' },
      false,
      {
        mode: 'jwt',
        issued: {
          jwksUrl: 'https://i.example.com/keys',
          issuer: 'https://i.example.com',
          audiences: ['a', 'b'],
          algorithms: ['ES256', 'RS256'],
        },
        signed: undefined,
        claims: { entraTenants: undefined, tenant: undefined },
      },
    ],
    [
      'one directory of Entra',
      { AUTH_MODE: 'jwt', AUTH_ENTRA_TENANTS: TID, AUTH_AUDIENCE: 'api://aos' },
      false,
      {
        issued: {
          jwksUrl: `https://login.microsoftonline.com/${TID}/discovery/v2.0/keys`,
          issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0',
          algorithms: ['RS256'],
        },
        claims: { entraTenants: [TID] },
      },
    ],
    [
      'several directories of Entra',
      { AUTH_MODE: 'jwt', AUTH_ENTRA_TENANTS: `${TID},${OTHER}`, AUTH_AUDIENCE: 'api://aos' },
      false,
      { issued: { jwksUrl: 'https://login.microsoftonline.com/common/discovery/v2.0/keys' } },
    ],
    [
      'a secret alone',
      { AUTH_MODE: 'jwt', AUTH_HS256_SECRET: SECRET, AUTH_ISSUER: 'us' },
      false,
      { issued: undefined, signed: { secret: SECRET, issuer: 'us', audiences: [] } },
    ],
    ['keys', { AUTH_MODE: 'api-key', AOS_API_KEYS: '[]' }, false, { mode: 'api-key', text: '[]', file: undefined }],
  ])('%s', (_what, given, isHosted, expected) => {
    const { settings, faults } = read(given, isHosted);
    expect(faults).toEqual([]);
    expect(settings).toMatchObject(expected);
  });

  test.each<[IdentityVariables, string]>([
    [{ AUTH_MODE: 'jwd' }, 'AUTH_MODE must be one of platform, jwt, api-key, off (did you mean jwt?), but it is "jwd"'],
    [{ AUTH_MODE: 'jwt' }, 'AUTH_MODE=jwt needs AUTH_JWKS_URL, AUTH_ENTRA_TENANTS or AUTH_HS256_SECRET'],
    [{ AUTH_MODE: 'jwt', ...issued, AUTH_ISSUER: undefined }, 'needs AUTH_ISSUER and AUTH_AUDIENCE'],
    [{ AUTH_MODE: 'jwt', ...issued, AUTH_AUDIENCE: ' , ' }, 'needs AUTH_ISSUER and AUTH_AUDIENCE'],
    [
      { AUTH_MODE: 'jwt', ...issued, AUTH_JWKS_URL: 'http://i.example.com/keys' },
      'AUTH_JWKS_URL must be an https address',
    ],
    [{ AUTH_MODE: 'jwt', ...issued, AUTH_JWKS_URL: 'keys' }, 'AUTH_JWKS_URL must be an https address'],
    [{ AUTH_MODE: 'jwt', ...issued, AUTH_ALGORITHMS: 'RS256,HS256' }, 'AUTH_ALGORITHMS must be a list of RS256'],
    [{ AUTH_MODE: 'jwt', ...issued, AUTH_ALGORITHMS: 'none' }, 'AUTH_ALGORITHMS must be a list of RS256'],
    [
      { AUTH_MODE: 'jwt', ...issued, AUTH_ISSUER: 'https://x/{tenantid}' },
      'AUTH_ENTRA_TENANTS must say which directories',
    ],
    [{ AUTH_MODE: 'jwt', AUTH_ENTRA_TENANTS: 'contoso' }, 'AUTH_ENTRA_TENANTS must be ids of directories'],
    [{ AUTH_MODE: 'jwt', AUTH_HS256_SECRET: 'short' }, 'at least 32 characters, but it is (hidden)'],
    [{ AUTH_MODE: 'api-key' }, 'needs AOS_API_KEYS_FILE'],
    [{ AUTH_MODE: 'api-key', AOS_API_KEYS: '[]', AOS_API_KEYS_FILE: 'f' }, 'needs AOS_API_KEYS_FILE'],
    [{ AUTH_MODE: 'platform', AUTH_PLATFORM_ROLES: 'baker' }, 'AUTH_PLATFORM_ROLES must be a list'],
    [{ AUTH_TENANT: 'no spaces' }, 'AUTH_TENANT must be'],
  ])('%j is refused', (given, fault) => {
    expect(read(given)).toEqual({ settings: undefined, faults: [expect.stringContaining(fault)] });
  });
});
