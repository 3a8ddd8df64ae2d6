/**
 * How often somebody may ask: token buckets that all processes on one database draw from, a few tokens at a time, so
 * that most requests cost no round trip. A process holds at most `leaseOf(rate)` tokens of a bucket it has not spent,
 * and lets the first request to a bucket it does not know pass while it asks. So N processes together let through, in
 * any stretch of t minutes, at most perMinute · t + burst + N · (lease + 1); one process alone spends exactly what the
 * bucket gives, the first request included. Tokens that are not used come back.
 *
 * While the database does not answer each process limits by itself.
 */
import { sql } from 'kysely';
import { type Clock, isoTime, type Timer } from '../../core/clock.ts';
import { AosError, asError } from '../../core/errors.ts';
import type { Caller } from '../../runs/run.ts';
import type { Database } from '../../store/database.ts';
import type { Log } from '../../telemetry/log.ts';
import type { Audit } from '../audit/audit.ts';
import type { LimitBook } from './limit-book.ts';
import { intervalOf, type Rate, tokensAt, untilToken, without } from './token-bucket.ts';

/** What somebody asks for, as far as limits tell it apart. */
export interface Asked {
  readonly caller: Caller;
  readonly method: string;
  /** The template of the route, or what stands for one at other doors. */
  readonly route: string;
}

/** Where a bucket stands after a request: what the headers say. */
export interface RateState {
  /** Per minute, in the long run. */
  readonly limit: number;
  readonly remaining: number;
  /** Whole seconds until the bucket is full. */
  readonly resetSeconds: number;
  /** Why the request is refused, if it is: `rate_limited`, with `retryAfterMs`. */
  readonly refusal: AosError | undefined;
}

export interface RateLimiter {
  /** Takes a token for a request. Never rejects. */
  take(asked: Asked): Promise<RateState>;
  start(): void;
  /** Gives back what was not used. */
  stop(): Promise<void>;
}

