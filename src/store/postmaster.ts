/**
 * Who holds a database folder. PostgreSQL's own lock file (`postmaster.pid`) is the lock; this file judges what it
 * says. Process ids come back: in a container that starts again with the same files, the number of the dead server is
 * easily the number of one of our own threads, and PostgreSQL would refuse to start. So a holder counts only when it
 * really is a PostgreSQL server on that folder.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { HostProcess } from './postgres-launch.ts';

/** Name of the server, visible in `ps`; tells a later start which Node process it belonged to. */
export function clusterName(nodePid: number): string {
  return `aos-${nodePid}`;
}

/** What `postmaster.pid` says: line 1 the server's pid, line 2 its folder, line 8 its state. */
export interface LockFile {
  readonly pid: number;
  readonly folder: string;
  readonly state: string;
}

export function readLockFile(folder: string): LockFile | undefined {
  const lines = readIfThere(join(folder, 'postmaster.pid')).split('\n');
  const pid = Number(lines[0]);
  return Number.isInteger(pid) && pid > 0 ? { pid, folder: lines[1] ?? '', state: (lines[7] ?? '').trim() } : undefined;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/**
 * `free`: no lock file · `stale`: its server is gone · `orphan`: a server of ours whose Node process is gone ·
 * `held`: in use by the living process `owner` (undefined: somebody started it by other means) ·
 * `unknown`: cannot be told here, PostgreSQL shall judge.
 */
export type Holder =
  | { readonly kind: 'free' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'stale'; readonly pid: number }
  | { readonly kind: 'orphan'; readonly pid: number }
  | { readonly kind: 'held'; readonly pid: number; readonly owner: number | undefined };

export function judgeHolder(host: HostProcess, folder: string): Holder {
  const lock = readLockFile(folder);
  if (lock === undefined) return { kind: 'free' };
  const { pid } = lock;
  if (!isAlive(host, pid)) return { kind: 'stale', pid };
  const program = readProgram(host, pid);
  if (program === undefined) return isAlive(host, pid) ? { kind: 'unknown' } : { kind: 'stale', pid };
  const { parent, args } = program;
  if (basename(args[0] ?? '') !== 'postgres' || !args.includes(lock.folder)) return { kind: 'stale', pid };
  const owner = args.map((arg) => /^cluster_name=aos-(\d+)$/.exec(arg)?.[1]).find((found) => found !== undefined);
  if (owner === undefined) return { kind: 'held', pid, owner: undefined };
  // A server's parent is the process that started it; once that is dead, the parent is somebody else.
  return parent === Number(owner) ? { kind: 'held', pid, owner: parent } : { kind: 'orphan', pid };
}

/** Whether a process (or thread) of that number exists, ours or not. */
export function isAlive(host: HostProcess, pid: number): boolean {
  try {
    host.kill(pid, 0);
    return true;
  } catch (failure) {
    return failure instanceof Error && 'code' in failure && failure.code === 'EPERM';
  }
}

function readProgram(host: HostProcess, pid: number): { parent: number; args: string[] } | undefined {
  try {
    if (host.platform === 'linux' && existsSync('/proc/self/stat')) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // "pid (name) state ppid …": the name may contain anything, so count from its last bracket.
      const afterName = stat.slice(stat.lastIndexOf(')') + 1).trim();
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return { parent: Number(afterName.split(' ')[1]), args: commandLine.split('\0') };
    }
    const answer = execFileSync('ps', ['-ww', '-o', 'ppid=,command=', '-p', String(pid)], { encoding: 'utf8' });
    const [parent = '', ...args] = answer.trim().split(/\s+/);
    return parent === '' ? undefined : { parent: Number(parent), args };
  } catch {
    return undefined;
  }
}
