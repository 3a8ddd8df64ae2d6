import { createHmac, type KeyObject } from 'node:crypto';
import { exportSPKI, generateKeyPair, type JWTPayload } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createTokenVerifier, type TokenVerifier } from '../../src/identity/token-verifier.ts';
import { AUDIENCE, ISSUER, type KeyPair, signToken, startIssuer, type TestIssuer } from '../support/jwks.ts';

let first: KeyPair;
let second: KeyPair;
let issuer: TestIssuer;
const SECRET = 'a secret of at least thirty-two characters';

beforeAll(async () => {
  [first, second] = await Promise.all([
    generateKeyPair('RS256', { extractable: true }),
    generateKeyPair('RS256', { extractable: true }),
  ]);
  issuer = await startIssuer({ k1: first });
});
afterAll(() => issuer[Symbol.asyncDispose]());
beforeEach(async () => {
  issuer.behave('well');
  await issuer.publish({ k1: first });
});

function verifier(options: { cooldownMs?: number; keysTimeoutMs?: number; secret?: string } = {}): TokenVerifier {
  const { secret, ...timing } = options;
  return createTokenVerifier({
    issued: { jwksUrl: issuer.jwksUrl, issuer: ISSUER, audiences: [AUDIENCE], algorithms: ['RS256'] },
    signed: secret === undefined ? undefined : { secret, issuer: undefined, audiences: [] },
    clock: systemClock,
    ...timing,
  });
}

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = (more: JWTPayload = {}) => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'ann',
  exp: Math.floor(Date.now() / 1000) + 600,
  ...more,
});

