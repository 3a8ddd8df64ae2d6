/** The workers there are: hired and let go to keep to a size, never under an id that was used before. */
import type { Clock } from '../core/clock.ts';
import type { AttemptEnding } from './attempt-outcome.ts';
import type { Task, TaskKey } from './task.ts';
import { createWorker, type Worker, type WorkerView } from './worker.ts';

export interface RosterTotals {
  readonly processed: number;
  readonly completed: number;
  readonly failed: number;
}

export interface WorkerRoster {
  /** How many there should be; there are more while busy ones are still to leave. */
  readonly size: number;
  readonly busy: number;
  /** Workers without a task. */
  idle(): readonly Worker[];
  /** Busy ones leave when they are done. */
  resize(size: number): void;
  begin(worker: Worker, task: Task): void;
  end(worker: Worker, ending: AttemptEnding): void;
  /** Whether one of them has the task. */
  hasTask(key: TaskKey): boolean;
  views(): readonly WorkerView[];
  /** Of all workers there ever were. */
  totals(): RosterTotals;
}

/** @param prefix what ids begin with */
export function createWorkerRoster(prefix: string, clock: Clock): WorkerRoster {
  const totals = { processed: 0, completed: 0, failed: 0 };
  let workers: readonly Worker[] = [];
  let size = 0;
  let hired = 0;

  function keepToSize(): void {
    while (workers.length < size) {
      workers = [...workers, createWorker(`${prefix}-worker-${hired}`, clock)];
      hired += 1;
    }
    for (const worker of workers) {
      if (workers.length > size && worker.isIdle) workers = workers.filter((other) => other !== worker);
    }
  }

  return {
    get size() {
      return size;
    },
    get busy() {
      return workers.filter((worker) => !worker.isIdle).length;
    },
    idle: () => workers.filter((worker) => worker.isIdle),
    resize(to) {
      size = to;
      keepToSize();
    },
    begin: (worker, task) => worker.begin(task),
    end(worker, ending) {
      worker.end(ending);
      // A task that waits, or is given back, is not done with.
      if (ending.status !== 'waiting' && ending.status !== 'given_back') totals.processed += 1;
      if (ending.status === 'completed') totals.completed += 1;
      if (ending.status === 'failed') totals.failed += 1;
      keepToSize();
    },
    hasTask: ({ tenantId, taskId }) =>
      workers.some(({ task }) => task?.tenantId === tenantId && task.taskId === taskId),
    views: () => workers.map((worker) => worker.view()),
    totals: () => ({ ...totals }),
  };
}
