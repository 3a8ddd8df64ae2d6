/** The limits that hold for each tenant. Reading them is a look into memory; every version that somebody gave is kept. */
import { sql } from 'kysely';
import type { Clock } from '../../core/clock.ts';
import { asError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Database } from '../../store/database.ts';
import type { Log } from '../../telemetry/log.ts';
import { documentsChannel } from '../rulebook.ts';
import { defaultLimits, type Limits, readLimits } from './limit-document.ts';

export interface LimitBook {
  start(): Promise<void>;
  stop(): void;
  of(tenantId: string): Limits;
  /**
   * Replaces the limits of a tenant, here at once and in other processes with the next word from the database. Quotas
   * hold everywhere at once: they are checked there.
   * @throws AosError invalid_request with every fault
   */
  replace(tenantId: string, given: JsonObject, by: string): Promise<Limits>;
}

export interface LimitBookParts {
  readonly database: Pick<Database, 'db' | 'notifications'>;
  readonly clock: Clock;
  readonly log: Log;
}

const KIND = 'limits';

export function createLimitBook({ database, clock, log }: LimitBookParts): LimitBook {
  const { db, notifications } = database;
  let tenants = new Map<string, Limits>();
  let stopListening: (() => void) | undefined;

  async function load(): Promise<void> {
    const rows = await db
      .selectFrom('governance_documents')
      .distinctOn('tenant_id')
      .select(['tenant_id', 'content'])
      .where('kind', '=', KIND)
      .orderBy('tenant_id')
      .orderBy('number', 'desc')
      .execute();
    const loaded = new Map<string, Limits>();
    for (const { tenant_id: tenant, content } of rows) {
      try {
        loaded.set(tenant, readLimits(content));
      } catch (thrown) {
        // Written by another version of the server: what held before goes on holding.
        loaded.set(tenant, tenants.get(tenant) ?? defaultLimits);
        log.error('the limits of a tenant cannot be used', { tenant_id: tenant, error: asError(thrown) });
      }
    }
    tenants = loaded;
  }

  async function reload(): Promise<void> {
    await load().catch((thrown: unknown) =>
      log.warn('the limits could not be read again', { reason: asError(thrown).message }),
    );
  }

  return {
    async start() {
      const look = () => void reload();
      stopListening = await notifications.listen(documentsChannel, { heard: look, missed: look });
      await load();
    },
    stop() {
      stopListening?.();
    },
    of: (tenantId) => tenants.get(tenantId) ?? defaultLimits,
    async replace(tenantId, given, by) {
      const limits = readLimits(given);
      const { document, hash } = limits;
      await db.transaction().execute(async (trx) => {
        await trx
          .insertInto('governance_documents')
          .values({
            tenant_id: tenantId,
            kind: KIND,
            hash,
            // With everything filled in: the database reads the quotas from it.
            content: JSON.stringify(document),
            written_by: by,
            written_at: new Date(clock.now()),
          })
          .execute();
        await sql`select pg_notify(${documentsChannel}, ${tenantId})`.execute(trx);
      });
      tenants.set(tenantId, limits);
      return limits;
    },
  };
}
