/**
 * Runs a command inside a directory tree as a container would: the tree is its root, it is process 1 of its own process
 * table, and its environment holds nothing but what it is given. Files and processes are apart; the network is ours.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface JailedCommand {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  /** `user[:group]`, names or numbers; root unless given. */
  readonly user?: string;
  /** Folders and files of this machine to be seen inside, from path outside to path inside. */
  readonly mounts?: Readonly<Record<string, string>>;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The process it returns is the jail's keeper: it ends with the exit code of the command, and takes all within along. */
export function spawnJailed(root: string, jailed: JailedCommand): ChildProcess {
  const mounts = Object.entries(jailed.mounts ?? {}).map(([outside, inside]) => {
    if (statSync(outside).isDirectory()) mkdirSync(join(root, inside), { recursive: true });
    else closeSync(openSync(join(root, inside), 'a'));
    return `mount --bind ${quote(outside)} ${quote(join(root, inside))}`;
  });
  const environment = Object.entries({ PATH, ...jailed.env }).map(([name, value]) => `${name}=${value}`);
  const words = ['env', '-i', ...environment, ...jailed.command].map(quote).join(' ');
  const inner = `cd ${quote(jailed.folder)} && exec ${words}`;
  const script = [
    `mount -t proc proc ${quote(join(root, 'proc'))}`,
    `mount --rbind /dev ${quote(join(root, 'dev'))}`,
    ...mounts,
    `exec chroot --userspec=${quote(jailed.user ?? '0:0')} ${quote(root)} /bin/sh -c ${quote(inner)}`,
  ].join(' && ');
  return spawn('unshare', ['--mount', '--pid', '--fork', '--kill-child', '/bin/sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs it to its end. @returns its exit code, and all it wrote */
export async function runJailed(root: string, jailed: JailedCommand): Promise<{ code: number | null; output: string }> {
  const keeper = spawnJailed(root, jailed);
  const output = collectOutput(keeper);
  const code = await exitOf(keeper);
  return { code, output: output() };
}

export function collectOutput(child: ChildProcess): () => string {
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text) => chunks.push(text));
  return () => chunks.join('');
}

/** The exit code; null when a signal ended it. */
export function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on('close', resolve);
    child.on('error', reject);
  });
}

/** Process 1 of the jail, by its number outside. */
export function firstProcess(keeper: ChildProcess): number {
  const [child] = childrenOf(keeper.pid ?? 0);
  if (child === undefined) throw new Error('nothing runs in the jail');
  return child;
}

export function childrenOf(pid: number): number[] {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return listed.trim().split(' ').filter(Boolean).map(Number);
}

/** A process and everything below it. */
export function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
