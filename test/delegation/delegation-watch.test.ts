import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { cardOf } from '../../src/delegation/agent-card.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { ann, createTestDelegation, requestFrom, type TestDelegation } from '../support/delegation.ts';
import { failed, untilEnded } from '../support/tasks.ts';

let database: Database;
let parts: TestDelegation;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  for (const table of ['agent_cards', 'agent_messages', 'agent_inboxes', 'delegations', 'tasks'] as const) {
    await database.db.deleteFrom(table).execute();
  }
});

async function start(options: Parameters<typeof createTestDelegation>[1] = {}) {
  parts = createTestDelegation(database, options);
  for (const id of ['scout', 'porter']) await parts.directory.register(ann, id, cardOf(id));
}

const hand = async (to: string, change = {}) =>
  (await parts.desk.delegate(requestFrom('scout', to, change))).delegation;

const result = { output: 'done', tokens_input: 3, tokens_output: 4, cost_usd: 0.1, steps_executed: 2 };

test.each([
  [
    'completed',
    () => ({ status: 'completed' as const, result }),
    { status: 'completed', result: 'done', tokens: 7, costUsd: 0.1, steps: 2 },
  ],
  ['failed', () => failed('invalid_request'), { status: 'failed', failure: { code: 'INVALID_REQUEST' } }],
  ['timed out', () => ({ status: 'timed_out' as const }), { status: 'timeout', failure: { code: 'TIMEOUT' } }],
])('a task that has %s ends its delegation, also when nobody heard of it', async (_what, attempt, expected) => {
  await start({ attempt });
  const delegation = await hand('clerk');
  await parts.tasks.pool.start();
  const task = await parts.tasks.queue.find(delegation.taskId ?? '', ann);
  if (task !== undefined) await untilEnded(parts.tasks.queue, task);
  await parts.tasks.pool.stop();
  await parts.watch.look();
  await parts.watch.look();
  expect(await parts.desk.find(ann, delegation.id)).toMatchObject(expected);
  const agent = await parts.directory.need('acme', 'scout');
  const letters = await parts.mail.read({ agent, caller: ann }, 0, 10);
  expect(letters.map(({ type }) => type)).toEqual(['delegate_accept', 'delegate_result']);
});

test('what nobody accepts, and what is not done, times out, and its task is stopped', async () => {
  await start();
  const [offered, taken] = [await hand('porter', { timeoutSeconds: 30 }), await hand('clerk', { timeoutSeconds: 60 })];
  expect(await parts.watch.look()).toBe(Date.parse(offered.deadlineAt));
  await parts.clock.advance(30_000);
  await parts.watch.look();
  expect(await parts.desk.find(ann, offered.id)).toMatchObject({ status: 'timeout', failure: { code: 'TIMEOUT' } });
  expect(await parts.desk.find(ann, taken.id)).toMatchObject({ status: 'accepted' });
  await parts.clock.advance(30_000);
  await parts.watch.look();
  expect(await parts.desk.find(ann, taken.id)).toMatchObject({ status: 'timeout' });
  expect(await parts.tasks.queue.find(taken.taskId ?? '', ann)).toMatchObject({ status: 'cancelled' });
});

test('work that a dead process left under way is stopped', async () => {
  await start();
  const delegation = await hand('clerk');
  // As if whoever ended it had died before it stopped the work.
  await database.db
    .updateTable('delegations')
    .set({ status: 'cancelled', completed_at: new Date(), error_code: 'CANCELLED', error: 'not needed' })
    .where('id', '=', delegation.id)
    .execute();
  await parts.watch.look();
  expect(await parts.tasks.queue.find(delegation.taskId ?? '', ann)).toMatchObject({
    status: 'cancelled',
    statusMessage: 'not needed',
  });
});

test('what was handed on by a delegation that has ended ends with it', async () => {
  await start();
  const parent = await hand('porter');
  const request = requestFrom('porter', 'clerk', { parentId: parent.id });
  const { delegation: part } = await parts.desk.delegate(request);
  await database.db
    .updateTable('delegations')
    .set({ status: 'completed', completed_at: new Date() })
    .where('id', '=', parent.id)
    .execute();
  await parts.watch.look();
  expect(await parts.desk.find(ann, part.id)).toMatchObject({ status: 'cancelled' });
});

test('an agent of this server is followed from the line to its work', async () => {
  await start({ attempt: () => new Promise(() => {}) });
  const delegation = await hand('clerk');
  await parts.tasks.pool.start();
  await expect.poll(async () => (await parts.desk.find(ann, delegation.id))?.status).toBe('in_progress');
  expect(await parts.desk.find(ann, delegation.id)).toMatchObject({ runId: `${delegation.taskId}.1` });
  await parts.tasks.pool.stop();
});
