/**
 * The bundled PostgreSQL: a real server as a child process, on a unix socket inside the data folder, no port.
 * One folder has one server. A server that outlived its Node process is stopped and replaced, never shared.
 */
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { createLauncher, type HostProcess, type Launcher, locateBinaries } from './postgres-launch.ts';
import { clusterName, isAlive, judgeHolder, readLockFile } from './postmaster.ts';

const START_TIMEOUT_MS = 60_000; // recovery after a power cut may take this long
const STOP_TIMEOUT_MS = 15_000;
const ORPHAN_TIMEOUT_MS = 15_000;
const POLL_MS = 4;
/** Linux: 108 bytes with the closing zero (sun_path). macOS has 104; the shorter limit is not worth a second rule. */
const SOCKET_PATH_LIMIT = 103;
const SOCKET_NAME = '/.s.PGSQL.5432';

export interface EmbeddedPostgresOptions {
  /** The data folder (`AOS_DATA_DIR`); the database lives in its `postgres` subfolder. */
  readonly folder: string;
  readonly host: HostProcess;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once when the server ends although nobody stopped it. */
  readonly onLost?: (reason: Error) => void;
  /** Settings beside ours, or instead of them. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where sockets go when the data folder's path is too long for one. */
  readonly shortFolder?: string;
}

export interface EmbeddedPostgres {
  /** Connection URL, as `AOS_DATABASE_URL` would be written. */
  readonly url: string;
  readonly pid: number;
  /** Fast shutdown: open transactions are rolled back, then everything is on disk. */
  stop(): Promise<void>;
}

/**
 * Starts the database of a data folder, making it first when there is none (about half a second).
 * @throws Error with one sentence for people: no binary for this platform, folder in use, not ours, server failed
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { host, clock, log } = options;
  const binaries = locateBinaries(host);
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  const cluster = join(realpathSync(options.folder), 'postgres');
  const launcher = createLauncher(host, cluster);
  if (!existsSync(join(cluster, 'PG_VERSION'))) await initialise(binaries.initdb, cluster, launcher, host);
  await clearHolder(cluster, host, clock);

  const sockets = socketFolder(cluster, launcher, options.shortFolder ?? '/tmp', log);
  const server = launcher.spawn(binaries.postgres, serverArguments(cluster, sockets, host.pid, options.settings));
  const output = watchOutput(server, log);
  const ended = new Promise<string>((resolve) => {
    server.once('error', (failure) => resolve(failure.message));
    server.once('close', (code, signal) => resolve(`exit ${code ?? signal}`));
  });

  const failure = await untilReady(cluster, server, ended, clock);
  if (failure !== undefined) throw startFailure(cluster, failure, output.tail(), host);

  let stopping = false;
  void ended.then((how) => {
    if (!stopping) options.onLost?.(new Error(`The database server stopped by itself (${how}): ${output.tail()}`));
  });
  return {
    url: `postgresql://aos@localhost/postgres?host=${encodeURIComponent(sockets)}`,
    pid: server.pid ?? 0,
    async stop() {
      stopping = true;
      output.quiet();
      server.kill('SIGINT');
      const timer = clock.after(STOP_TIMEOUT_MS, () => server.kill('SIGQUIT'));
      await ended;
      timer.cancel();
    },
  };
}

/**
 * A small server: few connections, no workers beside the necessary ones, minimal WAL. Durability stays as PostgreSQL
 * ships it. Client errors are the client's to report, so only the server's own messages are logged.
 */
function serverArguments(cluster: string, sockets: string, nodePid: number, more = {}): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '',
    unix_socket_permissions: '0700',
    cluster_name: clusterName(nodePid),
    max_connections: '40',
    shared_buffers: '16MB',
    wal_buffers: '1MB',
    dynamic_shared_memory_type: 'mmap',
    io_method: 'sync',
    autovacuum_max_workers: '1',
    max_worker_processes: '0',
    max_parallel_workers: '0',
    max_logical_replication_workers: '0',
    max_wal_senders: '0',
    wal_level: 'minimal',
    max_wal_size: '256MB',
    min_wal_size: '16MB',
    jit: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '',
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
    ...more,
  };
  return [
    '-D',
    cluster,
    '-k',
    sockets,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

/**
 * Makes the database beside its final place and renames it there, so that a kill in the middle leaves nothing that
 * looks like a database. When another process was quicker, its database is used.
 */
async function initialise(initdb: string, cluster: string, launcher: Launcher, host: HostProcess): Promise<void> {
  const parent = join(cluster, '..');
  for (const name of await readdir(parent)) {
    const maker = Number(/^postgres\.new-(\d+)$/.exec(name)?.[1]);
    if (maker === host.pid || (maker > 0 && !isAlive(host, maker))) await rm(join(parent, name), { recursive: true });
  }
  const draft = `${cluster}.new-${host.pid}`;
  launcher.makeFolder(draft);
  // initdb flushes every file to disk before it returns.
  const flags = ['--username=aos', '--auth=trust', '--locale=C', '--encoding=UTF8', '--wal-segsize=4'];
  const child = launcher.spawn(initdb, ['-D', draft, ...flags]);
  const output = watchOutput(child);
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  if (code !== 0) {
    await rm(draft, { recursive: true, force: true });
    throw new Error(`The database could not be made in ${parent}: ${output.tail() || `initdb ended with ${code}`}`);
  }
  await rename(draft, cluster).catch(async (failure: unknown) => {
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(join(cluster, 'PG_VERSION'))) throw failure;
  });
  const folder = await open(parent);
  await folder.sync().finally(() => folder.close());
}

