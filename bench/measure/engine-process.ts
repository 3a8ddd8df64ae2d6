/** An engine under test, always in its own process: one task at a time, its result as a promise. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { EngineResult, EngineTask } from '../load/engine-task.ts';
import { cleanEnv } from './server-process.ts';

export interface EngineProcess {
  /** From the start of the process until its engine was ready. */
  readonly readyMs: number;
  run<Task extends EngineTask>(task: Task): Promise<EngineResult<Task>>;
  /** Kills it: what it was doing stays as it is. */
  kill(): Promise<void>;
}

export async function startEngine(file: string, args: readonly string[]): Promise<EngineProcess> {
  const began = performance.now();
  const child = fork(fileURLToPath(new URL(`../servers/${file}`, import.meta.url)), args, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    execArgv: ['--expose-gc'],
    env: cleanEnv(),
  });
  const exited = once(child, 'exit');
  const ended = exited.then((): never => {
    throw new Error(`${file} ended unexpectedly`);
  });
  ended.catch(() => {});
  await Promise.race([once(child, 'message'), ended]);
  const readyMs = performance.now() - began;
  return {
    readyMs,
    async run<Task extends EngineTask>(task: Task) {
      const answered = once(child, 'message') as Promise<[{ result: unknown } | { failure: string }]>;
      child.send(task);
      const [answer] = await Promise.race([answered, ended]);
      if ('failure' in answer) throw new Error(`${file}, task ${task.kind}: ${answer.failure}`);
      return answer.result as EngineResult<Task>;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
