/** A real server in a folder of its own, and the ways in which it must not surprise anybody. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import type { HostProcess } from '../../src/store/postgres-launch.ts';
import { isAlive } from '../../src/store/postmaster.ts';
import { recordingLog, silentLog } from '../support/log.ts';

let folder: string;
/** A folder with a database that was started once: making one takes most of a second. */
let prepared: string;
let running: EmbeddedPostgres[] = [];

beforeAll(async () => {
  prepared = await mkdtemp(join(tmpdir(), 'aos-pg-'));
  const server = await startEmbeddedPostgres({ folder: prepared, host: process, clock: systemClock, log: silentLog });
  await server.stop();
});

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-pg-'));
  running = [];
});

afterEach(async () => {
  for (const server of running) await server.stop();
  // A server whose process was killed may still be closing its files.
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

/** Gives the test's folder a database. */
async function prepare(): Promise<void> {
  execFileSync('cp', ['-a', `${prepared}/.`, folder]);
}

async function start(change: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ folder, host: process, clock: systemClock, log: silentLog, ...change });
  running.push(server);
  return server;
}

afterAll(() => rm(prepared, { recursive: true }));

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return rows[0] && Object.values(rows[0])[0];
  } finally {
    await client.end();
  }
}

/** A Node process with the server on `folder`, that says `up <pid of the server>` and stays. */
async function startElsewhere(uid?: number): Promise<{ pid: number; server: number; kill(): Promise<void> }> {
  const program = join(import.meta.dirname, '../support/postgres-program.ts');
  const child = spawn(process.execPath, [program, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  const [first] = await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'close').then(() => ['the process ended']),
  ]);
  const server = Number(/^up (\d+)/.exec(String(first))?.[1]);
  if (!(server > 0)) throw new Error(`the other process did not start its server: ${first}`);
  return {
    pid: child.pid ?? 0,
    server,
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

describe('the embedded PostgreSQL', () => {
  it('is made on the first start and found again on the next', async () => {
    const first = await start();
    await ask(first.url, `create table kept as select 42 as answer`);
    await first.stop();
    const second = await start();
    expect(await ask(second.url, 'select answer from kept')).toBe(42);
    expect(await ask(second.url, 'show server_version')).toMatch(/^18\./);
    expect(await readdir(folder)).toEqual(['postgres']);
  });

  it('writes durably and listens on no port', async () => {
    await prepare();
    const { url } = await start();
    expect(await ask(url, 'show fsync')).toBe('on');
    expect(await ask(url, 'show synchronous_commit')).toBe('on');
    expect(await ask(url, 'show full_page_writes')).toBe('on');
    expect(await ask(url, 'show listen_addresses')).toBe('');
  });

  it('is gone when stop has returned', async () => {
    await prepare();
    const server = await start();
    await server.stop();
    expect(isAlive(process, server.pid)).toBe(false);
    expect(existsSync(join(folder, 'postgres', 'postmaster.pid'))).toBe(false);
  });

  it('says when it ends although nobody stopped it', async () => {
    await prepare();
    const lost = Promise.withResolvers<Error>();
    const server = await start({ onLost: lost.resolve });
    process.kill(server.pid, 'SIGKILL');
    expect((await lost.promise).message).toMatch(/database server stopped by itself \(exit SIGKILL\)/);
  });

  it('starts again after its Node process was killed', async () => {
    await prepare();
    const other = await startElsewhere();
    await other.kill();
    const { url, pid } = await start();
    expect(pid).not.toBe(other.server);
    expect(await ask(url, 'select 1')).toBe(1);
  });

  it('recovers after it was killed itself', async () => {
    await prepare();
    const first = await start();
    await ask(first.url, `create table kept as select 42 as answer`);
    process.kill(first.pid, 'SIGKILL');
    await expect.poll(() => isAlive(process, first.pid)).toBe(false);
    running = [];
    const second = await start();
    expect(await ask(second.url, 'select answer from kept')).toBe(42);
  });

  it('refuses a folder that another process uses, in one sentence with all the pids', async () => {
    await prepare();
    const other = await startElsewhere();
    const sentence = await start().then(
      () => 'started',
      (failure: Error) => failure.message,
    );
    expect(sentence).toContain(`in use by process ${other.pid} (its PostgreSQL is process ${other.server})`);
    expect(sentence).toContain(`so process ${process.pid} cannot use it`);
    expect(sentence).toContain('AOS_DATA_DIR');
    expect(sentence).not.toContain('\n');
    await other.kill();
  });

  it('lets one of two simultaneous first starts win', async () => {
    const [one, two] = await Promise.allSettled([start(), startElsewhere()]);
    const winners = [one, two].filter(({ status }) => status === 'fulfilled');
    expect(winners).toHaveLength(1);
    if (one.status === 'rejected') expect(String(one.reason)).toContain('in use by process');
    if (two.status === 'fulfilled') await two.value.kill();
  });

  it('is not fooled by a lock file whose number is now somebody else', async () => {
    await prepare();
    const server = await start();
    await server.stop();
    running = [];
    // As after a container restart: the number of the old server is one of our own processes or threads.
    const cluster = join(folder, 'postgres');
    await writeFile(
      join(cluster, 'postmaster.pid'),
      `${process.pid}\n${cluster}\n0\n5432\n${cluster}\n\n0 0\nready   \n`,
    );
    await writeFile(join(cluster, '.s.PGSQL.5432.lock'), `${process.pid}\n${cluster}\n0\n5432\n${cluster}\n`);
    expect(await ask((await start()).url, 'select 1')).toBe(1);
  });

  it('leaves nothing half made when the first start is interrupted, and cleans up', async () => {
    await mkdir(join(folder, `postgres.new-${2 ** 22 - 1}`));
    await start();
    expect(await readdir(folder)).toEqual(['postgres']);
  });

  it('works in a folder whose path is too long for a socket, and says where the socket is', async () => {
    const long = join(folder, 'd'.repeat(100));
    const log = recordingLog();
    const { url } = await start({ folder: long, log, shortFolder: folder });
    expect(await ask(url, 'select 1')).toBe(1);
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'warn', fields: { socket_folder: expect.stringContaining(folder) } }),
    );
  });

  it('names AOS_DATABASE_URL where there is no binary for the platform', async () => {
    const alien: HostProcess = { pid: process.pid, platform: 'sunos', arch: 'mips', kill: process.kill };
    await expect(start({ host: alien })).rejects.toThrow(
      /No bundled PostgreSQL .*@embedded-postgres\/sunos-mips.*AOS_DATABASE_URL/,
    );
  });

  it('says what PostgreSQL said when it cannot start', async () => {
    await prepare();
    const server = await start();
    await server.stop();
    running = [];
    await writeFile(join(folder, 'postgres', 'PG_VERSION'), '9\n');
    await expect(start()).rejects.toThrow(/did not start .*database files are incompatible with server/);
  });
});

