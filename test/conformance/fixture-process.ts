/**
 * The fixture program as a child process: started on a free port, its log and markers read, stopped or killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect } from 'vitest';
import { type LogRecord, parseLogLine } from './log-record.ts';
import { exchange } from './wire.ts';

const PROGRAM = join(import.meta.dirname, '../fixtures/conformance-agent.ts');
const START_LIMIT_MS = 20_000;
const EVENT_LIMIT_MS = 10_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface FixtureProcess {
  readonly port: number;
  readonly pid: number;
  readonly exit: Promise<Exit>;
  records(): readonly LogRecord[];
  /** Everything printed, as it came. */
  output(): string;
  /** The first record that matches, waiting for it up to 10 s. */
  record(matches: (record: LogRecord) => boolean, what: string): Promise<LogRecord>;
  /** Marker lines whose first word is `event`. */
  markers(event?: string): string[];
  marker(event: string, containing?: string): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** Kills what is still running and forgets the marker file. */
  dispose(): Promise<void>;
}

export type FixtureEnv = Readonly<Record<string, string>>;

/** Starts the fixture and resolves when `GET /readiness` answers 200. */
export async function startFixture(name: string, env: FixtureEnv = {}): Promise<FixtureProcess> {
  const fixture = await launchFixture(name, env);
  const started = Date.now();
  for (;;) {
    if (await isReady(fixture.port)) return fixture;
    const ended = await Promise.race([fixture.exit, pause(10)]);
    if (ended !== undefined || Date.now() - started > START_LIMIT_MS) {
      await fixture.dispose();
      throw new Error(`fixture ${name} did not become ready (exit ${JSON.stringify(ended)}):\n${fixture.output()}`);
    }
  }
}

/** Starts the fixture without waiting for readiness; for programs that are meant to fail. `PORT` may be given. */
export async function launchFixture(name: string, env: FixtureEnv = {}): Promise<FixtureProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const markerFile = join(folder, 'markers');
  const port = env['PORT'] === undefined ? await freePort() : Number(env['PORT']);
  const child = spawn(process.execPath, [PROGRAM], {
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      FIXTURE: name,
      PORT: String(port),
      FIXTURE_MARKER: markerFile,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const records: LogRecord[] = [];
  const streams = (['stdout', 'stderr'] as const).map((stream) => {
    const reader = createInterface({ input: child[stream], crlfDelay: Number.POSITIVE_INFINITY });
    reader.on('line', (line) => {
      lines.push(line);
      const record = parseLogLine(line, stream);
      if (record !== undefined) records.push(record);
    });
    return new Promise((resolve) => reader.once('close', resolve));
  });
  const ended = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const exit = Promise.all([ended, ...streams]).then(([result]) => result);
  const markers = (event?: string) =>
    readMarkers(markerFile).filter((line) => event === undefined || line.split(' ')[0] === event);
  return {
    port,
    pid: child.pid ?? 0,
    exit,
    records: () => records,
    output: () => lines.join('\n'),
    record: (matches, what) =>
      until(
        () => records.find(matches),
        () => `no record ${what} in:\n${lines.join('\n')}`,
      ),
    markers,
    marker: (event, containing = '') =>
      until(
        () => markers(event).find((line) => line.includes(containing)),
        () => `no marker "${event} ${containing}" in:\n${markers().join('\n')}`,
      ),
    signal: (signal) => child.kill(signal),
    dispose: async () => {
      if (isRunning(child)) child.kill('SIGKILL');
      await exit;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One fixture for all tests of the enclosing block. */
export function useFixture(name: string, env: FixtureEnv = {}): () => FixtureProcess {
  let running: FixtureProcess | undefined;
  beforeAll(async () => {
    running = await startFixture(name, env);
  });
  afterAll(async () => {
    await running?.dispose();
  });
  return () => {
    if (running === undefined) throw new Error('the fixture is not running yet');
    return running;
  };
}

/** Runs `work` with a fixture of its own. */
export async function withFixture(
  name: string,
  env: FixtureEnv,
  work: (fixture: FixtureProcess) => Promise<void>,
): Promise<void> {
  const fixture = await startFixture(name, env);
  try {
    await work(fixture);
  } finally {
    await fixture.dispose();
  }
}

/** Polls `find` until it gives something; fails with `failure` after 10 s. */
export async function until<Found>(find: () => Found | undefined, failure: () => string): Promise<Found> {
  for (const started = Date.now(); ; ) {
    const found = find();
    if (found !== undefined) return found;
    if (Date.now() - started > EVENT_LIMIT_MS) expect.fail(failure());
    await pause(10);
  }
}

export function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms));
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await exchange(port, { method: 'GET', target: '/readiness' })).status === 200;
  } catch {
    return false;
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function readMarkers(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1);
  } catch {
    return [];
  }
}

/** A port nobody listens on, below the range the system gives to outgoing connections. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000);
    if (await canListen(port)) return port;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '0.0.0.0', () => server.close(() => resolve(true)));
  });
}
