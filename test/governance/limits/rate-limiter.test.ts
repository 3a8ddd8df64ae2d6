/** Rate limits of several processes on one database, with time moved by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAudit } from '../../../src/governance/audit/audit.ts';
import { readLimits } from '../../../src/governance/limits/limit-document.ts';
import {
  createRateLimiter,
  leaseOf,
  type RateLimiter,
  rateHeaders,
} from '../../../src/governance/limits/rate-limiter.ts';
import type { Database } from '../../../src/store/database.ts';
import { openTestDatabase } from '../../support/database.ts';
import { silentLog } from '../../support/log.ts';
import { ManualClock } from '../../support/manual-clock.ts';

let database: Database;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

const limits = readLimits({ rates: { other: { per_minute: 600, burst: 30 } } });
const { other: rate } = limits;

let tenants = 0;
/** Processes of one tenant that nobody has heard of. */
function processes(count: number, given = database) {
  const clock = new ManualClock();
  const audit = createAudit({ database, clock, log: silentLog });
  const parts = { database: given, limits: { of: () => limits }, audit, clock, log: silentLog };
  const limiters = Array.from({ length: count }, () => createRateLimiter(parts));
  tenants += 1;
  const caller = { tenantId: `tenant-${tenants}`, userId: 'ann' };
  return { clock, audit, limiters, caller, asked: { caller, method: 'POST', route: '/things' } };
}

async function passed(limiter: RateLimiter, asked: Parameters<RateLimiter['take']>[0], times: number) {
  let count = 0;
  for (let time = 0; time < times; time++) if ((await limiter.take(asked)).refusal === undefined) count += 1;
  return count;
}

describe('one process', () => {
  it('lets exactly the burst pass at once, and then what comes back', async () => {
    const { clock, limiters, asked } = processes(1);
    const [limiter] = limiters as [RateLimiter];
    expect(await passed(limiter, asked, 40)).toBe(30);
    for (const [seconds, tokens] of [
      [1, 10],
      [2, 20],
      [0.1, 1],
      [0.05, 0],
      [0.05, 1],
      [60, 30],
    ] as const) {
      await clock.advance(seconds * 1000);
      expect(await passed(limiter, asked, 100)).toBe(tokens);
    }
  });

  it('says what is left, when the bucket is full again, and when to come back', async () => {
    const { clock, limiters, asked } = processes(1);
    const [limiter] = limiters as [RateLimiter];
    const left: string[] = [];
    for (let time = 0; time < 30; time++)
      left.push(rateHeaders(await limiter.take(asked))['ratelimit-remaining'] ?? '');
    expect(left).toEqual(Array.from({ length: 30 }, (_none, index) => String(29 - index)));
    const refused = await limiter.take(asked);
    expect(rateHeaders(refused)).toEqual({
      'ratelimit-limit': '600',
      'ratelimit-remaining': '0',
      'ratelimit-reset': '3',
      'retry-after': '1',
    });
    expect(refused.refusal).toMatchObject({
      code: 'rate_limited',
      message: 'Rate limit exceeded',
      retryAfterMs: 100,
      facts: { limit: 600, burst: 30, method: 'POST', rule: 'rate/requests' },
    });
    await clock.advance(100);
    expect((await limiter.take(asked)).refusal).toBeUndefined();
  });

  it('limits each user, route and kind of request by itself', async () => {
    const { limiters, caller, asked } = processes(1);
    const [limiter] = limiters as [RateLimiter];
    expect(await passed(limiter, asked, 31)).toBe(30);
    expect(await passed(limiter, { ...asked, method: 'DELETE' }, 1)).toBe(0);
    expect(await passed(limiter, { ...asked, method: 'GET' }, 70)).toBe(60);
    expect(await passed(limiter, { ...asked, route: '/others' }, 31)).toBe(30);
    expect(await passed(limiter, { ...asked, caller: { ...caller, userId: 'bob' } }, 31)).toBe(30);
  });

  it('lets many at a time pass as often as one after the other', async () => {
    const { limiters, asked } = processes(1);
    const [limiter] = limiters as [RateLimiter];
    const states = await Promise.all(Array.from({ length: 100 }, () => limiter.take(asked)));
    expect(states.filter(({ refusal }) => refusal === undefined)).toHaveLength(30);
  });

  it('tells a refusal once a minute', async () => {
    const { clock, audit, limiters, caller, asked } = processes(2);
    const told = async () => {
      const { size } = await audit.seal(caller.tenantId);
      return size;
    };
    for (const limiter of limiters) await passed(limiter, asked, 60);
    expect(await told()).toBe(1);
    await clock.advance(30_000);
    for (const limiter of limiters) await passed(limiter, asked, 60);
    expect(await told()).toBe(1);
    await clock.advance(31_000);
    for (const limiter of limiters) await passed(limiter, asked, 60);
    expect(await told()).toBe(2);
  });

  it('gives back what it has not spent', async () => {
    const { limiters, asked } = processes(2);
    const [first, second] = limiters as [RateLimiter, RateLimiter];
    await passed(first, asked, 1);
    await first.stop();
    expect(await passed(second, asked, 40)).toBe(29);
  });

  it('goes on limiting by itself while the database is away', async () => {
    const away = await openTestDatabase();
    const { limiters, asked } = processes(1, away);
    await away.close();
    expect(await passed(limiters[0] as RateLimiter, asked, 100)).toBe(30);
  });
});

describe('several processes', () => {
  it.each([2, 4])('(%d) together exceed the limit by no more than a lease and one request each', async (count) => {
    const { clock, limiters, asked } = processes(count);
    for (const limiter of limiters) limiter.start();
    const given: number[] = [];
    for (let tick = 0; tick < 120; tick++) {
      // Idle for a while in the middle: what is known of the bucket is forgotten and begun anew.
      await clock.advance(tick === 60 ? 15_000 : (tick % 7) * 40);
      const asking = limiters.flatMap((limiter, index) =>
        tick % (index + 1) === 0 ? Array(4).fill(limiter) : [limiter],
      );
      const states = await Promise.all(asking.map((limiter: RateLimiter) => limiter.take(asked)));
      for (const { refusal } of states) if (refusal === undefined) given.push(clock.now());
    }
    for (const limiter of limiters) await limiter.stop();
    const excess = count * (leaseOf(rate) + 1);
    for (let from = 0; from < given.length; from++) {
      for (let to = from; to < given.length; to++) {
        const minutes = ((given[to] ?? 0) - (given[from] ?? 0)) / 60_000;
        expect(to - from + 1).toBeLessThanOrEqual(rate.perMinute * minutes + rate.burst + excess + 1e-6);
      }
    }
    // And they do not hold back much either.
    const whole = ((given.at(-1) ?? 0) - (given[0] ?? 0) - 15_000) / 60_000;
    expect(given.length).toBeGreaterThan(rate.perMinute * whole * 0.8);
  });
});
