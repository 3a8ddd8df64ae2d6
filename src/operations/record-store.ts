/**
 * What client programs keep here: things of a collection, each under its id, per tenant.
 */
import type { Selectable } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Database } from '../store/database.ts';
import type { RecordTable } from '../store/tables/app.ts';

export type Collection = 'app' | 'agent' | 'decision' | 'document' | 'risk' | 'subscription';

export interface KeptRecord {
  readonly tenantId: string;
  readonly id: string;
  readonly data: JsonObject;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface RecordPage {
  /** Newest first. */
  readonly items: readonly KeptRecord[];
  readonly nextCursor: string | null;
}

export interface RecordStore {
  /** Writes a new record. @returns undefined when there is one of that id already */
  add(tenantId: string, collection: Collection, id: string, data: JsonObject): Promise<KeptRecord | undefined>;
  /** Writes a record, new or over the one that is there. */
  put(tenantId: string, collection: Collection, id: string, data: JsonObject): Promise<KeptRecord>;
  find(tenantId: string, collection: Collection, id: string): Promise<KeptRecord | undefined>;
  list(tenantId: string, collection: Collection, limit: number, cursor?: string): Promise<RecordPage>;
  /** Every tenant's records of a collection, oldest first. */
  all(collection: Collection): Promise<readonly KeptRecord[]>;
  /** @returns whether there was one */
  remove(tenantId: string, collection: Collection, id: string): Promise<boolean>;
}

export function createRecordStore({
  database,
  clock,
}: {
  database: Pick<Database, 'db' | 'tenant'>;
  clock: Clock;
}): RecordStore {
  const { db, tenant } = database;
  const one = (tenantId: string, collection: Collection, id: string) =>
    tenant(tenantId)
      .selectFrom('records')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('collection', '=', collection)
      .where('id', '=', id);

  const insert = (tenantId: string, collection: Collection, id: string, data: JsonObject) => {
    const now = new Date(clock.now());
    return tenant(tenantId)
      .insertInto('records')
      .values({
        tenant_id: tenantId,
        collection,
        id,
        data: JSON.stringify(data),
        created_at: now,
        updated_at: now,
      });
  };

  return {
    async add(tenantId, collection, id, data) {
      const row = await insert(tenantId, collection, id, data)
        .onConflict((conflict) => conflict.columns(['tenant_id', 'collection', 'id']).doNothing())
        .returningAll()
        .executeTakeFirst();
      return row && toRecord(row);
    },
    async put(tenantId, collection, id, data) {
      const row = await insert(tenantId, collection, id, data)
        .onConflict((conflict) =>
          conflict
            .columns(['tenant_id', 'collection', 'id'])
            .doUpdateSet({ data: JSON.stringify(data), updated_at: new Date(clock.now()) }),
        )
        .returningAll()
        .executeTakeFirstOrThrow();
      return toRecord(row);
    },
    async find(tenantId, collection, id) {
      const row = await one(tenantId, collection, id).executeTakeFirst();
      return row && toRecord(row);
    },
    async list(tenantId, collection, limit, cursor) {
      const from = cursor === undefined ? undefined : readCursor(cursor);
      const rows = await tenant(tenantId)
        .selectFrom('records')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('collection', '=', collection)
        .$if(from !== undefined, (query) =>
          query.where(({ and, eb, or }) =>
            or([
              eb('created_at', '<', from?.at ?? new Date(0)),
              and([eb('created_at', '=', from?.at ?? new Date(0)), eb('id', '>', from?.id ?? '')]),
            ]),
          ),
        )
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit).map(toRecord);
      const last = items.at(-1);
      return { items, nextCursor: rows.length > limit && last !== undefined ? writeCursor(last) : null };
    },
    async all(collection) {
      const rows = await db
        .selectFrom('records')
        .selectAll()
        .where('collection', '=', collection)
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map(toRecord);
    },
    async remove(tenantId, collection, id) {
      const { numDeletedRows } = await tenant(tenantId)
        .deleteFrom('records')
        .where('tenant_id', '=', tenantId)
        .where('collection', '=', collection)
        .where('id', '=', id)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}

function toRecord({ tenant_id, id, data, created_at, updated_at }: Selectable<RecordTable>): KeptRecord {
  return {
    tenantId: tenant_id,
    id,
    data,
    createdAt: isoTime(created_at.getTime()),
    updatedAt: isoTime(updated_at.getTime()),
  };
}

function writeCursor({ createdAt, id }: KeptRecord): string {
  return Buffer.from(`${createdAt} ${id}`).toString('base64url');
}

function readCursor(cursor: string): { at: Date; id: string } {
  const [text = '', ...id] = Buffer.from(cursor, 'base64url').toString().split(' ');
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new AosError('invalid_request', 'cursor must be the next_cursor of the page before');
  return { at: new Date(at), id: id.join(' ') };
}
