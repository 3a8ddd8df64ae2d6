/**
 * What an engine under test is asked, inside its own process: the same work for ours and for the one it is measured
 * beside. A contestant says what it is to start work; everything that is measured is measured here.
 */
import { latencySummary } from '../measure/statistics.ts';

export interface Contestant {
  /** Resolves when the work is accepted for good; `done` when its end is stored. */
  start(steps: number): Promise<{ done: Promise<unknown> }>;
  /** Starts `count` pieces of work that wait for a message, and resolves when all of them do. */
  park(count: number): Promise<void>;
  /** Starts work that tells `count` things, `gapMs` apart, each with the time at which it is told. @returns its id */
  tell(id: string, count: number, gapMs: number): Promise<void>;
  /** What is told, as it arrives. */
  follow(id: string): AsyncIterable<number>;
}

export type EngineTask =
  /** As many pieces of work as fit in the time, so many at once. */
  | { kind: 'rate'; steps: number; atOnce: number; measureMs: number }
  /** One piece of work after the other, accepted at a fixed pace whatever the answers. */
  | { kind: 'accept'; perSecond: number; measureMs: number }
  | { kind: 'park'; count: number }
  | { kind: 'tell'; id: string; count: number; gapMs: number }
  | { kind: 'follow'; id: string; followers: number; count: number }
  | { kind: 'memory' };

export interface RateResult {
  perSecond: number;
  /** Of this process, for each piece of work. */
  cpuMicrosEach: number;
}
export interface LatencyResult {
  p50: number;
  p99: number;
  max: number;
  count: number;
}
export type EngineResult<Task extends EngineTask> = Task['kind'] extends 'rate'
  ? RateResult
  : Task['kind'] extends 'accept' | 'follow'
    ? LatencyResult
    : Task['kind'] extends 'memory'
      ? { rssMib: number; heapMib: number }
      : null;

/** Milliseconds since the epoch with fractions: comparable between processes of one machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Answers the parent's tasks; says `ready` first. */
export function serveTasks(contestant: Contestant): void {
  process.on('message', (task: EngineTask) => {
    perform(contestant, task).then(
      (result) => process.send?.({ result }),
      (failure: unknown) => process.send?.({ failure: String(failure) }),
    );
  });
  process.on('disconnect', () => process.exit());
  process.send?.({ ready: true });
}

async function perform(contestant: Contestant, task: EngineTask): Promise<unknown> {
  switch (task.kind) {
    case 'rate':
      return measureRate(contestant, task);
    case 'accept':
      return measureAccept(contestant, task);
    case 'park':
      await contestant.park(task.count);
      return null;
    case 'tell':
      await contestant.tell(task.id, task.count, task.gapMs);
      return null;
    case 'follow':
      return measureFollowers(contestant, task);
    case 'memory': {
      global.gc?.();
      const { rss, heapUsed } = process.memoryUsage();
      return { rssMib: rss / 2 ** 20, heapMib: heapUsed / 2 ** 20 };
    }
  }
}

async function measureRate(
  contestant: Contestant,
  { steps, atOnce, measureMs }: Extract<EngineTask, { kind: 'rate' }>,
): Promise<RateResult> {
  let count = 0;
  const began = performance.now();
  const cpu = process.cpuUsage();
  const worker = async () => {
    while (performance.now() - began < measureMs) {
      const { done } = await contestant.start(steps);
      await done;
      count++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: count / seconds, cpuMicrosEach: (user + system) / count };
}

async function measureAccept(
  contestant: Contestant,
  { perSecond, measureMs }: Extract<EngineTask, { kind: 'accept' }>,
): Promise<LatencyResult> {
  const latencies: number[] = [];
  const done: Promise<unknown>[] = [];
  const began = performance.now();
  for (let number = 0; ; number++) {
    const due = began + (number * 1000) / perSecond;
    if (due - began >= measureMs) break;
    await sleep(Math.max(0, due - performance.now()));
    // Counted from when it was due: a process that is late is not faster for it.
    const started = contestant.start(1).then((work) => {
      latencies.push(performance.now() - due);
      return work.done;
    });
    done.push(started);
  }
  await Promise.all(done);
  return latencySummary(latencies);
}

async function measureFollowers(
  contestant: Contestant,
  { id, followers, count }: Extract<EngineTask, { kind: 'follow' }>,
): Promise<LatencyResult> {
  const latencies: number[] = [];
  const follower = async () => {
    let seen = 0;
    for await (const toldAt of contestant.follow(id)) {
      latencies.push(wallMs() - toldAt);
      if (++seen === count) return;
    }
    throw new Error(`a follower saw ${seen} of ${count}`);
  };
  await Promise.all(Array.from({ length: followers }, follower));
  return latencySummary(latencies);
}
