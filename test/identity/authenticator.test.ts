import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeApiKey } from '../../src/identity/api-key.ts';
import { createOpenAuthenticator, createTokenAuthenticator } from '../../src/identity/authenticator.ts';
import { createEntrance, type Refusal } from '../../src/identity/entrance.ts';
import { watchExpiry } from '../../src/identity/expiry.ts';
import { createAuthenticator } from '../../src/identity/identity.ts';
import type { Presented } from '../../src/identity/presented.ts';
import { createRefusalNotices, type RefusalNotice } from '../../src/identity/refusal-notice.ts';
import { ManualClock } from '../support/manual-clock.ts';

const presented = (headers: Record<string, string> = {}, more: Partial<Presented> = {}): Presented => ({
  headers: new Headers(headers),
  userId: headers['x-agent-user-id'] ?? '',
  address: '10.1.2.3',
  ...more,
});
const none = { entraTenants: undefined, tenant: undefined };

describe('without authentication', () => {
  test('the caller is who he says, of the tenant he names, with every right', async () => {
    const { identify } = createOpenAuthenticator();
    expect(await identify(presented({ 'x-tenant-id': 'acme', 'x-agent-user-id': 'ann' }))).toMatchObject({
      caller: { tenantId: 'acme', userId: 'ann' },
      proof: 'none',
      roles: ['admin'],
    });
    expect(await identify(presented())).toMatchObject({ caller: { tenantId: 'default', userId: '' } });
    await expect(identify(presented({ 'x-tenant-id': 'no spaces' }))).rejects.toMatchObject({ status: 400 });
  });
});

describe('without authentication, on this machine only', () => {
  test.each<[string, Record<string, string>, boolean]>([
    ['a program', { host: 'localhost:8088' }, true],
    ['a program that says no name', {}, true],
    ['the address', { host: '127.0.0.1:8088' }, true],
    ['the address of IPv6', { host: '[::1]:8088' }, true],
    ['a page of this machine', { host: 'localhost:8088', origin: 'http://localhost:3000' }, true],
    ['a page of another site', { host: 'localhost:8088', origin: 'https://evil.example.com' }, false],
    ['a page of another site with our name in it', { origin: 'http://localhost.evil.example.com' }, false],
    ['a page of nowhere', { host: 'localhost:8088', origin: 'null' }, false],
    ['a name that was made to lead here', { host: 'evil.example.com:8088' }, false],
    ['no name at all', { host: 'no name' }, false],
  ])('%s is let in: %j %s', async (_who, headers, isLetIn) => {
    const outcome = createOpenAuthenticator({ localOnly: true }).identify(presented(headers));
    if (isLetIn) expect(await outcome).toMatchObject({ proof: 'none' });
    else await expect(outcome).rejects.toMatchObject({ status: 403, reason: 'ORIGIN_REFUSED' });
    expect(await createOpenAuthenticator().identify(presented(headers))).toMatchObject({ proof: 'none' });
  });
});

describe('tokens', () => {
  const clock = () => new ManualClock();

  test('are verified once until they end, at most for five minutes', async () => {
    const time = clock();
    let verified = 0;
    const lives = 400;
    const exp = Math.floor(time.now() / 1000) + lives;
    const authenticator = createTokenAuthenticator({
      verify: async () => ({ sub: `u${++verified}`, tenant_id: 't', exp }),
      rules: none,
      clock: time,
    });
    const ask = async () => (await authenticator.identify(presented({ authorization: 'Bearer x' }))).caller.userId;
    expect([await ask(), await ask()]).toEqual(['u1', 'u1']);
    await time.advance(299_000);
    expect(await ask()).toBe('u1');
    await time.advance(2_000);
    expect(await ask()).toBe('u2');
    await time.advance((lives - 301) * 1000 + 1);
    // Past its end, within what clocks may differ: taken by the verifier, never remembered.
    expect([await ask(), await ask()]).toEqual(['u3', 'u4']);
  });

  test('that were refused are verified anew', async () => {
    let verified = 0;
    const authenticator = createTokenAuthenticator({
      verify: async () => {
        verified++;
        throw new Error('no');
      },
      rules: none,
      clock: clock(),
    });
    for (const _time of [1, 2]) {
      await expect(authenticator.identify(presented({ authorization: 'Bearer x' }))).rejects.toThrow('no');
    }
    expect(verified).toBe(2);
  });

  test.each<[string, Presented, string | undefined]>([
    ['Authorization', presented({ authorization: 'bearer  abc' }), 'abc'],
    ['the header that passes the gateway', presented({ 'x-client-authorization': 'Bearer abc' }), 'abc'],
    ['both', presented({ authorization: 'Bearer abc', 'x-client-authorization': 'Bearer def' }), 'abc'],
    ['another scheme beside it', presented({ authorization: 'Basic abc', 'x-client-authorization': 'Bearer d' }), 'd'],
    ['the query', presented({}, { queryToken: 'abc' }), 'abc'],
    ['an empty query', presented({}, { queryToken: '' }), undefined],
    ['a scheme without a token', presented({ authorization: 'Bearer ' }), undefined],
    ['two words', presented({ authorization: 'Bearer a b' }), undefined],
  ])('are found in %s', async (_where, given, expected) => {
    const seen: string[] = [];
    const authenticator = createTokenAuthenticator({
      verify: async (token) => {
        seen.push(token);
        return { sub: 'ann', tenant_id: 't', exp: 9_999_999_999 };
      },
      rules: none,
      clock: clock(),
    });
    const outcome = authenticator.identify(given);
    if (expected === undefined) await expect(outcome).rejects.toMatchObject({ facts: { why: 'missing' } });
    else expect(await outcome).toMatchObject({ caller: { userId: 'ann' } });
    expect(seen).toEqual(expected === undefined ? [] : [expected]);
  });
});

