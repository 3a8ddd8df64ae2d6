import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AosError } from '../../src/core/errors.ts';
import type { Job } from '../../src/scheduling/job.ts';
import type { ScheduleDraft } from '../../src/scheduling/schedule.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { createTestJobs, type TestJobs, type TestJobsOptions, type TestPlan, testPlan } from '../support/jobs.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { acme } from '../support/tasks.ts';

const NOON = Date.UTC(2026, 0, 1, 12);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

let database: Database;
let clock: ManualClock;
let jobs: TestJobs;
const started: TestJobs[] = [];

beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  await database.db.deleteFrom('jobs').execute();
  await database.db.deleteFrom('tasks').execute();
  clock = new ManualClock(NOON);
  jobs = await start();
});
afterEach(async () => {
  for (const each of started.splice(0)) await each.scheduler.stop();
});

async function start(options?: TestJobsOptions): Promise<TestJobs> {
  const made = createTestJobs(database, clock, options);
  started.push(made);
  await made.scheduler.start();
  return made;
}

const create = (schedule: ScheduleDraft, plan?: TestPlan): Promise<Job> =>
  jobs.store.create(testPlan(schedule, plan), acme);
const everyMinute = { schedule_type: 'interval', interval_seconds: 60 };

/** Moves time on, and waits until what fell due has fired. */
async function pass(ms: number, here: TestJobs = jobs): Promise<void> {
  await clock.advance(ms);
  await here.scheduler.look();
}

const factsOf = (id: string, here: TestJobs = jobs) =>
  here.facts.filter(({ subject }) => subject === id).map(({ type }) => type);
const taskCount = async () => (await database.db.selectFrom('tasks').select('id').execute()).length;

