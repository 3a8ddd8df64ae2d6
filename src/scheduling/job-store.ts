/**
 * Jobs as callers see them: written down, looked at, changed, paused, resumed, triggered, cancelled. Every change tells
 * its fact in the same transaction and wakes the schedulers afterwards.
 */
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { admit } from '../governance/admission.ts';
import { keepDecision } from '../governance/decision-store.ts';
import type { Governor } from '../governance/governor.ts';
import { type Caller, doneBy, reaches } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { type Job, type JobKey, type JobPlan, keyOfJob, planColumns, rowOfJob, runsOfJob, toJob } from './job.ts';
import { type FactWriter, JOB_CHANNEL, type JobFact, tellJob } from './job-fact.ts';
import { type JobRun, toJobRun } from './job-run.ts';
import { isJobOver, type JobStatus } from './job-state.ts';
import { dropQueued } from './run-end.ts';
import { firstTime, nextTime } from './schedule.ts';

export interface JobStore {
  /**
   * @param options.id a name of the caller's choice; a new UUID by default
   * @param options.allowPast takes a `once` whose time has passed; the misfire rule judges it
   * @throws AosError invalid_request for such a one otherwise; unprocessable (INVALID_SCHEDULE) when it never fires
   */
  create(
    plan: JobPlan,
    caller: Caller,
    options?: { readonly id?: string | undefined; readonly allowPast?: boolean | undefined },
  ): Promise<Job>;
  /** The job of that id if it is the caller's; a caller without user is the operator of its tenant and sees all of it. */
  find(id: string, caller: Caller): Promise<Job | undefined>;
  /**
   * Changes what the job is. With a new schedule its times are counted anew.
   * @param change makes the new plan of the job as it is
   * @throws AosError conflict (JOB_TERMINAL)
   */
  change(id: string, caller: Caller, change: (job: Job) => JobPlan): Promise<Job | undefined>;
  /** @throws AosError conflict (JOB_TERMINAL); a paused job is left as it is */
  pause(id: string, caller: Caller): Promise<Job | undefined>;
  /** Plans the next time after now: what passed during the pause is not run. @throws AosError conflict (JOB_NOT_PAUSED) */
  resume(id: string, caller: Caller): Promise<Job | undefined>;
  /** A run now, whatever the schedule says; it waits while too many are under way. @throws AosError conflict (JOB_TERMINAL) */
  trigger(id: string, caller: Caller): Promise<{ readonly job: Job; readonly run: JobRun } | undefined>;
  /** Ends the job for good, and its runs that no worker has begun. An ended job is left as it is. */
  cancel(id: string, caller: Caller, reason?: string): Promise<Job | undefined>;
}

export interface JobStoreParts {
  readonly database: Pick<Database, 'tenant' | 'notifications'>;
  readonly queue: Pick<TaskQueue, 'find' | 'cancel'>;
  readonly feed: FactWriter;
  readonly clock: Clock;
  /** The fabric context of a tenant, kept with its jobs; left out where there is no fabric. */
  readonly fabric?: ((tenantId: string) => Promise<JsonObject>) | undefined;
  /** Judges what is scheduled. */
  readonly governor: Governor;
}