/** Sees to it that nobody holds the folder: waits for a dying server, removes a dead one's lock files. */
async function clearHolder(cluster: string, host: HostProcess, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + ORPHAN_TIMEOUT_MS;
  let asked = false;
  for (;;) {
    const holder = judgeHolder(host, cluster);
    if (holder.kind === 'free' || holder.kind === 'unknown') return;
    if (holder.kind === 'held') throw inUse(cluster, host.pid, holder.pid, holder.owner);
    if (holder.kind === 'stale') {
      for (const name of ['postmaster.pid', `${SOCKET_NAME}.lock`]) await rm(join(cluster, name), { force: true });
      return;
    }
    if (clock.monotonic() > deadline) throw inUse(cluster, host.pid, holder.pid, undefined);
    // On Linux it is stopping already, by its parent-death signal; asking again changes nothing.
    if (!asked) host.kill(holder.pid, 'SIGINT');
    asked = true;
    await clock.sleep(POLL_MS);
  }
}

function inUse(cluster: string, ourPid: number, server: number, owner: number | undefined): Error {
  const other =
    owner === undefined
      ? `a PostgreSQL server, process ${server}`
      : `process ${owner} (its PostgreSQL is process ${server})`;
  return new Error(
    `The database folder ${cluster} is in use by ${other}, so process ${ourPid} cannot use it: ` +
      'stop the other one, or give this one its own AOS_DATA_DIR, or let both share a server by AOS_DATABASE_URL.',
  );
}

/** The folder of the socket: the database's own unless its path is too long for a socket's address. */
function socketFolder(cluster: string, launcher: Launcher, short: string, log: Log): string {
  if (Buffer.byteLength(cluster + SOCKET_NAME) <= SOCKET_PATH_LIMIT) return cluster;
  const folder = join(short, `aos-${createHash('sha256').update(cluster).digest('hex').slice(0, 16)}`);
  launcher.makeFolder(folder);
  log.warn('the data folder has a path too long for a socket, so the socket is elsewhere', { socket_folder: folder });
  return folder;
}

/** Resolves with undefined when the server accepts connections, or with the reason why it never will. */
async function untilReady(
  cluster: string,
  server: ChildProcess,
  ended: Promise<string>,
  clock: Clock,
): Promise<string | undefined> {
  let failure: string | undefined;
  void ended.then((how) => {
    failure = how;
  });
  const deadline = clock.monotonic() + START_TIMEOUT_MS;
  while (failure === undefined) {
    const lock = readLockFile(cluster);
    if (lock?.pid === server.pid && lock?.state === 'ready') return undefined;
    if (clock.monotonic() > deadline) {
      server.kill('SIGQUIT');
      return `not ready after ${START_TIMEOUT_MS / 1000} s`;
    }
    await clock.sleep(POLL_MS);
  }
  return failure;
}

function startFailure(cluster: string, how: string, said: string, host: HostProcess): Error {
  // Two processes may pass the first check together; PostgreSQL's lock file then refuses one of them.
  const holder = judgeHolder(host, cluster);
  if (holder.kind === 'held') return inUse(cluster, host.pid, holder.pid, holder.owner);
  return new Error(`The database in ${cluster} did not start (${how}): ${said || 'it gave no reason'}`);
}

/** Forwards what a program writes to its error stream to the log, and keeps the last lines for error sentences. */
function watchOutput(child: ChildProcess, log?: Log): { tail(): string; quiet(): void } {
  const last: string[] = [];
  let stopping = false;
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      last.push(line);
      if (last.length > 5) last.shift();
      const alarming = !stopping && /^(FATAL|PANIC|WARNING):/.test(line);
      log?.[alarming ? 'warn' : 'debug']('database server', { line });
    });
  }
  return {
    tail: () => last.join(' '),
    quiet: () => {
      stopping = true;
    },
  };
}
