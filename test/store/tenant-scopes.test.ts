/**
 * What the database lets a tenant do, whatever statement is made for it. The tables are those of the catalogue, so a new
 * one that is not protected fails here by its name.
 */
import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type Database, openDatabase, type RowSecurity } from '../../src/store/database.ts';
import { migrations } from '../../src/store/schema.ts';
import { createTestDatabase, openTestDatabase } from '../support/database.ts';
import { recordingLog, silentLog } from '../support/log.ts';

/** Tables that belong to no tenant, and why. */
const withoutTenant: Readonly<Record<string, string>> = {
  migrations: 'says which steps made the tables',
  routines: 'says which functions were made',
  tenant_tables: 'says which tables are protected',
  definitions: 'content under its own hash, the same for everybody; reached through a run that is pinned to it',
  database_mode: 'says whether the database is one of simulations',
  task_limits: 'limits of the operator',
  task_settings: 'settings of the operator',
};

interface Column {
  table: string;
  column: string;
  type: string;
  needed: boolean;
  changeable: boolean;
}

let database: Database;
let owner: pg.Client;
const columns = new Map<string, Column[]>();

beforeAll(async () => {
  database = await openTestDatabase();
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
  const { rows } = await owner.query<Column>(`
    select c.relname as "table", a.attname as "column", format_type(a.atttypid, null) as type,
      a.attnotnull and not a.atthasdef and a.attidentity = '' as needed, a.attidentity = '' as changeable
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'aos'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
    order by 1, a.attnum`);
  for (const row of rows) columns.set(row.table, [...(columns.get(row.table) ?? []), row]);
  // Rows without their parents and with any words in them: only whose they are matters here.
  const { rows: checks } = await owner.query<{ drop: string }>(`
    select format('alter table %s drop constraint %I', conrelid::regclass, conname) as drop from pg_constraint
    where connamespace = 'aos'::regnamespace and contype in ('c', 'f')`);
  for (const { drop } of checks) await owner.query(drop);
  for (const [table, list] of columns) {
    if (table in withoutTenant) continue;
    for (const tenant of ['a', 'b']) await insertRow(table, list, tenant);
  }
});

afterAll(async () => {
  await owner?.end();
  await database?.close();
});

const samples: Readonly<Record<string, string>> = {
  text: `'x'`,
  json: `'{}'`,
  jsonb: `'{}'`,
  boolean: 'false',
  'text[]': `'{}'`,
  'timestamp with time zone': 'now()',
  bytea: `''`,
  uuid: 'gen_random_uuid()',
};

function insertion(table: string, list: readonly Column[], tenant: string): string {
  const filled = list.filter(({ column, needed }) => needed || column === 'tenant_id');
  const values = filled.map(({ column, type }) => {
    if (column === 'tenant_id') return `'${tenant}'`;
    const known = samples[type] ?? '1';
    // Keys of two rows must differ where the tenant is no part of them.
    return type === 'text' && known === `'x'` ? `'x-${tenant}'` : known;
  });
  return `insert into aos.${table} (${filled.map(({ column }) => `"${column}"`).join(', ')}) values (${values.join(', ')})`;
}

async function insertRow(table: string, list: readonly Column[], tenant: string): Promise<void> {
  await owner.query(insertion(table, list, tenant));
}

/** All rows of a tenant in a table, as text. */
async function rowsOf(table: string, tenant: string): Promise<string> {
  const { rows } = await owner.query<{ rows: string }>(
    `select coalesce(string_agg(t::text, E'\\n' order by t::text), '') as rows from aos.${table} t where tenant_id = $1`,
    [tenant],
  );
  return rows[0]?.rows ?? '';
}

const isRefusal = (failure: unknown) =>
  /permission denied|row-level security|only ever continued|cannot be taken back/.test(String(failure));

async function attempt(statement: string): Promise<string> {
  return sql
    .raw(statement)
    .execute(database.tenant('a'))
    .then(
      () => 'done',
      (failure: unknown) => {
        if (isRefusal(failure)) return 'refused';
        throw failure;
      },
    );
}