describe('a job', () => {
  it('fires at its time, submits its task, and waits again when that has ended', async () => {
    const { id } = await create({ schedule_type: 'daily', hour: 13 }, { task: { payload: { a: 1 } } });
    await pass(HOUR - 1);
    expect(await jobs.runs(id)).toEqual([]);
    await pass(1);
    const [run] = await jobs.runs(id);
    expect(run).toMatchObject({
      plannedAt: '2026-01-01T13:00:00.000Z',
      submittedAt: '2026-01-01T13:00:00.000Z',
      status: 'running',
      cause: 'schedule',
      runNumber: 1,
    });
    const task = await jobs.queue.find(run?.taskId ?? '', acme);
    expect(task?.submission).toMatchObject({
      payload: { a: 1 },
      metadata: { job_id: id, job_name: 'nightly', run_number: 1, planned_at: '2026-01-01T13:00:00.000Z' },
    });
    expect(await jobs.job(id)).toMatchObject({
      status: 'running',
      runCount: 1,
      nextRunAt: '2026-01-02T13:00:00.000Z',
      lastRunAt: '2026-01-01T13:00:00.000Z',
      lastRunResult: { task_id: run?.taskId, status: 'submitted', completed_at: null },
    });
    await pass(MINUTE);
    await jobs.endTasks(id);
    expect(await jobs.runs(id)).toMatchObject([{ status: 'completed', result: { done: true } }]);
    expect(await jobs.job(id)).toMatchObject({
      status: 'scheduled',
      lastRunResult: { status: 'completed', completed_at: '2026-01-01T13:01:00.000Z' },
    });
    expect(factsOf(id)).toEqual(['job.created', 'job.fired', 'job.run_completed']);
  });

  it('is done by the workers, and hears from them when it is', async () => {
    await jobs.queue.start();
    await jobs.pool.start();
    try {
      const { id } = await create(everyMinute);
      await pass(MINUTE);
      await expect.poll(() => jobs.history(id)).toEqual(['12:01:00 completed']);
      expect(await jobs.job(id)).toMatchObject({ status: 'scheduled', lastRunResult: { status: 'completed' } });
    } finally {
      await jobs.pool.stop();
      jobs.queue.stop();
    }
  });

  it('fires as planned, however long its runs take', async () => {
    const { id } = await create(everyMinute, { maxConcurrentRuns: 5 });
    for (let minute = 0; minute < 3; minute++) await pass(MINUTE);
    await pass(7 * SECOND);
    await jobs.endTasks(id);
    await pass(53 * SECOND);
    expect(await jobs.history(id)).toEqual([
      '12:01:00 completed',
      '12:02:00 completed',
      '12:03:00 completed',
      '12:04:00 running',
    ]);
  });

  it('goes on after a failed run, and says what went wrong', async () => {
    const { id } = await create(everyMinute);
    for (const consecutiveFailures of [1, 2]) {
      await pass(MINUTE);
      await jobs.endTasks(id, 'dead');
      expect(await jobs.job(id)).toMatchObject({ status: 'scheduled', consecutiveFailures, lastError: 'it failed' });
    }
    await pass(MINUTE);
    await jobs.endTasks(id);
    expect(await jobs.job(id)).toMatchObject({ status: 'scheduled', consecutiveFailures: 0, lastError: null });
  });

  it('fails at its threshold', async () => {
    const { id } = await create(everyMinute, { failureThreshold: 2 });
    for (let run = 0; run < 2; run++) {
      await pass(MINUTE);
      await jobs.endTasks(id, 'failed');
    }
    expect(await jobs.job(id)).toMatchObject({ status: 'failed', nextRunAt: null });
    await pass(HOUR);
    expect(await jobs.runs(id)).toHaveLength(2);
    expect(factsOf(id).slice(-2)).toEqual(['job.run_failed', 'job.failed']);
  });

  it.each([
    ['max_runs', { ...everyMinute, max_runs: 2 }],
    ['end_date', { ...everyMinute, end_date: '2026-01-01T12:02:30Z' }],
  ])('completes when %s is reached', async (_what, schedule) => {
    const { id } = await create(schedule);
    for (let minute = 0; minute < 5; minute++) {
      await pass(MINUTE);
      if (minute < 2) await jobs.endTasks(id);
    }
    expect(await jobs.history(id)).toEqual(['12:01:00 completed', '12:02:00 completed']);
    expect(await jobs.job(id)).toMatchObject({ status: 'completed', nextRunAt: null, runCount: 2 });
    expect(factsOf(id).at(-1)).toBe('job.completed');
  });

  it.each([['completed', 'completed'] as const, ['failed', 'failed'] as const])(
    'that fires once and %s is %s',
    async (outcome, status) => {
      const { id } = await create({ schedule_type: 'once', run_at: '2026-01-01T12:30:00Z' });
      await pass(30 * MINUTE);
      expect(await jobs.job(id)).toMatchObject({ status: 'running', nextRunAt: null });
      await jobs.endTasks(id, outcome);
      expect(await jobs.job(id)).toMatchObject({ status });
    },
  );

  it('gets the texts of its payload filled in', async () => {
    const payload = {
      since: '{{last_run_at}}',
      text: 'from {{ last_run_at }} to {{planned_at}}, run {{run_number}}',
      list: [{ deep: '{{run_number}}' }],
      other: '{{else}}',
      count: 3,
    };
    const { id } = await create(everyMinute, { task: { task_type: 'scheduled_job', payload } });
    const payloadOf = async (run: number) => {
      const { taskId } = (await jobs.runs(id))[run] ?? {};
      return (await jobs.queue.find(taskId ?? '', acme))?.submission.payload;
    };
    await pass(MINUTE);
    await jobs.endTasks(id);
    expect(await payloadOf(0)).toEqual({
      since: null,
      text: 'from  to 2026-01-01T12:01:00.000Z, run 1',
      list: [{ deep: '1' }],
      other: '{{else}}',
      count: 3,
      job_id: id,
      job_name: 'nightly',
      run_number: 1,
    });
    await pass(MINUTE + 5);
    expect(await payloadOf(1)).toMatchObject({
      since: '2026-01-01T12:01:00.000Z',
      text: 'from 2026-01-01T12:01:00.000Z to 2026-01-01T12:02:00.000Z, run 2',
    });
  });

  it('whose task is refused has a failed run', async () => {
    const refuse: TestJobsOptions['submit'] = () => async () => {
      throw new AosError('invalid_request', 'there is no agent "cfo"');
    };
    await jobs.scheduler.stop();
    const strict = await start({ submit: refuse });
    const { id } = await create(everyMinute);
    await pass(MINUTE, strict);
    expect(await strict.runs(id)).toMatchObject([{ status: 'failed', error: 'there is no agent "cfo"' }]);
    expect(await strict.job(id)).toMatchObject({ status: 'scheduled', lastError: 'there is no agent "cfo"' });
  });
});

