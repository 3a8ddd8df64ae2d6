import { describe, expect, test } from 'vitest';
import { findApiKey, makeApiKey, readApiKeys } from '../../src/identity/api-key.ts';

const WHERE = 'AOS_API_KEYS_FILE';
const sha256 = 'ab'.repeat(32);
const read = (...keys: object[]) => readApiKeys(JSON.stringify(keys), WHERE);

describe('a file of keys', () => {
  test('is a list, or an object with one', () => {
    const record = { name: 'sync', sha256, tenant: 'acme', roles: ['operator', 'fabric:admin'] };
    const expected = {
      name: 'sync',
      userId: 'key:sync',
      tenant: 'acme',
      otherTenants: [],
      roles: ['operator'],
      scopes: ['fabric:admin'],
    };
    expect(read(record)).toMatchObject([expected]);
    expect(readApiKeys(JSON.stringify({ keys: [record] }), WHERE)).toMatchObject([expected]);
    expect(read({ ...record, user: 'ann', tenants: ['b', '*'] })).toMatchObject([
      { userId: 'ann', otherTenants: ['b', '*'] },
    ]);
  });

  test.each<[object[] | string, string]>([
    ['no JSON', WHERE],
    [[{ name: 'a', sha256: 'abc', roles: ['viewer'] }], 'must be the SHA-256 of the key, 64 hex digits'],
    [[{ name: 'a b', sha256, roles: ['viewer'] }], 'must be 1 to 64 of the characters'],
    [[{ name: 'a', sha256, roles: [] }], 'roles'],
    [[{ name: 'a', sha256, roles: ['baker'] }], 'gives the key "a" the role "baker", which there is not'],
    [[{ name: 'a', sha256, roles: ['viewer'], tenant: 'no spaces' }], 'tenant'],
    [[{ name: 'a', key: 'aos_plain', sha256, roles: ['viewer'] }], 'key'],
    [
      [
        { name: 'a', sha256, roles: ['viewer'] },
        { name: 'a', sha256, roles: ['admin'] },
      ],
      'has two keys with the name "a"',
    ],
  ])('%j is refused', (given, words) => {
    const text = typeof given === 'string' ? given : JSON.stringify(given);
    expect(() => readApiKeys(text, WHERE)).toThrow(
      expect.objectContaining({ code: 'invalid_request', message: expect.stringContaining(words) }),
    );
  });
});

describe('a key', () => {
  test('that was made is found again by what its holder presents, and by nothing else', () => {
    const made = [makeApiKey({ name: 'a', roles: ['viewer'] }), makeApiKey({ name: 'b', roles: ['admin'] })];
    const keys = readApiKeys(JSON.stringify(made.map(({ record }) => record)), WHERE);
    expect(made.map(({ key }) => findApiKey(keys, key)?.name)).toEqual(['a', 'b']);
    for (const wrong of ['', 'aos_', made[0]?.record.sha256 ?? '', `${made[0]?.key} `]) {
      expect(findApiKey(keys, wrong)).toBeUndefined();
    }
    expect(made[0]?.key).toMatch(/^aos_[\w-]{43}$/);
    expect(made[0]?.key).not.toBe(made[1]?.key);
  });
});
