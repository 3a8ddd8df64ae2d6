/**
 * How late jobs fire: 500 of them spread over the seconds, and 500 at one instant. Lateness is from the planned time to
 * the submission of the task, as the jobs' own history has it; the line of tasks is real, nobody works it off.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isoTime, systemClock } from '../../src/core/clock.ts';
import { createFeed } from '../../src/runs/feed.ts';
import type { JobPlan } from '../../src/scheduling/job.ts';
import { createJobStore } from '../../src/scheduling/job-store.ts';
import { checkSchedule, type ScheduleDraft } from '../../src/scheduling/schedule.ts';
import { createScheduler } from '../../src/scheduling/scheduler.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts';
import { submissionOf } from '../../src/tasks/task.ts';
import { createTaskQueue } from '../../src/tasks/task-queue.ts';
import { createTaskSettings } from '../../src/tasks/task-settings.ts';
import { silentGovernor } from '../measure/silent-governor.ts';
import { type LatencySummary, latencySummary } from '../measure/statistics.ts';
import { figure, table } from '../measure/table.ts';
import type { Effort, SectionResult } from '../section.ts';

const count = 500;
/** Every job fires once in it, so that some job is due every 10 ms. */
const periodSeconds = 5;
const caller = { tenantId: 'bench', userId: '' };
const log = { debug() {}, info() {}, warn() {}, error() {} };

interface ScheduleRow {
  load: string;
  latenessMs: LatencySummary;
}

export async function benchSchedule(effort: Effort): Promise<SectionResult> {
  const folder = mkdtempSync(join(tmpdir(), 'aos-bench-schedule-'));
  const server = await startEmbeddedPostgres({ folder, host: process, clock: systemClock, log });
  const database = await openDatabase({ url: server.url, clock: systemClock, log });
  try {
    const windowMs = Math.max(2 * periodSeconds * 1000, effort.windowMs * effort.rounds);
    const rows: ScheduleRow[] = [
      {
        load: `${count} jobs, one every ${(periodSeconds * 1000) / count} ms`,
        latenessMs: await spreadOut(database, windowMs),
      },
      { load: `${count} jobs at one instant`, latenessMs: await atOnce(database) },
    ];
    return {
      data: rows,
      aims: [
        {
          what: 'ms late at p99, jobs spread out',
          measured: rows[0]?.latenessMs.p99 ?? Number.NaN,
          is: 'at most',
          aim: 50,
        },
        {
          what: 'ms late at p99, jobs at one instant',
          measured: rows[1]?.latenessMs.p99 ?? Number.NaN,
          is: 'at most',
          aim: 1000,
        },
      ],
      text: table(
        'Schedules: from the planned time to the submitted task',
        ['load', 'firings', 'p50 ms', 'p99 ms', 'max ms'],
        rows.map(({ load, latenessMs: { count: firings, p50, p99, max } }) => [
          load,
          String(firings),
          figure(p50),
          figure(p99),
          figure(max),
        ]),
      ),
    };
  } finally {
    await database.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Each job fires every few seconds, each at a moment of its own. */
async function spreadOut(database: Database, windowMs: number): Promise<LatencySummary> {
  const start = systemClock.now() + 4_000;
  return measure(database, start + windowMs, (index) => ({
    schedule_type: 'interval',
    interval_seconds: periodSeconds,
    start_date: isoTime(start + (index * periodSeconds * 1000) / count),
  }));
}

async function atOnce(database: Database): Promise<LatencySummary> {
  const at = systemClock.now() + 4_000;
  return measure(database, at + 3_000, () => ({ schedule_type: 'once', run_at: isoTime(at) }));
}

async function measure(
  database: Database,
  until: number,
  scheduleOf: (index: number) => ScheduleDraft,
): Promise<LatencySummary> {
  await database.db.deleteFrom('jobs').execute();
  const feed = createFeed({ database, clock: systemClock });
  // Nothing is executed, so nothing is ever cancelled.
  const engine = { cancel: async () => undefined };
  const settings = createTaskSettings(database);
  const parts = { database, feed, clock: systemClock, log, governor: silentGovernor };
  const queue = createTaskQueue({ ...parts, engine, settings });
  const jobs = createJobStore({ ...parts, queue });
  const scheduler = createScheduler({ ...parts, queue, maxConcurrentJobs: 1_000_000 });
  for (let index = 0; index < count; index++) await jobs.create(planOf(scheduleOf(index)), caller);
  await scheduler.start();
  await systemClock.sleep(Math.max(0, until - systemClock.now()));
  await scheduler.stop();
  const runs = await database.db
    .selectFrom('job_runs')
    .select(['planned_at', 'submitted_at'])
    .where('submitted_at', 'is not', null)
    .execute();
  return latencySummary(runs.map((run) => (run.submitted_at?.getTime() ?? Number.NaN) - run.planned_at.getTime()));
}

function planOf(schedule: ScheduleDraft): JobPlan {
  return {
    name: 'bench',
    description: '',
    schedule: checkSchedule(schedule),
    task: submissionOf({ task_type: 'health_check' }),
    misfirePolicy: 'run_once',
    misfireGraceSeconds: 60,
    overlapPolicy: 'skip',
    // Tasks do not end here.
    maxConcurrentRuns: 1000,
    failureThreshold: null,
  };
}
