/**
 * Documents of governance that tenants have of their own, beside what holds for everybody. Reading what holds is a look
 * into memory; a document may be replaced while the server runs, and holds in every process with the next word from the
 * database. Every version that somebody gave is kept.
 */
import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';

/** A version of a document as it is kept. */
export interface KeptDocument<Kind extends string = string> {
  readonly kind: Kind;
  readonly hash: string;
  readonly content: JsonObject;
  readonly writtenBy: string;
  /** ISO-8601 UTC. */
  readonly writtenAt: string;
}

export interface DocumentBook<Kind extends string, Held> {
  start(): Promise<void>;
  stop(): void;
  /** What holds for a tenant. */
  of(tenantId: string): Held;
  /** Replaces a document of a tenant; `held` is what holds with it, here at once. */
  write(tenantId: string, document: WrittenDocument<Kind>, held: Held): Promise<Held>;
  /** Newest first. */
  history<One extends Kind>(tenantId: string, kind: One, limit: number): Promise<readonly KeptDocument<One>[]>;
}

export interface WrittenDocument<Kind extends string> {
  readonly kind: Kind;
  readonly hash: string;
  readonly content: JsonObject;
  readonly by: string;
}

export interface DocumentBookParts<Kind extends string, Held> {
  readonly database: Pick<Database, 'db' | 'tenant' | 'notifications'>;
  /** The documents that are in it. */
  readonly kinds: readonly Kind[];
  /** What holds where a tenant has nothing of its own. */
  readonly otherwise: Held;
  /**
   * What holds with a document, beside what holds without it.
   * @throws AosError invalid_request
   */
  read(before: Held, kind: Kind, content: JsonObject): Held;
  /**
   * What holds where a document cannot be read: it was good when it was given, by another version of the server or before
   * some action was there.
   * @param kept what held until now
   */
  unreadable(kept: Held): Held;
  readonly clock: Clock;
  readonly log: Log;
}

/** Tells processes that a document of some tenant was replaced. */
const CHANNEL = 'aos_governance';

export function createDocumentBook<Kind extends string, Held>(
  parts: DocumentBookParts<Kind, Held>,
): DocumentBook<Kind, Held> {
  const { database, kinds, otherwise, read, unreadable, clock, log } = parts;
  const { db, tenant, notifications } = database;
  let tenants = new Map<string, Held>();
  let stopListening: (() => void) | undefined;

  async function load(): Promise<void> {
    const rows = await db
      .selectFrom('governance_documents')
      .distinctOn(['tenant_id', 'kind'])
      .select(['tenant_id', 'kind', 'content'])
      .where('kind', 'in', kinds)
      .orderBy('tenant_id')
      .orderBy('kind')
      .orderBy('number', 'desc')
      .execute();
    const loaded = new Map<string, Held>();
    for (const { tenant_id: tenantId, kind: name, content } of rows) {
      const kind = kinds.find((known) => known === name);
      if (kind === undefined) continue;
      const before = loaded.get(tenantId) ?? otherwise;
      try {
        loaded.set(tenantId, read(before, kind, content));
      } catch (thrown) {
        loaded.set(tenantId, unreadable(tenants.get(tenantId) ?? before));
        log.error('a document of a tenant cannot be used', { tenant_id: tenantId, kind, error: asError(thrown) });
      }
    }
    tenants = loaded;
  }

  function reload(): void {
    load().catch((thrown: unknown) =>
      log.warn('documents of tenants could not be read again', { kinds: [...kinds], reason: asError(thrown).message }),
    );
  }

  return {
    async start() {
      stopListening = await notifications.listen(CHANNEL, { heard: reload, missed: reload });
      await load();
    },
    stop() {
      stopListening?.();
    },
    of: (tenantId) => tenants.get(tenantId) ?? otherwise,
    async write(tenantId, { kind, hash, content, by }, held) {
      await tenant(tenantId)
        .transaction()
        .execute(async (trx) => {
          await trx
            .insertInto('governance_documents')
            .values({
              tenant_id: tenantId,
              kind,
              hash,
              content: JSON.stringify(content),
              written_by: by,
              written_at: new Date(clock.now()),
            })
            .execute();
          await sql`select pg_notify(${CHANNEL}, ${tenantId})`.execute(trx);
        });
      tenants.set(tenantId, held);
      return held;
    },
    async history(tenantId, kind, limit) {
      const rows = await tenant(tenantId)
        .selectFrom('governance_documents')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('kind', '=', kind)
        .orderBy('number', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ hash, content, written_by: writtenBy, written_at: at }) => ({
        kind,
        hash,
        content,
        writtenBy,
        writtenAt: at.toISOString(),
      }));
    },
  };
}
