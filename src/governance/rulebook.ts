/**
 * The rules that hold: a matrix and a policy for each tenant. They come from files at the start and may be replaced per
 * tenant while the server runs; every version that somebody gave is kept. Reading them is a look into memory.
 */

import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import type { ConditionCompiler } from './policy/condition.ts';
import { createPolicy, type Policy } from './policy/policy.ts';
import type { Matrix } from './raci/matrix.ts';
import { readMatrix } from './raci/matrix-rules.ts';

export interface Rules {
  readonly matrix: Matrix;
  readonly policy: Policy;
}

export const documentKinds = ['raci', 'policy'] as const;
export type DocumentKind = (typeof documentKinds)[number];

/** A version of a document as it is kept. */
export interface KeptDocument<Kind extends string = DocumentKind> {
  readonly kind: Kind;
  readonly hash: string;
  readonly content: JsonObject;
  readonly writtenBy: string;
  /** ISO-8601 UTC. */
  readonly writtenAt: string;
}

export interface Rulebook {
  start(): Promise<void>;
  stop(): void;
  /** The rules of a tenant: its own, else those of the server. */
  of(tenantId: string): Rules;
  /**
   * Replaces a document of a tenant, here at once and in other processes with the next word from the database.
   * @throws AosError invalid_request with every fault
   */
  replace(tenantId: string, kind: DocumentKind, given: JsonObject, by: string): Promise<Rules>;
  /**
   * A document as rules, which do not hold yet.
   * @throws AosError invalid_request with every fault
   */
  read(kind: DocumentKind, given: JsonObject): Partial<Rules>;
  /** Newest first. */
  history(tenantId: string, kind: DocumentKind, limit: number): Promise<readonly KeptDocument[]>;
}

export interface RulebookParts {
  readonly database: Database;
  /** What holds where a tenant has nothing of its own. */
  readonly rules: Rules;
  readonly conditions: ConditionCompiler;
  /** Names of the actions there are: for each of them somebody must answer. */
  readonly actions: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Tells processes that a document of some tenant was replaced. */
export const documentsChannel = 'aos_governance';

export function createRulebook(parts: RulebookParts): Rulebook {
  const { database, rules, conditions, actions, clock, log } = parts;
  const { db, tenant, notifications } = database;
  let tenants = new Map<string, Rules>();
  let stopListening: (() => void) | undefined;

  function read(kind: DocumentKind, given: JsonObject): Partial<Rules> {
    return kind === 'raci'
      ? { matrix: readMatrix(given, actions, 'the matrix') }
      : { policy: createPolicy(given, conditions, 'the policy') };
  }

  async function load(): Promise<void> {
    const rows = await db
      .selectFrom('governance_documents')
      .distinctOn(['tenant_id', 'kind'])
      .select(['tenant_id', 'kind', 'content'])
      .where('kind', 'in', documentKinds)
      .orderBy('tenant_id')
      .orderBy('kind')
      .orderBy('number', 'desc')
      .execute();
    const loaded = new Map<string, Rules>();
    for (const { tenant_id: tenant, kind, content } of rows) {
      const before = loaded.get(tenant) ?? rules;
      try {
        loaded.set(tenant, { ...before, ...read(kind === 'raci' ? 'raci' : 'policy', content) });
      } catch (thrown) {
        // A document that was good when it was given, before some action was there: what held before goes on holding.
        const kept = tenants.get(tenant) ?? before;
        loaded.set(tenant, kept);
        log.error('the rules of a tenant cannot be used', { tenant_id: tenant, kind, error: asError(thrown) });
      }
    }
    tenants = loaded;
  }

  async function reload(): Promise<void> {
    await load().catch((thrown: unknown) =>
      log.warn('the rules could not be read again', { reason: asError(thrown).message }),
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
    of: (tenantId) => tenants.get(tenantId) ?? rules,
    read,
    async replace(tenantId, kind, given, by) {
      const replaced = { ...(tenants.get(tenantId) ?? rules), ...read(kind, given) };
      const { hash } = kind === 'raci' ? replaced.matrix : replaced.policy;
      await tenant(tenantId)
        .transaction()
        .execute(async (trx) => {
          await trx
            .insertInto('governance_documents')
            .values({
              tenant_id: tenantId,
              kind,
              hash,
              content: JSON.stringify(given),
              written_by: by,
              written_at: new Date(clock.now()),
            })
            .execute();
          await sql`select pg_notify(${documentsChannel}, ${tenantId})`.execute(trx);
        });
      tenants.set(tenantId, replaced);
      return replaced;
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
      return rows.map((row) => ({
        kind,
        hash: row.hash,
        content: row.content,
        writtenBy: row.written_by,
        writtenAt: row.written_at.toISOString(),
      }));
    },
  };
}
