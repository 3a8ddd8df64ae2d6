/**
 * What the feed tells of jobs, in the transaction that makes it so, and the channel on which schedulers hear that
 * something about jobs has changed.
 */
import type { JsonObject } from '../core/json.ts';
import type { Feed } from '../runs/feed.ts';
import type { StoreScope } from '../store/database.ts';
import type { Job } from './job.ts';

export const JOB_CHANNEL = 'aos_jobs';

export type JobFact =
  | 'job.created'
  | 'job.changed'
  | 'job.paused'
  | 'job.resumed'
  | 'job.cancelled'
  /** No firing is left, or none that is allowed. */
  | 'job.completed'
  | 'job.failed'
  /** Somebody asked for a run now. */
  | 'job.triggered'
  /** A task was submitted. */
  | 'job.fired'
  | 'job.run_completed'
  | 'job.run_failed'
  | 'job.run_cancelled'
  /** Its time came while earlier runs were under way. */
  | 'job.skipped'
  /** Its time had passed when anybody looked. */
  | 'job.missed';

/** Writers of facts; the feed, or whatever stands for it. */
export type FactWriter = Pick<Feed, 'write'>;

export function tellJob(
  feed: FactWriter,
  within: StoreScope,
  type: JobFact,
  job: Pick<Job, 'id' | 'name' | 'owner'>,
  data: JsonObject = {},
): Promise<void> {
  const { tenantId, userId } = job.owner;
  return feed.write(within, { tenantId, userId, type, subject: job.id, data: { job_name: job.name, ...data } });
}
