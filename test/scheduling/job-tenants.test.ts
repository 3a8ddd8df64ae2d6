/** Two tenants that call their jobs by the same ids: neither may notice the other. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/runs/run.ts';
import type { Job } from '../../src/scheduling/job.ts';
import type { ScheduleDraft } from '../../src/scheduling/schedule.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { createTestJobs, type TestJobs, type TestJobsOptions, type TestPlan, testPlan } from '../support/jobs.ts';
import { ManualClock } from '../support/manual-clock.ts';

const NOON = Date.parse('2026-01-01T12:00:00Z');
const MINUTE = 60_000;
const ours: Caller = { tenantId: 'ours', userId: 'ada' };
const theirs: Caller = { tenantId: 'theirs', userId: 'ada' };
const everyMinute = { schedule_type: 'interval', interval_seconds: 60 };

let database: Database;
let clock: ManualClock;
let jobs: TestJobs;

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.db.deleteFrom('jobs').execute();
  await database.db.deleteFrom('tasks').execute();
  clock = new ManualClock(NOON);
  await start();
});
afterEach(() => jobs.scheduler.stop());

async function start(options?: TestJobsOptions): Promise<void> {
  await jobs?.scheduler.stop();
  jobs = createTestJobs(database, clock, options);
  await jobs.scheduler.start();
}

async function pass(ms: number): Promise<void> {
  await clock.advance(ms);
  await jobs.scheduler.look();
}

/** A job of each under one id, whose tasks say whose they are. */
async function createBoth(schedule: ScheduleDraft = everyMinute, plan?: TestPlan): Promise<readonly Job[]> {
  const both: Job[] = [];
  for (const caller of [ours, theirs]) {
    const task = { payload: { whose: caller.tenantId } };
    both.push(
      await jobs.store.create(testPlan(schedule, { name: caller.tenantId, task, ...plan }), caller, { id: 'nightly' }),
    );
  }
  return both;
}

const factsOf = ({ tenantId }: Caller) =>
  jobs.facts.filter((fact) => fact.tenantId === tenantId && fact.subject === 'nightly').map(({ type }) => type);

async function submitted(caller: Caller) {
  const found = (await jobs.runs('nightly', caller)).map(({ taskId }) => jobs.queue.find(taskId ?? '', caller));
  return (await Promise.all(found)).map((task) => task?.submission.payload);
}

