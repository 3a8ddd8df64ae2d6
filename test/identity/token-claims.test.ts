import { describe, expect, test } from 'vitest';
import { type Claims, readHolder } from '../../src/identity/token-claims.ts';

const TID = '11111111-2222-3333-4444-555555555555';
const OID = 'aaaaaaaa-2222-3333-4444-555555555555';
const generic = { entraTenants: undefined, tenant: undefined };
const entra = { entraTenants: [TID], tenant: undefined };
const exp = 2_000_000_000;

describe('who holds a token', () => {
  test.each<[string, Claims, Parameters<typeof readHolder>[1], object]>([
    [
      'the generic shape',
      { sub: 'ann', tenant_id: 'acme', roles: ['operator'] },
      generic,
      { userId: 'ann', tenant: { own: 'acme', others: [] }, roles: ['operator'], expiresAt: exp * 1000 },
    ],
    ['user_id in place of sub', { user_id: 'u1', tenant_id: 'acme' }, generic, { userId: 'u1', roles: [] }],
    [
      'scopes as one text',
      { sub: 'a', tenant_id: 't', scope: 'openid aoa:read fabric:admin' },
      generic,
      { scopes: ['aoa:read', 'fabric:admin'] },
    ],
    [
      'roles whatever their case, and strange ones left out',
      { sub: 'a', tenant_id: 't', roles: ['Admin', 'Baker', 'Workflows.Execute', 7] },
      generic,
      { roles: ['admin'], scopes: ['workflows.execute'] },
    ],
    [
      'other tenants',
      { sub: 'a', tenant_id: 't', tenants: ['u', 'v'] },
      generic,
      { tenant: { own: 't', others: ['u', 'v'] } },
    ],
    ['tenants alone', { sub: 'a', tenants: ['u', 'v'] }, generic, { tenant: { own: 'u', others: ['u', 'v'] } }],
    [
      'an administrator of the server',
      { sub: 'a', roles: ['admin'] },
      generic,
      { tenant: { own: undefined, others: ['*'] } },
    ],
    [
      'an administrator of a tenant',
      { sub: 'a', tenant_id: 't', roles: ['admin'] },
      generic,
      { tenant: { own: 't', others: [] } },
    ],
    [
      'a server with one tenant',
      { sub: 'a', tenant_id: 'other' },
      { ...generic, tenant: 'only' },
      { tenant: { own: 'only', others: [] } },
    ],
    [
      'a user of Entra',
      { tid: TID.toUpperCase(), oid: OID, sub: 'pairwise', scp: 'aoa:write', preferred_username: 'ann@example.com' },
      entra,
      { userId: `${TID}.${OID}`, tenant: { own: TID, others: [] }, scopes: ['aoa:write'] },
    ],
    ['an app of Entra', { tid: TID, oid: OID, roles: ['Workflows.Execute'] }, entra, { scopes: ['workflows.execute'] }],
  ])('%s', (_what, claims, rules, expected) => {
    expect(readHolder({ exp, ...claims }, rules)).toMatchObject(expected);
  });

  test.each<[string, Claims, Parameters<typeof readHolder>[1], string]>([
    ['no user', { tenant_id: 't' }, generic, 'claims'],
    ['a blank user', { sub: '  ', tenant_id: 't' }, generic, 'claims'],
    ['a user with a line break', { sub: 'a\nb', tenant_id: 't' }, generic, 'claims'],
    ['an endless user', { sub: 'a'.repeat(300), tenant_id: 't' }, generic, 'claims'],
    ['no tenant', { sub: 'a', roles: ['operator'] }, generic, 'claims'],
    ['a tenant that cannot be one', { sub: 'a', tenant_id: 'no spaces' }, generic, 'claims'],
    ['another directory', { tid: OID, oid: OID }, entra, 'tenant'],
    ['no object id', { tid: TID, sub: 'a' }, entra, 'claims'],
  ])('%s is refused', (_what, claims, rules, why) => {
    expect(() => readHolder({ exp, ...claims }, rules)).toThrow(
      expect.objectContaining({ code: 'unauthenticated', facts: { why } }),
    );
  });
});