// PostgreSQL refuses to run as root, so as root everything above ran as nobody; these compare the two kinds of user.
describe.runIf(process.getuid?.() === 0)('as root', () => {
  it('runs the server as somebody else, also below a folder that only root may enter', async () => {
    await prepare();
    await chmod(folder, 0o700);
    const server = await start();
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
    expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).toBe('65534');
  });

  it("runs the server as the owner of the folder when it is somebody's already", async () => {
    const user = 1; // daemon; initdb wants a user that has a name
    await chown(folder, user, user);
    const other = await startElsewhere(user);
    await other.kill();
    const server = await start();
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
    expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).toBe(String(user));
  });

  it('takes over a folder that belongs to root', async () => {
    await prepare();
    const server = await start();
    await server.stop();
    running = [];
    execFileSync('chown', ['-R', '0:0', folder]);
    expect(await ask((await start()).url, 'select 1')).toBe(1);
  });

  it("tells an ordinary user that the folder is somebody else's", async () => {
    await prepare();
    const server = await start();
    await server.stop();
    running = [];
    await chmod(folder, 0o755);
    const ordinary: HostProcess = { ...hostOf(process), getuid: () => 12_345 };
    await expect(start({ host: ordinary })).rejects.toThrow(
      /belongs to user id 65534 and this process runs as user id 12345/,
    );
  });
});

function hostOf({ pid, platform, arch, kill }: HostProcess): HostProcess {
  return { pid, platform, arch, kill };
}
