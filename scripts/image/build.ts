/**
 * Carries out the stages of a Dockerfile on directory trees, as `docker build` does on images: each stage starts as a
 * copy of its base, and every step changes the tree or what later steps run with.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { baseTree } from './base-tree.ts';
import type { Stage, Step } from './dockerfile.ts';
import { runJailed } from './jail.ts';

/** What `docker run` would start. */
export interface Image {
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly user: string;
  readonly port: number | undefined;
  readonly healthcheck: readonly string[] | undefined;
  readonly command: readonly string[];
}

export interface BuildOptions {
  /** Where the sources are, and the `.dockerignore` that says which of them are seen. */
  readonly context: string;
  /** Where base trees are kept from one time to the next. */
  readonly cache: string;
  /** Where the stages are built; begun anew. */
  readonly workshop: string;
  /** What a RUN step needs of this machine to reach the package registry. */
  readonly runEnv: Readonly<Record<string, string>>;
  readonly runMounts: Readonly<Record<string, string>>;
  readonly report: (line: string) => void;
}

export async function buildImage(stages: readonly Stage[], options: BuildOptions): Promise<Image> {
  discard(options.workshop);
  mkdirSync(options.workshop, { recursive: true });
  const built = new Map<string, Image>();
  let last: Image | undefined;
  for (const [index, stage] of stages.entries()) {
    const root = join(options.workshop, stage.name ?? `stage-${index}`);
    const base = built.get(stage.base);
    options.report(`[${stage.name ?? 'image'}] FROM ${stage.base}`);
    copyTree(base?.root ?? baseTree(stage.base, options.cache), root, '--archive');
    let image: Image = { ...(base ?? EMPTY), root };
    for (const step of stage.steps) {
      options.report(`[${stage.name ?? 'image'}] ${step.text}`);
      image = await take(step, image, built, options);
    }
    if (stage.name !== undefined) built.set(stage.name, image);
    last = image;
  }
  if (last === undefined) throw new Error('the Dockerfile has no stage');
  return last;
}

/** Removes a workshop. That takes a minute where the disk is slow, so nobody waits for it. */
export function discard(workshop: string): void {
  if (!existsSync(workshop)) return;
  const old = `${workshop}-${process.pid}-old`;
  renameSync(workshop, old);
  spawn('rm', ['-rf', old], { detached: true, stdio: 'ignore' }).unref();
}

const EMPTY = {
  env: {},
  folder: '/',
  user: '0:0',
  port: undefined,
  healthcheck: undefined,
  command: [],
} satisfies Omit<Image, 'root'>;

async function take(
  step: Step,
  image: Image,
  built: ReadonlyMap<string, Image>,
  options: BuildOptions,
): Promise<Image> {
  switch (step.do) {
    case 'workdir':
      mkdirSync(join(image.root, step.folder), { recursive: true });
      return { ...image, folder: step.folder };
    case 'env':
      return { ...image, env: { ...image.env, ...step.variables } };
    case 'user':
      return { ...image, user: step.user };
    case 'expose':
      return { ...image, port: step.port };
    case 'healthcheck':
      return { ...image, healthcheck: step.command };
    case 'cmd':
      return { ...image, command: step.command };
    case 'copy':
      copy(step, image, built, options);
      return image;
    case 'run':
      await runStep(step.command, image, options);
      return image;
  }
}

async function runStep(command: string, image: Image, options: BuildOptions): Promise<void> {
  const { code, output } = await runJailed(image.root, {
    command: ['/bin/sh', '-c', command],
    env: { HOME: '/root', ...image.env, ...options.runEnv },
    folder: image.folder,
    user: image.user,
    mounts: options.runMounts,
  });
  if (code !== 0) throw new Error(`RUN ${command} ended with ${code}:\n${output}`);
}

/** Several sources, or a target that ends in `/`, go into the target folder; a folder gives its contents. */
function copy(
  step: Extract<Step, { do: 'copy' }>,
  image: Image,
  built: ReadonlyMap<string, Image>,
  options: BuildOptions,
): void {
  const source = step.from === undefined ? options.context : built.get(step.from)?.root;
  if (source === undefined) throw new Error(`COPY --from=${step.from}: there is no such stage`);
  const seen = contextFilter(options.context);
  const target = join(image.root, resolve(image.folder, step.to));
  for (const name of step.sources) {
    const path = join(source, name);
    if (!existsSync(path) || (step.from === undefined && !seen(path))) {
      throw new Error(`COPY ${name}: not there, or left out by .dockerignore`);
    }
    const to = statSync(path).isDirectory() || !step.to.endsWith('/') ? target : join(target, basename(name));
    mkdirSync(dirname(to), { recursive: true });
    // What is copied belongs to root, whoever owns it here: no ownership is kept.
    if (step.from === undefined) cpSync(path, to, { recursive: true, verbatimSymlinks: true, filter: seen });
    else copyTree(path, to, '--recursive', '--preserve=mode,links,timestamps');
  }
}

function copyTree(from: string, to: string, ...options: string[]): void {
  execFileSync('cp', [...options, '--reflink=auto', '--no-target-directory', from, to]);
}

/** Whether `.dockerignore` lets a path through: the last line that matches it, or a folder above it, decides. */
export function contextFilter(context: string): (path: string) => boolean {
  const lines = readFileSync(join(context, '.dockerignore'), 'utf8').split('\n');
  const patterns = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  return (path) => {
    const parts = relative(context, path).split('/');
    const above = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    const deciding = patterns.findLast((pattern) => above.some((part) => matches(part, pattern.replace(/^!/, ''))));
    return deciding === undefined || deciding.startsWith('!');
  };
}

/** Docker's wildcards: `*` and `?` within a name, also for names that begin with a dot; `**` across folders. */
function matches(path: string, pattern: string): boolean {
  const source = pattern.replaceAll(/[.+^${}()|[\]\\]|\*\*|\*|\?/g, (sign) => {
    if (sign === '**') return '.*';
    if (sign === '*') return '[^/]*';
    return sign === '?' ? '[^/]' : `\\${sign}`;
  });
  return new RegExp(`^${source}$`).test(path);
}
