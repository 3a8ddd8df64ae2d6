import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { cardOf } from '../../src/delegation/agent-card.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { ann, createTestDelegation, eve, letterFrom, other, type TestDelegation } from '../support/delegation.ts';

let database: Database;
let parts: TestDelegation;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  for (const table of ['agent_cards', 'agent_messages', 'agent_inboxes'] as const) {
    await database.db.deleteFrom(table).execute();
  }
  parts = createTestDelegation(database);
  await parts.directory.register(ann, 'porter', cardOf('porter'));
});

const inboxOf = async (id: string, caller = ann) => ({ agent: await parts.directory.need('acme', id), caller });

test('a follower sees every letter once and in order, however writers overlap and wherever it goes on', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 7 }),
      async (writers, pageSize) => {
        await database.db.deleteFrom('agent_messages').execute();
        const inbox = await inboxOf('porter');
        const start = (await parts.mail.read(inbox, 0, 1)).at(-1)?.seq ?? 0;
        const total = writers.reduce((sum, count) => sum + count, 0);
        const writing = writers.map((count) =>
          database.db.transaction().execute(async (trx) => {
            // Held open while others write: their numbers must not overtake this one's letters.
            for (let n = 0; n < count; n++) await parts.mail.post(trx, letterFrom('scout'));
          }),
        );
        const seen: string[] = [];
        let after = start;
        while (seen.length < total) {
          const page = await parts.mail.read(inbox, after, pageSize);
          after = page.at(-1)?.seq ?? after;
          seen.push(...page.map(({ id }) => id));
        }
        await Promise.all(writing);
        const all = await parts.mail.read(inbox, 0, 100);
        expect(seen).toEqual(all.map(({ id }) => id));
        expect(new Set(seen).size).toBe(total);
      },
    ),
    { numRuns: 15 },
  );
});

test('a follower is woken by what comes, and goes on after what it has', async () => {
  const inbox = await inboxOf('porter');
  const stop = new AbortController();
  const post = async () => {
    const letter = await database.db.transaction().execute((trx) => parts.mail.post(trx, letterFrom('scout')));
    parts.mail.announce(letter);
    return letter.seq;
  };
  const first = await post();
  const seen: number[] = [];
  for await (const { seq } of parts.mail.follow(inbox, 0, stop.signal)) {
    seen.push(seq);
    if (seen.length === 1) await post();
    if (seen.length === 2) stop.abort();
  }
  expect(seen).toEqual([first, first + 1]);
  expect((await parts.mail.read(inbox, first, 10)).map(({ seq }) => seq)).toEqual([first + 1]);
});

test('what has expired is not there any more', async () => {
  const expiresAt = new Date(parts.clock.now() + 1_000).toISOString();
  await parts.mail.post(database.db, letterFrom('scout', { expiresAt }));
  const inbox = await inboxOf('porter');
  expect(await parts.mail.read(inbox, 0, 10)).toHaveLength(1);
  await parts.clock.advance(1_000);
  expect(await parts.mail.read(inbox, 0, 10)).toHaveLength(0);
});

test('of an agent of this server everybody reads what belongs to their own work', async () => {
  for (const caller of [ann, eve]) await parts.mail.post(database.db, letterFrom('scout', { caller, to: 'clerk' }));
  const read = async (caller = ann) => (await parts.mail.read(await inboxOf('clerk', caller), 0, 10)).length;
  expect([await read(ann), await read(eve), await read({ tenantId: 'acme', userId: '' })]).toEqual([1, 1, 2]);
});

test('an id is one letter in a tenant, and another in another', async () => {
  const letter = letterFrom('scout', { id: 'the-same' });
  await parts.mail.post(database.db, letter);
  await expect(parts.mail.post(database.db, letter)).rejects.toMatchObject({ reason: 'MESSAGE_EXISTS' });
  expect(await parts.mail.post(database.db, { ...letter, caller: other })).toMatchObject({ seq: 1 });
});
