/** Jobs and a scheduler on a database, with the real line of tasks; no workers: a test says how tasks end. */

import type { Clock } from '../../src/core/clock.ts';
import type { NewFeedItem } from '../../src/runs/feed.ts';
import type { Caller } from '../../src/runs/run.ts';
import type { Job, JobPlan } from '../../src/scheduling/job.ts';
import { createJobReader, type JobReader } from '../../src/scheduling/job-reader.ts';
import type { JobRun } from '../../src/scheduling/job-run.ts';
import { createJobStore, type JobStore } from '../../src/scheduling/job-store.ts';
import { checkSchedule, type ScheduleDraft } from '../../src/scheduling/schedule.ts';
import { createScheduler, type Scheduler } from '../../src/scheduling/scheduler.ts';
import type { Database } from '../../src/store/database.ts';
import { submissionOf, type TaskSubmission } from '../../src/tasks/task.ts';
import type { TaskQueue } from '../../src/tasks/task-queue.ts';
import type { WorkerPool } from '../../src/tasks/worker-pool.ts';
import { unenforcedGovernor } from './governance.ts';
import { silentLog } from './log.ts';
import { acme, createTestTasks } from './tasks.ts';

export interface TestJobs {
  readonly store: JobStore;
  readonly reader: JobReader;
  readonly scheduler: Scheduler;
  readonly queue: TaskQueue;
  /** Workers, for tests that start them. */
  readonly pool: WorkerPool;
  readonly facts: NewFeedItem[];
  /** The job as it is now; of Ada at Acme unless it says whose. */
  job(id: string, caller?: Caller): Promise<Job>;
  /** Its runs, oldest first. */
  runs(id: string, caller?: Caller): Promise<readonly JobRun[]>;
  /** The same as `HH:MM:SS status`, for comparing. */
  history(id: string, caller?: Caller): Promise<readonly string[]>;
  /** Ends the tasks of its runs that are under way, and lets the scheduler look. */
  endTasks(
    id: string,
    status?: 'completed' | 'failed' | 'dead' | 'cancelled',
    message?: string,
    caller?: Caller,
  ): Promise<void>;
}

export interface TestJobsOptions {
  readonly maxConcurrentJobs?: number;
  /** Stands before the real one, to fail on purpose. */
  readonly submit?: (submit: TaskQueue['submit']) => TaskQueue['submit'];
}

export function createTestJobs(database: Database, clock: Clock, options: TestJobsOptions = {}): TestJobs {
  const tasks = createTestTasks(database);
  const { queue } = tasks;
  const { submit = (real) => real, ...limits } = options;
  const facts: NewFeedItem[] = [];
  const feed = { write: async (_within: unknown, item: NewFeedItem) => void facts.push(item) };
  const parts = { database, queue, feed, clock, log: silentLog };
  const store = createJobStore({ ...parts, governor: unenforcedGovernor() });
  const reader = createJobReader({ tenant: database.tenant, clock });
  const scheduler = createScheduler({
    ...parts,
    ...limits,
    queue: { submit: submit(queue.submit), onEnd: queue.onEnd },
  });

  async function job(id: string, caller = acme): Promise<Job> {
    const found = await store.find(id, caller);
    if (found === undefined) throw new Error(`there is no job ${id}`);
    return found;
  }

  async function runs(id: string, caller = acme): Promise<readonly JobRun[]> {
    const { items } = await reader.runs(caller, id, { limit: 500 });
    return items.toReversed();
  }

  return {
    store,
    reader,
    scheduler,
    queue,
    pool: tasks.pool,
    facts,
    job,
    runs,
    async history(id, caller) {
      return (await runs(id, caller)).map(({ plannedAt, status }) => `${plannedAt.slice(11, 19)} ${status}`);
    },
    async endTasks(id, status = 'completed', message = 'it failed', caller = acme) {
      const ids = (await runs(id, caller)).flatMap((run) => (run.status === 'running' && run.taskId) || []);
      await database.db
        .updateTable('tasks')
        .set({
          status,
          completed_at: new Date(clock.now()),
          last_error: status === 'completed' ? null : JSON.stringify({ code: 'model_failed', message }),
          result: status === 'completed' ? JSON.stringify({ done: true }) : null,
        })
        .where('tenant_id', '=', caller.tenantId)
        .where('id', 'in', ids)
        .execute();
      await scheduler.look();
    },
  };
}

export interface TestPlan extends Partial<Omit<JobPlan, 'schedule' | 'task'>> {
  readonly task?: Partial<TaskSubmission>;
}

export function testPlan(schedule: ScheduleDraft, { task = {}, ...change }: TestPlan = {}): JobPlan {
  return {
    name: 'nightly',
    description: '',
    schedule: checkSchedule(schedule),
    task: submissionOf({ task_type: 'health_check', ...task }),
    misfirePolicy: 'run_once',
    misfireGraceSeconds: 60,
    overlapPolicy: 'skip',
    maxConcurrentRuns: 1,
    failureThreshold: null,
    ...change,
  };
}
