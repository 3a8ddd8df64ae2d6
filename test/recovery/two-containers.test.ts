/** Two containers on one database: work is shared, and what one of them leaves behind the other brings to its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { allEvents, BOARD_REVIEW, post } from '../support/invocations.ts';

const PROGRAM = join(import.meta.dirname, '../fixtures/mortal-container.ts');
const RUNS = 12;
const living = new Set<ChildProcess>();

afterAll(async () => {
  const exits = [...living].map((child) => once(child, 'exit'));
  for (const child of living) child.kill('SIGKILL');
  await Promise.all(exits);
});

async function start(databaseUrl: string): Promise<{ url: string; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
  living.add(child);
  child.stdin.write(`${databaseUrl}\n`);
  const [url] = await once(createInterface({ input: child.stdout }), 'line');
  return {
    url: String(url),
    async kill() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      living.delete(child);
    },
  };
}

test('killed under load, one leaves its runs to the other, whose followers see every event once', async () => {
  const databaseUrl = await createTestDatabase();
  const [victim, survivor] = await Promise.all([start(databaseUrl), start(databaseUrl)]);
  const ids = Array.from({ length: RUNS }, (_, number) => `shared-${number}`);
  for (const [number, id] of ids.entries()) {
    const { url } = number % 2 === 0 ? victim : survivor;
    const answer = await post(
      `${url}/invocations`,
      { ...BOARD_REVIEW, background: true },
      { 'x-agent-invocation-id': id },
    );
    expect(answer.status).toBe(202);
  }
  const followed = ids.map((id) =>
    allEvents(fetch(`${survivor.url}/invocations/${id}`, { headers: { accept: 'text/event-stream' } })),
  );
  // In the middle of the victim's work: one of its runs has begun to speak.
  await expect
    .poll(async () => {
      const seen = await fetch(`${survivor.url}/invocations/${ids[0]}`);
      return ((await seen.json()) as { last_event: number }).last_event;
    })
    .toBeGreaterThan(3);
  await victim.kill();

  for (const events of await Promise.all(followed)) {
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.at(-1)?.type).toBe('run.completed');
    expect(events.filter(({ type }) => type === 'turn.completed')).toHaveLength(7);
  }
}, 60_000);
