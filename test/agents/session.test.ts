import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSessionMemory, type SessionMemory, type SessionRegister } from '../../src/agents/session.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';

let database: Database;
let memory: SessionMemory & SessionRegister;
beforeAll(async () => {
  database = await openTestDatabase();
  memory = createSessionMemory({ tenant: database.tenant, clock: systemClock });
});
afterAll(() => database.close());

let runs = 0;
const told = (sessionId: string, content: string, userId = '', tenantId = 'default') => ({
  tenantId,
  userId,
  sessionId,
  runId: `run-${++runs}`,
  role: 'user' as const,
  content,
});

describe('the memory of a session', () => {
  it('recalls what was said, in order, up to the message that is asked for', async () => {
    await memory.add(told('order', 'one'));
    const two = told('order', 'two');
    const at = await memory.add(two);
    await memory.add({ ...two, role: 'assistant', content: 'answer' });
    expect(await memory.recall({ tenantId: 'default', userId: '', sessionId: 'order' }, at)).toEqual([
      { role: 'user', content: 'one' },
      { role: 'user', content: 'two' },
    ]);
    expect((await memory.recall({ tenantId: 'default', userId: '', sessionId: 'order' }, 99)).at(-1)).toEqual({
      role: 'assistant',
      content: 'answer',
    });
  });

  it('outlives the process', async () => {
    const at = await memory.add(told('restart', 'remember me'));
    const another = createSessionMemory({ tenant: database.tenant, clock: systemClock });
    expect(await another.recall({ tenantId: 'default', userId: '', sessionId: 'restart' }, at)).toHaveLength(1);
  });

  it('adds a message once per run and role', async () => {
    const message = told('once', 'only once');
    const numbers = [
      await memory.add(message),
      await memory.add(message),
      await memory.add({ ...message, content: 'else' }),
    ];
    expect(numbers).toEqual([1, 1, 1]);
    expect(await memory.recall({ tenantId: 'default', userId: '', sessionId: 'once' }, 99)).toEqual([
      { role: 'user', content: 'only once' },
    ]);
  });

  it('knows nothing of another user, whatever session they name', async () => {
    await memory.add(told('shared', 'my secret', 'ada'));
    expect(await memory.recall({ tenantId: 'default', userId: 'eve', sessionId: 'shared' }, 99)).toEqual([]);
    expect(await memory.add(told('shared', 'hello', 'eve'))).toBe(1);
  });

  it('knows nothing of another tenant, whatever user and session they name', async () => {
    await memory.add(told('tenants', 'ours', 'ada', 'one'));
    expect(await memory.recall({ tenantId: 'two', userId: 'ada', sessionId: 'tenants' }, 99)).toEqual([]);
    expect(await memory.add(told('tenants', 'theirs', 'ada', 'two'))).toBe(1);
  });

  it('lists the sessions of its user, the latest first', async () => {
    await memory.add(told('older', 'one', 'lister'));
    await memory.add(told('newer', 'one', 'lister'));
    await memory.add(told('newer', 'two', 'lister'));
    await memory.add(told('foreign', 'one', 'lister', 'elsewhere'));
    const listed = await memory.list({ tenantId: 'default', userId: 'lister' }, 10);
    expect(listed.map(({ sessionId, messages }) => [sessionId, messages])).toEqual([
      ['newer', 2],
      ['older', 1],
    ]);
    expect(listed[0]?.firstAt).toMatch(/^\d{4}-\d{2}-\d{2}T.*Z$/);
    expect(await memory.list({ tenantId: 'default', userId: 'lister' }, 1)).toHaveLength(1);
  });

  it('shows the messages of a session, page by page', async () => {
    const session = { tenantId: 'default', userId: 'reader', sessionId: 'paged' };
    for (const content of ['one', 'two', 'three']) await memory.add(told('paged', content, 'reader'));
    const first = await memory.messages(session, 0, 2);
    expect(first).toMatchObject([
      { seq: 1, role: 'user', content: 'one', runId: expect.stringContaining('run-') },
      { seq: 2, content: 'two', at: expect.stringMatching(/Z$/) },
    ]);
    expect((await memory.messages(session, 2, 2)).map(({ content }) => content)).toEqual(['three']);
    expect(await memory.messages({ ...session, userId: 'eve' }, 0, 10)).toEqual([]);
  });

  it('numbers messages that come at once without gaps, and below a given number nothing changes any more', async () => {
    const session = { tenantId: 'default', userId: '', sessionId: 'crowd' };
    const seen = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const at = await memory.add(told('crowd', `message ${index}`));
        return { at, recalled: await memory.recall(session, at) };
      }),
    );
    expect(seen.map(({ at }) => at).sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, index) => index + 1));
    for (const { at, recalled } of seen) {
      expect(recalled).toHaveLength(at);
      expect(await memory.recall(session, at)).toEqual(recalled);
    }
  });

  it('keeps any text as it is', async () => {
    const content = 'NUL \u0000, half \ud800, "quotes", \\u0041, 😀';
    const at = await memory.add(told('odd', content));
    expect(await memory.recall({ tenantId: 'default', userId: '', sessionId: 'odd' }, at)).toEqual([
      { role: 'user', content },
    ]);
  });

  it('recalls the end of a long conversation, within bounds', async () => {
    for (let index = 0; index < 45; index++) await memory.add(told('long', `message ${index}`));
    const recalled = await memory.recall({ tenantId: 'default', userId: '', sessionId: 'long' }, 45);
    expect(recalled).toHaveLength(40);
    expect(recalled.at(-1)?.content).toBe('message 44');
    await memory.add(told('long', 'x'.repeat(20_000)));
    await memory.add(told('long', 'y'.repeat(30_000)));
    const wide = await memory.recall({ tenantId: 'default', userId: '', sessionId: 'long' }, 47);
    expect(wide.map(({ content }) => content[0])).toEqual(['y']);
  });
});
