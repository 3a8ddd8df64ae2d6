/**
 * What a reader of a sample's README does: starts the server in one terminal, types the commands in another. Both are
 * shells in the repository's root; `localhost:8088` becomes the port the server got here.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const READY_LIMIT_MS = 30_000;

/** A program that runs in the terminal. */
export interface Job {
  /** What it has printed so far. */
  output(): string;
  readonly ended: Promise<void>;
  /** Sends a signal to it and to everything it started, as Ctrl-C does. */
  signal(name: NodeJS.Signals): void;
}

export interface Terminal extends AsyncDisposable {
  readonly url: string;
  /** Starts a program. */
  start(command: string): Job;
  /** Starts a server and resolves when it is ready. */
  startServer(command: string): Promise<Job>;
  /** Runs a program to its end and tells what it printed. */
  run(command: string): Promise<string>;
}

/** A terminal with a home and a port of its own; what still runs at the end is stopped. */
export async function openTerminal(): Promise<Terminal> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const home = mkdtempSync(join(tmpdir(), 'sample-'));
  const env = { PATH: pathWithCurl(home), HOME: home, PORT: String(port), NO_COLOR: '1' };
  const jobs: Job[] = [];

  function start(command: string): Job {
    const shell = spawn(command.replaceAll('localhost:8088', `localhost:${port}`), {
      cwd: ROOT,
      env,
      shell: true,
      // A process group of its own: npm, its shell and the program get a signal together, as in a real terminal.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [shell.stdout, shell.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const ended = new Promise<void>((resolve) => shell.once('close', () => resolve()));
    const job = { output: () => output, ended, signal: (name: NodeJS.Signals) => signalGroup(shell, name) };
    jobs.push(job);
    return job;
  }

  return {
    url,
    start,
    async startServer(command) {
      const job = start(command);
      const deadline = Date.now() + READY_LIMIT_MS;
      let hasEnded = false;
      void job.ended.then(() => {
        hasEnded = true;
      });
      while (!(await isReady(url))) {
        if (hasEnded || Date.now() > deadline) throw new Error(`"${command}" did not become ready:\n${job.output()}`);
        await pause(50);
      }
      return job;
    },
    async run(command) {
      const job = start(command);
      await job.ended;
      return job.output();
    },
    async [Symbol.asyncDispose]() {
      for (const job of jobs) job.signal('SIGTERM');
      await Promise.all(jobs.map((job) => job.ended));
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Resolves as soon as `job` has printed what `pattern` matches; fails when it ends without. */
export async function printed(job: Job, pattern: RegExp): Promise<void> {
  let hasEnded = false;
  void job.ended.then(() => {
    hasEnded = true;
  });
  while (!pattern.test(job.output())) {
    if (hasEnded) throw new Error(`it ended without printing ${pattern}:\n${job.output()}`);
    await pause(20);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function signalGroup(leader: ChildProcess, signal: NodeJS.Signals): void {
  if (leader.pid === undefined) return;
  try {
    process.kill(-leader.pid, signal);
  } catch {
    // The whole group has ended already.
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readiness`)).ok;
  } catch {
    return false;
  }
}

/** The PATH, with a stand-in for curl where the machine has none. */
function pathWithCurl(folder: string): string {
  const path = process.env['PATH'] ?? '';
  if (spawnSync('curl', ['--version']).status === 0) return path;
  const standIn = join(folder, 'curl');
  writeFileSync(standIn, `#!/bin/sh\nexec "${process.execPath}" "${join(import.meta.dirname, 'curl.ts')}" "$@"\n`);
  chmodSync(standIn, 0o755);
  return `${folder}:${path}`;
}

/** A port nobody listens on, below the range the system gives to outgoing connections. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '0.0.0.0', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
