import { createServer } from 'node:net';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { migrations } from '../../src/store/schema.ts';
import { createTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';

const opened: Database[] = [];

async function open(url: string): Promise<Database> {
  const database = await openDatabase({ url, clock: systemClock, log: silentLog });
  opened.push(database);
  return database;
}

afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('opening a database', () => {
  it('makes the tables once, and leaves them alone afterwards', async () => {
    const url = await createTestDatabase();
    const first = await open(url);
    await first.db
      .insertInto('session_messages')
      .values({
        tenant_id: 'default',
        user_id: 'u',
        session_id: 's',
        seq: 1,
        run_id: 'r',
        role: 'user',
        content: JSON.stringify('nul \u0000 and "quotes"'),
        created_at: new Date(0),
      })
      .execute();
    const second = await open(url);
    const [message] = await second.db.selectFrom('session_messages').selectAll().execute();
    expect(message?.content).toBe('nul \u0000 and "quotes"');
    const applied = await second.pool.query('select name from aos.migrations order by name');
    expect(applied.rows.map(({ name }) => name)).toEqual(migrations.map(({ name }) => name));
  });

  it('makes its functions anew in a database that has others under their names', async () => {
    const url = await createTestDatabase();
    const before = await open(url);
    const known = async () => {
      const { rows } = await before.pool.query<{ signature: string }>(
        `select oid::regprocedure::text as signature from pg_proc where pronamespace = 'aos'::regnamespace order by 1`,
      );
      return rows.map(({ signature }) => signature);
    };
    const current = await known();
    await before.pool.query(`
      drop function aos.due_runs;
      create function aos.due_runs(p_limit integer) returns integer language sql as 'select p_limit';
      update aos.routines set digest = 'of another build'`);
    expect(await known()).not.toEqual(current);
    await open(url);
    expect(await known()).toEqual(current);
  });

  it('works when many processes do it at the same time', async () => {
    const url = await createTestDatabase();
    const all = await Promise.all(Array.from({ length: 6 }, () => open(url)));
    expect(all).toHaveLength(6);
  });

  it('says in one sentence, without the password, why a server cannot be used', async () => {
    const shared = new URL(inject('postgresUrl'));
    const missing = new URL(shared);
    missing.pathname = '/nowhere';
    const cases = [
      [`postgresql://aos:hunter2@127.0.0.1:${await freePort()}/aos`, 'nothing listens there'],
      ['postgresql://aos:hunter2@no-such-host.invalid/aos', 'its host name'],
      [missing.href, 'it has no database of that name'],
      ['postgresql://aos@localhost/aos?host=/nowhere', 'there is no such socket'],
      ['not a url', 'AOS_DATABASE_URL'],
    ] as const;
    for (const [url, reason] of cases) {
      const sentence = await open(url).then(
        () => 'opened',
        (failure: Error) => failure.message,
      );
      expect(sentence).toContain(reason);
      expect(sentence).toContain('AOS_DATABASE_URL');
      expect(sentence).not.toContain('hunter2');
      expect(sentence).not.toContain('\n');
    }
  });
});

describe('a held lock', () => {
  it('is refused to everybody else until it is released', async () => {
    const url = await createTestDatabase();
    const [one, two] = [await open(url), await open(url)];
    const release = await one.locks.tryHold('executor:1');
    expect(release).toBeDefined();
    expect(await one.locks.tryHold('executor:1')).toBeUndefined();
    expect(await two.locks.tryHold('executor:1')).toBeUndefined();
    expect(await two.locks.tryHold('executor:2')).toBeDefined();
    await release?.();
    expect(await two.locks.tryHold('executor:1')).toBeDefined();
  });

  it('ends with the process that held it', async () => {
    const url = await createTestDatabase();
    const two = await open(url);
    const one = await openDatabase({ url, clock: systemClock, log: silentLog });
    await one.locks.tryHold('executor:1');
    await one.close();
    await expect.poll(() => two.locks.tryHold('executor:1')).toBeDefined();
  });

  it('is taken again after the connection broke', async () => {
    const url = await createTestDatabase();
    const [one, two] = [await open(url), await open(url)];
    const missed = Promise.withResolvers<void>();
    await one.notifications.listen('aos_test', { heard() {}, missed: missed.resolve });
    await one.locks.tryHold('executor:1');
    await two.pool.query(
      `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
       and database = (select oid from pg_database where datname = current_database())`,
    );
    await missed.promise;
    expect(await two.locks.tryHold('executor:1')).toBeUndefined();
  });
});

describe('notifications', () => {
  it('reach every listener of the channel, and only those', async () => {
    const url = await createTestDatabase();
    const [one, two] = [await open(url), await open(url)];
    const heard: string[] = [];
    const listener = (name: string) => ({ heard: (payload: string) => heard.push(`${name} ${payload}`), missed() {} });
    await one.notifications.listen('aos_test', listener('a'));
    const stop = await one.notifications.listen('aos_test', listener('b'));
    await one.notifications.listen('aos_other', listener('c'));
    await two.pool.query(`select pg_notify('aos_test', 'first')`);
    await expect.poll(() => heard).toEqual(['a first', 'b first']);
    stop();
    await two.pool.query(`select pg_notify('aos_test', 'second')`);
    await expect.poll(() => heard).toEqual(['a first', 'b first', 'a second']);
  });
});