describe('a time that comes while an earlier run is under way', () => {
  it('is skipped', async () => {
    const { id } = await create(everyMinute);
    await pass(MINUTE);
    await pass(MINUTE);
    await jobs.endTasks(id);
    await pass(MINUTE);
    expect(await jobs.history(id)).toEqual(['12:01:00 completed', '12:02:00 skipped', '12:03:00 running']);
    expect(factsOf(id)).toContain('job.skipped');
    expect(await jobs.job(id)).toMatchObject({ runCount: 2 });
  });

  it('waits for its turn when the job says so', async () => {
    const { id } = await create(everyMinute, { overlapPolicy: 'queue' });
    for (let minute = 0; minute < 3; minute++) await pass(MINUTE);
    expect(await jobs.history(id)).toEqual(['12:01:00 running', '12:02:00 queued', '12:03:00 queued']);
    await jobs.endTasks(id);
    expect(await jobs.history(id)).toEqual(['12:01:00 completed', '12:02:00 running', '12:03:00 queued']);
  });

  it('runs beside it when the job may have several', async () => {
    const { id } = await create(everyMinute, { maxConcurrentRuns: 2 });
    for (let minute = 0; minute < 3; minute++) await pass(MINUTE);
    expect(await jobs.history(id)).toEqual(['12:01:00 running', '12:02:00 running', '12:03:00 skipped']);
  });
});

describe('jobs together', () => {
  it('have no more runs under way than may be, and lose none', async () => {
    await jobs.scheduler.stop();
    jobs = await start({ maxConcurrentJobs: 2 });
    const made = await Promise.all(Array.from({ length: 5 }, () => create({ ...everyMinute, max_runs: 1 })));
    await pass(MINUTE);
    const statuses = async () =>
      (await Promise.all(made.map(async ({ id }) => (await jobs.runs(id))[0]?.status))).toSorted();
    expect(await statuses()).toEqual(['queued', 'queued', 'queued', 'running', 'running']);
    for (let round = 0; round < 3; round++) for (const { id } of made) await endIfRunning(id);
    expect(await statuses()).toEqual(Array.from({ length: 5 }, () => 'completed'));
  });

  it('that are due at one instant all fire at it', async () => {
    await jobs.scheduler.stop();
    jobs = await start({ maxConcurrentJobs: 1000 });
    const schedule = { schedule_type: 'once', run_at: '2026-01-01T12:10:00Z' };
    await Promise.all(Array.from({ length: 500 }, () => create(schedule)));
    await pass(10 * MINUTE);
    expect(await taskCount()).toBe(500);
    const { items } = await jobs.reader.list(acme, { limit: 500, status: 'running' });
    expect(items).toHaveLength(500);
  });

  it('wait while the line of tasks is full', async () => {
    await jobs.scheduler.stop();
    let full = true;
    const submit: TestJobsOptions['submit'] = (real) => async (task, caller, options) => {
      if (full) throw new AosError('overloaded', 'The queue is full');
      return real(task, caller, options);
    };
    jobs = await start({ submit });
    const { id } = await create({ ...everyMinute, max_runs: 1 });
    await pass(MINUTE);
    expect(await jobs.history(id)).toEqual(['12:01:00 queued']);
    full = false;
    await pass(MINUTE);
    expect(await jobs.history(id)).toEqual(['12:01:00 running']);
  });

  async function endIfRunning(id: string): Promise<void> {
    if ((await jobs.runs(id)).some(({ status }) => status === 'running')) await jobs.endTasks(id);
  }
});

