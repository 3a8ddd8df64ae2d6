/** Quotas under concurrent admissions: what is counted and what is let in are one. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { createLimitBook, type LimitBook } from '../../src/governance/limits/limit-book.ts';
import type { Admitted } from '../../src/runs/run-store.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';
import { createTestTasks, type TestTasks } from '../support/tasks.ts';

let databases: Database[];
let stores: TestRuns[];
let tasks: TestTasks[];
let limits: LimitBook;

/** Two processes on one database. */
beforeAll(async () => {
  const first = await openTestDatabase();
  databases = [first, await openDatabase({ url: first.url, clock: systemClock, log: silentLog })];
  stores = databases.map((database) => createTestRuns(database));
  tasks = databases.map((database) => createTestTasks(database));
  limits = createLimitBook({ database: first, clock: systemClock, log: silentLog });
});
afterAll(() => Promise.all((databases ?? []).map((database) => database.close())));

let tenants = 0;
async function tenantWith(quotas: { concurrent_runs?: number; queued_tasks?: number; runs_per_day?: number }) {
  tenants += 1;
  const caller = { tenantId: `quota-${tenants}`, userId: 'ann' };
  await limits.replace(caller.tenantId, { quotas }, 'test');
  return caller;
}

const refusals = (outcomes: readonly PromiseSettledResult<unknown>[]) =>
  outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));

describe('a quota', () => {
  it('of runs under way is never exceeded by submissions that come at the same time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 16 }), async (limit, wanted) => {
        const caller = await tenantWith({ concurrent_runs: limit });
        const submit = (nth: number) => stores[nth % 2]?.runs.admit(testAdmission({ caller }));
        const outcomes = await Promise.allSettled(Array.from({ length: wanted }, (_none, nth) => submit(nth)));
        const refused = refusals(outcomes);
        expect(wanted - refused.length).toBe(Math.min(limit, wanted));
        for (const reason of refused) {
          expect(reason).toMatchObject({ code: 'rate_limited', reason: 'QUOTA_EXCEEDED', facts: { limit } });
        }
        // One that ends makes room for one.
        const [admitted] = outcomes.flatMap((each) => (each.status === 'fulfilled' && each.value ? [each.value] : []));
        if (admitted === undefined || refused.length === 0) return;
        await stores[0]?.runs.requestCancel((admitted as Admitted).run.id, 'enough', caller);
        const again = await Promise.allSettled([submit(0), submit(1), submit(0)]);
        expect(refusals(again)).toHaveLength(2);
      }),
      { numRuns: 12 },
    );
  });

  it('of tasks in line and of a day is never exceeded either', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 0, max: 8 }),
        fc.integer({ min: 1, max: 14 }),
        async (queued, daily, wanted) => {
          const caller = await tenantWith({ queued_tasks: queued, runs_per_day: daily });
          const submit = (nth: number) => tasks[nth % 2]?.queue.submit({ task_type: 'health_check' }, caller);
          const outcomes = await Promise.allSettled(Array.from({ length: wanted }, (_none, nth) => submit(nth)));
          expect(wanted - refusals(outcomes).length).toBe(Math.min(queued, daily, wanted));
        },
      ),
      { numRuns: 12 },
    );
  });

  it('counts what was sent again once, and sub-runs not at all', async () => {
    const caller = await tenantWith({ concurrent_runs: 1, runs_per_day: 2 });
    const admission = testAdmission({ caller });
    const outcomes = await Promise.all([0, 1, 0, 1].map((nth) => stores[nth]?.runs.admit(admission)));
    expect(outcomes.filter((each) => each?.outcome === 'created')).toHaveLength(1);
    await stores[0]?.runs.admit(testAdmission({ caller, parentId: admission.id }));
    await expect(stores[0]?.runs.admit(testAdmission({ caller }))).rejects.toMatchObject({
      facts: { quota: 'concurrent_runs', used: 1 },
    });
    await stores[0]?.runs.requestCancel(admission.id, 'enough', caller);
    const second = testAdmission({ caller });
    await stores[0]?.runs.admit(second);
    await stores[0]?.runs.requestCancel(second.id, 'enough', caller);
    await expect(stores[0]?.runs.admit(testAdmission({ caller }))).rejects.toMatchObject({
      facts: { quota: 'runs_per_day', used: 2, limit: 2 },
    });
  });

  it('of a day counts what came in before anybody set it', async () => {
    tenants += 1;
    const caller = { tenantId: `quota-${tenants}`, userId: 'ann' };
    for (let time = 0; time < 3; time++) await stores[0]?.runs.admit(testAdmission({ caller }));
    await limits.replace(caller.tenantId, { quotas: { runs_per_day: 4 } }, 'test');
    await stores[0]?.runs.admit(testAdmission({ caller }));
    await expect(stores[1]?.runs.admit(testAdmission({ caller }))).rejects.toMatchObject({ facts: { used: 4 } });
  });

  it('of tasks at a time has workers leave the rest in line', async () => {
    tenants += 1;
    const caller = { tenantId: `quota-${tenants}`, userId: 'ann' };
    await limits.replace(caller.tenantId, { quotas: { concurrent_tasks: 2 } }, 'test');
    for (let time = 0; time < 5; time++) await tasks[0]?.queue.submit({ task_type: 'health_check' }, caller);
    const { rows } = await (databases[0] as Database).pool.query('select aos.task_limit($1, $2) as max', [
      'tenant',
      caller.tenantId,
    ]);
    expect(rows).toEqual([{ max: 2 }]);
  });
});
