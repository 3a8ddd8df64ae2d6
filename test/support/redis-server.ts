/** A real redis-server of a test's own, durable like one that matters: every write is on the disk before its answer. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './program.ts';

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Sends the signal to the server; resolves when it is gone, for those that end it. */
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Starts it again where it was, with what it had on disk. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function startRedisServer(password: string): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'aos-redis-'));
  const port = await freePort();
  let child: ChildProcess;

  async function start(): Promise<void> {
    const durable = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];
    const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--requirepass', password];
    child = spawn('redis-server', [...where, ...durable], { stdio: 'ignore' });
    while (!(await answers(port))) {
      if (child.exitCode !== null) throw new Error(`redis-server ended with ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    async signal(name) {
      child.kill(name);
      if (name === 'SIGKILL') await once(child, 'close');
    },
    restart: start,
    async close() {
      const running = child.exitCode === null && child.signalCode === null;
      if (running && child.kill('SIGKILL')) await once(child, 'close');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    // Even a refusal (NOAUTH) means that it is there; while it loads its file it says LOADING.
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) => {
      socket.destroy();
      resolve(!data.toString().includes('LOADING'));
    });
    socket.once('error', () => resolve(false));
  });
}
