/**
 * The load generator: a process of its own that runs one task after another, as its parent asks.
 */
import { type ClosedLoopTask, runClosedLoop } from './closed-loop.ts';
import { type FloodTask, runFlood } from './flood.ts';
import { type ProbeTask, runProbe } from './probe.ts';
import { closeIdleSockets, type EchoTask, type IdleSocketsTask, openIdleSockets, runEcho } from './websocket.ts';

export type LoadTask =
  | ClosedLoopTask
  | EchoTask
  | IdleSocketsTask
  | FloodTask
  | ProbeTask
  | { kind: 'close-idle-sockets' };

export type LoadAnswer = { result: unknown } | { failure: string };

process.on('message', (task: LoadTask) => {
  run(task).then(
    (result) => answer({ result }),
    (failure: unknown) => answer({ failure: String(failure) }),
  );
});
process.on('disconnect', () => process.exit());

async function run(task: LoadTask): Promise<unknown> {
  switch (task.kind) {
    case 'closed-loop':
      return runClosedLoop(task);
    case 'echo':
      return runEcho(task);
    case 'idle-sockets':
      return openIdleSockets(task);
    case 'close-idle-sockets':
      return closeIdleSockets();
    case 'flood':
      return runFlood(task);
    case 'probe':
      return runProbe(task);
  }
}

function answer(message: LoadAnswer): void {
  process.send?.(message);
}
