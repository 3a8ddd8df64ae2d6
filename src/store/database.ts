/**
 * The one place that opens PostgreSQL: a pool, the typed query builder over it, the tables brought up to date, and the
 * process's standing connection.
 */
import { Kysely, PostgresDialect, type PostgresPool } from 'kysely';
import pg from 'pg';
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { Log } from '../telemetry/log.ts';
import { hasRoutines, makeRoutines } from './routine.ts';
import { migrations, type Schema } from './schema.ts';
import { createStandingConnection, type Locks, type Notifications } from './standing-connection.ts';
import { createTenantScopes, type TenantScopes } from './tenant-scopes.ts';

const DEFAULT_POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 10_000;
/** Number of our advisory lock for migrations; any constant does, as long as it stays. */
const MIGRATION_LOCK = 4_710_001;

export interface DatabaseOptions {
  /** `postgresql://…`; must be a direct connection (LISTEN and session locks do not pass transaction poolers). */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly poolSize?: number;
  /** By default `required`. */
  readonly rowSecurity?: RowSecurity;
}

/**
 * Whether the database itself keeps tenants apart: `required`: it does, or the process does not start; `off`: only the
 * conditions of our statements do (for servers on which we may not have a second role).
 */
export type RowSecurity = 'required' | 'off';

/** Where statements go: the database, or one of its transactions. */
export type StoreScope = Kysely<Schema>;

export interface Database {
  /**
   * Queries on the tables of `Schema`, of the system itself: they see every tenant. Raw SQL must name the schema:
   * `aos.runs`.
   */
  readonly db: Kysely<Schema>;
  /** The same for one tenant: what is asked for a caller sees and changes that tenant's rows only, whatever it says. */
  readonly tenant: TenantScopes;
  readonly url: string;
  /** The pool behind `db`, for the engine's own tables. */
  readonly pool: pg.Pool;
  readonly notifications: Notifications;
  readonly locks: Locks;
  close(): Promise<void>;
}

/**
 * Connects, brings the tables up to date and starts listening.
 * @throws Error with one sentence for people when the server cannot be reached or refuses us
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, clock, log, poolSize = DEFAULT_POOL_SIZE, rowSecurity = 'required' } = options;
  const pool = openPool(url, poolSize, log);
  const standing = createStandingConnection({ connect: () => connect(url), clock, log });
  try {
    await Promise.all([migrate(pool, url, rowSecurity), standing.start()]);
  } catch (failure) {
    await Promise.allSettled([standing.stop(), pool.end()]);
    throw failure;
  }
  const query = (queries: PostgresPool) =>
    new Kysely<Schema>({ dialect: new PostgresDialect({ pool: queries }) }).withSchema('aos');
  const db = query(pool);
  // Of its own, so that callers who ask for much never keep the engine waiting for a connection.
  const tenantPool = rowSecurity === 'off' ? undefined : openPool(url, poolSize, log);
  if (tenantPool === undefined) {
    log.warn('row security is off: the database itself does not keep tenants apart', { setting: 'AOS_ROW_SECURITY' });
  }
  return {
    db,
    tenant: tenantPool === undefined ? () => db : createTenantScopes(tenantPool, query),
    url,
    pool,
    notifications: standing,
    locks: standing,
    async close() {
      await standing.stop();
      await Promise.all([pool.end(), tenantPool?.end()]);
    },
  };
}

function openPool(url: string, max: number, log: Log): pg.Pool {
  const pool = new pg.Pool({ ...connectionConfig(url), max });
  // A connection may break at any moment, in a query's hands or not. The pool replaces it and the query that had it
  // fails; the event itself must only be heard, or it would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  pool.on('error', (failure) => {
    if (!pool.ending) log.warn('a database connection broke', { reason: failure.message });
  });
  return pool;
}

function connectionConfig(url: string): pg.ClientConfig {
  return { connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS, application_name: 'aos-agent-server' };
}

async function connect(url: string): Promise<pg.Client> {
  let client: pg.Client;
  try {
    client = new pg.Client({ ...connectionConfig(url), keepAlive: true });
    await client.connect();
  } catch (failure) {
    throw unreachable(url, asError(failure));
  }
  return client;
}

/** Two processes may start on a new database at once: the lock lets one of them make the tables. */
async function migrate(pool: pg.Pool, url: string, rowSecurity: RowSecurity): Promise<void> {
  const client = await pool.connect().catch((failure: unknown) => {
    throw unreachable(url, asError(failure));
  });
  try {
    const missing = await missingMigrations(client);
    const isCurrent = missing.length === 0 && (await hasRoutines(client));
    if (isCurrent && (rowSecurity === 'off' || (await isTenantRoleReady(client)))) return;
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    await client.query('create schema if not exists aos');
    await client.query(
      'create table if not exists aos.migrations (name text primary key, applied_at timestamptz not null default now())',
    );
    for (const { name, sql } of await missingMigrations(client)) {
      await client.query(sql);
      await client.query('insert into aos.migrations (name) values ($1)', [name]);
    }
    if (!(await hasRoutines(client))) await makeRoutines(client);
    if (rowSecurity === 'required' && !(await isTenantRoleReady(client))) await prepareTenantRole(client);
    await client.query('commit');
  } catch (failure) {
    await client.query('rollback').catch(() => {});
    throw new Error(`The tables of ${describe(url)} could not be brought up to date: ${asError(failure).message}`, {
      cause: failure,
    });
  } finally {
    client.release();
  }
}

