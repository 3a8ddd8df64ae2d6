/**
 * A server under test, always in its own process. It says over the IPC channel which port it listens on; its standard
 * output and error go to the null device, so log lines cost what formatting and writing them costs, and nothing else.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface ServerProcess {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** Collects garbage in the server and returns its `process.memoryUsage()`. */
  memory(): Promise<NodeJS.MemoryUsage>;
  /** Bytes of request bodies taken so far; only the OTLP sink counts them. */
  received(): Promise<number>;
  stop(): Promise<void>;
}

/** What a server program sends to its parent. */
export type ServerReport = { port: number } | { memory: NodeJS.MemoryUsage } | { received: number };

export interface ServerProgram {
  name: string;
  /** File in bench/servers. */
  file: string;
  args?: readonly string[];
  env?: Record<string, string>;
}

export async function startServer(program: ServerProgram): Promise<ServerProcess> {
  const child = fork(fileURLToPath(new URL(`../servers/${program.file}`, import.meta.url)), program.args ?? [], {
    stdio: ['ignore', 'ignore', process.env['BENCH_STDERR'] === 'inherit' ? 'inherit' : 'ignore', 'ipc'],
    execArgv: ['--expose-gc', ...(process.env['BENCH_NODE_OPTIONS']?.split(' ') ?? [])],
    env: { ...cleanEnv(), ...program.env },
  });
  const first = await Promise.race([
    once(child, 'message').then(([report]) => report as ServerReport),
    once(child, 'exit').then(([code]) => {
      throw new Error(
        `${program.name} ended with exit code ${code} before it listened (BENCH_STDERR=inherit shows why)`,
      );
    }),
  ]);
  if (!('port' in first) || child.pid === undefined) throw new Error(`${program.name} did not report a port`);
  return {
    name: program.name,
    pid: child.pid,
    port: first.port,
    memory: async () => {
      const report = await ask(child, 'memory');
      if (!('memory' in report)) throw new Error('expected a memory report');
      return report.memory;
    },
    received: async () => {
      const report = await ask(child, 'received');
      return 'received' in report ? report.received : Number.NaN;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function ask(child: ChildProcess, question: 'memory' | 'received'): Promise<ServerReport> {
  const answer = once(child, 'message') as Promise<[ServerReport]>;
  child.send(question);
  return (await answer)[0];
}

/** The environment without anything that would configure a server under test by accident. */
export function cleanEnv(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !/^(PORT|AOS_|OTEL_|FOUNDRY_|APPLICATIONINSIGHTS)/.test(entry[0]),
    ),
  );
}
