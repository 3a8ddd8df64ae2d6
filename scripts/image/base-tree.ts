/**
 * The base image as a directory tree: what `node:24-bookworm-slim` holds that our Dockerfile leans on. A minimal Debian
 * (debootstrap, from the distribution's own mirror), the user `node`, Node 24 (the one npm installed here) and npm.
 * It is made once and kept.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const KNOWN_BASE = 'node:24-bookworm-slim';
const MIRROR = 'http://deb.debian.org/debian';
const repository = resolve(import.meta.dirname, '../..');

/** The base cannot be made for a reason that is not the image's. */
export class BaseUnavailableError extends Error {
  override readonly name = 'BaseUnavailableError';
}

/** Why the image cannot be proved on this machine; undefined when it can. */
export function whyNotHere(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'needs Linux on x64, as the image does';
  if (process.getuid?.() !== 0) return 'needs root, to build a file tree that belongs to several users';
  if (!onPath('debootstrap')) return 'needs debootstrap (apt-get install debootstrap)';
  if (!onPath('unshare')) return 'needs unshare (util-linux)';
  return undefined;
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program)));
}

/**
 * Makes the tree of `image` below `cache`, or finds it there.
 * @returns its path; it is to be copied, not changed
 * @throws BaseUnavailableError when the mirror does not answer
 */
export function baseTree(image: string, cache: string): string {
  if (image !== KNOWN_BASE) throw new Error(`the Dockerfile starts from ${image}; only ${KNOWN_BASE} can be made here`);
  const tree = join(cache, `${image.replaceAll(':', '-')}-${process.version}`);
  if (existsSync(tree)) return tree;
  const unfinished = `${tree}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  try {
    run('debootstrap', ['--variant=minbase', '--arch=amd64', 'bookworm', unfinished, MIRROR]);
  } catch {
    throw new BaseUnavailableError(`debootstrap could not make a Debian from ${MIRROR}`);
  }
  for (const left of ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/locale']) {
    rmSync(join(unfinished, left), { recursive: true, force: true });
  }
  run('chroot', [unfinished, 'groupadd', '--gid', '1000', 'node']);
  run('chroot', [unfinished, 'useradd', '--uid', '1000', '--gid', 'node', '--shell', '/bin/bash', '-m', 'node']);
  installNode(unfinished);
  renameSync(unfinished, tree);
  return tree;
}

function installNode(tree: string): void {
  const local = join(tree, 'usr/local');
  cpSync(realpathSync(join(repository, 'node_modules/.bin/node')), join(local, 'bin/node'));
  // npm is found beside the machine's own, e.g. /usr/bin/npm → ../lib/node_modules/npm/bin/npm-cli.js.
  const npm = (process.env['PATH'] ?? '')
    .split(':')
    .map((folder) => join(folder, 'npm'))
    .find(existsSync);
  if (npm === undefined) throw new Error('npm is not on the PATH');
  cpSync(resolve(dirname(realpathSync(npm)), '..'), join(local, 'lib/node_modules/npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(local, 'bin/npm'));
}

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
