/**
 * What performs the job API.
 */
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { Job } from '../scheduling/job.ts';
import type { JobReader } from '../scheduling/job-reader.ts';
import type { JobStore } from '../scheduling/job-store.ts';
import { upcoming } from '../scheduling/schedule.ts';
import type { Scheduler } from '../scheduling/scheduler.ts';
import { patchedPlan, planOf, scheduleOf } from './job-request.ts';
import {
  cancelJob,
  changeJob,
  createJob,
  getJob,
  listJobRuns,
  listJobs,
  pauseJob,
  previewJob,
  resumeJob,
  schedulerStats,
  triggerJob,
} from './job-spec.ts';
import { showJob, showJobRun, showSchedule, showScheduler } from './job-view.ts';
import { type Operation, realize } from './operation.ts';

export interface JobParts {
  readonly jobs: JobStore;
  readonly jobReader: JobReader;
  readonly scheduler: Pick<Scheduler, 'stats'>;
  readonly clock: Clock;
}

export function createJobOperations({ jobs, jobReader, scheduler, clock }: JobParts): readonly Operation[] {
  return [
    realize(createJob, async (body, { caller }) =>
      showJob(await jobs.create(planOf(body), caller, { id: body.id, allowPast: body.allow_past })),
    ),
    realize(previewJob, async ({ count, after, ...body }) => {
      const schedule = scheduleOf(body);
      const now = clock.now();
      const times = upcoming(schedule, now, Math.max(0, after ?? now), count);
      return { schedule: showSchedule(schedule), upcoming: times.map(isoTime) };
    }),
    realize(listJobs, async ({ status, enabled, schedule_type, task_type, limit, cursor }, { caller }) => {
      const filter = { status, enabled, scheduleType: schedule_type, taskType: task_type, limit, cursor };
      const { items, total, nextCursor } = await jobReader.list(caller, filter);
      return { items: items.map(showJob), total, next_cursor: nextCursor };
    }),
    realize(getJob, async ({ job_id: id }, { caller }) => showJob(found(id, await jobs.find(id, caller)))),
    realize(changeJob, async ({ job_id: id, ...patch }, { caller }) =>
      showJob(found(id, await jobs.change(id, caller, (job) => patchedPlan(job, patch)))),
    ),
    realize(pauseJob, async ({ job_id: id }, { caller }) => showJob(found(id, await jobs.pause(id, caller)))),
    realize(resumeJob, async ({ job_id: id }, { caller }) => showJob(found(id, await jobs.resume(id, caller)))),
    realize(triggerJob, async ({ job_id: id }, { caller }) => {
      const { job, run } = found(id, await jobs.trigger(id, caller));
      return { ...showJob(job), triggered: showJobRun(run) };
    }),
    realize(cancelJob, async ({ job_id: id, reason }, { caller }) =>
      showJob(found(id, await jobs.cancel(id, caller, reason))),
    ),
    realize(listJobRuns, async ({ job_id: id, ...filter }, { caller }) => {
      const job: Job = found(id, await jobs.find(id, caller));
      const { items, total, nextCursor } = await jobReader.runs(caller, job.id, filter);
      return { items: items.map(showJobRun), total, next_cursor: nextCursor };
    }),
    realize(schedulerStats, async (_input, { caller }) =>
      showScheduler(scheduler.stats(), await jobReader.counts(caller)),
    ),
  ];
}

function found<T>(id: string, thing: T | undefined): T {
  if (thing !== undefined) return thing;
  throw new AosError('not_found', `Job ${id} not found`, { reason: 'JOB_NOT_FOUND' });
}