describe('every table', () => {
  it('has a tenant and a policy, or a reason why not', async () => {
    const { rows } = await owner.query<{ name: string }>(`
      select c.relname as name from pg_class c
      where c.relnamespace = 'aos'::regnamespace and c.relkind in ('r', 'p')
        and not (c.relrowsecurity and exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'own_tenant'))`);
    const unprotected = rows.map(({ name }) => name).filter((name) => !(name in withoutTenant));
    expect(unprotected, 'protect them in their migration: select aos.protect_tenant_rows(…)').toEqual([]);
    for (const name of Object.keys(withoutTenant)) {
      expect(
        columns.get(name)?.some(({ column }) => column === 'tenant_id'),
        name,
      ).toBe(false);
    }
  });

  it('is closed to tenants unless it is protected', async () => {
    await owner.query('create table aos.forgotten (tenant_id text, secret text)');
    expect(await attempt('select * from aos.forgotten')).toBe('refused');
    await owner.query('drop table aos.forgotten');
    for (const table of Object.keys(withoutTenant))
      expect(await attempt(`select * from aos.${table}`), table).toBe('refused');
  });

  it('shows and lets change nothing of another tenant, whatever the statement says', async () => {
    for (const [table, list] of columns) {
      if (table in withoutTenant) continue;
      const before = await rowsOf(table, 'b');
      expect(before, `${table} has a row of b`).not.toBe('');
      const seen = await sql<{ tenant_id: string }>`select tenant_id from ${sql.id('aos', table)}`
        .execute(database.tenant('a'))
        .then(
          ({ rows }) => new Set(rows.map(({ tenant_id }) => tenant_id)),
          (failure: unknown) => {
            if (isRefusal(failure)) return new Set<string>();
            throw failure;
          },
        );
      expect(seen.has('b'), `${table} shows what is b's`).toBe(false);
      const first = list.find(({ column, changeable }) => changeable && column !== 'tenant_id')?.column ?? 'tenant_id';
      await attempt(`update aos.${table} set "${first}" = "${first}"`);
      await attempt(`update aos.${table} set "${first}" = "${first}" where tenant_id = 'b'`);
      await attempt(`update aos.${table} set tenant_id = 'b'`);
      await attempt(`delete from aos.${table} where tenant_id = 'b'`);
      expect(await attempt(insertion(table, list, 'b').replaceAll('x-b', 'x-c')), table).toBe('refused');
      expect(await rowsOf(table, 'b'), `${table} has changed`).toBe(before);
    }
  });

  it('cannot be reached by a tenant that has no name', async () => {
    const { rows } = await sql`select * from aos.runs`.execute(database.tenant(''));
    expect(rows).toEqual([]);
  });
});

describe('a tenant', () => {
  it('does not empty, lock out or leave the tables', async () => {
    for (const statement of [
      'truncate aos.records',
      'drop table aos.records',
      'alter table aos.records disable row level security',
    ]) {
      await expect(sql.raw(statement).execute(database.tenant('a'))).rejects.toThrow(/permission denied|must be owner/);
    }
  });

  it('has its own rows after another had the connection, committed or rolled back', async () => {
    const mine = async (tenant: string) => {
      const rows = await database.tenant(tenant).selectFrom('records').select('tenant_id').execute();
      return rows.map((row) => row.tenant_id);
    };
    for (const tenant of ['a', 'b', 'a', 'b']) {
      expect(await mine(tenant)).toEqual([tenant]);
      await database
        .tenant(tenant)
        .transaction()
        .execute(async (trx) => {
          await trx.selectFrom('records').selectAll().execute();
          throw new Error('rolled back');
        })
        .catch(() => {});
    }
    const many = await Promise.all(Array.from({ length: 60 }, (_, at) => mine(at % 2 === 0 ? 'a' : 'b')));
    expect(many.map(([tenant]) => tenant)).toEqual(many.map((_, at) => (at % 2 === 0 ? 'a' : 'b')));
  });
});

/** A database as a build left it that knew only the migrations before this one. @returns its URL, and a client to fill it */
async function databaseBefore(migration: string): Promise<{ readonly url: string; readonly client: pg.Client }> {
  const url = await createTestDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('create schema aos');
  await client.query('create table aos.migrations (name text primary key, applied_at timestamptz default now())');
  for (const { name, sql } of migrations.filter((each) => each.name < migration)) {
    await client.query(sql);
    await client.query('insert into aos.migrations (name) values ($1)', [name]);
  }
  return { url, client };
}

describe('a database from before there were policies', () => {
  it('has its rows protected, with the tenant of the run or the job that they belong to', async () => {
    const { url, client } = await databaseBefore('014');
    await client.query(`
      insert into aos.runs (id, kind, session_id, tenant_id, user_id, request, request_hash, status, call_id, simulated,
          created_at)
        select 'run-' || t, 'chat', 's', t, 'u', '{}', '', 'completed', '', false, now() from unnest('{a,b}'::text[]) t;
      insert into aos.run_steps (run_id, name, ordinal, outcome, effect, started_at, completed_at, epoch)
        select 'run-' || t, 'one', 1, '{}', 'read', now(), now(), 1 from unnest('{a,b}'::text[]) t`);
    await client.end();
    const upgraded = await openDatabase({ url, clock: systemClock, log: silentLog });
    for (const tenant of ['a', 'b']) {
      const steps = await upgraded.tenant(tenant).selectFrom('run_steps').select(['run_id', 'tenant_id']).execute();
      expect(steps).toEqual([{ run_id: `run-${tenant}`, tenant_id: tenant }]);
    }
    await upgraded.close();
  });
});

