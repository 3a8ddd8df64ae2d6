/**
 * The engine beside bare DBOS: the same work, in turns, each in a process of its own, on one database server that syncs
 * every commit. Aims: whatever is asked of it, ours costs at most one and a half times as much.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type EngineProcess, startEngine } from '../measure/engine-process.ts';
import { pairedRatio, type Spread, spread } from '../measure/statistics.ts';
import { figures, table } from '../measure/table.ts';
import type { Aim, Effort, SectionResult } from '../section.ts';

const AT_ONCE = 32;
const STEPS = 10;
const WAITING = 1000;
const FOLLOWERS = 100;
const TOLD = 50;
const MOST = 1.5;

const contenders = [
  { name: 'ours', file: 'engine-own.ts' },
  { name: 'DBOS', file: 'engine-dbos.ts' },
] as const;
type Name = (typeof contenders)[number]['name'];

/** One figure of both, round by round; less is better. */
interface Row {
  what: string;
  unit: string;
  samples: Record<Name, number[]>;
}

export async function benchEngine(effort: Effort): Promise<SectionResult> {
  const folder = mkdtempSync(join(tmpdir(), 'aos-bench-engine-'));
  const server = await startDatabase(folder);
  try {
    const rows = new Map<string, Row>();
    const note = (what: string, unit: string, name: Name, value: number) => {
      const row = rows.get(what) ?? { what, unit, samples: { ours: [], DBOS: [] } };
      row.samples[name].push(value);
      rows.set(what, row);
    };
    await measureWork(server.url, effort, note);
    for (let round = 0; round < Math.min(effort.rounds, 3); round++) {
      await measureWaiting(server.url, note);
      await measureFollowers(server.url, note);
    }
    const results = [...rows.values()].map((row) => ({
      ...row,
      ratio: pairedRatio(row.samples.ours, row.samples.DBOS),
    }));
    return { data: results, aims: results.map(aimOf), text: view(results) };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Note = (what: string, unit: string, name: Name, value: number) => void;

async function measureWork(url: string, effort: Effort, note: Note): Promise<void> {
  const engines = await startBoth(url);
  const each = async (measure: (name: Name, engine: EngineProcess) => Promise<void>) => {
    for (const { name } of contenders) await measure(name, engines[name]);
  };
  const { windowMs: measureMs } = effort;
  await each(async (_name, engine) => {
    await engine.run({ kind: 'rate', steps: 3, atOnce: AT_ONCE, measureMs: Math.max(measureMs, 2000) });
  });
  for (let round = 0; round < effort.rounds; round++) {
    await each(async (name, engine) => {
      const { perSecond, cpuMicrosEach } = await engine.run({ kind: 'rate', steps: 1, atOnce: AT_ONCE, measureMs });
      note('one-step run', `ms each, ${AT_ONCE} at once`, name, 1000 / perSecond);
      note('one-step run, CPU', 'ms of the process', name, cpuMicrosEach / 1000);
    });
    await each(async (name, engine) => {
      const { perSecond } = await engine.run({ kind: 'rate', steps: STEPS, atOnce: 1, measureMs });
      note('step of a ten-step run', 'ms, one run at a time', name, 1000 / perSecond / STEPS);
    });
    await each(async (name, engine) => {
      const { perSecond } = await engine.run({ kind: 'rate', steps: STEPS, atOnce: AT_ONCE, measureMs });
      note('step of ten-step runs', `ms, ${AT_ONCE} runs at once`, name, 1000 / perSecond / STEPS);
    });
    await each(async (name, engine) => {
      const { p50, p99 } = await engine.run({ kind: 'accept', perSecond: 50, measureMs: measureMs * 2 });
      note('accepted at 50/s, p50', 'ms', name, p50);
      note('accepted at 50/s, p99', 'ms', name, p99);
    });
  }
  await each((_name, engine) => engine.kill());
}

/** A process that starts on a thousand runs that wait. */
async function measureWaiting(url: string, note: Note): Promise<void> {
  for (const { name, file } of contenders) {
    const database = await createDatabase(url);
    const before = await startEngine(file, [database]);
    await before.run({ kind: 'park', count: WAITING });
    await before.kill();
    const after = await startEngine(file, [database]);
    note(`start on ${WAITING} waiting runs`, 'ms to ready', name, after.readyMs);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const { rssMib } = await after.run({ kind: 'memory' });
    note(`${WAITING} waiting runs`, 'MiB resident', name, rssMib);
    await after.kill();
    await dropDatabase(url, database);
  }
}

/** Readers in another process than the one that tells. */
async function measureFollowers(url: string, note: Note): Promise<void> {
  for (const { name, file } of contenders) {
    const database = await createDatabase(url);
    const [teller, reader] = [await startEngine(file, [database, 'one']), await startEngine(file, [database, 'two'])];
    const id = randomUUID();
    const telling = teller.run({ kind: 'tell', id, count: TOLD, gapMs: 40 });
    const { p50, p99 } = await reader.run({ kind: 'follow', id, followers: FOLLOWERS, count: TOLD });
    await telling;
    note(`${FOLLOWERS} followers, p50`, 'ms from told to read', name, p50);
    note(`${FOLLOWERS} followers, p99`, 'ms from told to read', name, p99);
    await teller.kill();
    await reader.kill();
    await dropDatabase(url, database);
  }
}

async function startBoth(url: string): Promise<Record<Name, EngineProcess>> {
  const [ours, other] = contenders;
  return {
    ours: await startEngine(ours.file, [await createDatabase(url)]),
    DBOS: await startEngine(other.file, [await createDatabase(url)]),
  };
}

function aimOf({ what, unit, ratio }: Row & { ratio: Spread }): Aim {
  return { what: `${what} (${unit}): ours to DBOS`, measured: ratio.median, is: 'at most', aim: MOST };
}

function view(rows: readonly (Row & { ratio: Spread })[]): string {
  return table(
    'The engine beside bare DBOS on the same database; less is better',
    ['what', 'unit', 'ours', 'DBOS', 'ratio'],
    rows.map(({ what, unit, samples, ratio }) => [
      what,
      unit,
      figures(spread(samples.ours)),
      figures(spread(samples.DBOS)),
      figures(ratio),
    ]),
  );
}

async function startDatabase(folder: string) {
  const built = (path: string) => new URL(`../../dist/src/${path}`, import.meta.url).href;
  const { startEmbeddedPostgres } = (await import(
    built('store/embedded-postgres.js')
  )) as typeof import('../../src/store/embedded-postgres.ts');
  const { systemClock } = (await import(built('core/clock.js'))) as typeof import('../../src/core/clock.ts');
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  return startEmbeddedPostgres({
    folder,
    host: process,
    clock: systemClock,
    log,
    settings: { max_connections: '100' },
  });
}

/** @returns the URL of a new database on the server */
async function createDatabase(url: string): Promise<string> {
  const name = `bench_${randomUUID().replaceAll('-', '')}`;
  await query(url, `create database ${name}`);
  const made = new URL(url);
  made.pathname = `/${name}`;
  return made.href;
}

async function dropDatabase(url: string, database: string): Promise<void> {
  await query(url, `drop database ${new URL(database).pathname.slice(1)} with (force)`);
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text).finally(() => client.end());
}
