/**
 * vitest's global set-up: one real PostgreSQL for the whole run. Its folder stays for the next run (a start then takes
 * some 50 ms); a second vitest at the same time takes the next folder. With `AOS_TEST_DATABASE_URL` it is a server of
 * yours, whose user may create databases: the same tests, on the version you will run.
 */
import { join } from 'node:path';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { systemClock } from '../../src/core/clock.ts';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { silentLog } from './log.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of the shared server; tests want `createTestDatabase` instead. */
    postgresUrl: string;
  }
}

const FOLDERS = 8;

/** Room for many processes; tests need no protection against a power cut. */
const settings = { max_connections: '200', fsync: 'off', full_page_writes: 'off' };

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const yours = process.env['AOS_TEST_DATABASE_URL'];
  if (yours !== undefined) {
    project.provide('postgresUrl', yours);
    return async () => {};
  }
  const server = await startFirstFree();
  await dropLeftovers(server.url);
  project.provide('postgresUrl', server.url);
  return () => server.stop();
}

async function startFirstFree(): ReturnType<typeof startEmbeddedPostgres> {
  const options = { host: process, clock: systemClock, log: silentLog, settings };
  const cache = join(import.meta.dirname, '../../node_modules/.cache');
  let failure: unknown;
  for (let number = 0; number < FOLDERS; number++) {
    try {
      return await startEmbeddedPostgres({ ...options, folder: join(cache, `aos-test-${number}`) });
    } catch (thrown) {
      failure = thrown;
    }
  }
  throw failure;
}

async function dropLeftovers(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ datname: string }>(
    `select datname from pg_database where datname like 'test_%'`,
  );
  for (const { datname } of rows) await client.query(`drop database ${datname} with (force)`);
  await client.end();
}