describe('an id that two tenants use', () => {
  it('is a job of each; only its own tenant can take it twice', async () => {
    const [one, other] = await createBoth();
    expect(await jobs.job('nightly', ours)).toEqual(one);
    expect(await jobs.job('nightly', theirs)).toEqual(other);
    await expect(jobs.store.create(testPlan(everyMinute), theirs, { id: 'nightly' })).rejects.toMatchObject({
      reason: 'JOB_EXISTS',
    });
    for (const [caller, job] of [
      [ours, one],
      [theirs, other],
    ] as const) {
      expect((await jobs.reader.list(caller, { limit: 9 })).items).toEqual([job]);
    }
  });

  it('fires for each at the same instant, as the task that each wrote down', async () => {
    await createBoth();
    await pass(MINUTE);
    for (const caller of [ours, theirs]) {
      expect(await jobs.history('nightly', caller)).toEqual(['12:01:00 running']);
      expect(await submitted(caller)).toEqual([{ whose: caller.tenantId }]);
    }
    // One id, made of the same job id and the same time: a task of each.
    const [[mine], [yours]] = [await jobs.runs('nightly', ours), await jobs.runs('nightly', theirs)];
    expect(mine?.taskId).toBe(yours?.taskId);
    await jobs.endTasks('nightly', 'failed', 'no', theirs);
    await jobs.endTasks('nightly', 'completed', '', ours);
    expect(await jobs.history('nightly', ours)).toEqual(['12:01:00 completed']);
    expect(await jobs.history('nightly', theirs)).toEqual(['12:01:00 failed']);
    expect(await jobs.job('nightly', ours)).toMatchObject({ consecutiveFailures: 0, lastError: null });
    expect(await jobs.job('nightly', theirs)).toMatchObject({ consecutiveFailures: 1, lastError: 'no' });
    expect(factsOf(ours)).toEqual(['job.created', 'job.fired', 'job.run_completed']);
    expect(factsOf(theirs)).toEqual(['job.created', 'job.fired', 'job.run_failed']);
  });

  it('goes on for the one while the task of the other has not ended', async () => {
    await createBoth();
    await pass(MINUTE);
    await jobs.endTasks('nightly', 'completed', '', ours);
    await pass(MINUTE);
    expect(await jobs.history('nightly', ours)).toEqual(['12:01:00 completed', '12:02:00 running']);
    expect(await jobs.history('nightly', theirs)).toEqual(['12:01:00 running', '12:02:00 skipped']);
  });

  it('has its runs wait for the places of each alone', async () => {
    await createBoth(everyMinute, { overlapPolicy: 'queue' });
    await pass(MINUTE);
    await pass(MINUTE);
    for (const caller of [ours, theirs]) {
      expect(await jobs.history('nightly', caller)).toEqual(['12:01:00 running', '12:02:00 queued']);
    }
    await jobs.endTasks('nightly', 'completed', '', theirs);
    expect(await jobs.history('nightly', theirs)).toEqual(['12:01:00 completed', '12:02:00 running']);
    expect(await jobs.history('nightly', ours)).toEqual(['12:01:00 running', '12:02:00 queued']);
  });

  it('takes turns when there is a place for one run of all jobs', async () => {
    await start({ maxConcurrentJobs: 1 });
    await createBoth();
    await pass(MINUTE);
    const now = async () => [await jobs.history('nightly', ours), await jobs.history('nightly', theirs)].flat();
    expect((await now()).toSorted()).toEqual(['12:01:00 queued', '12:01:00 running']);
    const [first = ours, second = theirs] = (await jobs.history('nightly', ours))[0]?.endsWith('running')
      ? [ours, theirs]
      : [theirs, ours];
    await jobs.endTasks('nightly', 'completed', '', first);
    expect(await jobs.history('nightly', first)).toEqual(['12:01:00 completed']);
    expect(await jobs.history('nightly', second)).toEqual(['12:01:00 running']);
  });

  it.each(['pause', 'cancel'] as const)('is stopped by %s for the one that asks', async (stop) => {
    await createBoth(everyMinute, { overlapPolicy: 'queue' });
    await pass(MINUTE);
    await pass(MINUTE);
    await jobs.store[stop]('nightly', theirs);
    expect((await jobs.history('nightly', theirs)).at(-1)).toBe('12:02:00 cancelled');
    expect((await jobs.history('nightly', ours)).at(-1)).toBe('12:02:00 queued');
    await pass(MINUTE);
    expect(await jobs.history('nightly', theirs)).toHaveLength(2);
    expect(await jobs.history('nightly', ours)).toHaveLength(3);
    expect((await jobs.job('nightly', ours)).status).toBe('running');
  });

  it('is triggered for the one that asks, even in the very millisecond', async () => {
    await createBoth({ schedule_type: 'daily', hour: 13 });
    for (const caller of [ours, theirs, ours]) await jobs.store.trigger('nightly', caller);
    await jobs.scheduler.look();
    const plannedOf = async (caller: Caller) => (await jobs.runs('nightly', caller)).map(({ plannedAt }) => plannedAt);
    const [first, next] = [new Date(NOON).toISOString(), new Date(NOON + 1).toISOString()];
    expect(await plannedOf(ours)).toEqual([first, next]);
    expect(await plannedOf(theirs)).toEqual([first]);
    expect(await jobs.job('nightly', theirs)).toMatchObject({ runCount: 1 });
  });

  it('shows the last run of the one that ran', async () => {
    await createBoth({ schedule_type: 'daily', hour: 13 });
    await jobs.store.trigger('nightly', theirs);
    await jobs.scheduler.look();
    expect((await jobs.job('nightly', theirs)).lastRunResult).toMatchObject({ status: 'submitted' });
    expect(await jobs.job('nightly', ours)).toMatchObject({ lastRunAt: null, lastRunResult: null, runCount: 0 });
  });

  it('is found by a run whose task is there no longer, of the tenant that lost it', async () => {
    await createBoth();
    await pass(MINUTE);
    await database.db.deleteFrom('tasks').where('tenant_id', '=', 'theirs').execute();
    await jobs.scheduler.look();
    const [lost] = await jobs.runs('nightly', theirs);
    expect(lost).toMatchObject({ status: 'failed', error: 'its task is there no longer' });
    expect(await jobs.history('nightly', ours)).toEqual(['12:01:00 running']);
  });

  it('is changed and counted for the one that asks', async () => {
    await createBoth();
    await jobs.store.change('nightly', theirs, (job) => ({ ...job, name: 'hourly' }));
    expect((await jobs.job('nightly', ours)).name).toBe('ours');
    await pass(MINUTE);
    await jobs.endTasks('nightly', 'completed', '', ours);
    expect(await jobs.reader.counts(ours)).toMatchObject({ runs: 1, runsOfDay: { completed: 1 }, runsUnderWay: 0 });
    expect(await jobs.reader.counts(theirs)).toMatchObject({ runs: 1, runsOfDay: { completed: 0 }, runsUnderWay: 1 });
  });
});
