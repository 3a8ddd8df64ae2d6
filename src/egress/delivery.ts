/**
 * Brings the messages of the outbox out. Any number of processes may: each takes messages for a while (a lease), so that
 * what a dying process had in hand is taken again by another, as soon as somebody sees that it is dead. Between the other side's answer and our note of it lies a
 * moment in which we can die: then it is sent twice, with the same `webhook-id`.
 */
import { type Selectable, sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { newUuid, randomUnit } from '../core/ids.ts';
import { createRounds } from '../core/rounds.ts';
import type { Database } from '../store/database.ts';
import type { OutboxTable } from '../store/tables/outbox.ts';
import type { Log } from '../telemetry/log.ts';
import { attemptDelivery, type DeliveryFetch, type DeliveryOutcome } from './delivery-attempt.ts';
import { OUTBOX_CHANNEL } from './outbox.ts';

export interface DeliveryPace {
  /** Attempts before a message is given up. */
  readonly maxAttempts: number;
  /** The pause before attempt n + 1 is drawn from 0 to `baseMs` × 2ⁿ⁻¹, but never more than `maxMs`. */
  readonly baseMs: number;
  readonly maxMs: number;
  readonly timeoutMs: number;
  /** After this a message that a process has taken is taken for lost; well above `timeoutMs`. */
  readonly leaseMs: number;
  /** Deliveries at a time in this process, and of these to one origin. */
  readonly atOnce: number;
  readonly perOrigin: number;
}

/** Twelve attempts take some hours in all. */
export const defaultPace: DeliveryPace = {
  maxAttempts: 12,
  baseMs: 5_000,
  maxMs: 3_600_000,
  timeoutMs: 10_000,
  leaseMs: 60_000,
  atOnce: 16,
  perOrigin: 4,
};

/** How late a message may be seen that was written while nobody could be woken. */
const LOOK_MS = 5_000;
/** How long deliveries may go on once the process is to stop. */
const STOP_GRACE_MS = 2_000;

export interface DeliveryParts {
  readonly database: Database;
  readonly fetch: DeliveryFetch;
  /** Stands in for it where a message of simulated work is to leave. */
  readonly record: DeliveryFetch;
  /** What messages are signed with; unsigned without it. */
  readonly secret: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly pace?: Partial<DeliveryPace>;
  /** From 0 to below 1; for tests. */
  readonly random?: () => number;
}

export interface Deliveries {
  start(): Promise<void>;
  /** Lets what is under way finish for a moment; the rest is given back, for any process to send. */
  stop(): Promise<void>;
}

type Message = Selectable<OutboxTable>;

export function createDeliveries(parts: DeliveryParts): Deliveries {
  const { clock, log, secret, random = randomUnit } = parts;
  const { db, notifications, locks } = parts.database;
  const pace = { ...defaultPace, ...parts.pace };
  const stopping = new AbortController();
  const underWay = new Map<Message, Promise<void>>();
  /** The lock that tells the others that this process lives. */
  const holder = `outbox:${newUuid()}`;
  let letGo: (() => Promise<void>) | undefined;
  let stopListening: (() => void) | undefined;
  const rounds = createRounds({
    clock,
    work: async () => {
      await takeFromTheDead();
      return takeDue();
    },
    longestMs: LOOK_MS,
    failed: (thrown) => log.warn('the outbox could not be looked at', { reason: asError(thrown).message }),
  });

  /** Whoever can take the lock of a holder knows that it is dead: its leases are over. */
  async function takeFromTheDead(): Promise<void> {
    const held = db.selectFrom('outbox').where('delivered_at', 'is', null).where('dead_at', 'is', null);
    const holders = await held.select('leased_by').distinct().where('leased_by', '<>', holder).execute();
    for (const { leased_by: other } of holders) {
      const unlock = other === null ? undefined : await locks.tryHold(other);
      if (unlock === undefined) continue;
      try {
        const over = { leased_until: null, leased_by: null };
        await db.updateTable('outbox').set(over).where('leased_by', '=', other).execute();
      } finally {
        await unlock();
      }
    }
  }

  /** Takes as much as there is room for. @returns when the next message is due */
  async function takeDue(): Promise<number | undefined> {
    for (;;) {
      const room = Math.min(pace.atOnce - underWay.size, pace.perOrigin);
      if (room <= 0 || stopping.signal.aborted) return undefined;
      const messages = await claim(room);
      for (const message of messages) underWay.set(message, deliver(message));
      if (messages.length === 0) return nextDue();
    }
  }

  async function claim(limit: number): Promise<readonly Message[]> {
    const now = new Date(clock.now());
    const { rows } = await sql<Message>`
      with due as (
        select tenant_id, id from aos.outbox
        where delivered_at is null and dead_at is null and next_attempt_at <= ${now}
          and (leased_until is null or leased_until <= ${now}) and origin <> all(${busyOrigins()})
        order by next_attempt_at limit ${limit} for update skip locked
      )
      update aos.outbox as message
      set attempts = attempts + 1, last_attempt_at = ${now}, leased_until = ${new Date(clock.now() + pace.leaseMs)},
          leased_by = ${holder}
      from due where message.tenant_id = due.tenant_id and message.id = due.id returning message.*`.execute(db);
    return rows;
  }

  /** Where as many deliveries are under way as may be: what hangs there keeps nothing from going elsewhere. */
  function busyOrigins(): string[] {
    const counts = new Map<string, number>();
    for (const { origin } of underWay.keys()) counts.set(origin, (counts.get(origin) ?? 0) + 1);
    return [...counts].filter(([, count]) => count >= pace.perOrigin).map(([origin]) => origin);
  }

  async function nextDue(): Promise<number | undefined> {
    const { next } = await db
      .selectFrom('outbox')
      .select(sql<Date | null>`min(greatest(next_attempt_at, leased_until))`.as('next'))
      .where('delivered_at', 'is', null)
      .where('dead_at', 'is', null)
      .where(sql<boolean>`origin <> all(${busyOrigins()})`)
      .executeTakeFirstOrThrow();
    return next?.getTime();
  }

  async function deliver(message: Message): Promise<void> {
    try {
      await note(message, await attempt(message));
    } catch (thrown) {
      // Nothing is lost: when its lease is over, it is taken again.
      log.warn('a delivery failed here', { delivery_id: message.id, error: asError(thrown) });
    } finally {
      underWay.delete(message);
      rounds.due();
    }
  }

  async function attempt(message: Message): Promise<DeliveryOutcome> {
    if (message.attempts > pace.maxAttempts) {
      return { type: 'failed', retry: 'never', status: null, error: 'the process ended during the last attempt' };
    }
    const fetch = message.simulation ? parts.record : parts.fetch;
    return attemptDelivery({ fetch, secret, clock, timeoutMs: pace.timeoutMs }, message, stopping.signal);
  }

  async function note(message: Message, outcome: DeliveryOutcome): Promise<void> {
    const now = new Date(clock.now());
    const { tenant_id: tenantId, id, attempts } = message;
    const change = outcomeColumns(outcome, attempts, now);
    await db
      .updateTable('outbox')
      .set({ leased_until: null, leased_by: null, ...change })
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      // Only for the attempt that this is: a later one, after a lease that was over, speaks for itself.
      .where('attempts', '=', attempts)
      .where('delivered_at', 'is', null)
      .execute();
    if ('dead_at' in change) {
      log.warn('a delivery was given up', {
        delivery_id: id,
        subject: message.subject,
        origin: message.origin,
        attempts,
      });
    }
  }

  function outcomeColumns(outcome: DeliveryOutcome, attempts: number, now: Date) {
    if (outcome.type === 'stopped') return { attempts: attempts - 1, next_attempt_at: now };
    if (outcome.type === 'delivered') return { delivered_at: now, last_status: outcome.status, last_error: null };
    const failed = { last_status: outcome.status, last_error: outcome.error };
    if (outcome.retry === 'never' || attempts >= pace.maxAttempts) return { ...failed, dead_at: now };
    const pause = Math.max(pauseAfter(attempts, pace, random()), outcome.notBeforeMs ?? 0);
    return { ...failed, next_attempt_at: new Date(now.getTime() + Math.min(pause, pace.maxMs)) };
  }

  return {
    async start() {
      letGo = await locks.tryHold(holder);
      stopListening = await notifications.listen(OUTBOX_CHANNEL, {
        heard: () => rounds.due(),
        missed: () => rounds.due(),
      });
      rounds.start();
    },
    async stop() {
      stopListening?.();
      await rounds.stop();
      const timer = clock.after(STOP_GRACE_MS, () =>
        stopping.abort(new AosError('shutting_down', 'the process stops')),
      );
      await Promise.all(underWay.values());
      timer.cancel();
      await letGo?.();
    },
  };
}

/** Milliseconds after attempt n (1, 2, 3 …): anything from 0 to the bound, so that failures do not come back together. */
export function pauseAfter(
  attempt: number,
  { baseMs, maxMs }: Pick<DeliveryPace, 'baseMs' | 'maxMs'>,
  random: number,
): number {
  return Math.floor(Math.min(maxMs, baseMs * 2 ** (attempt - 1)) * random);
}