describe('a job that cannot be fired', () => {
  it('stops no other', async () => {
    await jobs.scheduler.stop();
    const submit: TestJobsOptions['submit'] = (real) => async (task, caller, options) => {
      if (task.payload?.['bad'] === true) await sql`select 1 / 0`.execute(options?.within ?? database.db);
      return real(task, caller, options);
    };
    jobs = await start({ submit });
    const good = await create(everyMinute);
    const bad = await create(everyMinute, { task: { payload: { bad: true } } });
    const zoneless = await create({ schedule_type: 'hourly', timezone: 'Europe/Berlin' });
    const schedule = JSON.stringify({ ...zoneless.schedule, timezone: 'Europe/Atlantis' });
    await database.db.updateTable('jobs').set({ schedule }).where('id', '=', zoneless.id).execute();
    await pass(MINUTE);
    expect(await jobs.history(good.id)).toEqual(['12:01:00 running']);
    expect(await jobs.runs(bad.id)).toMatchObject([{ status: 'failed', error: 'its task could not be submitted' }]);
    expect(await jobs.job(bad.id)).toMatchObject({ status: 'scheduled', consecutiveFailures: 1 });
    await pass(HOUR);
    expect(await jobs.job(zoneless.id)).toMatchObject({ status: 'failed', nextRunAt: null });
    expect(factsOf(zoneless.id).at(-1)).toBe('job.failed');
  });

  it('for its agent says U+0000 is told of all the same', async () => {
    const { id } = await create(everyMinute);
    await pass(MINUTE);
    await jobs.endTasks(id, 'failed', 'it said \0');
    expect(await jobs.job(id)).toMatchObject({ status: 'scheduled', lastError: 'it said \uFFFD' });
  });
});

describe('a scheduler that slept', () => {
  it.each([
    ['run_once', ['12:01:00 missed', '12:02:00 missed', '12:03:00 running']],
    ['skip', ['12:01:00 missed', '12:02:00 running', '12:03:00 skipped']],
    ['run_all', ['12:01:00 running', '12:02:00 queued', '12:03:00 queued']],
  ] as const)('applies the misfire rule %s when it starts', async (misfirePolicy, expected) => {
    await jobs.scheduler.stop();
    const overlapPolicy = misfirePolicy === 'run_all' ? 'queue' : 'skip';
    const { id } = await create(everyMinute, { misfirePolicy, overlapPolicy });
    await clock.advance(3 * MINUTE);
    jobs = await start();
    expect(await jobs.history(id)).toEqual(expected);
    expect(await jobs.job(id)).toMatchObject({ nextRunAt: '2026-01-01T12:04:00.000Z' });
  });

  it('says that what was to fire once was missed', async () => {
    await jobs.scheduler.stop();
    const { id } = await create({ schedule_type: 'once', run_at: '2026-01-01T12:30:00Z' });
    await clock.advance(HOUR);
    jobs = await start();
    expect(await jobs.job(id)).toMatchObject({ status: 'failed', lastError: 'missed', nextRunAt: null });
    expect(await jobs.history(id)).toEqual(['12:30:00 missed']);
    expect(factsOf(id)).toEqual(['job.missed', 'job.failed']);
  });

  it('still runs what was to fire once within the grace', async () => {
    await jobs.scheduler.stop();
    const { id } = await create({ schedule_type: 'once', run_at: '2026-01-01T12:30:00Z' });
    await clock.advance(31 * MINUTE);
    jobs = await start();
    expect(await jobs.history(id)).toEqual(['12:30:00 running']);
  });

  it('writes down runs whose tasks ended meanwhile', async () => {
    const { id } = await create(everyMinute);
    await pass(MINUTE);
    await jobs.scheduler.stop();
    await jobs.endTasks(id);
    expect(await jobs.history(id)).toEqual(['12:01:00 running']);
    jobs = await start();
    expect((await jobs.history(id))[0]).toBe('12:01:00 completed');
  });
});

