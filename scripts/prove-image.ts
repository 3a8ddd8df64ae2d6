/**
 * Proves the Dockerfile without a Docker engine: carries out its instructions on a minimal Debian, starts what it
 * starts, as the user it says, and asks of the result what the platform asks. Run it as root: `npm run prove-image`.
 * Exit code 0: proven; 1: a fault, named in the last lines; 69: cannot be tried on this machine, and why.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { BaseUnavailableError, whyNotHere } from './image/base-tree.ts';
import { buildImage, discard, type Image } from './image/build.ts';
import { parseDockerfile } from './image/dockerfile.ts';
import { collectOutput, exitOf, familyOf, firstProcess, runJailed, spawnJailed } from './image/jail.ts';

const UNAVAILABLE = 69;
const repository = resolve(import.meta.dirname, '..');
/** Left as it is when something fails, to be looked at. */
const workshop = join(tmpdir(), 'aos-prove-image');
const started = performance.now();

function report(line: string): void {
  process.stdout.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
}

function expect(condition: boolean, what: string, seen?: unknown): void {
  if (!condition) throw new Error(`expected: ${what}${seen === undefined ? '' : `; seen: ${String(seen)}`}`);
  report(`ok: ${what}`);
}

async function prove(): Promise<void> {
  const stages = parseDockerfile(readFileSync(join(repository, 'Dockerfile'), 'utf8'));
  const image = await buildImage(stages, {
    context: repository,
    cache: join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'aos-prove-image'),
    workshop,
    ...registryAccess(),
    report,
  });
  report(
    `built: ${execFileSync('du', ['-sm', join(image.root, 'app')], { encoding: 'utf8' }).split('\t')[0]} MB in /app`,
  );
  checkContents(image);
  await checkLife(image, 'first start');
  await checkLife(image, 'start on existing data');
  checkTraces(image);
  discard(workshop);
  report('the image builds, starts, answers and stops as the Dockerfile says');
}

/** What a RUN step needs to reach the registry the way this machine does: names, certificates, proxies, npm's cache. */
function registryAccess() {
  const npmCache = execFileSync('npm', ['config', 'get', 'cache'], { encoding: 'utf8' }).trim();
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const proxies = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'https_proxy', 'http_proxy', 'no_proxy'];
  const certificates = '/etc/ssl/certs';
  const here = (path: string) => (existsSync(path) ? { [path]: path } : {});
  return {
    runEnv: {
      npm_config_cache: '/root/.npm',
      npm_config_prefer_offline: 'true',
      npm_config_registry: registry,
      ...(existsSync(certificates) ? { NODE_EXTRA_CA_CERTS: `${certificates}/ca-certificates.crt` } : {}),
      ...Object.fromEntries(proxies.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []))),
    },
    runMounts: { [npmCache]: '/root/.npm', ...here(certificates), ...here('/etc/resolv.conf'), ...here('/etc/hosts') },
  };
}

function checkContents(image: Image): void {
  expect(image.user === '1000:1000', 'the image runs as a user that is not root, by number', image.user);
  expect(image.env['HOME'] === '/home/session', 'HOME is /home/session', image.env['HOME']);
  expect(image.port === 8088, 'port 8088 is announced', image.port);
  expect(image.command[0] === 'node', 'node itself is the command', image.command.join(' '));
  const app = join(image.root, image.folder);
  for (const absent of ['src', 'test', '.git', 'node_modules/typescript', 'node_modules/vitest', 'node_modules/node']) {
    expect(!existsSync(join(app, absent)), `${absent} stays out of the image`);
  }
  const writable = execFileSync(
    'find',
    [app, '!', '-type', 'l', '(', '-not', '-user', '0', '-o', '-perm', '/o+w', ')'],
    {
      encoding: 'utf8',
    },
  );
  expect(writable === '', 'the program belongs to root and nobody else may change it', writable.slice(0, 500));
  expect(existsSync(join(image.root, 'usr/bin/setpriv')), 'setpriv is there, which ties the database to the server');
  const home = statSync(join(image.root, 'home/session'));
  expect(home.uid === 1000 && home.gid === 1000, 'HOME belongs to the user', `${home.uid}:${home.gid}`);
}

