/**
 * Ids belong to tenants: whatever a tenant names, another may name the same. So everything that is unique in a table
 * with a tenant is unique within its tenant, and rows that refer to one another are of the same one.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';

let database: Database;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());

const ofTenants = `select c.oid from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
  where c.relnamespace = 'aos'::regnamespace and c.relkind = 'r'`;
const columns = (keys: string, table: string) =>
  `array(select a.attname::text from unnest(${keys}) k join pg_attribute a on a.attrelid = ${table} and a.attnum = k)`;

interface Key {
  readonly table: string;
  readonly name: string;
  readonly columns: readonly string[];
}

describe('in the database', () => {
  it('every primary key and every unique index of a table with a tenant contains it', async () => {
    const { rows } = await database.pool.query<Key>(`
      select x.indrelid::regclass::text as table, x.indexrelid::regclass::text as name, ${columns('x.indkey', 'x.indrelid')} as columns
        from pg_index x where x.indisunique and x.indrelid in (${ofTenants})`);
    expect(rows.length).toBeGreaterThan(40);
    expect(namesOf(rows)).toEqual([]);
  });

  it('every reference between two tables with tenants leads from a tenant to itself', async () => {
    const { rows } = await database.pool.query<Key>(`
      select f.conrelid::regclass::text as table, f.conname::text as name, ${columns('f.conkey', 'f.conrelid')} as columns
        from pg_constraint f
       where f.contype = 'f' and f.conrelid in (${ofTenants}) and f.confrelid in (${ofTenants})`);
    expect(rows.length).toBeGreaterThan(0);
    expect(namesOf(rows)).toEqual([]);
  });
});

function namesOf(keys: readonly Key[]): readonly string[] {
  const without = keys.filter(({ columns: named }) => !named.includes('tenant_id'));
  return without.map(({ table, name, columns: named }) => `${table} ${name} (${named.join(', ')})`);
}
