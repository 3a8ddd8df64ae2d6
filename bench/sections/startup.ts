/**
 * Start: from the spawn of the process to the first 200 on /readiness, on an empty port, in turns. For the container also
 * what it occupies when it has stood idle for a while: Node and its database apart.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openHttpConnection, requestBytes } from '../load/http-connection.ts';
import { descendants, pssKib, rssKib } from '../measure/process-usage.ts';
import { cleanEnv } from '../measure/server-process.ts';
import { type Spread, spread } from '../measure/statistics.ts';
import { figures, table } from '../measure/table.ts';
import type { Aim, Effort, SectionResult } from '../section.ts';

const built = new URL('../../dist/src/', import.meta.url);
const deadlineMs = 30_000;
const settleMs = 3000;

/** Programs given as text: what is measured is built JavaScript, not the stripping of types. */
const bareProgram = `import { createServer } from 'node:http';
createServer((_, response) => response.writeHead(200, { 'content-length': 20 }).end('{"status":"healthy"}')).listen(Number(process.env.PORT));`;
const hostProgram = `import { AgentServer } from ${JSON.stringify(new URL('index.js', built).href)};
const server = new AgentServer();
server.onInvoke(async (request) => Response.json(await request.json()));
await server.listen();`;

interface StartRow {
  program: string;
  readyMs: Spread;
  /** Resident set of the Node process after it has stood idle. */
  nodeRssMib: Spread;
  /** Of all its child processes together, shared pages counted once; NaN when there are none. */
  databasePssMib: Spread;
}

export async function benchStartup(effort: Effort): Promise<SectionResult> {
  const kept = mkdtempSync(join(tmpdir(), 'aos-bench-'));
  const container = [fileURLToPath(new URL('main.js', built))];
  const programs = [
    { name: 'node:http', args: ['--input-type=module', '-e', bareProgram], folder: () => undefined },
    { name: 'host alone', args: ['--input-type=module', '-e', hostProgram], folder: () => undefined },
    { name: 'container, existing data', args: container, folder: () => kept },
    { name: 'container, first start', args: container, folder: () => mkdtempSync(join(tmpdir(), 'aos-bench-')) },
  ];
  try {
    // Makes the data folder that later starts find.
    await startOnce(container, kept, 0);
    const samples = programs.map(() => [] as StartSample[]);
    for (let round = 0; round < effort.rounds + 2; round++) {
      for (const [index, { args, folder }] of programs.entries()) {
        const dataFolder = folder();
        samples[index]?.push(await startOnce(args, dataFolder, round < 2 ? settleMs : 0));
        if (dataFolder !== undefined && dataFolder !== kept) rmSync(dataFolder, { recursive: true, force: true });
      }
    }
    const rows: StartRow[] = programs.map(({ name }, index) => {
      const own = samples[index] ?? [];
      const settled = own.filter(({ nodeRssMib }) => nodeRssMib !== undefined);
      return {
        program: name,
        readyMs: spread(own.map(({ readyMs }) => readyMs)),
        nodeRssMib: spread(settled.map(({ nodeRssMib }) => nodeRssMib ?? Number.NaN)),
        databasePssMib: spread(settled.map(({ databasePssMib }) => databasePssMib ?? Number.NaN)),
      };
    });
    return {
      data: rows,
      aims: rows.flatMap(aimsOf),
      text: table(
        `Start: process start → 200 on /readiness; memory ${settleMs / 1000} s later`,
        ['program', 'ready ms', 'Node RSS MiB', 'database PSS MiB'],
        rows.map((row) => [row.program, figures(row.readyMs), figures(row.nodeRssMib), figures(row.databasePssMib)]),
      ),
    };
  } finally {
    rmSync(kept, { recursive: true, force: true });
  }
}

const readyAims: Record<string, number> = {
  'host alone': 150,
  'container, existing data': 700,
  'container, first start': 2000,
};

function aimsOf({ program, readyMs, nodeRssMib }: StartRow): Aim[] {
  const aim = readyAims[program];
  const ready: Aim[] =
    aim === undefined ? [] : [{ what: `${program}: ready ms`, measured: readyMs.median, is: 'at most', aim }];
  if (program !== 'container, existing data') return ready;
  return [...ready, { what: 'container: Node RSS MiB', measured: nodeRssMib.median, is: 'at most', aim: 130 }];
}

interface StartSample {
  readyMs: number;
  nodeRssMib?: number;
  databasePssMib?: number;
}

async function startOnce(
  args: readonly string[],
  dataFolder: string | undefined,
  settleFor: number,
): Promise<StartSample> {
  const port = await freePort();
  const started = performance.now();
  const child = spawn(process.execPath, args, {
    stdio: 'ignore',
    env: { ...cleanEnv(), PORT: String(port), ...(dataFolder === undefined ? {} : { AOS_DATA_DIR: dataFolder }) },
  });
  const exited = once(child, 'exit');
  const pid = child.pid;
  if (pid === undefined) throw new Error('the program could not be started');
  try {
    while (!(await isReady(port))) {
      if (child.exitCode !== null)
        throw new Error(`the program ended with exit code ${child.exitCode} before it was ready`);
      if (performance.now() - started > deadlineMs) throw new Error(`not ready after ${deadlineMs} ms`);
    }
    const readyMs = performance.now() - started;
    if (settleFor === 0) return { readyMs };
    await new Promise((resolve) => setTimeout(resolve, settleFor));
    const children = descendants(pid);
    return {
      readyMs,
      nodeRssMib: rssKib(pid) / 1024,
      databasePssMib: children.length === 0 ? Number.NaN : children.reduce((sum, each) => sum + pssKib(each), 0) / 1024,
    };
  } finally {
    child.kill('SIGTERM');
    await exited;
  }
}

/** One attempt; a refused connection waits a moment, so that asking does not take the CPU from what is starting. */
function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    openHttpConnection(port, {
      onOpen: (opened) => opened.send(requestBytes(port, { method: 'GET', path: '/readiness' })),
      onReply: (replied, status) => {
        resolve(status === 200);
        replied.destroy();
      },
      onClose: () => setTimeout(() => resolve(false), 2),
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
