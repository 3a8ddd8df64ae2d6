/**
 * A process with an engine that kills itself: `node engine-mortal.ts <before|after> <file of acts> <journal>`. Its program
 * uses everything a scope has. Reads the database's URL as a line before it starts, so that the next process can be
 * loaded while the one before it still lives.
 */

import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemClock } from '../../src/core/clock.ts';
import type { RunProgram, RunScope } from '../../src/engine/engine.ts';
import { createEngine } from '../../src/engine/run-engine.ts';
import { createEventLog } from '../../src/runs/event-log.ts';
import { DEFAULT_TENANT, runKey } from '../../src/runs/run.ts';
import { createRunStore } from '../../src/runs/run-store.ts';
import { openDatabase } from '../../src/store/database.ts';
import { silentLog } from './log.ts';
import { mortalActs } from './mortal-acts.ts';

const [die, list, journal = ''] = process.argv.slice(2);

/** Something others see, once per key if they look at the key. */
const effect = (key: string) => appendFileSync(journal, `${key}\n`);

async function branch(scope: RunScope, name: string): Promise<number> {
  const first = await scope.step(`${name}/1`, async ({ idempotencyKey }) => {
    effect(idempotencyKey);
    await scope.emit(`${name}:said`, {
      type: 'turn.delta',
      data: { turn: name, agent_id: 'a', offset: 0, text: `${name} speaks` },
    });
    return 1;
  });
  const second = await scope.step(`${name}/2`, async () => 2, {
    effect: 'external',
    event: (value) => ({ key: `${name}:progress`, type: 'run.progress', data: { progress: value / 10 } }),
  });
  return first + second;
}

const program: RunProgram = async (scope) => {
  if (scope.run.depth > 0) return { from: await scope.step('leaf', async () => 'the child') };
  const cycle = Number(scope.checkpointed?.['cycle'] ?? 0);
  if (cycle === 0) {
    const sums = await Promise.all([branch(scope, 'left'), branch(scope, 'right')]);
    await scope.checkpoint({ cycle: 1, sum: sums[0] + sums[1] });
  }
  await scope.step('tell', async () => {
    await engine.signal(runKey(DEFAULT_TENANT, scope.run.id), {
      id: 'note-1',
      name: 'note',
      payload: { n: 7 },
      actor: 'system',
    });
    return null;
  });
  const notes = await scope.poll('notes', 'note');
  const [answer, child] = await Promise.all([
    scope.wait({ name: 'answer', reason: 'approval' }),
    scope.child('part', { request: { part: 1 } }),
  ]);
  const until = await scope.step('until', async () => new Date(systemClock.now() + 30).toISOString());
  await scope.sleepUntil('nap', until);
  await scope.step('last', async () => null).catch(() => {});
  return {
    sum: scope.checkpointed?.['sum'] ?? 6,
    notes: notes.map(({ payload }) => payload['n'] ?? null),
    answer: answer?.payload ?? null,
    child: child.result,
  };
};

const [url = ''] = await once(createInterface({ input: process.stdin }), 'line');
const database = await openDatabase({ url, clock: systemClock, log: silentLog });
const perform = mortalActs(database, { die, at: Number.NaN, list });
const events = createEventLog({ database, clock: systemClock, perform });
const runs = createRunStore({ database, events, clock: systemClock, perform });
const engine = createEngine({ database, runs, events, program, clock: systemClock, log: silentLog, perform });
await engine.start();
process.stdout.write('ready\n');