function hmacToken(key: string | KeyObject, header: object = { alg: 'HS256' }, body: object = claims()): string {
  const signed = `${base64(header)}.${base64(body)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

describe('tokens of an issuer', () => {
  test('one that is good gives its claims, and its keys are fetched once', async () => {
    const verify = verifier();
    const before = issuer.fetches;
    const token = await signToken(first);
    expect(await verify(token)).toMatchObject({ sub: 'ann', tenant_id: 'acme' });
    expect(await verify(token)).toMatchObject({ sub: 'ann' });
    expect(issuer.fetches - before).toBe(1);
  });

  test('clocks may differ by a minute', async () => {
    expect(await verifier()(await signToken(first, { expiresIn: -30 }))).toMatchObject({ sub: 'ann' });
    const soon = Math.floor(Date.now() / 1000) + 30;
    expect(await verifier()(await signToken(first, { claims: { nbf: soon } }))).toMatchObject({ sub: 'ann' });
  });

  test.each<[string, string, () => Promise<string> | string]>([
    ['expired', 'expired', () => signToken(first, { expiresIn: -90 })],
    ['for another audience', 'audience', () => signToken(first, { claims: { aud: 'api://other' } })],
    ['of another issuer', 'issuer', () => signToken(first, { claims: { iss: 'https://evil.example.com' } })],
    [
      'not valid yet',
      'not_yet_valid',
      () => signToken(first, { claims: { nbf: Math.floor(Date.now() / 1000) + 120 } }),
    ],
    ['forged with the same kid', 'signature', () => signToken(second)],
    ['signed with a key nobody published', 'unknown_key', () => signToken(second, { kid: 'k2' })],
    ['signed by nobody (alg none)', 'algorithm', () => `${base64({ alg: 'none', kid: 'k1' })}.${base64(claims())}.`],
    [
      'signed with the public key as a secret (HS256)',
      'algorithm',
      async () => hmacToken(await exportSPKI(first.publicKey), { alg: 'HS256', kid: 'k1' }),
    ],
    ['without an end', 'claims', async () => hmacToken(SECRET, { alg: 'HS256' }, { sub: 'ann' })],
    ['no token at all', 'malformed', () => 'abc'],
    ['three words', 'malformed', () => 'a.b.c'],
    ['endless', 'malformed', () => `${'a'.repeat(20_000)}.b.c`],
    ['cut off', 'signature', async () => (await signToken(first)).slice(0, -20)],
    [
      'with other claims than were signed',
      'signature',
      async () => {
        const [head, , tail] = (await signToken(first)).split('.');
        return `${head}.${base64(claims({ sub: 'root' }))}.${tail}`;
      },
    ],
  ])('one that is %s is refused as %s', async (what, why, make) => {
    const token = await make();
    const verify = verifier(what === 'without an end' ? { secret: SECRET } : {});
    await expect(verify(token)).rejects.toMatchObject({
      code: 'unauthenticated',
      facts: { why },
      challenge: 'Bearer error="invalid_token"',
    });
  });

  test('a refusal never quotes the token', async () => {
    const token = await signToken(second);
    const failure: Error = await verifier()(token).then(
      () => expect.fail('it was taken'),
      (thrown) => thrown as Error,
    );
    for (const part of token.split('.')) expect(JSON.stringify(failure) + failure.message).not.toContain(part);
  });

  test('a new key is found once the keys may be asked for again', async () => {
    const verify = verifier({ cooldownMs: 0 });
    await verify(await signToken(first));
    await issuer.publish({ k2: second });
    expect(await verify(await signToken(second, { kid: 'k2' }))).toMatchObject({ sub: 'ann' });
    const patient = verifier({ cooldownMs: 60_000 });
    await patient(await signToken(second, { kid: 'k2' }));
    await issuer.publish({ k1: first });
    await expect(patient(await signToken(first))).rejects.toMatchObject({ facts: { why: 'unknown_key' } });
  });

  test.each(['down', 'error', 'hang'] as const)(
    'while the keys cannot be had (%s) known ones serve, and unknown ones are a 503',
    async (how) => {
      const verify = verifier({ cooldownMs: 0, keysTimeoutMs: 200 });
      await verify(await signToken(first));
      issuer.behave(how);
      expect(await verify(await signToken(first, { claims: { sub: 'bob' } }))).toMatchObject({ sub: 'bob' });
      await expect(verify(await signToken(second, { kid: 'k2' }))).rejects.toMatchObject({
        code: 'unavailable',
        status: 503,
      });
      const fresh = verifier({ keysTimeoutMs: 200 });
      await expect(fresh(await signToken(first))).rejects.toMatchObject({ status: 503, retry: 'later' });
      issuer.behave('well');
      expect(await fresh(await signToken(first))).toMatchObject({ sub: 'ann' });
    },
  );

  test('five hundred unknown keys at once are one question', async () => {
    const verify = verifier();
    const before = issuer.fetches;
    const tokens = await Promise.all(Array.from({ length: 500 }, (_, n) => signToken(second, { kid: `no-${n}` })));
    const outcomes = await Promise.allSettled(tokens.map(verify));
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    expect(issuer.fetches - before).toBe(1);
  });
});

describe('tokens signed with a secret', () => {
  test('are taken beside those of the issuer, each by its own verifier', async () => {
    const verify = verifier({ secret: SECRET });
    expect(await verify(hmacToken(SECRET))).toMatchObject({ sub: 'ann' });
    expect(await verify(await signToken(first))).toMatchObject({ sub: 'ann' });
    await expect(verify(hmacToken('another secret, which is long enough too'))).rejects.toMatchObject({
      facts: { why: 'signature' },
    });
    await expect(verify(hmacToken(await exportSPKI(first.publicKey)))).rejects.toMatchObject({ status: 401 });
  });

  test('of the seed system need no more than user_id, tenant_id and exp', async () => {
    const exp = Math.floor(Date.now() / 1000) + 60;
    const token = hmacToken(SECRET, { alg: 'HS256', typ: 'JWT' }, { user_id: 'u1', tenant_id: 'acme', exp });
    expect(await verifier({ secret: SECRET })(token)).toEqual({ user_id: 'u1', tenant_id: 'acme', exp });
  });
});

describe('tokens of several Entra directories', () => {
  test('must be issued by the directory that they name', async () => {
    const tid = '11111111-2222-3333-4444-555555555555';
    const verify = createTokenVerifier({
      issued: {
        jwksUrl: issuer.jwksUrl,
        issuer: 'https://login.example.com/{tenantid}/v2.0',
        audiences: [AUDIENCE],
        algorithms: ['RS256'],
      },
      signed: undefined,
      clock: systemClock,
    });
    const iss = `https://login.example.com/${tid}/v2.0`;
    expect(await verify(await signToken(first, { claims: { iss, tid } }))).toMatchObject({ tid });
    const other = await signToken(first, { claims: { iss, tid: '99999999-2222-3333-4444-555555555555' } });
    await expect(verify(other)).rejects.toMatchObject({ facts: { why: 'issuer' } });
    await expect(verify(await signToken(first, { claims: { iss } }))).rejects.toMatchObject({
      facts: { why: 'issuer' },
    });
  });
});
