/** The server as a process of its own whose every connection is written down. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './program.ts';

const PROGRAM = join(import.meta.dirname, '../../src/main.ts');
const WATCH = join(import.meta.dirname, '../fixtures/socket-watch.ts');

export interface Connection {
  readonly type: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
}

export interface WatchedServer extends AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  /** What it said on standard output and on standard error. */
  readonly said: { readonly out: string; readonly err: string };
  connections(): Promise<readonly Connection[]>;
}

/** Its data is in `folder`, and is left there for another start when one is given. */
export async function startWatchedServer(
  environment: Readonly<Record<string, string>>,
  folder?: string,
): Promise<WatchedServer> {
  const own = folder ?? (await mkdtemp(join(tmpdir(), 'aos-watched-')));
  const file = join(own, 'connections.ndjson');
  const port = await freePort();
  const { PATH = '' } = process.env;
  const env = { PATH, HOME: own, AOS_DATA_DIR: own, PORT: String(port), SOCKET_WATCH_FILE: file, ...environment };
  const child = spawn(process.execPath, ['--import', WATCH, PROGRAM], { env });
  const said = { out: '', err: '' };
  child.stdout.on('data', (text) => {
    said.out += text;
  });
  child.stderr.on('data', (text) => {
    said.err += text;
  });
  await ready(child, said);
  return {
    url: `http://127.0.0.1:${port}`,
    folder: own,
    said,
    async connections() {
      const text = await readFile(file, 'utf8').catch(() => '');
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Connection);
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'close');
      if (folder === undefined) await rm(own, { recursive: true, force: true });
    },
  };
}

async function ready(child: ChildProcess, said: { out: string; err: string }): Promise<void> {
  const ended = once(child, 'close').then(() => 'ended' as const);
  while (said.out === '') {
    const news = child.stdout === null ? ended : once(child.stdout, 'data');
    if ((await Promise.race([news, ended])) === 'ended') throw new Error(`it did not start: ${said.err}`);
  }
}
