/** What it costs to know who asks: an entrance of each kind, for a call that only reads. */
import { generateKeyPair, SignJWT } from 'jose';
import { systemClock } from '../../src/core/clock.ts';
import { makeApiKey, readApiKeys } from '../../src/identity/api-key.ts';
import {
  createKeyAuthenticator,
  createOpenAuthenticator,
  createTokenAuthenticator,
} from '../../src/identity/authenticator.ts';
import { createEntrance } from '../../src/identity/entrance.ts';
import { createTokenVerifier } from '../../src/identity/token-verifier.ts';
import { startIssuer } from '../../test/support/jwks.ts';
import { latencySummary } from '../measure/statistics.ts';
import { figure, table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';

const CALLS = 5_000;
const KEYS = 100;
const need = { access: 'read', what: 'runs.list' } as const;
const rules = { entraTenants: undefined, tenant: 'bench' };

export async function benchIdentity(_effort: Effort): Promise<SectionResult> {
  const pair = await generateKeyPair('RS256', { extractable: true });
  await using issuer = await startIssuer({ k1: pair });
  const verify = createTokenVerifier({
    issued: { jwksUrl: issuer.jwksUrl, issuer: 'bench', audiences: ['bench'], algorithms: ['RS256'] },
    signed: undefined,
    clock: systemClock,
  });
  const sign = (sub: string) =>
    new SignJWT({ iss: 'bench', aud: 'bench', sub, roles: ['viewer'] })
      .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
      .setExpirationTime('10m')
      .sign(pair.privateKey);
  const [token, ...others] = await Promise.all(Array.from({ length: CALLS / 10 + 1 }, (_none, nth) => sign(`u${nth}`)));
  const made = Array.from({ length: KEYS }, (_none, nth) => makeApiKey({ name: `key-${nth}`, roles: ['viewer'] }));
  const keys = readApiKeys(JSON.stringify(made.map(({ record }) => record)), 'the keys');
  const tokens = createTokenAuthenticator({ verify, rules, clock: systemClock });

  const open = createEntrance({ authenticator: createOpenAuthenticator() });
  const byKey = createEntrance({ authenticator: createKeyAuthenticator({ keys: () => keys }) });
  const byToken = createEntrance({ authenticator: tokens });
  const enter = (entrance: typeof open, headers: Record<string, string>) =>
    entrance.enter({ headers: new Headers(headers), userId: '', address: '' }, need);

  const rows = [
    { what: 'AUTH_MODE=off', times: await timed(CALLS, () => enter(open, {})) },
    {
      what: `one of ${KEYS} API keys`,
      times: await timed(CALLS, () => enter(byKey, { 'x-api-key': made[0]?.key ?? '' })),
    },
    {
      what: 'a token seen before',
      times: await timed(CALLS, () => enter(byToken, { authorization: `Bearer ${token}` })),
    },
    {
      what: 'a new token (RS256)',
      times: await timed(others.length, (nth) => enter(byToken, { authorization: `Bearer ${others[nth]}` })),
    },
  ];
  return {
    data: { rows },
    aims: [
      { what: 'µs at p50 for a token seen before', measured: rows[2]?.times.p50 ?? Number.NaN, is: 'at most', aim: 50 },
    ],
    text: table(
      'Who asks',
      ['what', 'µs p50', 'µs p99'],
      rows.map(({ what, times }) => [what, figure(times.p50), figure(times.p99)]),
    ),
  };
}

async function timed(count: number, call: (nth: number) => Promise<unknown>) {
  const times: number[] = [];
  for (let nth = 0; nth < count; nth++) {
    const begun = systemClock.monotonic();
    await call(nth);
    times.push((systemClock.monotonic() - begun) * 1000);
  }
  const { p50, p99 } = latencySummary(times);
  return { p50, p99 };
}