export function createJobStore({ database, queue, feed, clock, fabric, governor }: JobStoreParts): JobStore {
  const { tenant, notifications } = database;

  /** Locks the caller's job and changes it; schedulers look afterwards. */
  async function locked<T>(
    id: string,
    caller: Caller,
    work: (job: Job, trx: StoreScope) => Promise<T>,
  ): Promise<T | undefined> {
    const outcome = await tenant(caller.tenantId)
      .transaction()
      .execute(async (trx) => {
        const row = await trx
          .selectFrom('jobs')
          .selectAll()
          .where((eb) => eb.and(rowOfJob({ tenantId: caller.tenantId, jobId: id })))
          .forNoKeyUpdate()
          .executeTakeFirst();
        const job = row && toJob(row);
        return job !== undefined && isCallers(job, caller) ? work(job, trx) : undefined;
      });
    notifications.announce(JOB_CHANNEL, 'jobs', '');
    return outcome;
  }

  async function write(
    trx: StoreScope,
    key: JobKey,
    columns: Partial<ReturnType<typeof planColumns>> & {
      readonly status?: JobStatus;
      readonly next_run_at?: Date | null;
      readonly anchor_at?: Date;
      readonly consecutive_failures?: number;
      readonly run_count?: number;
    },
  ): Promise<Job> {
    const row = await trx
      .updateTable('jobs')
      .set({ ...columns, updated_at: new Date(clock.now()) })
      .where((eb) => eb.and(rowOfJob(key)))
      .returningAll()
      .executeTakeFirstOrThrow();
    return toJob(row);
  }

  async function hasActiveRuns(trx: StoreScope, key: JobKey): Promise<boolean> {
    const row = await trx
      .selectFrom('job_runs')
      .select('status')
      .where((eb) => eb.and(runsOfJob(key)))
      .where('status', 'in', ['queued', 'running'])
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  const tell = (trx: StoreScope, type: JobFact, job: Job, by: Caller = job.owner) =>
    tellJob(feed, trx, type, job, { status: job.status, next_run_at: job.nextRunAt, ...doneBy(job.owner, by) });

  /** What may be scheduled of a plan, and what is to be kept of the verdict. */
  async function permit(type: 'schedule' | 'update', id: string, asked: JobPlan, caller: Caller) {
    const { args, decision } = await admit(
      governor,
      { caller, becomes: null, isThere: async () => false },
      {
        name: `${type} ${id}`,
        what: { kind: 'job', type, target: null, actionClass: asked.task.task_type, effect: 'write', entityId: id },
        agentId: null,
        args: asked as unknown as JsonObject,
        title: `The job ${asked.name}`,
      },
    );
    // A check changes texts of a plan, never its form.
    return { plan: args as unknown as JobPlan, decision };
  }

  return {
    async create(asked, caller, { id = newUuid(), allowPast = false } = {}) {
      const now = clock.now();
      const first = firstTime(asked.schedule, now);
      if (first < now && !allowPast) throw inThePast(first, now);
      const { plan, decision } = await permit('schedule', id, asked, caller);
      const context = await fabric?.(caller.tenantId);
      const job = await tenant(caller.tenantId)
        .transaction()
        .execute(async (trx) => {
          const row = await trx
            .insertInto('jobs')
            .values({
              ...planColumns(plan),
              fabric: context === undefined ? null : JSON.stringify(context),
              id,
              tenant_id: caller.tenantId,
              user_id: caller.userId,
              anchor_at: new Date(now),
              status: 'scheduled',
              next_run_at: new Date(first),
              consecutive_failures: 0,
              run_count: 0,
              created_at: new Date(now),
              updated_at: new Date(now),
            })
            .onConflict((conflict) => conflict.columns(['tenant_id', 'id']).doNothing())
            .returningAll()
            .executeTakeFirst();
          if (row === undefined) throw taken(id);
          const created = toJob(row);
          await tell(trx, 'job.created', created);
          if (decision !== undefined) await keepDecision(trx, { caller, runId: null, at: now }, decision);
          return created;
        });
      notifications.announce(JOB_CHANNEL, 'jobs', '');
      return job;
    },
    async find(id, caller) {
      const row = await tenant(caller.tenantId)
        .selectFrom('jobs')
        .selectAll()
        .where((eb) => eb.and(rowOfJob({ tenantId: caller.tenantId, jobId: id })))
        .executeTakeFirst();
      const job = row && toJob(row);
      return job !== undefined && isCallers(job, caller) ? job : undefined;
    },
    change(id, caller, makePlan) {
      return locked(id, caller, async (job, trx) => {
        refuseOver(job);
        const { plan, decision } = await permit('update', id, makePlan(job), caller);
        if (decision !== undefined) await keepDecision(trx, { caller, runId: null, at: clock.now() }, decision);
        const changed = await write(trx, keyOfJob(job), { ...planColumns(plan), ...replanned(job, plan, clock.now()) });
        await tell(trx, 'job.changed', changed, caller);
        return changed;
      });
    },
    pause(id, caller) {
      return locked(id, caller, async (job, trx) => {
        refuseOver(job);
        if (job.status === 'paused') return job;
        await dropQueued(trx, keyOfJob(job), clock.now(), 'the job was paused');
        const paused = await write(trx, keyOfJob(job), { status: 'paused', next_run_at: null });
        await tell(trx, 'job.paused', paused, caller);
        return paused;
      });
    },
    resume(id, caller) {
      return locked(id, caller, async (job, trx) => {
        if (job.status !== 'paused') {
          throw new AosError('conflict', `Only a paused job can be resumed; this one is ${job.status}`, {
            reason: 'JOB_NOT_PAUSED',
            facts: { status: job.status },
          });
        }
        const active = await hasActiveRuns(trx, keyOfJob(job));
        const next = firstAfterPause(job, clock.now());
        const status = active ? 'running' : next === undefined ? 'completed' : 'scheduled';
        const resumed = await write(trx, keyOfJob(job), {
          status,
          next_run_at: next === undefined ? null : new Date(next),
          consecutive_failures: 0,
        });
        await tell(trx, 'job.resumed', resumed, caller);
        if (status === 'completed') await tell(trx, 'job.completed', resumed);
        return resumed;
      });
    },
    trigger(id, caller) {
      return locked(id, caller, async (job, trx) => {
        refuseOver(job);
        const now = clock.now();
        const runCount = job.runCount + 1;
        const row = await insertManual(trx, keyOfJob(job), runCount, now);
        const spent = job.schedule.max_runs !== null && runCount >= job.schedule.max_runs;
        const changed = await write(trx, keyOfJob(job), {
          status: job.status === 'paused' ? 'paused' : 'running',
          run_count: runCount,
          ...(spent && { next_run_at: null }),
        });
        await tellJob(feed, trx, 'job.triggered', changed, {
          planned_at: row.plannedAt,
          run_number: runCount,
          ...doneBy(job.owner, caller),
        });
        return { job: changed, run: row };
      });
    },
    async cancel(id, caller, reason = 'The job was cancelled.') {
      const tasks: string[] = [];
      const cancelled = await locked(id, caller, async (job, trx) => {
        if (isJobOver(job.status)) return job;
        await dropQueued(trx, keyOfJob(job), clock.now(), reason);
        const running = await trx
          .selectFrom('job_runs')
          .select('task_id')
          .where((eb) => eb.and(runsOfJob(keyOfJob(job))))
          .where('status', '=', 'running')
          .execute();
        tasks.push(...running.flatMap(({ task_id }) => task_id ?? []));
        const over = await write(trx, keyOfJob(job), { status: 'cancelled', next_run_at: null });
        await tell(trx, 'job.cancelled', over, caller);
        return over;
      });
      for (const task of tasks) await cancelPending(queue, task, reason, cancelled?.owner ?? caller);
      return cancelled;
    },
  };
}

/** A run that a worker has begun goes on: the job is cancelled, not what it is doing. */
async function cancelPending(
  queue: JobStoreParts['queue'],
  taskId: string,
  reason: string,
  owner: Caller,
): Promise<void> {
  const task = await queue.find(taskId, owner);
  if (task?.status !== 'pending' && task?.status !== 'retrying') return;
  await queue.cancel(taskId, reason, owner).catch((failure: unknown) => {
    // It ended in between.
    if (!(failure instanceof AosError && failure.code === 'conflict')) throw failure;
  });
}

/** Its planned time is now, or the next millisecond of the job that has no run yet. */
async function insertManual(trx: StoreScope, job: JobKey, runNumber: number, now: number): Promise<JobRun> {
  for (let planned = now; ; planned++) {
    const row = await trx
      .insertInto('job_runs')
      .values({
        ...runsOfJob(job),
        planned_at: new Date(planned),
        run_number: runNumber,
        status: 'queued',
        cause: 'manual',
        noticed_at: new Date(now),
      })
      .onConflict((conflict) => conflict.columns(['tenant_id', 'job_id', 'planned_at']).doNothing())
      .returningAll()
      .executeTakeFirst();
    if (row !== undefined) return toJobRun(row);
  }
}

/** When a changed job fires next, if its schedule is another. */
function replanned(job: Job, plan: JobPlan, now: number) {
  if (JSON.stringify(plan.schedule) === JSON.stringify(job.schedule)) return {};
  const { max_runs: max } = plan.schedule;
  if (max !== null && max <= job.runCount) {
    throw new AosError(
      'unprocessable',
      `max_runs must be more than the ${job.runCount} runs the job has had, got ${max}`,
      { reason: 'INVALID_SCHEDULE' },
    );
  }
  const first = firstTime(plan.schedule, now);
  if (first < now) throw inThePast(first, now);
  return { anchor_at: new Date(now), next_run_at: job.status === 'paused' ? null : new Date(first) };
}

/** What fires once keeps its time, so that the misfire rule can say that it was missed. */
function firstAfterPause({ schedule, anchor, runCount }: Job, now: number): number | undefined {
  if (schedule.max_runs !== null && runCount >= schedule.max_runs) return undefined;
  const next = nextTime(schedule, anchor, now);
  return schedule.schedule_type === 'once' && runCount === 0 ? Date.parse(schedule.run_at ?? '') : next;
}

function isCallers({ owner }: Job, caller: Caller): boolean {
  return reaches(caller, owner);
}

function refuseOver({ status }: Job): void {
  if (!isJobOver(status)) return;
  throw new AosError('conflict', `Job is already ${status}`, { reason: 'JOB_TERMINAL', facts: { status } });
}

function taken(id: string): AosError {
  return new AosError('conflict', `The id "${id}" belongs to another job: choose another, or change that job`, {
    reason: 'JOB_EXISTS',
  });
}

function inThePast(first: number, now: number): AosError {
  return new AosError(
    'invalid_request',
    `run_at must be in the future: expected a time after ${isoTime(now)}, got ${isoTime(first)} (allow_past takes it nevertheless)`,
    { reason: 'RUN_AT_PAST' },
  );
}
