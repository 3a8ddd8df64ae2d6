/** Whose runs are taken from them: over every combination of what the run and the locks say. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { executorLock, releaseTheDead } from '../../src/engine/recovery.ts';
import { createRunLedger } from '../../src/engine/run-ledger.ts';
import { keyOfRun } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
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

const ledgerOf = (executorId: string) =>
  createRunLedger({ database, events: here.events, clock: systemClock, executorId });

/** "me" and "living" hold their locks, on connections of their own. */
const locks = { tryHold: async (name: string) => (name === executorLock('dead') ? async () => {} : undefined) };

const release = () => releaseTheDead({ ledger: ledgerOf('me'), locks, log: silentLog, executorId: 'me' });

describe('a run that has not ended', () => {
  it.each([
    ['me', 'kept'],
    ['living', 'kept'],
    ['dead', 'free'],
  ])('of %s is %s', async (executor, verdict) => {
    const { run } = await here.runs.admit(testAdmission());
    await ledgerOf(executor).claim(keyOfRun(run), false);
    expect(await release()).toBe(verdict === 'free' ? 1 : 0);
    const claimed = await ledgerOf('next').claim(keyOfRun(run), false);
    expect(claimed?.run.id).toBe(verdict === 'free' ? run.id : undefined);
  });

  it('that nobody has is due, and one that waits for nothing that has come is not', async () => {
    const mine = ledgerOf('me');
    const { run: queued } = await here.runs.admit(testAdmission());
    const { run: waiting } = await here.runs.admit(testAdmission());
    const claimed = await mine.claim(keyOfRun(waiting), false);
    if (claimed === undefined) throw new Error('it was free');
    expect(await mine.wait(claimed.hold, [{ name: 'answer', reason: 'input' }], true)).toMatchObject({
      state: 'parked',
    });
    expect(await mine.due(systemClock.now(), 10)).toEqual([{ run: keyOfRun(queued), kind: 'orchestration' }]);
    expect(await mine.due(Date.parse(queued.createdAt) - 1, 10)).toEqual([]);
    await mine.signal(keyOfRun(waiting), { name: 'answer', payload: {}, actor: 'user:ada' });
    expect((await mine.due(0, 10)).map(({ run }) => run)).toEqual([keyOfRun(waiting)]);
  });
});
