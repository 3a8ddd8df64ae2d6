/**
 * A database is one of real work or one of simulations, for ever: a server that simulates everything would otherwise take
 * up real runs and do them with planes that are not there. Whoever is first on a new database decides.
 */
import { sql } from 'kysely';
import type { Database } from './database.ts';

export type DatabaseMode = 'live' | 'simulation';

/** @throws Error with a sentence for people when the database is one of the other mode */
export async function claimDatabaseMode({ db }: Pick<Database, 'db'>, mode: DatabaseMode): Promise<void> {
  await sql`insert into aos.database_mode (mode) values (${mode}) on conflict do nothing`.execute(db);
  const { mode: found } = await db.selectFrom('database_mode').select('mode').executeTakeFirstOrThrow();
  if (found === mode) return;
  throw new Error(
    found === 'live'
      ? 'the database holds real work, and AOS_MODE=simulation would do it with systems that are not there: give the simulation a database of its own (AOS_DATABASE_URL)'
      : 'the database is one of simulations, and real work does not belong beside them: use another one (AOS_DATABASE_URL), or AOS_MODE=simulation',
  );
}
