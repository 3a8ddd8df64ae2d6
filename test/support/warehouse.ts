/** What stands behind the look-alikes of warehouses: a real PostgreSQL that runs the statements connectors make. */
import pg from 'pg';
import { createTestDatabase } from './database.ts';

export interface WarehouseResult {
  readonly fields: readonly { readonly name: string; readonly oid: number }[];
  /** Values as text. */
  readonly rows: readonly (readonly (string | null)[])[];
}

export interface Warehouse {
  /** Statements that ran. */
  readonly executions: number;
  /** From now on statements wait before they run, until let go. */
  hold(): void;
  release(): void;
  /** Runs a statement with `?` where values go. Rejects with the error of PostgreSQL. */
  run(statement: string, values: readonly (string | null)[], schema: string): Promise<WarehouseResult>;
  /** For the test itself. */
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  close(): Promise<void>;
}

const STAGING = `id text primary key, entity_id text, entity_type text, action_type text, payload text, agent_id text,
  tenant_id text, correlation_id text, primary_plane_id text, status text, created_at timestamp`;

export async function openWarehouse(): Promise<Warehouse> {
  const pool = new pg.Pool({ connectionString: await createTestDatabase(), max: 4 });
  await pool.query(`create schema aos_staging;
    create table aos_staging.stg_crm_customer_updates (${STAGING});
    create table aos_staging.customer (
      entity_id text, tenant_id text, name text, orders bigint, score double precision, active boolean);
    insert into aos_staging.customer values
      ('c1', 'acme', 'Ada', 3, 0.5, true), ('c2', 'acme', 'Bo', 12345678901234567, 2, false),
      ('c3', 'acme', null, null, null, null), ('c1', 'other', 'Zoe', 1, 1, true)`);
  let executions = 0;
  let gate: { readonly open: Promise<void>; readonly release: () => void } | undefined;
  return {
    get executions() {
      return executions;
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = { open: promise, release: resolve };
    },
    release() {
      gate?.release();
      gate = undefined;
    },
    async run(statement, values, schema) {
      await gate?.open;
      executions++;
      let place = 0;
      const text = statement.replaceAll('?', () => `$${++place}`);
      const client = await pool.connect();
      try {
        await client.query(`set search_path to ${client.escapeIdentifier(schema)}`);
        const result = await client.query<(string | null)[]>({
          text,
          values: [...values],
          rowMode: 'array',
          types: { getTypeParser: () => (value: string) => value },
        });
        const fields = result.fields.map(({ name, dataTypeID }) => ({ name, oid: dataTypeID }));
        return { fields, rows: result.rows };
      } finally {
        client.release();
      }
    },
    query: async (sql) => (await pool.query<Record<string, unknown>>(sql)).rows,
    close: () => pool.end(),
  };
}
