import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionDocuments, type SessionDocuments } from '../../src/agents/session-documents.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';

let database: Database;
let documents: SessionDocuments;
beforeAll(async () => {
  database = await openTestDatabase();
  documents = createSessionDocuments({ tenant: database.tenant, clock: systemClock });
});
afterAll(() => database.close());

const of = (sessionId: string, change = {}) => ({ tenantId: 'default', userId: 'ada', sessionId, ...change });

describe('the documents of a session', () => {
  it('are listed in the order they came and found by their words', async () => {
    const session = of('search');
    await documents.add(session, { key: 'a', title: 'Lease', content: 'The lease ends in March.' });
    const second = await documents.add(session, { key: 'b', title: 'Cash', content: 'The burn is 45,000 a month.' });
    expect(await documents.list(session)).toMatchObject([{ title: 'Lease', characters: 24 }, second]);
    const [found] = await documents.search(session, 'what is the burn?', 5);
    expect(found).toMatchObject({ id: second.id, title: 'Cash', passage: 'The burn is 45,000 a month.' });
  });

  it('are stored once per key', async () => {
    const session = of('once');
    const first = await documents.add(session, { key: 'k', title: 'one', content: 'first' });
    expect(await documents.add(session, { key: 'k', title: 'two', content: 'second' })).toEqual(first);
    expect(await documents.list(session)).toHaveLength(1);
    const both = await Promise.all(
      ['p', 'p'].map((key) => documents.add(session, { key, title: 'at once', content: 'same' })),
    );
    expect(both[0]).toEqual(both[1]);
  });

  it('are nobody else’s', async () => {
    await documents.add(of('mine'), { key: 'k', title: 'secret', content: 'secret words' });
    for (const change of [{ tenantId: 'other' }, { userId: 'eve' }, { sessionId: 'else' }]) {
      expect(await documents.list(of('mine', change))).toEqual([]);
      expect(await documents.search(of('mine', change), 'secret', 5)).toEqual([]);
    }
  });

  it('are kept as they are, whatever is in them', async () => {
    const content = 'NUL \u0000, half \ud800, "quotes", 😀 needle';
    await documents.add(of('odd'), { key: 'k', title: '\u0000', content });
    expect((await documents.search(of('odd'), 'needle', 1))[0]?.passage).toBe(content);
  });

  it('are bounded in length and number', async () => {
    const session = of('full');
    await expect(documents.add(session, { key: 'k', title: 't', content: 'x'.repeat(200_001) })).rejects.toMatchObject({
      code: 'payload_too_large',
    });
    for (let index = 0; index < 200; index++) {
      await documents.add(session, { key: `${index}`, title: 't', content: 'x' });
    }
    await expect(documents.add(session, { key: 'one more', title: 't', content: 'x' })).rejects.toMatchObject({
      message: 'the session holds 200 documents, which is all it may',
    });
    expect(await documents.add(session, { key: '7', title: 't', content: 'x' })).toMatchObject({ title: 't' });
  });
});
