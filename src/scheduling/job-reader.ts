/**
 * Pages of jobs and of their runs, and what there is to count.
 */
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { type Caller, reachOf } from '../runs/run.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import { type Job, runsOfJob, toJob } from './job.ts';
import { type JobRun, type JobRunStatus, toJobRun } from './job-run.ts';
import type { JobStatus } from './job-state.ts';
import type { ScheduleType } from './schedule.ts';

const DAY_MS = 86_400_000;

export interface JobFilter {
  readonly status?: JobStatus | undefined;
  /** Whether it fires by itself: neither paused nor over. */
  readonly enabled?: boolean | undefined;
  readonly scheduleType?: ScheduleType | undefined;
  readonly taskType?: string | undefined;
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface JobPage {
  /** By their next time, those without one last. */
  readonly items: readonly Job[];
  readonly total: number;
  readonly nextCursor: string | null;
}

export interface JobRunFilter {
  readonly status?: JobRunStatus | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface JobRunPage {
  /** Newest planned time first. */
  readonly items: readonly JobRun[];
  readonly total: number;
  readonly nextCursor: string | null;
}

export interface JobCounts {
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byScheduleType: Readonly<Record<string, number>>;
  /** Runs since ever. */
  readonly runs: number;
  /** What became of planned times in the last 24 hours. */
  readonly runsOfDay: Readonly<Record<'completed' | 'failed' | 'missed' | 'skipped', number>>;
  readonly runsUnderWay: number;
  readonly nextDueAt: string | null;
}

export interface JobReader {
  list(caller: Caller, filter: JobFilter): Promise<JobPage>;
  /** The runs of a job; the caller has it found. */
  runs(caller: Caller, jobId: string, filter: JobRunFilter): Promise<JobRunPage>;
  counts(caller: Caller): Promise<JobCounts>;
}

const enabledStatuses: readonly JobStatus[] = ['scheduled', 'running'];

export function createJobReader({
  tenant,
  clock,
}: {
  readonly tenant: TenantScopes;
  readonly clock: Clock;
}): JobReader {
  function visible(caller: Caller) {
    const ofTenant = tenant(caller.tenantId).selectFrom('jobs').where('jobs.tenant_id', '=', caller.tenantId);
    const user = reachOf(caller);
    return user === '' ? ofTenant : ofTenant.where('jobs.user_id', '=', user);
  }

  return {
    async list(caller, { status, enabled, scheduleType, taskType, limit, cursor }) {
      let query = visible(caller);
      if (status !== undefined) query = query.where('status', '=', status);
      if (enabled !== undefined) query = query.where('status', enabled ? 'in' : 'not in', enabledStatuses);
      if (scheduleType !== undefined) query = query.where('schedule_type', '=', scheduleType);
      if (taskType !== undefined)
        query = query.where((eb) => eb(eb.ref('task', '->>').key('task_type'), '=', taskType));
      let page = query;
      if (cursor !== undefined) {
        const { next, id } = readCursor(cursor);
        page = page.where((eb) =>
          next === null
            ? eb.and([eb('next_run_at', 'is', null), eb('id', '>', id)])
            : eb.or([
                eb('next_run_at', '>', next),
                eb('next_run_at', 'is', null),
                eb.and([eb('next_run_at', '=', next), eb('id', '>', id)]),
              ]),
        );
      }
      const [{ total }, rows] = await Promise.all([
        query.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
        page
          .selectAll()
          .orderBy('next_run_at', (order) => order.asc().nullsLast())
          .orderBy('id')
          .limit(limit + 1)
          .execute(),
      ]);
      const items = rows.slice(0, limit).map(toJob);
      const last = items.at(-1);
      const more = rows.length > limit && last !== undefined;
      return { items, total: Number(total), nextCursor: more ? `${last.nextRunAt ?? ''}~${last.id}` : null };
    },
    async runs(caller, jobId, { status, limit, cursor }) {
      let query = tenant(caller.tenantId)
        .selectFrom('job_runs')
        .where((eb) => eb.and(runsOfJob({ tenantId: caller.tenantId, jobId })));
      if (status !== undefined) query = query.where('status', '=', status);
      const page = cursor === undefined ? query : query.where('planned_at', '<', readTime(cursor));
      const [{ total }, rows] = await Promise.all([
        query.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
        page
          .selectAll()
          .orderBy('planned_at', 'desc')
          .limit(limit + 1)
          .execute(),
      ]);
      const items = rows.slice(0, limit).map(toJobRun);
      return {
        items,
        total: Number(total),
        nextCursor: rows.length > limit ? (items.at(-1)?.plannedAt ?? null) : null,
      };
    },
    async counts(caller) {
      const [jobs, runs] = await Promise.all([
        visible(caller)
          .select(['status', 'schedule_type'])
          .select(({ fn }) => [
            fn.countAll<string>().as('jobs'),
            fn.sum<string>('run_count').as('runs'),
            fn.min('next_run_at').as('next'),
          ])
          .groupBy(['status', 'schedule_type'])
          .execute(),
        visible(caller)
          .innerJoin('job_runs', (join) =>
            join.onRef('job_runs.tenant_id', '=', 'jobs.tenant_id').onRef('job_runs.job_id', '=', 'jobs.id'),
          )
          .select('job_runs.status')
          .select(({ fn }) => fn.countAll<string>().as('runs'))
          .where((eb) =>
            eb.or([
              eb('job_runs.noticed_at', '>=', new Date(clock.now() - DAY_MS)),
              eb('job_runs.status', 'in', ['queued', 'running']),
            ]),
          )
          .groupBy('job_runs.status')
          .execute(),
      ]);
      const ofDay = (status: string) => Number(runs.find((row) => row.status === status)?.runs ?? 0);
      const nexts = jobs.flatMap(({ next }) => (next === null ? [] : [(next as Date).getTime()]));
      return {
        byStatus: sums(jobs.map((row) => [row.status, row.jobs])),
        byScheduleType: sums(jobs.map((row) => [row.schedule_type, row.jobs])),
        runs: jobs.reduce((sum, row) => sum + Number(row.runs), 0),
        runsOfDay: {
          completed: ofDay('completed'),
          failed: ofDay('failed'),
          missed: ofDay('missed'),
          skipped: ofDay('skipped'),
        },
        runsUnderWay: ofDay('running'),
        nextDueAt: nexts.length === 0 ? null : isoTime(Math.min(...nexts)),
      };
    },
  };
}

function sums(entries: readonly (readonly [string, string])[]): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const [name, count] of entries) totals[name] = (totals[name] ?? 0) + Number(count);
  return totals;
}

function readCursor(cursor: string): { readonly next: Date | null; readonly id: string } {
  const [, next = '', id] = /^([^~]*)~([A-Za-z0-9\-_.:]{1,256})$/.exec(cursor) ?? [];
  if (id === undefined) throw badCursor(cursor);
  return { next: next === '' ? null : readTime(next), id };
}

function readTime(text: string): Date {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text) || Number.isNaN(Date.parse(text))) throw badCursor(text);
  return new Date(text);
}

function badCursor(cursor: string): AosError {
  return new AosError('invalid_request', `"cursor" must be the next_cursor of the page before, got "${cursor}"`);
}
