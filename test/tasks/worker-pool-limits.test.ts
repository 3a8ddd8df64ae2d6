import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Run } from '../../src/runs/run.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { type Priority, priorities } from '../../src/tasks/priority.ts';
import type { Task } from '../../src/tasks/task.ts';
import { type LimitKind, limitKinds } from '../../src/tasks/task-settings.ts';
import { createTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { createTestTasks, newTask, untilEnded } from '../support/tasks.ts';

let databases: Database[] = [];
beforeAll(async () => {
  const url = await createTestDatabase();
  const open = () => openDatabase({ url, clock: systemClock, log: silentLog });
  databases = [await open(), await open()];
});
afterAll(() => Promise.all(databases.map((database) => database.close())));

/** Counts what runs at a time, per name, over both pools. */
function createCensus() {
  const now = new Map<string, number>();
  const most = new Map<string, number>();
  return {
    most,
    enter(name: string) {
      const count = (now.get(name) ?? 0) + 1;
      now.set(name, count);
      most.set(name, Math.max(most.get(name) ?? 0, count));
    },
    leave: (name: string) => now.set(name, (now.get(name) ?? 0) - 1),
  };
}

const tenants = ['t1', 't2'];
const agents = ['ceo', null];
const targets = ['crm', null];
const work = fc.record({
  tenant: fc.constantFrom(...tenants),
  agent: fc.constantFrom(...agents),
  target: fc.constantFrom(...targets),
  priority: fc.constantFrom(...priorities),
  ms: fc.integer({ min: 5, max: 25 }),
});
const limit = fc.integer({ min: 1, max: 3 });

interface Work {
  readonly tenant: string;
  readonly agent: string | null;
  readonly target: string | null;
  readonly priority: Priority;
  readonly ms: number;
}

/** Has both pools do the work. @returns the ended tasks, the runs performed, and how many of each name ran at most at a time */
async function doAll(list: readonly Work[], limits: Record<LimitKind, number | null>) {
  for (const table of ['tasks', 'task_turns', 'task_limits', 'task_settings'] as const) {
    await databases[0]?.db.deleteFrom(table).execute();
  }
  const census = createCensus();
  const attempt = async (run: Run) => {
    const { agent_id: agent, target_system: target, payload } = run.request;
    const tenant = run.caller.tenantId;
    const names = [`tenant ${tenant}`, agent && `agent ${agent}`, target && `target ${tenant} ${target}`].filter(
      (name) => typeof name === 'string',
    );
    names.forEach(census.enter);
    await pause(Number((payload as JsonObject)['ms']));
    names.forEach(census.leave);
    return { status: 'completed', result: {} } as const;
  };
  const [one, other] = databases.map((database) =>
    createTestTasks(database, { attempt, settings: { initial_workers: 5 } }),
  );
  if (one === undefined || other === undefined) throw new Error('there are two databases');
  await one.settings.change({
    limits: {
      agent: { default: limits.agent },
      tenant: { default: limits.tenant },
      target: { default: limits.target },
    },
  });
  await Promise.all([one.pool.start(), other.pool.start()]);
  const submitted: Task[] = await Promise.all(
    list.map(({ tenant, agent, target, priority, ms }, index) =>
      (index % 2 === 0 ? one : other).queue.submit(
        newTask({ agent_id: agent, target_system: target, priority, payload: { ms } }),
        { tenantId: tenant, userId: '' },
      ),
    ),
  );
  const ended = await Promise.all(submitted.map((task) => untilEnded(one.queue, task)));
  await Promise.all([one.pool.stop(), other.pool.stop()]);
  return { submitted, ended, performed: [...one.performed, ...other.performed], most: census.most };
}

describe('two pools on one database', () => {
  it('never exceed a limit together, and do every task exactly once', async () => {
    const limitsGiven = fc.record({ agent: limit, tenant: limit, target: limit });
    await fc.assert(
      fc.asyncProperty(fc.array(work, { minLength: 1, maxLength: 30 }), limitsGiven, async (list, limits) => {
        const { submitted, ended, performed, most } = await doAll(list, limits);
        expect(ended.map(({ status, claim }) => `${status} ${claim}`)).toEqual(submitted.map(() => 'completed 1'));
        expect(performed.toSorted()).toEqual(submitted.map(({ id }) => `${id}.1`).toSorted());
        for (const [name, count] of most) {
          const kind = limitKinds.find((known) => name.startsWith(known)) ?? 'tenant';
          expect(count, name).toBeLessThanOrEqual(limits[kind]);
        }
      }),
      { numRuns: 12 },
    );
  }, 60_000);

  it.each(limitKinds)('use the limit of one %s to the full, and not more', async (kind) => {
    const one = { tenant: 't1', agent: 'ceo', target: 'crm', priority: 'normal', ms: 40 } as const;
    const limits = { agent: null, tenant: null, target: null, [kind]: 3 };
    const { most } = await doAll(Array(12).fill(one), limits);
    expect([...most.values()]).toEqual([3, 3, 3]);
  });
});
