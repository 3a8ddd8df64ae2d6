/**
 * The line of tasks and a pool of workers on a database, over an engine that does what a test says: everything but the
 * engine is real.
 */

import { systemClock } from '../../src/core/clock.ts';
import { AosError } from '../../src/core/errors.ts';
import { randomUnit } from '../../src/core/ids.ts';
import type { Engine } from '../../src/engine/engine.ts';
import type { NewFeedItem } from '../../src/runs/feed.ts';
import { type Caller, partsOfKey, type Run } from '../../src/runs/run.ts';
import type { RunAdmission, RunStore } from '../../src/runs/run-store.ts';
import type { Database } from '../../src/store/database.ts';
import type { NewTask, Task } from '../../src/tasks/task.ts';
import { createTaskClaims, type TaskClaims } from '../../src/tasks/task-claims.ts';
import { createTaskQueue, type TaskQueue } from '../../src/tasks/task-queue.ts';
import { createTaskSettings, type TaskSettingsPatch, type TaskSettingsStore } from '../../src/tasks/task-settings.ts';
import { createWorkerPool, type WorkerPool } from '../../src/tasks/worker-pool.ts';
import { unenforcedGovernor } from './governance.ts';
import { silentLog } from './log.ts';
import { testRun } from './run.ts';

export const acme: Caller = { tenantId: 'acme', userId: 'ada' };

/** What the run of an attempt does: a change of the run it is then. Its signal fires when the run is cancelled. */
export type Attempt = (run: Run, signal: AbortSignal) => Promise<Partial<Run>> | Partial<Run>;

export interface TestTasks {
  readonly queue: TaskQueue;
  readonly claims: TaskClaims;
  readonly settings: TaskSettingsStore;
  readonly pool: WorkerPool;
  /** Every fact told to the feed by these parts. */
  readonly facts: NewFeedItem[];
  /** Ids of the runs that were performed, in order. */
  readonly performed: string[];
}

export interface TestTasksOptions {
  readonly attempt?: Attempt;
  readonly settings?: TaskSettingsPatch;
  readonly loopLoad?: () => number;
}

export function createTestTasks(database: Database, options: TestTasksOptions = {}): TestTasks {
  const { attempt = () => ({ status: 'completed', result: { done: true } }), loopLoad = () => 0 } = options;
  const facts: NewFeedItem[] = [];
  const feed = { write: async (_within: unknown, item: NewFeedItem) => void facts.push(item) };
  const double = engineDouble(attempt);
  const parts = { database, engine: double.engine, runs: double.runs, feed, clock: systemClock, log: silentLog };
  const settings = createTaskSettings(database, options.settings);
  const queue = createTaskQueue({ ...parts, settings, governor: unenforcedGovernor() });
  const claims = createTaskClaims({ ...parts, settings, random: randomUnit });
  const pool = createWorkerPool({ ...parts, settings, claims, loopLoad, simulated: true, stopGraceMs: 200 });
  return { queue, claims, settings, pool, facts, performed: double.performed };
}

/** Runs in memory: admitted, performed as the attempt says, cancelled. */
function engineDouble(attempt: Attempt) {
  const admitted = new Map<string, Run>();
  const aborts = new Map<string, AbortController>();
  const performed: string[] = [];
  const runs: Pick<RunStore, 'admit' | 'steps'> = {
    async admit({ id, caller, request, deadlineAt, held = false }: RunAdmission) {
      const known = admitted.get(id);
      const run =
        known ?? testRun({ id, kind: 'task', caller, request, deadlineAt: deadlineAt ?? null, held, status: 'queued' });
      admitted.set(id, run);
      return { run, outcome: known === undefined ? 'created' : 'joined' };
    },
    steps: async () => [],
  };
  const engine: Pick<Engine, 'perform' | 'cancel'> = {
    async perform(key) {
      const { runId: id } = partsOfKey(key);
      performed.push(id);
      const run = admitted.get(id) ?? testRun({ id });
      if (run.status === 'cancelled') return run;
      const abort = new AbortController();
      aborts.set(id, abort);
      const change = await attempt(run, abort.signal);
      const after: Run = abort.signal.aborted
        ? { ...run, status: 'cancelled', cancelReason: String(abort.signal.reason.message) }
        : { ...run, ...change };
      admitted.set(id, after);
      return after;
    },
    async cancel(id, reason) {
      const run = admitted.get(id);
      if (run === undefined) return undefined;
      const abort = aborts.get(id);
      if (abort === undefined) admitted.set(id, { ...run, status: 'cancelled', cancelReason: reason });
      abort?.abort(new AosError('cancelled', reason));
      return run;
    },
  };
  return { runs, engine, performed };
}

export function newTask(change: Partial<NewTask> = {}): NewTask {
  return { task_type: 'health_check', ...change };
}

/** Resolves when the task has ended; looks at the database, so that it does not matter who ended it. */
export async function untilEnded(queue: TaskQueue, { id, caller }: Task): Promise<Task> {
  for (;;) {
    const task = await queue.find(id, caller);
    if (task?.completedAt != null) return task;
    await systemClock.sleep(5);
  }
}

export const failed = (code: 'model_failed' | 'invalid_request'): Partial<Run> => ({
  status: 'failed',
  error: { code, message: `it was ${code}` },
});

/** For `expect.poll`: what comes by itself is waited for as long as a busy machine may need. */
export const soon = { timeout: 20_000, interval: 5 } as const;