async function missingMigrations(client: pg.ClientBase): Promise<readonly (typeof migrations)[number][]> {
  const present = await client.query<{ found: string | null }>(`select to_regclass('aos.migrations') as found`);
  if (present.rows[0]?.found == null) return migrations;
  const applied = await client.query<{ name: string }>('select name from aos.migrations');
  const names = new Set(applied.rows.map((row) => row.name));
  return migrations.filter(({ name }) => !names.has(name));
}

async function isTenantRoleReady(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ ready: boolean }>('select aos.is_tenant_role_ready() as ready');
  return rows[0]?.ready === true;
}

async function prepareTenantRole(client: pg.ClientBase): Promise<void> {
  const asked = await client.query<{ user: string }>('select current_user as "user"');
  const user = asked.rows[0]?.user ?? 'the user';
  await client.query('select aos.prepare_tenant_role()').catch((failure: unknown) => {
    throw new Error(
      `the role aos_tenant, under which statements of callers run, could not be given to "${user}" ` +
        `(${asError(failure).message}). Have an administrator of the server do it once: ` +
        `create role aos_tenant nologin; grant aos_tenant to "${user}"; (the first only if there is no such role). ` +
        `Without it tenants are kept apart by our statements alone: AOS_ROW_SECURITY=off`,
      { cause: failure },
    );
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'its host name is unknown',
  EAI_AGAIN: 'its host name could not be looked up',
  ENOENT: 'there is no such socket',
  ETIMEDOUT: 'it did not answer',
  '28P01': 'it refused the password',
  '28000': 'it refused the user',
  '3D000': 'it has no database of that name',
  '53300': 'it has no free connection',
};

/** One sentence, without the password and without a stack. */
function unreachable(url: string, failure: Error): Error {
  const code = 'code' in failure && typeof failure.code === 'string' ? failure.code : '';
  const reason = REASONS[code] ?? (failure.message || code);
  return new Error(
    `The database ${describe(url)} cannot be used: ${reason}. Check AOS_DATABASE_URL and that the server runs.`,
    {
      cause: failure,
    },
  );
}

function describe(url: string): string {
  try {
    const { hostname, port, pathname, searchParams } = new URL(url);
    const host = searchParams.get('host') ?? `${hostname}:${port || '5432'}`;
    return `"${decodeURIComponent(pathname.slice(1))}" at ${host}`;
  } catch {
    return 'of AOS_DATABASE_URL (which is not a URL)';
  }
}
