/** What agents give one another to know: kept per target and correlation, so that later work of the same matter has it. */
import type { Selectable } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { type Caller, reachOf } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { SharedContextTable } from '../store/tables/delegation.ts';

/** How many of a matter an agent is told. */
const MOST = 20;

export interface SharedContext {
  readonly id: string;
  readonly caller: Caller;
  readonly from: string;
  readonly to: string;
  readonly correlationId: string;
  /** As it was let through. */
  readonly context: JsonObject;
  readonly scan: JsonObject | null;
  /** From 1. */
  readonly version: number;
  /** All times ISO-8601 UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt: string | null;
}

export type NewSharedContext = Omit<SharedContext, 'version' | 'createdAt' | 'updatedAt'>;

export interface SharedContexts {
  share(within: StoreScope, context: NewSharedContext): Promise<void>;
  /**
   * Puts members over those that are there; null takes one away. Only who shared it may.
   * @throws AosError not_found (CONTEXT_NOT_FOUND)
   */
  update(
    within: StoreScope,
    place: { readonly caller: Caller; readonly from: string; readonly id: string },
    change: JsonObject,
    scan: JsonObject | null,
  ): Promise<SharedContext>;
  find(tenantId: string, id: string): Promise<SharedContext | undefined>;
  /** What an agent was given in a matter, of the same user's work, oldest first; not what has expired. */
  known(within: StoreScope, caller: Caller, to: string, correlationId: string): Promise<readonly SharedContext[]>;
}

export function createSharedContexts({
  database,
  clock,
}: {
  database: Pick<Database, 'tenant'>;
  clock: Clock;
}): SharedContexts {
  const one = (within: StoreScope, tenantId: string, id: string) =>
    within.selectFrom('shared_contexts').selectAll().where('tenant_id', '=', tenantId).where('id', '=', id);
  const isLive = ({ expires_at: until }: Selectable<SharedContextTable>) =>
    until === null || until.getTime() > clock.now();

  return {
    async share(within, { id, caller, from, to, correlationId, context, scan, expiresAt }) {
      const now = new Date(clock.now());
      await within
        .insertInto('shared_contexts')
        .values({
          tenant_id: caller.tenantId,
          id,
          user_id: caller.userId,
          from_agent: from,
          to_agent: to,
          correlation_id: correlationId,
          context: JSON.stringify(context),
          scan: scan === null ? null : JSON.stringify(scan),
          version: 1,
          created_at: now,
          updated_at: now,
          expires_at: expiresAt === null ? null : new Date(expiresAt),
        })
        .execute();
    },
    async update(within, { caller, from, id }, change, scan) {
      const row = await one(within, caller.tenantId, id).forNoKeyUpdate().executeTakeFirst();
      const isTheirs = reachOf(caller) === '' || row?.user_id === caller.userId;
      if (row === undefined || row.from_agent !== from || !isTheirs || !isLive(row)) throw unknownContext(id);
      const merged = Object.entries({ ...row.context, ...change }).filter(([, value]) => value !== null);
      const after = await within
        .updateTable('shared_contexts')
        .set({
          context: JSON.stringify(Object.fromEntries(merged)),
          scan: scan === null ? null : JSON.stringify(scan),
          version: row.version + 1,
          updated_at: new Date(clock.now()),
        })
        .where('tenant_id', '=', caller.tenantId)
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow();
      return toContext(after);
    },
    async find(tenantId, id) {
      const row = await one(database.tenant(tenantId), tenantId, id).executeTakeFirst();
      return row !== undefined && isLive(row) ? toContext(row) : undefined;
    },
    async known(within, { tenantId, userId }, to, correlationId) {
      const rows = await within
        .selectFrom('shared_contexts')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('user_id', '=', userId)
        .where('to_agent', '=', to)
        .where('correlation_id', '=', correlationId)
        .orderBy('created_at', 'desc')
        .limit(MOST)
        .execute();
      return rows.filter(isLive).map(toContext).toReversed();
    },
  };
}

export function unknownContext(id: string): AosError {
  return new AosError('not_found', `Context ${id} not found`, { reason: 'CONTEXT_NOT_FOUND' });
}

function toContext(row: Selectable<SharedContextTable>): SharedContext {
  return {
    id: row.id,
    caller: { tenantId: row.tenant_id, userId: row.user_id },
    from: row.from_agent,
    to: row.to_agent,
    correlationId: row.correlation_id,
    context: row.context,
    scan: row.scan,
    version: row.version,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
  };
}
