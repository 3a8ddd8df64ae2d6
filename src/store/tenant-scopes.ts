/**
 * The database as one tenant has it. Its statements run under the role `aos_tenant`, on a connection that says whose
 * they are; the policies of the tables do the rest (see `tables/tenancy.ts`). Connections are lent to one tenant after
 * the other, and are told when that changes.
 */
import type { Kysely, PostgresPool, PostgresPoolClient } from 'kysely';
import type pg from 'pg';
import type { Schema } from './schema.ts';

/** How many tenants are remembered; one that is not is only made again. */
const MAX_SCOPES = 1_000;

/** @param tenantId whose rows there are, and no others */
export type TenantScopes = (tenantId: string) => Kysely<Schema>;

export function createTenantScopes(pool: pg.Pool, query: (connections: PostgresPool) => Kysely<Schema>): TenantScopes {
  const scopes = new Map<string, Kysely<Schema>>();
  /** Whose each connection is at present. */
  const lentTo = new WeakMap<pg.PoolClient, string>();

  async function connectAs(tenantId: string): Promise<PostgresPoolClient> {
    const client = await pool.connect();
    if (lentTo.get(client) === tenantId) return client;
    try {
      // Outside of any transaction, so that no rollback brings back whose it was before.
      await client.query(`select set_config('role', 'aos_tenant', false), set_config('aos.tenant', $1, false)`, [
        tenantId,
      ]);
    } catch (failure) {
      // Nobody knows whose it is now.
      client.release(true);
      throw failure;
    }
    lentTo.set(client, tenantId);
    return client;
  }

  return (tenantId) => {
    const known = scopes.get(tenantId);
    if (known !== undefined) return known;
    const oldest = scopes.size < MAX_SCOPES ? undefined : scopes.keys().next().value;
    if (oldest !== undefined) scopes.delete(oldest);
    const scope = query({
      options: pool.options,
      connect: () => connectAs(tenantId),
      // The pool is everybody's and ends with the database.
      end: async () => {},
    });
    scopes.set(tenantId, scope);
    return scope;
  };
}
