/** A worker: takes one task at a time. It is a place in this process, not a thread; what it counts is for people. */
import { type Clock, isoTime } from '../core/clock.ts';
import type { AttemptEnding } from './attempt-outcome.ts';
import { keyOfTask, type Task, type TaskKey } from './task.ts';

export type WorkerStatus = 'starting' | 'idle' | 'processing' | 'stopping' | 'stopped' | 'error';

/** As it is shown; the names are those of the wire. */
export type WorkerView = {
  worker_id: string;
  worker_type: string;
  status: WorkerStatus;
  current_task: string | null;
  metrics: {
    tasks_processed: number;
    tasks_completed: number;
    tasks_failed: number;
    total_processing_time_ms: number;
    last_task_at: string | null;
    uptime_seconds: number;
  };
};

export interface Worker {
  readonly id: string;
  readonly isIdle: boolean;
  readonly task: TaskKey | undefined;
  begin(task: Task): void;
  end(ending: AttemptEnding): void;
  view(): WorkerView;
}

/** @param id never used before */
export function createWorker(id: string, clock: Clock): Worker {
  const bornAt = clock.monotonic();
  const counts = { processed: 0, completed: 0, failed: 0, busyMs: 0 };
  let current: { task: TaskKey; since: number } | undefined;
  let lastTaskAt: string | null = null;
  return {
    id,
    get isIdle() {
      return current === undefined;
    },
    get task() {
      return current?.task;
    },
    begin(task) {
      current = { task: keyOfTask(task), since: clock.monotonic() };
    },
    end({ status }) {
      if (current !== undefined) counts.busyMs += clock.monotonic() - current.since;
      current = undefined;
      lastTaskAt = isoTime(clock.now());
      // A task that waits, or is given back, is not done with.
      if (status === 'waiting' || status === 'given_back') return;
      counts.processed += 1;
      if (status === 'completed') counts.completed += 1;
      if (status === 'failed') counts.failed += 1;
    },
    view: () => ({
      worker_id: id,
      worker_type: 'general',
      status: current === undefined ? 'idle' : 'processing',
      current_task: current?.task.taskId ?? null,
      metrics: {
        tasks_processed: counts.processed,
        tasks_completed: counts.completed,
        tasks_failed: counts.failed,
        total_processing_time_ms: Math.round(counts.busyMs),
        last_task_at: lastTaskAt,
        uptime_seconds: Math.round((clock.monotonic() - bornAt) / 100) / 10,
      },
    }),
  };
}