/** One life of the container: start, readiness, health check, one orchestration, SIGTERM. */
async function checkLife(image: Image, which: string): Promise<void> {
  const port = await freePort();
  const env = { ...image.env, PORT: String(port) };
  const keeper = spawnJailed(image.root, { command: image.command, env, folder: image.folder, user: image.user });
  const output = collectOutput(keeper);
  const ended = exitOf(keeper);
  try {
    const startedAt = performance.now();
    const readiness = await untilReady(`http://127.0.0.1:${port}/readiness`, ended);
    expect(readiness === '200 {"status":"healthy"}', `${which}: /readiness answers 200`, readiness);
    report(`${which}: ready after ${Math.round(performance.now() - startedAt)} ms`);
    await checkInside(image, env, firstProcess(keeper), which);
    await checkOrchestration(port, which);
    process.kill(firstProcess(keeper), 'SIGTERM');
    const code = await within(30_000, ended, 'the container to end after SIGTERM');
    expect(code === 0, `${which}: SIGTERM ends it with exit code 0`, code);
  } catch (error) {
    keeper.kill('SIGKILL');
    throw new Error(
      `${error instanceof Error ? error.message : String(error)}\n--- what the container wrote ---\n${output()}`,
    );
  }
}

async function checkInside(image: Image, env: Record<string, string>, first: number, which: string): Promise<void> {
  const owners = familyOf(first).map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8').match(/^Uid:\t(\d+)/m)?.[1]);
  expect(
    owners.length > 1 && owners.every((uid) => uid === '1000'),
    `${which}: no process is root's`,
    owners.join(' '),
  );
  const { command, folder, user } = { ...image, command: image.healthcheck ?? [] };
  const health = await runJailed(image.root, { command, env, folder, user });
  expect(health.code === 0, `${which}: the health check agrees`, health.output);
}

async function checkOrchestration(port: number, which: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      agent_ids: ['ceo', 'cfo', 'cmo'],
      workflow: 'collaborative',
      task: { type: 'strategic_review', data: { quarter: 'Q1-2026' } },
    }),
  });
  const body = await answer.text();
  const completed = answer.status === 200 && /"status":"completed"/.test(body) && /"simulated":true/.test(body);
  expect(completed, `${which}: POST /invocations completes a board review`, `${answer.status} ${body.slice(0, 500)}`);
}

/** What both lives left behind. */
function checkTraces(image: Image): void {
  const data = join(image.root, 'home/session/.aos');
  expect(existsSync(data), 'the data is kept below HOME', readdirSync(join(image.root, 'home/session')).join(' '));
  const foreign = execFileSync('find', [data, '-not', '-user', '1000'], { encoding: 'utf8' });
  expect(foreign === '', 'the data belongs to the user', foreign.slice(0, 500));
  const locks = execFileSync('find', [data, '-name', 'postmaster.pid'], { encoding: 'utf8' });
  expect(locks === '', 'the database was shut down, not cut off', locks);
}

async function untilReady(url: string, ended: Promise<number | null>): Promise<string> {
  let over: string | undefined;
  ended.then((code) => {
    over = `it ended with ${code} before it was ready`;
  });
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; ) {
    if (over !== undefined) return over;
    const answer = await fetch(url).catch(() => undefined);
    if (answer !== undefined) return `${answer.status} ${await answer.text()}`;
    await new Promise((resume) => setTimeout(resume, 20));
  }
  return 'nothing for 60 s';
}

function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
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

const reason = whyNotHere();
try {
  if (reason !== undefined) throw new BaseUnavailableError(reason);
  await prove();
} catch (error) {
  const unavailable = error instanceof BaseUnavailableError;
  process.exitCode = unavailable ? UNAVAILABLE : 1;
  const text = error instanceof Error ? error.message : String(error);
  process.stdout.write(
    unavailable ? `the image cannot be proved here: ${text}\n` : `${text}\nleft to look at: ${workshop}\n`,
  );
}