describe('two schedulers on one database', () => {
  it('fire every planned time once', async () => {
    await jobs.scheduler.stop();
    jobs = await start({ maxConcurrentJobs: 1000 });
    const other = await start({ maxConcurrentJobs: 1000 });
    const made = await Promise.all(Array.from({ length: 20 }, () => create(everyMinute, { maxConcurrentRuns: 10 })));
    for (let minute = 0; minute < 3; minute++) {
      await clock.advance(MINUTE);
      await Promise.all([jobs.scheduler.look(), other.scheduler.look()]);
    }
    for (const { id } of made) {
      expect((await jobs.runs(id)).map(({ plannedAt }) => plannedAt.slice(11, 16))).toEqual([
        '12:01',
        '12:02',
        '12:03',
      ]);
    }
    const fired = [...jobs.facts, ...other.facts].filter(({ type }) => type === 'job.fired');
    expect(fired).toHaveLength(60);
    expect(await taskCount()).toBe(60);
  });

  it('go on where one was killed in the middle of firing', async () => {
    await jobs.scheduler.stop();
    let submissions = 0;
    // What a process sees whose connection ends in the middle.
    const killed = Object.assign(new Error('terminating connection'), { code: '57P01' });
    const dying = await start({
      maxConcurrentJobs: 100,
      submit: (real) => async (task, caller, options) => {
        submissions += 1;
        const submitted = await real(task, caller, options);
        if (submissions >= 7) throw killed;
        return submitted;
      },
    });
    const made = await Promise.all(Array.from({ length: 20 }, () => create({ ...everyMinute, max_runs: 1 })));
    await pass(MINUTE, dying);
    await dying.scheduler.stop();
    expect(submissions).toBeGreaterThanOrEqual(7);
    expect(await taskCount()).toBe(0);

    jobs = await start({ maxConcurrentJobs: 100 });
    for (const { id } of made) expect(await jobs.history(id)).toEqual(['12:01:00 running']);
    expect(await taskCount()).toBe(20);
  });
});

describe('a wall clock that is set', () => {
  /** Its wall time can be set while time passes as before. */
  class SettableClock extends ManualClock {
    #set = 0;
    override now(): number {
      return super.now() + this.#set;
    }
    set(ms: number): void {
      this.#set += ms;
    }
  }

  it('forwards makes due what lies behind it', async () => {
    await jobs.scheduler.stop();
    const settable = new SettableClock(NOON);
    clock = settable;
    jobs = await start();
    const { id } = await create({ schedule_type: 'daily', hour: 13 });
    settable.set(HOUR);
    await pass(5 * SECOND);
    expect(await jobs.history(id)).toEqual(['13:00:00 running']);
  });

  it('backwards fires nothing again', async () => {
    await jobs.scheduler.stop();
    const settable = new SettableClock(NOON);
    clock = settable;
    jobs = await start();
    const { id } = await create(everyMinute, { maxConcurrentRuns: 9 });
    await pass(2 * MINUTE);
    settable.set(-MINUTE - 30 * SECOND);
    await pass(MINUTE);
    expect(await jobs.history(id)).toEqual(['12:01:00 running', '12:02:00 running']);
    await pass(90 * SECOND);
    expect(await jobs.history(id)).toEqual(['12:01:00 running', '12:02:00 running', '12:03:00 running']);
  });
});
