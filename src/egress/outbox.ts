/**
 * What is to leave the house is written down in the transaction of the change that it tells, so that neither is there
 * without the other; `delivery.ts` then brings it out. A message is delivered at least once and not in any order:
 * receivers recognise a repeat by its id.
 */
import { type Selectable, sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { OutboxTable } from '../store/tables/outbox.ts';

export interface NewMessage {
  readonly tenantId: string;
  /** Whose it is; '' for nobody's. */
  readonly userId: string;
  /** What kind of message, e.g. `callback`. */
  readonly kind: string;
  /** Id of what it tells of. */
  readonly subject: string;
  readonly url: string;
  /** Beside those that every delivery has. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Exactly what is sent; JSON. */
  readonly body: string;
  /** Of several messages of one key of a tenant the first counts. */
  readonly dedupeKey: string;
}

/** `pending` until it is over: `delivered`, or `dead` when it was refused for good or tried too often. */
export const deliveryStatuses = ['pending', 'delivered', 'dead'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

export interface Delivery {
  readonly id: string;
  readonly kind: string;
  readonly subject: string;
  readonly url: string;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  /** All times ISO-8601 UTC. */
  readonly createdAt: string;
  /** null when nothing more is tried. */
  readonly nextAttemptAt: string | null;
  readonly lastAttemptAt: string | null;
  readonly deliveredAt: string | null;
  readonly deadAt: string | null;
  /** The HTTP status of the last answer. */
  readonly lastStatus: number | null;
  /** Why the last attempt failed, in words for people. */
  readonly lastError: string | null;
}

export interface DeliveryFilter {
  readonly status?: DeliveryStatus | undefined;
  readonly subject?: string | undefined;
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

/** Whose messages: those of a user, or of a whole tenant where the user is ''. */
export interface Owner {
  readonly tenantId: string;
  readonly userId: string;
}

export interface Outbox {
  /**
   * Writes a message as part of a transaction; the deliveries are woken when it is committed.
   * @returns its id
   * @throws AosError invalid_request when the URL is none
   */
  enqueue(within: StoreScope, message: NewMessage): Promise<string>;
  find(id: string, owner: Owner): Promise<Delivery | undefined>;
  /** Newest first. */
  list(
    owner: Owner,
    filter: DeliveryFilter,
  ): Promise<{ readonly items: readonly Delivery[]; readonly nextCursor: string | null }>;
  /**
   * Sends a dead message again, with all its attempts anew; a pending one is tried now unless it just is.
   * @throws AosError not_found; conflict when it is delivered
   */
  retry(id: string, owner: Owner): Promise<Delivery>;
  /**
   * Deletes messages that were delivered or given up.
   * @param before ISO-8601 UTC: those for which that was before
   * @returns how many
   */
  prune(before: string): Promise<number>;
}

/** The channel on which processes hear of new messages. */
export const OUTBOX_CHANNEL = 'aos_outbox';

export function createOutbox({ database, clock }: { database: Database; clock: Clock }): Outbox {
  const { db, tenant } = database;
  const owned = ({ tenantId, userId }: Owner) => {
    const ofTenant = tenant(tenantId).selectFrom('outbox').selectAll().where('tenant_id', '=', tenantId);
    return userId === '' ? ofTenant : ofTenant.where('user_id', '=', userId);
  };
  // Messages are few beside the writes of runs, so a notification within the transaction holds up nobody.
  const wake = (within: StoreScope) => sql`select pg_notify(${OUTBOX_CHANNEL}, '')`.execute(within);

  return {
    async enqueue(within, { tenantId, userId, kind, subject, url, headers = {}, body, dedupeKey }) {
      const { origin } = URL.parse(url) ?? {};
      if (origin === undefined) throw new AosError('invalid_request', `"${url}" is not a URL that can be called.`);
      const now = new Date(clock.now());
      const id = `msg_${newUuid()}`;
      const written = await within
        .insertInto('outbox')
        .values({
          id,
          tenant_id: tenantId,
          user_id: userId,
          kind,
          subject,
          url,
          origin,
          headers: JSON.stringify(headers),
          body,
          dedupe_key: dedupeKey,
          created_at: now,
          next_attempt_at: now,
          // What a simulated run tells is simulated, whoever tells it.
          simulation: sql<boolean>`exists (select from aos.runs r where r.tenant_id = ${tenantId} and r.id = ${subject} and r.simulation)`,
        })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'dedupe_key']).doNothing())
        .returning('id')
        .executeTakeFirst();
      if (written !== undefined) {
        await wake(within);
        return id;
      }
      const known = await within
        .selectFrom('outbox')
        .select('id')
        .where('tenant_id', '=', tenantId)
        .where('dedupe_key', '=', dedupeKey)
        .executeTakeFirstOrThrow();
      return known.id;
    },
    async find(id, owner) {
      const row = await owned(owner).where('id', '=', id).executeTakeFirst();
      return row && toDelivery(row);
    },
    async list(owner, { status, subject, limit, cursor }) {
      if (cursor !== undefined && !/^\d{1,18}$/.test(cursor)) {
        throw new AosError('invalid_request', `"cursor" must be the next_cursor of the page before, got "${cursor}"`);
      }
      const rows = await owned(owner)
        .$if(status === 'delivered', (all) => all.where('delivered_at', 'is not', null))
        .$if(status === 'dead', (all) => all.where('dead_at', 'is not', null))
        .$if(status === 'pending', (all) => all.where('delivered_at', 'is', null).where('dead_at', 'is', null))
        .$if(subject !== undefined, (all) => all.where('subject', '=', subject ?? ''))
        .$if(cursor !== undefined, (all) => all.where('number', '<', cursor ?? ''))
        .orderBy('number', 'desc')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit);
      return { items: items.map(toDelivery), nextCursor: rows.length > limit ? (items.at(-1)?.number ?? null) : null };
    },
    async retry(id, owner) {
      const known = await owned(owner).where('id', '=', id).executeTakeFirst();
      if (known === undefined)
        throw new AosError('not_found', `Delivery ${id} not found`, { reason: 'DELIVERY_NOT_FOUND' });
      const dead = known.dead_at !== null;
      const row = await tenant(owner.tenantId)
        .transaction()
        .execute(async (trx) => {
          const again = await trx
            .updateTable('outbox')
            .set({ dead_at: null, next_attempt_at: new Date(clock.now()), ...(dead && { attempts: 0 }) })
            .where('tenant_id', '=', owner.tenantId)
            .where('id', '=', id)
            .where('delivered_at', 'is', null)
            .returningAll()
            .executeTakeFirst();
          await wake(trx);
          return again;
        });
      if (row !== undefined) return toDelivery(row);
      throw new AosError('conflict', `Delivery "${id}" has arrived already and is not sent again.`, {
        reason: 'DELIVERED',
        facts: { status: 'delivered' },
      });
    },
    async prune(before) {
      const { numDeletedRows } = await db
        .deleteFrom('outbox')
        .where(({ fn, ref }) => fn.coalesce(ref('delivered_at'), ref('dead_at')), '<', new Date(before))
        .executeTakeFirstOrThrow();
      return Number(numDeletedRows);
    },
  };
}

function toDelivery(row: Selectable<OutboxTable>): Delivery {
  const status = row.delivered_at !== null ? 'delivered' : row.dead_at !== null ? 'dead' : 'pending';
  return {
    id: row.id,
    kind: row.kind,
    subject: row.subject,
    url: row.url,
    status,
    attempts: row.attempts,
    createdAt: row.created_at.toISOString(),
    nextAttemptAt: status === 'pending' ? row.next_attempt_at.toISOString() : null,
    lastAttemptAt: row.last_attempt_at?.toISOString() ?? null,
    deliveredAt: row.delivered_at?.toISOString() ?? null,
    deadAt: row.dead_at?.toISOString() ?? null,
    lastStatus: row.last_status,
    lastError: row.last_error,
  };
}