describe('API keys in a file', () => {
  test('may be added and withdrawn while the server runs; a broken file changes nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'aos-keys-'));
    const file = join(folder, 'keys.json');
    const [one, two] = [makeApiKey({ name: 'one', roles: ['viewer'] }), makeApiKey({ name: 'two', roles: ['viewer'] })];
    writeFileSync(file, JSON.stringify([one.record]));
    const clock = new ManualClock();
    const warnings: string[] = [];
    const { identify } = await createAuthenticator(
      { mode: 'api-key', file, text: undefined },
      { localOnly: false, clock, onWarning: (sentence) => warnings.push(sentence) },
    );
    const knows = (key: string) =>
      identify(presented({ 'x-api-key': key })).then(
        () => true,
        () => false,
      );
    expect([await knows(one.key), await knows(two.key)]).toEqual([true, false]);
    writeFileSync(file, JSON.stringify([two.record]).replace('"two"', '"three"'));
    await clock.advance(2_001);
    expect([await knows(one.key), await knows(two.key)]).toEqual([false, true]);
    writeFileSync(file, 'broken');
    await clock.advance(2_001);
    expect(await knows(two.key)).toBe(true);
    expect(warnings).toEqual([expect.stringContaining('the keys known before still count')]);
    await rm(folder, { recursive: true });
  });
});

describe('the end of a proof', () => {
  test('fires when it is over, however far away that was', async () => {
    const clock = new ManualClock();
    const inTwoMonths = clock.now() + 5_000_000_000;
    const { signal } = watchExpiry({ expiresAt: inTwoMonths }, clock);
    await clock.advance(4_999_999_999);
    expect(signal.aborted).toBe(false);
    await clock.advance(1);
    expect(signal.aborted).toBe(true);
    expect(watchExpiry({ expiresAt: clock.now() - 1 }, clock).signal.aborted).toBe(true);
    const called = watchExpiry({ expiresAt: clock.now() + 10 }, clock);
    called.cancel();
    await clock.advance(20);
    expect(called.signal.aborted).toBe(false);
  });
});

describe('refusals', () => {
  const refusal = (address: string, why = 'expired'): Refusal => ({
    address,
    why,
    principal: undefined,
    need: undefined,
  });

  test('are told of once a minute for each address and reason, with how many there were', async () => {
    const clock = new ManualClock();
    const told: RefusalNotice[] = [];
    const notice = createRefusalNotices(clock, (each) => told.push(each));
    for (let n = 0; n < 5; n++) notice(refusal('1.1.1.1'));
    notice(refusal('1.1.1.1', 'signature'));
    notice(refusal('2.2.2.2'));
    expect(told.map(({ address, why, count }) => [address, why, count])).toEqual([
      ['1.1.1.1', 'expired', 1],
      ['1.1.1.1', 'signature', 1],
      ['2.2.2.2', 'expired', 1],
    ]);
    await clock.advance(60_000);
    notice(refusal('1.1.1.1'));
    expect(told.at(-1)).toMatchObject({ address: '1.1.1.1', count: 5 });
  });

  test('from many addresses at once are told of as one', () => {
    const told: RefusalNotice[] = [];
    const notice = createRefusalNotices(new ManualClock(), (each) => told.push(each));
    for (let n = 0; n < 5000; n++) notice(refusal(`10.0.${n >> 8}.${n & 255}`));
    expect(told).toHaveLength(1001);
    expect(told.at(-1)).toMatchObject({ address: '*' });
  });

  test('reach whoever listens at the entrance, with the right that was missing', async () => {
    const heard: Refusal[] = [];
    const entrance = createEntrance({
      authenticator: createTokenAuthenticator({
        verify: async () => ({ sub: 'ann', tenant_id: 't', exp: 9_999_999_999, roles: ['viewer'] }),
        rules: none,
        clock: new ManualClock(),
      }),
      onRefused: (each) => heard.push(each),
    });
    const need = { access: 'write', what: 'tasks.submit' } as const;
    await expect(entrance.enter(presented(), need)).rejects.toMatchObject({ status: 401 });
    await expect(entrance.enter(presented({ authorization: 'Bearer x' }), need)).rejects.toMatchObject({ status: 403 });
    expect(heard).toMatchObject([
      { address: '10.1.2.3', why: 'missing', principal: undefined },
      { why: 'right_missing', principal: { caller: { tenantId: 't', userId: 'ann' } }, need },
    ]);
    const open = await entrance.enter(presented(), { access: 'public', what: 'health.get' });
    expect(open).toMatchObject({ proof: 'none', roles: [] });
    expect(open.rights.size).toBe(0);
  });
});
