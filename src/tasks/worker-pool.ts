/**
 * The workers of this process. They are woken by what is told on the channel of tasks, by the time of the next due
 * task, and by a look every second, which also finds the tasks of processes that are gone and sets the pool's size.
 */
import type { Clock, Timer } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { newHexId } from '../core/ids.ts';
import type { Feed } from '../runs/feed.ts';
import { DEFAULT_TENANT } from '../runs/run.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import { type AttemptParts, executeAttempt } from './attempt.ts';
import { poolLock, releaseOrphans } from './orphans.ts';
import { allowedWorkers, type Scaling, scaled } from './pool-scaling.ts';
import { attemptRunId, type Task, taskIdOf } from './task.ts';
import type { AttemptEnding, TaskClaims } from './task-claims.ts';
import type { TaskSettings, TaskSettingsPatch, TaskSettingsStore } from './task-settings.ts';
import { TASK_CHANNEL } from './task-store.ts';
import { createWorker, type Worker, type WorkerView } from './worker.ts';

export interface PoolStats {
  readonly poolId: string;
  readonly status: 'running' | 'stopping' | 'stopped';
  readonly settings: TaskSettings;
  /** How many workers the event loop of this process allows to be at work. */
  readonly allowed: number;
  /** Share of the event loop's time that was used in the last second, 0..1. */
  readonly loopLoad: number;
  readonly workers: readonly WorkerView[];
  /** Of all workers this pool ever had. */
  readonly totals: { readonly processed: number; readonly completed: number; readonly failed: number };
  readonly lastScaling:
    | { readonly at: number; readonly from: number; readonly to: number; readonly reason: string }
    | undefined;
}

export interface WorkerPool {
  start(): Promise<void>;
  /** Takes no more tasks, gives those under way a moment, and puts the rest back in line. */
  stop(): Promise<void>;
  stats(): PoolStats;
  /** Changes settings, for the pools of all processes. @throws AosError invalid_request */
  change(patch: TaskSettingsPatch): Promise<TaskSettings>;
  /** Sets the number of workers of this process. @throws AosError invalid_request, conflict (the policy is `fixed`) */
  scale(workers: number): Promise<PoolStats>;
}

export interface WorkerPoolParts extends AttemptParts {
  readonly database: Pick<Database, 'db' | 'notifications' | 'locks'>;
  readonly claims: TaskClaims;
  readonly settings: TaskSettingsStore;
  readonly feed: Pick<Feed, 'write'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Share of the event loop's time that was used since it was asked last, 0..1. */
  readonly loopLoad: () => number;
  readonly stopGraceMs?: number;
}

const LOOK_MS = 1_000;
/** After a failure of the database, when to try again. */
const AGAIN_MS = 500;
const DEFAULT_STOP_GRACE_MS = 5_000;
/** Longest delay a timer takes (2^31 - 1 ms). */
const MAX_TIMER_MS = 2_147_483_647;

