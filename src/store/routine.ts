/**
 * The functions that statements call. They are no step in the life of the tables: they are made anew whenever their text
 * is another than the one that the database was last given, after the tables are up to date.
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import { budgetRoutines } from './tables/budget-routine.ts';
import { quotaRoutines } from './tables/quota-routine.ts';
import { runRoutines } from './tables/run-routine.ts';
import { taskRoutines } from './tables/task-routine.ts';

const text = [runRoutines, quotaRoutines, budgetRoutines, taskRoutines].join('\n');
const names = [...text.matchAll(/create function aos\.(\w+)/g)].map(([, name]) => name);
const digest = createHash('sha256').update(text).digest('hex');

/** Whether the database has the functions of this text. */
export async function hasRoutines(client: pg.ClientBase): Promise<boolean> {
  const present = await client.query<{ found: string | null }>(`select to_regclass('aos.routines') as found`);
  if (present.rows[0]?.found == null) return false;
  const { rows } = await client.query<{ digest: string }>('select digest from aos.routines');
  return rows[0]?.digest === digest;
}

/** Makes them in place of any that were there under their names, within the transaction of the caller. */
export async function makeRoutines(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ signature: string }>(
    `select oid::regprocedure::text as signature from pg_proc
      where pronamespace = 'aos'::regnamespace and proname = any ($1)`,
    [names],
  );
  for (const { signature } of rows) await client.query(`drop function ${signature}`);
  await client.query(text);
  await client.query('create table if not exists aos.routines (digest text primary key)');
  await client.query('delete from aos.routines');
  await client.query('insert into aos.routines (digest) values ($1)', [digest]);
}
