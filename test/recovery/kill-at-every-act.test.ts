/** An engine that is killed at each of its durable acts in turn: steps, events, waits, signals, checkpoints, ends. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { verifyEvents } from '../../src/runs/event-chain.ts';
import { keyOfRun } from '../../src/runs/run.ts';
import { createTestDatabase } from '../support/database.ts';
import { startTestEngine } from '../support/engine.ts';

const PROGRAM = join(import.meta.dirname, '../support/engine-mortal.ts');
const living = new Set<ChildProcess>();

afterAll(async () => {
  const exits = [...living].map((child) => once(child, 'exit'));
  for (const child of living) child.kill('SIGKILL');
  await Promise.all(exits);
});

/** A process that is loaded and waits for its word. */
function prepare(args: readonly string[], url: string) {
  const child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'ignore', 'inherit'] });
  living.add(child);
  const gone = once(child, 'exit').then(([code, signal]) => {
    living.delete(child);
    return signal ?? `exit code ${code}`;
  });
  return {
    serve() {
      child.stdin.write(`${url}\n`);
      return gone;
    },
  };
}

const expected = [
  'claim ',
  'append left:said',
  'step left/1',
  'step left/2',
  'checkpoint ',
  'signal note',
  'poll notes',
  'admit ',
  'wait answer',
  'wait nap',
  'move completed',
  'child claim ',
  'child step leaf',
  'child move completed',
];

test.each(['before', 'after'])(
  'killed %s the commit of each of its acts, a run ends as if nothing had happened',
  async (die) => {
    const url = await createTestDatabase();
    const folder = await mkdtemp(join(tmpdir(), 'aos-acts-'));
    const [list, journal] = [join(folder, 'acts'), join(folder, 'journal')];
    // Admits and watches; its own engine never gets a place.
    await using observer = await startTestEngine(url, async () => ({}), { maxRuns: 0 });
    const run = await observer.begin();
    let ended = false;
    const watched = observer.watch(run.id).finally(() => {
      ended = true;
    });
    const answering = (async () => {
      await observer.waits(run.id);
      // Sent twice, as somebody does who got no answer.
      for (let n = 0; n < 2; n++) {
        await observer.engine.signal(keyOfRun(run), {
          id: 'yes',
          name: 'answer',
          payload: { yes: true },
          actor: 'user:ada',
        });
      }
    })();
    const deaths: string[] = [];
    let heir = prepare([die, list, journal], url);
    while (!ended) {
      const serving = heir.serve();
      heir = prepare([die, list, journal], url);
      const end = await Promise.race([serving, watched]);
      if (typeof end === 'string') deaths.push(end);
    }
    await answering;
    const events = await watched;
    const acts = (await readFile(list, 'utf8')).trim().split('\n');

    expect(deaths).toEqual(acts.slice(0, deaths.length).map(() => 'SIGKILL'));
    expect(acts.map((act) => act.replace('child admit', 'admit'))).toEqual(expect.arrayContaining(expected));
    expect(await observer.runs.load(keyOfRun(run))).toMatchObject({
      status: 'completed',
      result: { sum: 6, notes: [7], answer: { yes: true }, child: { from: 'the child' } },
    });
    expect(verifyEvents(events)).toBeUndefined();
    const keys = events.map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).toEqual(expect.arrayContaining(['left:said', 'right:said', 'left:progress', 'right:progress']));
    expect(new Set((await readFile(journal, 'utf8')).trim().split('\n'))).toEqual(
      new Set([`${run.id}/left/1`, `${run.id}/right/1`]),
    );
    await rm(folder, { recursive: true });
  },
  180_000,
);
