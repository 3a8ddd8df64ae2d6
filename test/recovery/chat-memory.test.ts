import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { openDatabase } from '../../src/store/database.ts';
import { startTestContainer } from '../support/container.ts';
import { createTestDatabase } from '../support/database.ts';
import { invocation, post } from '../support/invocations.ts';
import { silentLog } from '../support/log.ts';
import { Lineage } from './lineage.ts';

const INTRODUCTION = { message: 'Hello, my name is Ada.' };
const QUESTION = { message: 'What is my name?' };

async function ask(url: string, session: string, body: object, user = ''): Promise<string> {
  const { status, result } = await invocation(
    post(`${url}/invocations?agent_session_id=${session}`, body, user === '' ? {} : { 'x-agent-user-id': user }),
  );
  expect(status).toBe('completed');
  return String(result?.['message']);
}

test('a session is remembered across a restart, by whoever it belongs to and nobody else', async () => {
  const databaseUrl = await createTestDatabase();
  await (async () => {
    await using container = await startTestContainer({ databaseUrl });
    await ask(container.url, 's-1', INTRODUCTION, 'ann');
  })();
  await using container = await startTestContainer({ databaseUrl });
  expect(await ask(container.url, 's-1', QUESTION, 'ann')).toContain('Ada');
  expect(await ask(container.url, 's-2', QUESTION, 'ann')).not.toContain('Ada');
  expect(await ask(container.url, 's-1', QUESTION, 'bob')).not.toContain('Ada');
});

test.each(['after', 'before'] as const)(
  'killed %s the commit of each event in turn, a chat turn is remembered once',
  async (die) => {
    const databaseUrl = await createTestDatabase();
    await using lineage = new Lineage(databaseUrl);
    const { events, deaths } = await lineage.dieAtEveryEvent(die, INTRODUCTION);
    expect(deaths, lineage.errors).toEqual(events.map(() => 'SIGKILL'));
    const database = await openDatabase({ url: databaseUrl, clock: systemClock, log: silentLog });
    const messages = await database.db.selectFrom('session_messages').select(['seq', 'role']).orderBy('seq').execute();
    await database.close();
    expect(messages).toEqual([
      { seq: 1, role: 'user' },
      { seq: 2, role: 'assistant' },
    ]);
  },
  120_000,
);

test.each(['after', 'before'] as const)(
  'killed %s the commit of each durable act in turn, a chat turn is answered once',
  async (die) => {
    const folder = await mkdtemp(join(tmpdir(), 'aos-chat-'));
    const list = join(folder, 'acts');
    await using lineage = new Lineage(await createTestDatabase());
    const { events, deaths } = await lineage.dieAtEveryAct(die, INTRODUCTION, list);
    const acts = (await readFile(list, 'utf8')).trim().split('\n');
    expect(acts).toEqual(expect.arrayContaining(['admit ', 'claim ', 'step chat/1', 'move completed']));
    expect(new Set(deaths), lineage.errors).toEqual(new Set(['SIGKILL']));
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.filter(({ type }) => type === 'turn.completed')).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ type: 'run.completed', result: { agent_id: 'ceo' } });
    await rm(folder, { recursive: true });
  },
  120_000,
);
