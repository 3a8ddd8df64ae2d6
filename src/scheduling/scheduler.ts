/**
 * The scheduler of a process: one timer to the next planned time of all jobs, and a look at the database whenever
 * something has changed. Any number of schedulers may share a database; each planned time fires once.
 */
import type { Clock, Timer } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import { newHexId } from '../core/ids.ts';
import type { Database } from '../store/database.ts';
import { isConnectionFailure } from '../store/persist.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { TASK_CHANNEL } from '../tasks/task-store.ts';
import type { Log } from '../telemetry/log.ts';
import { createFiring, type Fired } from './firing.ts';
import { type FactWriter, JOB_CHANNEL } from './job-fact.ts';

/** How long silence is trusted. */
const SAFETY_LOOK_MS = 30_000;
/** How soon a look is repeated that the database did not answer. */
const LOOK_AGAIN_MS = 1_000;
/** How often wall time is compared with the time that has passed, and how far apart they may go. */
const CLOCK_CHECK_MS = 5_000;
const CLOCK_JUMP_MS = 1_000;
const FORGET_EVERY_MS = 3_600_000;
const HISTORY_MS = 30 * 86_400_000;

export interface SchedulerStats {
  readonly schedulerId: string;
  readonly running: boolean;
  readonly maxConcurrentJobs: number;
  /** How late the latest of the last runs on time was noticed. */
  readonly lagMs: number;
}

export interface Scheduler {
  /** Begins to fire; what was slept through is judged by the misfire rule of each job. */
  start(): Promise<void>;
  /** Fires nothing any more; resolves when the firing that is under way is done. */
  stop(): Promise<void>;
  /** Looks now; resolves when everything that is due has fired. */
  look(): Promise<void>;
  stats(): SchedulerStats;
}

export interface SchedulerParts {
  readonly database: Pick<Database, 'db' | 'notifications'>;
  readonly queue: Pick<TaskQueue, 'submit' | 'onEnd'>;
  readonly feed: FactWriter;
  readonly clock: Clock;
  readonly log: Log;
  /** Runs of all jobs that may be under way at a time, in all processes together. */
  readonly maxConcurrentJobs?: number;
}

export function createScheduler(parts: SchedulerParts): Scheduler {
  const { database, queue, clock, log, maxConcurrentJobs = 10 } = parts;
  const { notifications } = database;
  const firing = createFiring({ ...parts, maxConcurrentJobs });
  const schedulerId = `aoa-scheduler-${newHexId(4)}`;
  const undo: (() => void)[] = [];
  let state: 'new' | 'started' | 'stopped' = 'new';
  let timer: Timer | undefined;
  let looking: Promise<void> | undefined;
  let lookAgain = false;
  let lagMs = 0;
  let forgotAt = clock.monotonic();

  async function fire(): Promise<Fired> {
    try {
      return await firing.fire();
    } catch (failure) {
      if (isConnectionFailure(failure)) throw failure;
      log.warn('jobs did not fire together; firing them with care', { reason: asError(failure).message });
      return firing.fire(true);
    }
  }

  async function pass(): Promise<void> {
    await firing.settle();
    for (let more = true; more && state !== 'stopped'; ) {
      const fired = await fire();
      if (fired.latenessMs !== undefined) lagMs = fired.latenessMs;
      // Workers were told while the tasks were not there yet.
      if (fired.submitted > 0) notifications.announce(TASK_CHANNEL, 'work', 'work');
      more = fired.more;
    }
    if (clock.monotonic() - forgotAt >= FORGET_EVERY_MS) {
      forgotAt = clock.monotonic();
      await firing.forget(clock.now() - HISTORY_MS);
    }
    const due = await firing.nextDue();
    lookIn(Math.min(SAFETY_LOOK_MS, Math.max(0, (due ?? Number.POSITIVE_INFINITY) - clock.now())));
  }

  function lookIn(ms: number): void {
    timer?.cancel();
    if (state !== 'stopped') timer = clock.after(ms, () => void look());
  }

  function look(): Promise<void> {
    lookAgain = true;
    looking ??= lookUntilQuiet().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  async function lookUntilQuiet(): Promise<void> {
    while (lookAgain && state !== 'stopped') {
      lookAgain = false;
      try {
        await pass();
      } catch (failure) {
        log.warn('the scheduler could not look at its jobs; trying again', { reason: asError(failure).message });
        lookIn(LOOK_AGAIN_MS);
      }
    }
  }

  /** A wall clock that was set moves planned times nearer or away, which no timer notices. */
  function watchClock(): Timer {
    const distance = () => clock.now() - clock.monotonic();
    let last = distance();
    return clock.every(CLOCK_CHECK_MS, () => {
      const jump = distance() - last;
      last += jump;
      if (Math.abs(jump) < CLOCK_JUMP_MS) return;
      log.warn('the wall clock was set; looking at all jobs', { jump_ms: Math.round(jump) });
      void look();
    });
  }

  return {
    async start() {
      const hear = () => void look();
      undo.push(
        await notifications.listen(JOB_CHANNEL, { heard: hear, missed: hear }),
        queue.onEnd(({ submission }) => {
          if (submission.metadata['job_id'] !== undefined) void look();
        }),
      );
      const watch = watchClock();
      undo.push(() => watch.cancel());
      state = 'started';
      await look();
    },
    async stop() {
      state = 'stopped';
      timer?.cancel();
      for (const each of undo) each();
      await looking;
    },
    look,
    stats: () => ({ schedulerId, running: state === 'started', maxConcurrentJobs, lagMs }),
  };
}
