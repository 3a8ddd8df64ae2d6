import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase } from './support/database.ts';
import { eventsOf, invocation, post } from './support/invocations.ts';

const PROGRAM = join(import.meta.dirname, '../src/main.ts');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aos-main-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

interface Started {
  readonly process: ChildProcess;
  /** What it has said so far. */
  readonly said: { out: string; err: string };
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  /** Resolves once standard output, or standard error, holds `text`. */
  says(stream: 'out' | 'err', text: string): Promise<void>;
}

function start(environment: Record<string, string>): Started {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [PROGRAM], { env: { PATH, HOME: folder, ...environment } });
  const said = { out: '', err: '' };
  child.stdout.on('data', (text) => {
    said.out += text;
  });
  child.stderr.on('data', (text) => {
    said.err += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  return {
    process: child,
    said,
    ended,
    async says(stream, text) {
      while (!said[stream].includes(text)) {
        const news = once(stream === 'out' ? child.stdout : child.stderr, 'data');
        const end = await Promise.race([news, ended.then(() => 'ended' as const)]);
        if (end === 'ended' && !said[stream].includes(text)) throw new Error(`it ended without "${text}": ${said.err}`);
      }
    },
  };
}

function lastRecord({ said }: Started): { level: string; message: string; stack?: string } {
  return JSON.parse(said.err.trimEnd().split('\n').at(-1) ?? '');
}

describe('a container that cannot become ready says why in its last line, and ends with 1', () => {
  test.each<[string, () => Promise<Record<string, string>> | Record<string, string>, RegExp]>([
    [
      'a faulty environment',
      () => ({ AOS_DATABASE_URL: 'mysql://u:hunter2@h' }),
      /^aos-agent-server cannot start: AOS_DATABASE_URL must be a PostgreSQL address .* but it is "mysql:\/\/u:\*\*\*@h"$/,
    ],
    [
      'faults of both halves',
      () => ({ AOS_MODEL: 'm', PORT: '0x' }),
      /the environment has faults:\n {2}- AOS_MODEL names a model .*\n {2}- PORT must be/,
    ],
    [
      'no database',
      () => ({ AOS_DATABASE_URL: 'postgres://u:hunter2@127.0.0.1:1/d' }),
      /"d" at 127\.0\.0\.1:1 cannot be used: nothing listens there/,
    ],
    [
      'a data folder that is none',
      () => ({ AOS_DATA_DIR: '/dev/null/data' }),
      /the data folder \/dev\/null\/data cannot be used .* set AOS_DATA_DIR to a folder/,
    ],
    [
      'a faulty registry',
      async () => {
        const path = join(folder, 'registry.json');
        await writeFile(path, '{"agents":[{"agent_id":"x"}]}');
        return { AGENT_REGISTRY_PATH: path, AOS_DATABASE_URL: await createTestDatabase() };
      },
      /the agent registry .*registry\.json has \d faults:/,
    ],
  ])('%s', async (_title, environment, message) => {
    const container = start(await environment());
    expect(await container.ended).toEqual({ code: 1, signal: null });
    const { level, message: said, stack } = lastRecord(container);
    expect(level).toBe('CRITICAL');
    expect(said).toMatch(message);
    expect(stack).toBeUndefined();
    expect(container.said.err).not.toContain('hunter2');
    expect(container.said.out).toBe('');
  });

  test('a port that is taken', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const address = holder.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const container = start({ PORT: String(port), AOS_DATABASE_URL: await createTestDatabase() });
    expect(await container.ended).toEqual({ code: 1, signal: null });
    expect(lastRecord(container).message).toContain(`port ${port} on 127.0.0.1 is already in use`);
    holder.close();
  });
});

describe('a container of an ordinary environment', () => {
  test('says its first line at once, a line for people when it is ready, and ends with 0 on SIGTERM', async () => {
    const port = await freePort();
    const container = start({ PORT: String(port), AOS_DATA_DIR: join(folder, 'data') });
    await container.says('out', '\n');
    expect(container.said.out).toBe(
      `aos-agent-server 0.1.0 takes requests at http://localhost:${port} | access: this machine only, without authentication (AUTH_MODE=off) | model: SIMULATED: answers are computed offline by rules, no model is called | data: ${container.said.out.split('data: ')[1]}`,
    );
    expect(container.said.out).toMatch(
      new RegExp(
        `data: ${folder}/data \\(embedded PostgreSQL, process \\d+\\) \\| try: curl -N http://localhost:${port}/invocations -H .+ -d '{.+}'\n$`,
      ),
    );
    expect(JSON.parse(container.said.err.split('\n')[0] ?? '')).toMatchObject({
      level: 'INFO',
      message: 'aos-agent-server is starting',
    });
    expect(await (await fetch(`http://localhost:${port}/readiness`)).json()).toEqual({ status: 'healthy' });
    expect((await invocation(post(`http://localhost:${port}/invocations`, { message: 'Hello' }))).status).toBe(
      'completed',
    );
    container.process.kill('SIGTERM');
    expect(await container.ended).toEqual({ code: 0, signal: null });
  });

  test('ends with 1 when its database dies, and says so', async () => {
    const container = start({ PORT: String(await freePort()), AOS_DATA_DIR: join(folder, 'lost') });
    await container.says('out', '\n');
    process.kill(Number(/process (\d+)/.exec(container.said.out)?.[1]), 'SIGKILL');
    expect(await container.ended).toEqual({ code: 1, signal: null });
    expect(lastRecord(container)).toMatchObject({
      level: 'CRITICAL',
      message: expect.stringContaining('aos-agent-server cannot go on: The database server stopped by itself'),
    });
  });

  test('stops while it starts', async () => {
    const container = start({ AOS_DATA_DIR: join(folder, 'early') });
    await container.says('err', 'is starting');
    container.process.kill('SIGTERM');
    expect(await container.ended).toEqual({ code: 0, signal: null });
  });

  test('lets an answer under way finish; a second signal ends it at once, and the run goes on at the next start', async () => {
    const port = await freePort();
    const invocations = `http://localhost:${port}/invocations`;
    const environment = { PORT: String(port), AOS_DATABASE_URL: await createTestDatabase() };
    const slow = start({ ...environment, AOS_SIMULATED_TOKEN_MS: '60000' });
    await slow.says('out', '\n');
    const response = await post(
      invocations,
      { message: 'Hello' },
      { accept: 'text/event-stream', 'x-agent-invocation-id': 'under-way' },
    );
    const events = eventsOf(response);
    while ((await events.next()).value?.type !== 'turn.delta');
    slow.process.kill('SIGTERM');
    await slow.says('err', 'SIGTERM was received: finishing what is under way');
    slow.process.kill('SIGTERM');
    expect(await slow.ended).toEqual({ code: 1, signal: null });

    const next = start(environment);
    await next.says('out', '\n');
    const rest = fetch(`${invocations}/under-way`, { headers: { accept: 'text/event-stream' } });
    const seen = await Array.fromAsync(eventsOf(await rest));
    expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => index + 1));
    expect(seen.at(-1)?.type).toBe('run.completed');
    next.process.kill('SIGINT');
    expect(await next.ended).toEqual({ code: 0, signal: null });
  });
});
