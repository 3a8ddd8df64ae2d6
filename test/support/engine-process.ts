/** Starts `engine-program.ts` as a process of its own and reads what it says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import type { Plan } from './engine-program.ts';

export interface EngineProcess {
  readonly child: ChildProcess;
  readonly lines: readonly string[];
  /** Resolves when the process has said the line. */
  said(line: string): Promise<void>;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
}

const living = new Set<ChildProcess>();

export function startEngineProcess(url: string, plan: Plan = {}): EngineProcess {
  const program = join(import.meta.dirname, 'engine-program.ts');
  const child = spawn(process.execPath, [program, url, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] });
  living.add(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const gone = once(child, 'close').then(() => {
    living.delete(child);
  });
  return {
    child,
    lines,
    gone,
    said: (line) => expect.poll(() => lines, { timeout: 25_000, interval: 5 }).toContain(line),
  };
}

/** For `afterEach`: no test leaves a process behind. */
export async function endEngineProcesses(): Promise<void> {
  const all = [...living];
  for (const child of all) child.kill('SIGKILL');
  await Promise.all(
    all.map((child) => (child.exitCode === null && child.signalCode === null ? once(child, 'close') : undefined)),
  );
}