describe('a database from before ids were of their tenants', () => {
  it('keeps what it has, and lets another tenant use the same ids', async () => {
    const { url, client } = await databaseBefore('031');
    await client.query(`
      insert into aos.runs (id, kind, session_id, tenant_id, user_id, request, request_hash, status, call_id, simulated,
          created_at)
        values ('report.1', 'task', 's', 'a', 'u', '{}', '', 'waiting', '', false, now());
      insert into aos.approvals (id, run_id, tenant_id, status, expires_at, revision, state)
        values ('x', 'report.1', 'a', 'pending', now(), 1, '{}');
      insert into aos.tasks (id, tenant_id, user_id, submission, request_hash, task_type, rank, status, agent_id,
          target_system, call_id, created_at, due_at, max_retries)
        values ('report', 'a', 'u', '{}', 'h', 'health_check', 2, 'pending', '', '', '', now(), now(), 3);
      insert into aos.jobs (id, tenant_id, user_id, name, description, schedule, schedule_type, anchor_at, task,
          misfire_policy, misfire_grace_seconds, overlap_policy, max_concurrent_runs, status, consecutive_failures,
          run_count, created_at, updated_at)
        values ('nightly', 'a', 'u', '', '', '{}', 'once', now(), '{}', '', 0, '', 1, 'paused', 0, 0, now(), now());
      insert into aos.job_runs (job_id, planned_at, status, cause, noticed_at)
        values ('nightly', now(), 'queued', 'manual', now());`);
    const tables = ['runs', 'approvals', 'tasks', 'jobs', 'job_runs'] as const;
    const rowsOf = async (tenant: string) => {
      const found: object[][] = [];
      for (const name of tables) {
        const { rows } = await client.query<{ row: object }>(
          `select to_json(t) as row from aos.${name} t where tenant_id = $1`,
          [tenant],
        );
        found.push(rows.map(({ row }) => row));
      }
      return found;
    };
    const before = await rowsOf('a');
    const upgraded = await openDatabase({ url, clock: systemClock, log: silentLog });
    const kept = await rowsOf('a');
    expect(kept).toMatchObject(before);
    for (const [at, name] of tables.entries()) {
      const row = { ...kept[at]?.[0], tenant_id: 'b' };
      await client.query(
        `insert into aos.${name} overriding system value select * from json_populate_record(null::aos.${name}, $1)`,
        [JSON.stringify(row)],
      );
    }
    expect((await rowsOf('b')).map((rows) => rows.length)).toEqual([1, 1, 1, 1, 1]);
    await upgraded.tenant('b').deleteFrom('jobs').execute();
    await client.query(`delete from aos.runs where tenant_id = 'b'`);
    // What hangs on them went with them, and nothing of the other's.
    expect((await rowsOf('b')).map((rows) => rows.length)).toEqual([0, 0, 1, 0, 0]);
    expect(await rowsOf('a')).toEqual(kept);
    await client.end();
    await upgraded.close();
  });
});

describe('a database user who may not make roles', () => {
  const role = `plain_${randomBytes(4).toString('hex')}`;
  let url: URL;
  let administrator: pg.Client;
  const log = recordingLog();
  const open = (rowSecurity: RowSecurity) => openDatabase({ url: url.href, clock: systemClock, log, rowSecurity });

  beforeAll(async () => {
    const shared = inject('postgresUrl');
    administrator = new pg.Client({ connectionString: shared });
    await administrator.connect();
    await administrator.query(`create role ${role} login`);
    await administrator.query(`grant ${role} to current_user`);
    await administrator.query(`create database test_${role} owner ${role}`);
    url = new URL(shared);
    url.username = role;
    url.pathname = `/test_${role}`;
  });
  afterAll(async () => {
    await administrator?.query(`drop database if exists test_${role}`);
    await administrator?.query(`drop role if exists ${role}`);
    await administrator?.end();
  });

  it('is told what an administrator has to do, and goes on without when it is to', async () => {
    await expect(open('required')).rejects.toThrow(`grant aos_tenant to "${role}"`);
    const without = await open('off');
    expect(await without.tenant('a').selectFrom('records').selectAll().execute()).toEqual([]);
    await without.close();
    expect(log.lines.some(({ message }) => message.includes('row security is off'))).toBe(true);
  });

  it('has tenants kept apart once it has the role', async () => {
    await administrator.query(`grant aos_tenant to ${role}`);
    const database = await open('required');
    const now = new Date();
    const row = { collection: 'app', id: '1', data: '{}', created_at: now, updated_at: now };
    await database
      .tenant('a')
      .insertInto('records')
      .values({ ...row, tenant_id: 'a' })
      .execute();
    expect(await database.tenant('b').selectFrom('records').selectAll().execute()).toEqual([]);
    expect(await database.tenant('a').selectFrom('records').selectAll().execute()).toHaveLength(1);
    await database.close();
  });
});
