/**
 * A PostgreSQL database of its own for a test file, on the server that all test files share (see `postgres.ts`).
 */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { silentLog } from './log.ts';

/** Makes an empty database. @returns its URL, good as `AOS_DATABASE_URL` */
export async function createTestDatabase(): Promise<string> {
  const url = new URL(inject('postgresUrl'));
  const name = `test_${randomBytes(6).toString('hex')}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  url.pathname = `/${name}`;
  return url.href;
}

/** Makes a database and opens it with its tables; close it in `afterAll`. */
export async function openTestDatabase(): Promise<Database> {
  return openDatabase({ url: await createTestDatabase(), clock: systemClock, log: silentLog });
}
