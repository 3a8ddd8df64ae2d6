/**
 * What holds for the personal data of each tenant: its own document, else what the server was started with. It may be
 * replaced while the server runs, and holds in every process with the next word from the database. Reading it is a look
 * into memory.
 */
import { sql } from 'kysely';
import type { Clock } from '../../core/clock.ts';
import { asError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Database } from '../../store/database.ts';
import type { Log } from '../../telemetry/log.ts';
import { documentsChannel, type KeptDocument } from '../rulebook.ts';
import type { TenantScreening } from './policy.ts';
import { readScreening, rulesOf, type ScreeningRules } from './screening-document.ts';

export interface ScreeningBook {
  start(): Promise<void>;
  stop(): void;
  of(tenantId: string): ScreeningRules;
  /**
   * Replaces the document of a tenant, here at once. Every version is kept.
   * @throws AosError invalid_request with every fault
   */
  replace(tenantId: string, given: JsonObject, by: string): Promise<ScreeningRules>;
  /** Newest first. */
  history(tenantId: string, limit: number): Promise<readonly KeptDocument<'screening'>[]>;
}

export interface ScreeningBookParts {
  readonly database: Database;
  /** What holds where a tenant has nothing of its own. */
  readonly standard: TenantScreening;
  readonly clock: Clock;
  readonly log: Log;
}

export function createScreeningBook({ database, standard, clock, log }: ScreeningBookParts): ScreeningBook {
  const { db, tenant, notifications } = database;
  const otherwise = rulesOf(standard);
  let tenants = new Map<string, ScreeningRules>();
  let stopListening: (() => void) | undefined;

  async function load(): Promise<void> {
    const rows = await db
      .selectFrom('governance_documents')
      .distinctOn('tenant_id')
      .select(['tenant_id', 'content'])
      .where('kind', '=', 'screening')
      .orderBy('tenant_id')
      .orderBy('number', 'desc')
      .execute();
    const loaded = new Map<string, ScreeningRules>();
    for (const { tenant_id: tenant, content } of rows) {
      try {
        loaded.set(tenant, readScreening(content));
      } catch (thrown) {
        // Written by a newer version of the server: what is known to be strict enough is everything.
        loaded.set(tenant, rulesOf({ policy: { ...standard.policy, action: 'REDACT' }, floor: 'REDACT' }));
        log.error('the screening document of a tenant cannot be used: its data are redacted', {
          tenant_id: tenant,
          error: asError(thrown),
        });
      }
    }
    tenants = loaded;
  }

  async function reload(): Promise<void> {
    await load().catch((thrown: unknown) =>
      log.warn('the screening documents could not be read again', { reason: asError(thrown).message }),
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
    of: (tenantId) => tenants.get(tenantId) ?? otherwise,
    async replace(tenantId, given, by) {
      const rules = readScreening(given);
      await tenant(tenantId)
        .transaction()
        .execute(async (trx) => {
          await trx
            .insertInto('governance_documents')
            .values({
              tenant_id: tenantId,
              kind: 'screening',
              hash: rules.hash,
              content: JSON.stringify(given),
              written_by: by,
              written_at: new Date(clock.now()),
            })
            .execute();
          await sql`select pg_notify(${documentsChannel}, ${tenantId})`.execute(trx);
        });
      tenants.set(tenantId, rules);
      return rules;
    },
    async history(tenantId, limit) {
      const rows = await tenant(tenantId)
        .selectFrom('governance_documents')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('kind', '=', 'screening')
        .orderBy('number', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ hash, content, written_by: writtenBy, written_at: at }) => ({
        kind: 'screening' as const,
        hash,
        content,
        writtenBy,
        writtenAt: at.toISOString(),
      }));
    },
  };
}
