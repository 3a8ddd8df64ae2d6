import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { defaultPolicy } from '../../../src/governance/screening/policy.ts';
import { createScreeningBook, type ScreeningBook } from '../../../src/governance/screening/screening-book.ts';
import type { Database } from '../../../src/store/database.ts';
import { openTestDatabase } from '../../support/database.ts';
import { silentLog } from '../../support/log.ts';

let database: Database;
let book: ScreeningBook;

beforeAll(async () => {
  database = await openTestDatabase();
  const standard = { policy: defaultPolicy, floor: 'ALLOW' } as const;
  book = createScreeningBook({ database, standard, clock: systemClock, log: silentLog });
  await book.start();
});
afterAll(async () => {
  book?.stop();
  await database?.close();
});

it('holds what a tenant wants, and the standard for others', async () => {
  await book.replace('acme', { action: 'BLOCK', floor: 'WARN' }, 'user:ann');
  expect(book.of('acme')).toMatchObject({ policy: { action: 'BLOCK' }, floor: 'WARN' });
  expect(book.of('other')).toMatchObject({ policy: { action: 'WARN' }, floor: 'ALLOW' });
});

it('redacts the data of a tenant whose document no longer says what it wants', async () => {
  await database.db
    .insertInto('governance_documents')
    .values({
      tenant_id: 'newer',
      kind: 'screening',
      hash: '0'.repeat(64),
      content: JSON.stringify({ version: 9 }),
      written_by: 'user:ann',
      written_at: new Date(systemClock.now()),
    })
    .execute();
  await book.replace('acme', { action: 'WARN' }, 'user:ann');
  await vi.waitFor(() => expect(book.of('newer')).toMatchObject({ policy: { action: 'REDACT' }, floor: 'REDACT' }));
});
