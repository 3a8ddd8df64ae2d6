/** Which runs a process takes up, decided over every combination of what the run, the library and the locks say. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { executorLock, recoverRuns, type WorkflowRecord } from '../../src/engine/recovery.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

let database: Database;
let here: TestRuns;

beforeAll(async () => {
  database = await openTestDatabase();
  here = createTestRuns(database);
});

beforeEach(async () => {
  await database.db.deleteFrom('runs').execute();
});

afterAll(() => database.close());

interface Situation {
  /** The process that took the run up last. */
  readonly executor: 'me' | 'living' | 'dead' | null;
  readonly workflow: WorkflowRecord['state'] | 'none';
  /** The process the workflow library names; by default the run's. */
  readonly owner?: string;
  readonly ageMs?: number;
  readonly startup?: boolean;
}

async function decide(situation: Situation): Promise<'resumed' | 'to begin' | 'ended' | 'left alone'> {
  const { executor, workflow, owner = executor ?? 'dead', ageMs = 60_000, startup = false } = situation;
  const { run } = await here.runs.admit(testAdmission());
  if (executor !== null) await here.runs.claim(run.id, executor);
  const clock = new ManualClock(Date.parse(run.createdAt) + ageMs);
  const resumed: string[] = [];
  const record = workflow === 'none' ? [] : [{ id: run.id, state: workflow, executor: owner }];
  const workflows = {
    find: async (ids: readonly string[]) => record.filter(({ id }) => ids.includes(id)),
    resume: async (ids: readonly string[]) => void resumed.push(...ids),
  };
  // "living" and "me" hold their locks, on connections of their own.
  const locks = {
    tryHold: async (name: string) => (name === executorLock('dead') ? async () => {} : undefined),
  };
  const toBegin = await recoverRuns(
    { runs: here.runs, workflows, locks, clock, log: silentLog, executorId: 'me' },
    startup,
  );
  if (resumed.includes(run.id)) return 'resumed';
  if (toBegin.includes(run.id)) return 'to begin';
  return (await here.runs.load(run.id))?.status === 'failed' ? 'ended' : 'left alone';
}

describe('a run that has not ended', () => {
  it.each<[Situation, string]>([
    [{ executor: 'me', workflow: 'active' }, 'left alone'],
    [{ executor: 'living', workflow: 'active' }, 'left alone'],
    [{ executor: 'living', workflow: 'none' }, 'left alone'],
    [{ executor: 'dead', workflow: 'active' }, 'resumed'],
    [{ executor: 'dead', workflow: 'active', owner: 'living' }, 'left alone'],
    [{ executor: 'dead', workflow: 'active', owner: 'me' }, 'left alone'],
    [{ executor: 'dead', workflow: 'enqueued' }, 'left alone'],
    [{ executor: 'dead', workflow: 'ended' }, 'ended'],
    [{ executor: 'dead', workflow: 'none' }, 'to begin'],
    [{ executor: null, workflow: 'none' }, 'to begin'],
    [{ executor: null, workflow: 'none', ageMs: 100 }, 'left alone'],
    [{ executor: null, workflow: 'none', ageMs: 100, startup: true }, 'to begin'],
    [{ executor: null, workflow: 'active', owner: 'living' }, 'left alone'],
    [{ executor: null, workflow: 'active', owner: 'dead' }, 'resumed'],
  ])('%o is %s', async (situation, verdict) => {
    expect(await decide(situation)).toBe(verdict);
  });
});
