import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionDocuments } from '../../src/agents/session-documents.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createDocumentOperations, documentSpecs } from '../../src/operations/document.ts';
import type { Operation } from '../../src/operations/operation.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';

let database: Database;
let operations: readonly Operation[];
beforeAll(async () => {
  database = await openTestDatabase();
  operations = createDocumentOperations({
    documents: createSessionDocuments({ tenant: database.tenant, clock: systemClock }),
  });
});
afterAll(() => database.close());

async function perform(name: string, input: JsonObject, userId = 'ann') {
  const operation = operations.find(({ spec }) => spec.name === name);
  if (operation === undefined) throw new Error(`there is no ${name}`);
  const caller = { tenantId: 'default', userId };
  const output = await operation.perform(input, { caller, signal: new AbortController().signal, callId: '' });
  expect(operation.spec.output.safeParse(output).error).toBeUndefined();
  return output;
}

describe('the documents of a session', () => {
  it('are added, listed and found', async () => {
    const session = { session_id: 'board' };
    const lease = await perform('documents.add', { ...session, title: 'Lease', content: 'It ends in March.' });
    await perform('documents.add', { ...session, title: 'Cash', content: 'The burn is 45,000.' });
    expect(await perform('documents.list', session)).toMatchObject({
      items: [lease, { title: 'Cash', characters: 19 }],
      total: 2,
    });
    expect(await perform('documents.search', { ...session, q: 'burn', limit: 5 })).toMatchObject({
      items: [{ title: 'Cash', passage: 'The burn is 45,000.' }],
    });
    expect(await perform('documents.list', session, 'eve')).toEqual({ items: [], total: 0 });
  });

  it('are there once per key, and twice without', async () => {
    const input = { session_id: 'keys', title: 'T', content: 'text' };
    const one = await perform('documents.add', { ...input, key: 'k' });
    expect(await perform('documents.add', { ...input, key: 'k', content: 'other' })).toEqual(one);
    await perform('documents.add', input);
    await perform('documents.add', input);
    expect(await perform('documents.list', { session_id: 'keys' })).toMatchObject({ total: 3 });
  });

  it('cannot be empty, and are refused with what is wrong', async () => {
    await expect(perform('documents.add', { session_id: 'x', title: 'T', content: '' })).rejects.toMatchObject({
      code: 'invalid_request',
    });
    await expect(
      perform('documents.add', { session_id: 'x', title: 'T', content: 'x'.repeat(200_001) }),
    ).rejects.toMatchObject({ code: 'payload_too_large' });
  });

  it('have examples that fit', () => {
    for (const { name, output, example } of documentSpecs) {
      expect(output.safeParse(example?.output).error, name).toBeUndefined();
    }
  });
});
