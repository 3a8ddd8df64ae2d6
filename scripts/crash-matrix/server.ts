/** A PostgreSQL of the matrix's own, with a database for each life, its tables made once. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { systemClock } from '../../src/core/clock.ts';
import { openDatabase } from '../../src/store/database.ts';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';

export interface MatrixServer extends AsyncDisposable {
  /** @returns the URL of an empty database */
  createDatabase(): Promise<string>;
}

const log = { debug() {}, info() {}, warn() {}, error() {} };

/** @param given an existing server; a new one of its own when left out */
export async function startMatrixServer(given?: string): Promise<MatrixServer> {
  await using starting = new AsyncDisposableStack();
  const url = given ?? (await startOwn(starting));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  starting.defer(() => client.end());
  const urlOf = (name: string) => Object.assign(new URL(url), { pathname: `/${name}` }).href;
  // By this beginning the tests know what a run that was broken off has left on their server.
  const prefix = `test_matrix_${process.pid}`;
  const template = `${prefix}_0`;
  await client.query(`create database ${template}`);
  await (await openDatabase({ url: urlOf(template), clock: systemClock, log })).close();
  const running = starting.move();
  let made = 0;
  let queue: Promise<unknown> = Promise.resolve();
  return {
    createDatabase() {
      const name = `${prefix}_${++made}`;
      // One at a time: a template must not be in use.
      const creating = queue.then(() => client.query(`create database ${name} template ${template}`));
      queue = creating.catch(() => {});
      return creating.then(() => urlOf(name));
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function startOwn(starting: AsyncDisposableStack): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'aos-crash-matrix-'));
  starting.defer(() => rmSync(folder, { recursive: true, force: true }));
  // Processes are killed here, not the machine: what the server has acknowledged is in its memory.
  const settings = { max_connections: '200', fsync: 'off', full_page_writes: 'off' };
  const server = await startEmbeddedPostgres({ folder, host: process, clock: systemClock, log, settings });
  starting.defer(() => server.stop());
  return server.url;
}
