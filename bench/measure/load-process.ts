/** The parent's side of a load generator process: one task at a time, its result as a promise. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ClosedLoopTask, WindowResult } from '../load/closed-loop.ts';
import type { FloodResult, FloodTask } from '../load/flood.ts';
import type { LoadAnswer, LoadTask } from '../load/generator.ts';
import type { ProbeResult, ProbeTask } from '../load/probe.ts';
import type { EchoTask } from '../load/websocket.ts';

/** What a task of this kind results in. */
type ResultOf<Task extends LoadTask> = Task extends ClosedLoopTask | EchoTask
  ? WindowResult
  : Task extends FloodTask
    ? FloodResult
    : Task extends ProbeTask
      ? ProbeResult
      : { open: number };

export interface LoadProcess {
  run<Task extends LoadTask>(task: Task): Promise<ResultOf<Task>>;
  stop(): Promise<void>;
}

export function startLoadProcess(): LoadProcess {
  const child = fork(fileURLToPath(new URL('../load/generator.ts', import.meta.url)), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  return {
    async run<Task extends LoadTask>(task: Task) {
      const answered = once(child, 'message') as Promise<[LoadAnswer]>;
      child.send(task);
      const ended = exited.then((): never => {
        throw new Error('the load generator ended unexpectedly');
      });
      const [answer] = await Promise.race([answered, ended]);
      if ('failure' in answer) throw new Error(`load task ${task.kind} failed: ${answer.failure}`);
      return answer.result as ResultOf<Task>;
    },
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