export function createWorkerPool(parts: WorkerPoolParts): WorkerPool {
  const { claims, settings, feed, clock, log } = parts;
  const { db, notifications, locks } = parts.database;
  const poolId = `pool-${newHexId(4)}`;
  const attempts = new Set<Promise<void>>();
  const totals = { processed: 0, completed: 0, failed: 0 };
  /** Runs of this pool's tasks that were woken; one of them may just be on its way to be put aside. */
  const woken = new Set<string>();
  const timers: { look?: Timer; due?: Timer; again?: Timer } = {};
  let status: PoolStats['status'] = 'stopped';
  let workers: readonly Worker[] = [];
  let born = 0;
  let size = 0;
  let allowed = Number.POSITIVE_INFINITY;
  let loopLoad = 0;
  let lastScaling: PoolStats['lastScaling'];
  let lastScaledAt: number | undefined;
  let serving: 'no' | 'yes' | 'again' = 'no';
  let looking = false;
  let letGo: (() => Promise<void>) | undefined;
  let stopListening: (() => void) | undefined;

  const busy = () => workers.filter((worker) => !worker.isIdle).length;

  /** Gives idle workers tasks; called whenever there may be some. */
  async function serve(): Promise<void> {
    if (serving !== 'no') {
      serving = 'again';
      return;
    }
    try {
      do {
        serving = 'yes';
        await takeTasks();
      } while ((serving as string) === 'again');
    } catch (failure) {
      log.warn('workers could not be given tasks', { pool_id: poolId, reason: asError(failure).message });
      timers.again?.cancel();
      timers.again = clock.after(AGAIN_MS, wakeUp);
    } finally {
      serving = 'no';
    }
  }

  function wakeUp(): void {
    // Rejects never.
    void serve();
  }

  async function takeTasks(): Promise<void> {
    const room = Math.max(0, allowed - busy());
    const idle = workers.filter((worker) => worker.isIdle).slice(0, room);
    if (status !== 'running' || idle.length === 0) return;
    const tasks = await claims.claim(
      poolId,
      idle.map(({ id }) => id),
    );
    for (const task of tasks) {
      const worker = idle.find(({ id }) => id === task.workerId);
      if (worker !== undefined) work(worker, task);
    }
    if (tasks.length < idle.length) await armDueTimer();
  }

  async function armDueTimer(): Promise<void> {
    const at = await claims.nextDueAt();
    timers.due?.cancel();
    if (at !== undefined && status === 'running') {
      timers.due = clock.after(Math.min(Math.max(0, at - clock.now()) + 1, MAX_TIMER_MS), wakeUp);
    }
  }

  function work(worker: Worker, task: Task): void {
    worker.begin(task);
    const attempt = attemptTask(task)
      .catch((failure: unknown): AttemptEnding => {
        // Its claim ends with this process, or when the database is back: the look every second sees to it.
        log.error('the outcome of a task could not be stored', { task_id: task.id, error: asError(failure) });
        return { status: 'given_back', afterMs: 0 };
      })
      .then((ending) => {
        worker.end(ending);
        if (ending.status === 'completed') totals.completed += 1;
        if (ending.status === 'failed') totals.failed += 1;
        if (ending.status !== 'waiting' && ending.status !== 'given_back') totals.processed += 1;
        attempts.delete(attempt);
        fitSize();
        wakeUp();
      });
    attempts.add(attempt);
  }

  async function attemptTask(task: Task): Promise<AttemptEnding> {
    const runId = attemptRunId(task);
    woken.delete(runId);
    const begun = await claims.begin(task, poolId);
    // Cancelled between being assigned and begun.
    const ending: AttemptEnding =
      begun === undefined
        ? { status: 'given_back', afterMs: 0 }
        : await executeAttempt(begun, parts, () => claims.isWanted(begun, poolId));
    await settleSurely(task, ending);
    // What woke the run before the task was put aside found nothing to put back in line.
    if (ending.status === 'waiting' && woken.delete(runId)) await claims.wake([task.id]);
    return ending;
  }

  /** An ending is said until it is heard: nobody else knows it. */
  async function settleSurely(task: Task, ending: AttemptEnding): Promise<void> {
    for (;;) {
      try {
        return await claims.settle(task, poolId, ending);
      } catch (failure) {
        if (status === 'stopped') throw failure;
        log.warn('the outcome of a task could not be stored; trying again', {
          task_id: task.id,
          reason: asError(failure).message,
        });
        await clock.sleep(AGAIN_MS);
      }
    }
  }

  /** Brings the number of workers to the size; busy ones leave when they are done. */
  function fitSize(): void {
    while (workers.length < size) {
      workers = [...workers, createWorker(`${poolId}-worker-${born}`, clock)];
      born += 1;
    }
    for (const worker of workers) {
      if (workers.length > size && worker.isIdle) workers = workers.filter((other) => other !== worker);
    }
  }

  function resize({ workers: to, reason }: Scaling): void {
    const from = size;
    if (to === from || reason === undefined) return;
    size = to;
    lastScaledAt = clock.monotonic();
    lastScaling = { at: clock.now(), from, to, reason };
    fitSize();
    log.info('the worker pool was scaled', { pool_id: poolId, from, to, reason });
    const data = { pool_id: poolId, from, to, reason, policy: settings.current().policy };
    feed
      .write(db, { tenantId: DEFAULT_TENANT, type: 'pool.scaled', subject: poolId, data })
      .catch((failure: unknown) => {
        log.warn('a scaling was not told to the feed', { pool_id: poolId, reason: asError(failure).message });
      });
    wakeUp();
  }

  /** The look every second. */
  async function look(): Promise<void> {
    if (looking || status !== 'running') return;
    looking = true;
    try {
      loopLoad = parts.loopLoad();
      const current = settings.current();
      const load = { load: loopLoad, busy: busy(), maxLoad: current.max_loop_load, maxWorkers: current.max_workers };
      allowed = allowedWorkers(allowed, load);
      await releaseOrphans(poolId, { claims, locks, log });
      await claims.wake('due');
      await fitToLine();
      wakeUp();
    } catch (failure) {
      log.warn('the worker pool could not look at its tasks', { pool_id: poolId, reason: asError(failure).message });
    } finally {
      looking = false;
    }
  }

  async function fitToLine(): Promise<void> {
    const line = await claims.line();
    const now = clock.monotonic();
    const effectiveBusy = Math.min(busy(), size);
    resize(scaled(settings.current(), { now, workers: size, busy: effectiveBusy, allowed, lastScaledAt, ...line }));
  }

  function heard(payload: string): void {
    if (payload === 'work' || payload.startsWith('ended ')) {
      wakeUp();
      return;
    }
    if (payload === 'settings') {
      settings.load().then(fitToLine, (failure: unknown) => {
        log.warn('changed settings could not be read', { pool_id: poolId, reason: asError(failure).message });
      });
      return;
    }
    // Anything else is the engine's: the id of a run that is to go on.
    woken.add(payload);
    claims.wake([taskIdOf(payload)]).then(
      (inLine) => {
        if (inLine > 0) woken.delete(payload);
        wakeUp();
      },
      (failure: unknown) =>
        log.warn('a task was not put back in line', { run_id: payload, reason: asError(failure).message }),
    );
  }

  function stats(): PoolStats {
    return {
      poolId,
      status,
      settings: settings.current(),
      allowed: Math.min(allowed, settings.current().max_workers),
      loopLoad,
      workers: workers.map((worker) => worker.view()),
      totals: { ...totals },
      lastScaling,
    };
  }

  return {
    stats,
    change: (patch) => settings.change(patch),
    async start() {
      letGo = await locks.tryHold(poolLock(poolId));
      const current = await settings.load();
      status = 'running';
      size = current.initial_workers;
      allowed = current.max_workers;
      fitSize();
      stopListening = await notifications.listen(TASK_CHANNEL, { heard, missed: () => void look() });
      timers.look = clock.every(LOOK_MS, () => void look());
      wakeUp();
    },
    async stop() {
      if (status !== 'running') return;
      status = 'stopping';
      stopListening?.();
      for (const timer of [timers.look, timers.due, timers.again]) timer?.cancel();
      const grace = new AbortController();
      const done = Promise.allSettled(attempts).finally(() => grace.abort());
      await Promise.race([done, clock.sleep(parts.stopGraceMs ?? DEFAULT_STOP_GRACE_MS, grace.signal).catch(() => {})]);
      status = 'stopped';
      workers = [];
      await claims.releaseAll(poolId);
      await letGo?.();
    },
    async scale(target) {
      const { policy, min_workers: min, max_workers: max } = settings.current();
      if (policy === 'fixed') {
        throw new AosError('conflict', 'The size of the pool is fixed: change the policy to auto or manual first.', {
          reason: 'POOL_FIXED',
          facts: { policy },
        });
      }
      if (target < min || target > max) {
        throw new AosError(
          'invalid_request',
          `target_workers must lie between min_workers ${min} and max_workers ${max}, got ${target}`,
        );
      }
      resize({ workers: target, reason: 'asked' });
      return stats();
    },
  };
}
