/**
 * The workers of this process. They are woken by what is told on the channel of tasks, by the time of the next due
 * task, and by a look every second, which also finds the tasks of processes that are gone and sets the pool's size.
 */

import type { Clock, Timer } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { newHexId } from '../core/ids.ts';
import type { Feed } from '../runs/feed.ts';
import { partsOfKey, type RunKey, runKey, toRunKey } from '../runs/run.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import { type AttemptParts, type Begun, executeAttempt } from './attempt.ts';
import type { AttemptEnding } from './attempt-outcome.ts';
import { poolLock, releaseOrphans } from './orphans.ts';
import { createPoolSize, type LastScaling } from './pool-size.ts';
import { attemptRunId, keyOfTask, type Task, taskIdOf } from './task.ts';
import type { TaskClaims } from './task-claims.ts';
import type { TaskSettings, TaskSettingsPatch, TaskSettingsStore } from './task-settings.ts';
import { TASK_CHANNEL } from './task-store.ts';
import type { Worker, WorkerView } from './worker.ts';
import { createWorkerRoster, type RosterTotals } from './worker-roster.ts';

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
  readonly totals: RosterTotals;
  readonly lastScaling: LastScaling | undefined;
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
  const { claims, settings, feed, clock, log, loopLoad } = parts;
  const { db, notifications, locks } = parts.database;
  const poolId = `pool-${newHexId(4)}`;
  const roster = createWorkerRoster(poolId, clock);
  const size = createPoolSize({ poolId, roster, settings, feed, db, clock, log, loopLoad });
  const attempts = new Set<Promise<void>>();
  /** Runs of tasks at work here that were woken: they may just be on their way to be put aside. */
  const woken = new Set<RunKey>();
  const timers: { look?: Timer; due?: Timer; again?: Timer } = {};
  let status: PoolStats['status'] = 'stopped';
  let serving: Promise<void> | undefined;
  let askedAgain = false;
  let looking = false;
  let letGo: (() => Promise<void>) | undefined;
  let stopListening: (() => void) | undefined;

  const complain = (what: string) => (failure: unknown) =>
    log.warn(what, { pool_id: poolId, reason: asError(failure).message });

  /** Gives idle workers tasks; called whenever there may be some. */
  function wakeUp(): void {
    askedAgain = true;
    serving ??= serve().catch((failure: unknown) => {
      complain('workers could not be given tasks')(failure);
      timers.again?.cancel();
      timers.again = clock.after(AGAIN_MS, wakeUp);
    });
  }

  async function serve(): Promise<void> {
    try {
      while (askedAgain) {
        askedAgain = false;
        await takeTasks();
      }
    } finally {
      serving = undefined;
    }
  }

  async function takeTasks(): Promise<void> {
    const idle = roster.idle().slice(0, Math.max(0, size.allowed - roster.busy));
    if (status !== 'running' || idle.length === 0) return;
    const tasks = await claims.claim(
      poolId,
      idle.map(({ id }) => id),
    );
    // Stopped meanwhile: they go back in line with everything else this pool has.
    if (status !== 'running') return;
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
    roster.begin(worker, task);
    const attempt = attemptTask(task)
      .catch((failure: unknown): AttemptEnding => {
        // Its claim ends with this process: others put it back in line.
        complain('the outcome of a task could not be stored')(failure);
        return { status: 'given_back', afterMs: 0 };
      })
      .then((ending) => {
        roster.end(worker, ending);
        attempts.delete(attempt);
        wakeUp();
      });
    attempts.add(attempt);
  }

  async function attemptTask(task: Task): Promise<AttemptEnding> {
    const run = runKey(task.caller.tenantId, attemptRunId(task));
    const ending = await executeAttempt(task, parts, () => begin(task));
    await settleSurely(task, ending);
    // What woke the run before the task was put aside found nothing to put back in line.
    if (woken.delete(run) && ending.status === 'waiting') await claims.wake([keyOfTask(task)]);
    return ending;
  }

  async function begin(task: Task): Promise<Begun> {
    if ((await claims.begin(task, poolId)) !== undefined) return 'yes';
    return (await claims.isCancelled(task)) ? 'cancelled' : 'lost';
  }

  /** An ending is said until it is heard: nobody else knows it. */
  async function settleSurely(task: Task, ending: AttemptEnding): Promise<void> {
    for (;;) {
      try {
        return await claims.settle(task, poolId, ending);
      } catch (failure) {
        if (status === 'stopped') throw failure;
        complain('the outcome of a task could not be stored; trying again')(failure);
        await clock.sleep(AGAIN_MS);
      }
    }
  }

  /** The look every second. */
  function look(): void {
    if (looking || status !== 'running') return;
    looking = true;
    size.weigh();
    lookAround()
      .catch(complain('the worker pool could not look at its tasks'))
      .finally(() => {
        looking = false;
        wakeUp();
      });
  }

  async function lookAround(): Promise<void> {
    await releaseOrphans(poolId, { claims, locks, log });
    await claims.wake('due');
    await fitToLine();
  }

  async function fitToLine(): Promise<void> {
    const line = await claims.line();
    if (status === 'running') size.fit(line);
  }

  function heard(payload: string): void {
    if (payload === 'settings') {
      settings.load().then(fitToLine).then(wakeUp, complain('changed settings could not be read'));
    } else if (payload === 'work' || payload.startsWith('ended ')) {
      wakeUp();
    } else {
      // The engine's: the key of a run that is to go on.
      wakeTask(toRunKey(payload)).then(wakeUp, complain('a task was not put back in line'));
    }
  }

  async function wakeTask(run: RunKey): Promise<void> {
    const { tenantId, runId } = partsOfKey(run);
    const task = { tenantId, taskId: taskIdOf(runId) };
    if (roster.hasTask(task)) woken.add(run);
    await claims.wake([task]);
  }

  function stats(): PoolStats {
    return {
      poolId,
      status,
      settings: settings.current(),
      allowed: size.allowed,
      loopLoad: size.loopLoad,
      workers: roster.views(),
      totals: roster.totals(),
      lastScaling: size.last,
    };
  }

  return {
    stats,
    change: (patch) => settings.change(patch),
    async start() {
      letGo = await locks.tryHold(poolLock(poolId));
      const { initial_workers: initial } = await settings.load();
      status = 'running';
      roster.resize(initial);
      stopListening = await notifications.listen(TASK_CHANNEL, { heard, missed: look });
      timers.look = clock.every(LOOK_MS, look);
      // What a process that died has left need not wait for the first second to pass.
      look();
    },
    async stop() {
      if (status !== 'running') return;
      status = 'stopping';
      stopListening?.();
      for (const timer of [timers.look, timers.due, timers.again]) timer?.cancel();
      const grace = new AbortController();
      const done = Promise.allSettled(attempts).finally(() => grace.abort());
      await Promise.race([done, clock.sleep(parts.stopGraceMs ?? DEFAULT_STOP_GRACE_MS, grace.signal).catch(() => {})]);
      await serving;
      status = 'stopped';
      roster.resize(0);
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
      size.set({ workers: target, reason: 'asked' });
      wakeUp();
      return stats();
    },
  };
}
