import { execFile, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const execute = promisify(execFile);
const root = resolve(import.meta.dirname, '../..');
const tsc = join(root, 'node_modules/.bin/tsc');
/** The condition under which our own tests and samples see the sources; nobody else sets it. */
const SOURCE = '@aos/source';
const manifest: { files: string[]; exports: Record<string, string | Record<string, string>> } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);

/** What a user writes, and nothing of ours but the package's name. */
const agent = `
import { AgentServer, currentCall, type InvocationContext } from 'aos-agent-server';

const server = new AgentServer({ port: Number(process.argv[2]), hostname: '127.0.0.1' });
server.onInvoke(async (request: Request, context: InvocationContext) => {
  const { name }: { name: string } = await request.json();
  const same: boolean = currentCall()?.invocationId === context.invocationId;
  return Response.json({ greeting: \`Hello, \${name}!\`, same });
});
const { url } = await server.listen();
process.stdout.write(url);
`;

/**
 * A project that has installed the package, made without a registry: the package is what `npm pack` packs, freshly
 * built, and above the project lie our node_modules, where its dependencies are found as they would be beside it.
 */
let project: string;
let installed: string;
let packed: string[];

beforeAll(async () => {
  await mkdir(join(root, '.vitest'), { recursive: true });
  project = await mkdtemp(join(root, '.vitest/library-user-'));
  installed = join(project, 'node_modules/aos-agent-server');
  const { stdout } = await execute('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], { cwd: root });
  packed = packedFiles(JSON.parse(stdout)).filter((file) => !file.startsWith('dist/'));
  for (const file of packed) await cp(join(root, file), join(installed, file), { recursive: true });
  await execute(tsc, ['-p', 'tsconfig.build.json', '--outDir', join(installed, 'dist')], { cwd: root });
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
  await writeFile(join(project, 'agent.ts'), agent);
}, 120_000);

afterAll(() => rm(project, { recursive: true, force: true }));

/** npm 10 answers with a list of packages, npm 11 with a record of them. */
function packedFiles(
  answer: Record<string, { files: { path: string }[] }> | { files: { path: string }[] }[],
): string[] {
  return Object.values(answer).flatMap(({ files }) => files.map(({ path }) => path));
}

describe('the npm package', () => {
  it('has what a user needs and nothing else', () => {
    expect(packed.sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'agents/prices.json',
      'agents/registry.json',
      'bin/aos.js',
      'openapi.json',
      'package.json',
      'policies/default.policy.json',
    ]);
    expect(manifest.files).toContain('dist/src');
  });

  it('points with every entry at a file that is there', () => {
    const targets = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string'
        ? [entry]
        : Object.entries(entry).flatMap(([when, target]) => (when === SOURCE ? [] : [target])),
    );
    expect(targets.filter((target) => !existsSync(join(installed, target)))).toEqual([]);
  });

  it('carries source maps that need no sources beside them', async () => {
    const map: { sourcesContent?: string[] } = JSON.parse(
      await readFile(join(installed, 'dist/src/index.js.map'), 'utf8'),
    );
    expect(map.sourcesContent).toHaveLength(1);
  });

  it.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])(
    'type-checks in a strict project of %s modules with %s resolution, our declarations included',
    async (module, resolution) => {
      const compilerOptions = { module, moduleResolution: resolution, target: 'es2024', types: ['node'], strict: true };
      const config = {
        compilerOptions: { ...compilerOptions, noEmit: true, skipLibCheck: false },
        files: ['agent.ts'],
      };
      await writeFile(join(project, 'tsconfig.json'), JSON.stringify(config));
      const said = await execute(tsc, ['--listFiles'], { cwd: project, maxBuffer: 2 ** 24 }).catch(
        (failure: { stdout: string }) => failure,
      );
      const lines = said.stdout.split('\n');
      expect(lines).toContain(join(installed, 'dist/src/index.d.ts'));
      // Dependencies' own declarations are not ours to judge.
      const complaints = lines.filter(
        (line) => /error TS/.test(line) && /aos-agent-server|^agent\.ts|^error/.test(line),
      );
      expect(complaints).toEqual([]);
    },
  );

  it('shows in its declarations no package that comes without types', async () => {
    const shown = await packagesShownBy(join(installed, 'dist/src/index.d.ts'), new Set());
    const untyped = [...new Set(shown)].filter((name) => {
      const { types, typings, exports } = JSON.parse(
        readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'),
      );
      return types === undefined && typings === undefined && !JSON.stringify(exports ?? '').includes('"types"');
    });
    expect(untyped, 'keep these types out of what src/index.ts exports').toEqual([]);
  });

  it('runs a ten-line agent', async () => {
    const port = await freePort();
    const running = spawn(process.execPath, ['agent.ts', String(port)], {
      cwd: project,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const errors: string[] = [];
    running.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
    const exited = new Promise<number | null>((resume) => running.on('exit', resume));
    try {
      const url = await Promise.race([
        new Promise<string>((resume) => running.stdout.once('data', (chunk) => resume(String(chunk)))),
        exited.then((code) => expect.fail(`ended with ${code}: ${errors.join('')}`)),
      ]);
      const answer = await fetch(`${url}/invocations`, { method: 'POST', body: '{"name":"Ada"}' });
      expect(await answer.json()).toEqual({ greeting: 'Hello, Ada!', same: true });
      running.kill('SIGTERM');
      expect(await exited).toBe(0);
    } finally {
      running.kill('SIGKILL');
    }
  });
});

/** The packages that a declaration file, and every one it refers to, imports from. */
async function packagesShownBy(file: string, seen: Set<string>): Promise<string[]> {
  if (seen.has(file)) return [];
  seen.add(file);
  const text = await readFile(file, 'utf8');
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(
    ([, specifier = '']) => specifier,
  );
  const shown = specifiers.map(async (specifier) => {
    if (specifier.startsWith('node:')) return [];
    if (specifier.startsWith('.'))
      return packagesShownBy(resolve(file, '..', specifier.replace(/\.ts$/, '.d.ts')), seen);
    return [specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')];
  });
  return (await Promise.all(shown)).flat();
}

function freePort(): Promise<number> {
  return new Promise((resume, reject) => {
    const probe = createServer().on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resume(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
