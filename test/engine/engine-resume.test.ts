/** Real processes that die: what is left of a run, and who goes on with it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/runs/event.ts';
import { keyOfRun, type Run } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import { openTestDatabase } from '../support/database.ts';
import { endEngineProcesses, startEngineProcess } from '../support/engine-process.ts';
import { createTestRuns, type TestRuns, testAdmission } from '../support/runs.ts';

let database: Database;
let here: TestRuns;
let folder: string;
let journal: string;

beforeAll(async () => {
  database = await openTestDatabase();
  here = createTestRuns(database);
  folder = await mkdtemp(join(tmpdir(), 'aos-engine-'));
});

beforeEach(() => {
  journal = join(folder, crypto.randomUUID());
});

afterEach(endEngineProcesses);

afterAll(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

const admit = async (steps: (string | string[])[], change = {}): Promise<Run> => {
  const { run } = await here.runs.admit(testAdmission({ request: { steps }, ...change }));
  return run;
};

const executed = async () => (await readFile(journal, 'utf8')).trim().split('\n');

/** Follows the run to its end. */
async function watch(run: Run): Promise<RunEvent[]> {
  const all: RunEvent[] = [];
  for await (const event of here.events.follow(keyOfRun(run), 0)) all.push(event);
  return all;
}

const typesOf = (events: readonly RunEvent[]) => events.map(({ type }) => type);

describe('a process killed in the middle of a run', () => {
  const steps = ['one', ['two', 'three'], 'four'];
  const everything = ['one says 0', 'two says 1', 'three says 1', 'four says 3'];

  it.each([
    ['before:one', []],
    ['in:one', ['one']],
    ['after:one', []],
    ['in:three', ['two', 'three']],
    ['after:two', []],
    ['in:four', ['four']],
    ['after:four', []],
  ])('%s: the next process repeats only the steps that had no result', async (killAt, repeatable) => {
    const run = await admit(steps);
    const followed = watch(run);
    const first = startEngineProcess(database.url, { begin: run.id, killAt, journal });
    await first.gone;
    expect(first.child.signalCode).toBe('SIGKILL');

    startEngineProcess(database.url, { journal });
    const events = await followed;

    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(typesOf(events).filter((type) => type !== 'turn.delta')).toEqual([
      'run.queued',
      'run.started',
      'run.completed',
    ]);
    const spoken = events.filter((event) => event.type === 'turn.delta').map(({ data }) => data.turn);
    expect(spoken.toSorted()).toEqual(['four', 'one', 'three', 'two']);
    expect(await here.runs.load(keyOfRun(run))).toMatchObject({ status: 'completed', result: { results: everything } });
    const bodies = await executed();
    for (const name of ['one', 'two', 'three', 'four']) {
      const times = bodies.filter((line) => line === name).length;
      expect(times).toBeGreaterThanOrEqual(1);
      expect(times).toBeLessThanOrEqual(repeatable.some((may) => may === name) ? 2 : 1);
    }
  });
});

describe('at the start of a process', () => {
  it('runs that were admitted and never begun are begun', async () => {
    const run = await admit(['only']);
    startEngineProcess(database.url);
    expect(typesOf(await watch(run)).at(-1)).toBe('run.completed');
  });

  it('a run whose cancellation nobody carried out is cancelled', async () => {
    const run = await admit(['stuck']);
    const first = startEngineProcess(database.url, { begin: run.id, stuckIn: 'stuck' });
    await first.said('step stuck');
    first.child.kill('SIGKILL');
    await first.gone;
    await here.runs.requestCancel(run.id, 'not needed', { tenantId: 'default', userId: '' });

    const second = startEngineProcess(database.url);
    expect((await watch(run)).at(-1)).toMatchObject({ type: 'run.cancelled', data: { reason: 'not needed' } });
    expect(second.lines).not.toContain('step stuck');
  });

  it('a run whose deadline passed meanwhile has timed out', async () => {
    const run = await admit(['stuck'], { deadlineAt: new Date(Date.now() + 4_000).toISOString() });
    const first = startEngineProcess(database.url, { begin: run.id, stuckIn: 'stuck' });
    await first.said('step stuck');
    first.child.kill('SIGKILL');
    await first.gone;
    await database.db
      .updateTable('runs')
      .set({ deadline_at: new Date(0) })
      .where('id', '=', run.id)
      .execute();

    startEngineProcess(database.url);
    expect((await watch(run)).at(-1)).toMatchObject({ type: 'run.timed_out', data: { error: { code: 'timed_out' } } });
  });
});

describe('two processes on one database', () => {
  it('start on an empty database at the same time', async () => {
    const empty = await openTestDatabase();
    const both = [startEngineProcess(empty.url), startEngineProcess(empty.url)];
    for (const process of both) await process.said('ready');
    await endEngineProcesses();
    await empty.close();
  });

  it('let the living one go on with what the dead one did', async () => {
    const survivor = startEngineProcess(database.url, { journal });
    await survivor.said('ready');
    const run = await admit(['one', 'two', 'three']);
    const followed = watch(run);
    const victim = startEngineProcess(database.url, { begin: run.id, killAt: 'in:two', journal });
    await victim.gone;
    expect(typesOf(await followed)).toEqual([
      'run.queued',
      'run.started',
      'turn.delta',
      'turn.delta',
      'turn.delta',
      'run.completed',
    ]);
    expect(await executed()).toEqual(['one', 'two', 'two', 'three']);
    expect(survivor.lines).toEqual(['ready', 'step two', 'step three']);
  });

  it('leave the runs of a living process alone', async () => {
    const run = await admit(['stuck']);
    const owner = startEngineProcess(database.url, { begin: run.id, stuckIn: 'stuck', journal });
    await owner.said('step stuck');
    const other = startEngineProcess(database.url, { journal });
    await other.said('ready');
    expect(await here.runs.load(keyOfRun(run))).toMatchObject({ status: 'running' });
    await here.runs.requestCancel(run.id, 'enough', { tenantId: 'default', userId: '' });
    expect((await watch(run)).at(-1)?.type).toBe('run.cancelled');
    expect(owner.lines).toContain('aborted stuck cancelled');
    expect(await executed()).toEqual(['stuck']);
  });
});

describe('a process that is asked to stop', () => {
  it('leaves the run to the next one, with the steps that were done', async () => {
    const run = await admit(['one', 'stuck', 'three']);
    const first = startEngineProcess(database.url, { begin: run.id, stuckIn: 'stuck', journal });
    await first.said('step stuck');
    first.child.kill('SIGTERM');
    await first.gone;
    expect(first.child.exitCode).toBe(0);
    expect(await here.runs.load(keyOfRun(run))).toMatchObject({ status: 'running' });

    startEngineProcess(database.url, { journal });
    expect((await watch(run)).at(-1)?.type).toBe('run.completed');
    expect(await executed()).toEqual(['one', 'stuck', 'stuck', 'three']);
  });
});