export interface RateLimiterParts {
  readonly database: Pick<Database, 'db'>;
  readonly limits: Pick<LimitBook, 'of'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** A bucket as this process knows it. */
interface Bucket {
  readonly tenantId: string;
  readonly key: string;
  readonly rate: Rate;
  /** Tokens that are this process's to spend. */
  credit: number;
  /** Spent before they were given. */
  owed: number;
  /** When the bucket was last said to be full, epoch milliseconds. */
  fullAt: number;
  usedAt: number;
  lease: Promise<void> | undefined;
  /** Requests that wait for it. */
  waiting: number;
  toldAt: number;
}

/** A bucket that is not asked for so long is given back and forgotten. */
const IDLE_MS = 10_000;
const SWEEP_MS = 5_000;
/** A refusal is told once in so long a time for each key. */
const TELL_MS = 60_000;
const PRUNE_MS = 3_600_000;

/** Tokens that a process takes at a time. */
export function leaseOf({ burst }: Rate): number {
  return Math.max(1, Math.floor(burst / 10));
}

export function createRateLimiter({ database, limits, audit, clock, log }: RateLimiterParts): RateLimiter {
  const { db } = database;
  const buckets = new Map<string, Bucket>();
  let sweeping: Timer | undefined;
  let prunedAt = clock.now();

  function bucketOf({ caller: { tenantId, userId }, method, route }: Asked): Bucket {
    const isLook = method === 'GET' || method === 'HEAD';
    const { get, other } = limits.of(tenantId);
    const rate = isLook ? get : other;
    const key = JSON.stringify([userId, isLook ? 'GET' : 'other', route]);
    const place = `${tenantId}\n${key}`;
    const known = buckets.get(place);
    const now = clock.now();
    if (known !== undefined && isSame(known.rate, rate)) {
      known.usedAt = now;
      return known;
    }
    // Under other limits than a moment ago what is held is spent.
    const begun: Bucket = {
      tenantId,
      key,
      rate,
      credit: 1,
      owed: 1,
      fullAt: now,
      usedAt: now,
      lease: undefined,
      waiting: 0,
      toldAt: Number.NEGATIVE_INFINITY,
    };
    buckets.set(place, begun);
    return begun;
  }

  /** Asks for tokens, unless they are under way; what is owed is paid with them. */
  function lease(bucket: Bucket): Promise<void> {
    if (bucket.lease !== undefined) return bucket.lease;
    const { tenantId, key, rate, owed } = bucket;
    const now = clock.now();
    const want = Math.max(leaseOf(rate), bucket.waiting);
    bucket.owed = 0;
    bucket.fullAt = without(rate, bucket.fullAt, owed, now);
    bucket.lease = draw(tenantId, key, rate, now, owed, want)
      .catch((thrown: unknown) => {
        log.warn('rate limits are this process’s own for now', { reason: asError(thrown).message });
        const granted = Math.max(0, Math.min(want, tokensAt(rate, bucket.fullAt, now)));
        return { granted, fullAt: without(rate, bucket.fullAt, granted, now) };
      })
      .then(({ granted, fullAt }) => {
        bucket.credit += granted;
        bucket.fullAt = fullAt;
        bucket.lease = undefined;
      });
    return bucket.lease;
  }

  async function draw(tenantId: string, key: string, rate: Rate, now: number, spent: number, want: number) {
    const { rows } = await sql<{ granted: number; full_at: number }>`
      select granted, full_at from aos.lease_tokens(${tenantId}, ${key}, ${now}, ${intervalOf(rate)}, ${rate.burst},
        ${spent}, ${want})`.execute(db);
    const [row] = rows;
    if (row === undefined) throw new Error('the database gave no tokens and no reason');
    return { granted: row.granted, fullAt: row.full_at };
  }

  function stateOf(bucket: Bucket, method: string, isRefused: boolean): RateState {
    const { rate, fullAt, credit } = bucket;
    const now = clock.now();
    const interval = intervalOf(rate);
    // Tokens that are held and those that are owed belong to the bucket as well.
    const full = without(rate, fullAt, bucket.owed, now) - credit * interval;
    const retryAfterMs = Math.max(1, Math.ceil(untilToken(rate, fullAt, now)));
    return {
      limit: rate.perMinute,
      remaining: isRefused ? 0 : Math.max(0, Math.min(rate.burst, tokensAt(rate, full, now))),
      resetSeconds: Math.max(0, Math.ceil((full - now) / 1000)),
      refusal: isRefused ? refusal(rate, method, retryAfterMs) : undefined,
    };
  }

  /** Whether it is known to have no token before some time that has not come. */
  function isDry({ lease: underWay, owed, rate, fullAt }: Bucket): boolean {
    return underWay === undefined && owed === 0 && untilToken(rate, fullAt, clock.now()) > 0;
  }

  async function take(asked: Asked): Promise<RateState> {
    const bucket = bucketOf(asked);
    for (let round = 0; bucket.credit < 1; round++) {
      // A flood of refusals asks nobody: what was answered holds until the first token comes back.
      if (isDry(bucket) || round === MAX_ROUNDS) {
        await tell(bucket, asked);
        return stateOf(bucket, asked.method, true);
      }
      bucket.waiting += 1;
      await lease(bucket);
      bucket.waiting -= 1;
    }
    bucket.credit -= 1;
    if (bucket.credit <= leaseOf(bucket.rate) / 2 && !isDry(bucket)) void lease(bucket);
    return stateOf(bucket, asked.method, false);
  }

  /** Tells the audit log of a refusal, once a minute for each key in all processes together. */
  async function tell(bucket: Bucket, { caller, method, route }: Asked): Promise<void> {
    const now = clock.now();
    const { tenantId, key, rate } = bucket;
    if (now - bucket.toldAt < TELL_MS) return;
    bucket.toldAt = now;
    try {
      await db.transaction().execute(async (trx) => {
        const { numUpdatedRows } = await trx
          .updateTable('rate_buckets')
          .set({ told_at: now })
          .where('tenant_id', '=', tenantId)
          .where('key', '=', key)
          .where((row) => row.or([row('told_at', 'is', null), row('told_at', '<=', now - TELL_MS)]))
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return;
        await audit.write(trx, {
          tenantId,
          timestamp: isoTime(now),
          action: 'RATE_LIMITED',
          outcome: 'denied',
          reason: RULE,
          actor: { type: 'user', id: caller.userId === '' ? 'anonymous' : caller.userId },
          owner: caller.userId,
          details: { method, route, limit: rate.perMinute, burst: rate.burst },
        });
      });
    } catch (thrown) {
      log.warn('a refusal for its rate was not told', { tenant_id: tenantId, reason: asError(thrown).message });
    }
  }

  async function giveBack(place: string, bucket: Bucket): Promise<void> {
    buckets.delete(place);
    await bucket.lease;
    const { tenantId, key, rate, owed, credit } = bucket;
    bucket.credit = 0;
    bucket.owed = 0;
    if (owed !== credit) await draw(tenantId, key, rate, clock.now(), owed - credit, 0).catch(() => {});
  }

  async function sweep(isLast: boolean): Promise<void> {
    const now = clock.now();
    const idle = [...buckets].filter(([, { usedAt }]) => isLast || now - usedAt >= IDLE_MS);
    for (const [place, bucket] of idle) await giveBack(place, bucket);
    if (now - prunedAt < PRUNE_MS) return;
    prunedAt = now;
    await db
      .deleteFrom('rate_buckets')
      .where('full_at', '<', now - PRUNE_MS)
      .execute();
  }

  return {
    take,
    start() {
      sweeping = clock.every(SWEEP_MS, () => void sweep(false).catch(() => {}));
    },
    async stop() {
      sweeping?.cancel();
      await sweep(true).catch(() => {});
    },
  };
}

const RULE = 'rate/requests';
/** A request that others always come before is refused in the end. */
const MAX_ROUNDS = 100;

function isSame(one: Rate, other: Rate): boolean {
  return one.perMinute === other.perMinute && one.burst === other.burst;
}

function refusal({ perMinute, burst }: Rate, method: string, retryAfterMs: number): AosError {
  return new AosError('rate_limited', 'Rate limit exceeded', {
    facts: { limit: perMinute, burst, method, rule: RULE },
    retryAfterMs,
  });
}

/** The headers that say where a bucket stands; with those of a refusal when the request is refused. */
export function rateHeaders({ limit, remaining, resetSeconds, refusal: refused }: RateState): Record<string, string> {
  const retryAfterMs = refused?.retryAfterMs;
  return {
    'ratelimit-limit': String(limit),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(resetSeconds),
    ...(retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
  };
}
