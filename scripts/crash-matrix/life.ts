/**
 * One life of a scenario: its work from the client's wish to its end, on a database of its own, in one process that is
 * left alone or in many that are killed one after the other.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/core/clock.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { openDatabase } from '../../src/store/database.ts';
import { Lineage } from '../../test/recovery/lineage.ts';
import type { JournalLine } from '../../test/support/journal.ts';
import { startReceiver } from '../../test/support/receiver.ts';
import { createPatientClient } from './patient-client.ts';
import type { Scenario } from './scenario.ts';
import { inspectLogs, isOver, readWorld } from './world.ts';

/** A run is given up after 100 interrupted executions without progress in between: a life has fewer deaths. */
export const MOST_DEATHS = 80;
const LOOK_MS = 10;
/** A process that neither dies nor brings the work to its end for so long is stuck. */
const PATIENCE_MS = 60_000;
const log = { debug() {}, info() {}, warn() {}, error() {} };

/** How processes die: around what, and where what was died over is written down; undefined: they are left alone. */
export interface Fate {
  readonly die: 'before' | 'after';
  readonly deaths: string;
  /** Of the boundaries every so-manieth. */
  readonly every: number;
}

export interface Life {
  readonly deaths: number;
  readonly world: JsonObject;
  /** What is wrong with it; empty when nothing is. */
  readonly faults: readonly string[];
  readonly duplicates: number;
  readonly modelCalls: number;
  readonly toolCalls: number;
  /** Messages as their receiver got them, and how many different ones. */
  readonly received: { readonly all: number; readonly different: number };
  /** Milliseconds from the start of a process until a run of the dead one was at work again. */
  readonly resumedAfterMs: readonly number[];
  /** The part of it after the code was loaded. */
  readonly servingMs: readonly number[];
}

export async function live(scenario: Scenario, databaseUrl: string, fate?: Fate): Promise<Life> {
  const folder = mkdtempSync(join(tmpdir(), 'aos-crash-'));
  const journal = join(folder, 'journal');
  await using lineage = new Lineage(databaseUrl);
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const receiver = await startReceiver();
  cleanup.defer(() => receiver.close());
  const database = await openDatabase({ url: databaseUrl, clock: systemClock, log, poolSize: 2 });
  cleanup.defer(() => database.close());
  const client = createPatientClient(() => lineage.address);
  const over = new AbortController();

  const work = (async () => {
    await scenario.start({ client, receiverUrl: receiver.url });
    const seen = scenario.invocation === undefined ? [] : await client.follow(scenario.invocation);
    while (!(await isOver(database))) await delay(LOOK_MS);
    return seen;
  })();
  const approving = client.approve(over.signal);
  let newestAt = performance.now();
  const stuck = (async () => {
    while (performance.now() - newestAt < PATIENCE_MS) {
      if (over.signal.aborted) return [];
      await delay(LOOK_MS * 10);
    }
    throw new Error(`nothing happened for ${PATIENCE_MS / 1000} s ${lineage.errors}`);
  })();
  const bounded = Promise.race([work, stuck]).finally(() => over.abort());
  const deaths = await lineage.reign((number) => {
    newestAt = performance.now();
    return environmentOf(scenario, journal, number, fate);
  }, bounded);
  const seen = await bounded;
  // Nobody may be there to answer any more.
  await Promise.race([approving, delay(100)]);

  const { duplicates, broken } = await inspectLogs(database);
  const lines = existsSync(journal) ? readFileSync(journal, 'utf8').trim().split('\n').filter(Boolean) : [];
  const journalLines = lines.map((line) => JSON.parse(line) as JournalLine);
  const count = (what: JournalLine['what']) => journalLines.filter((line) => line.what === what).length;
  const resumed = journalLines.flatMap((line) => (line.what === 'resumed' ? [line] : []));
  const ids = new Set(receiver.received.map(({ headers }) => headers['webhook-id']));
  const gap = seen.findIndex(({ seq }, index) => seq !== index + 1);
  return {
    deaths: deaths.length,
    world: await readWorld(database),
    faults: [
      ...broken,
      ...deaths.filter((end) => end !== 'SIGKILL').map((end) => `a process ended with ${end}: ${lineage.errors}`),
      ...(gap === -1 ? [] : [`its follower saw event ${seen[gap]?.seq} in place of ${gap + 1}`]),
    ],
    duplicates,
    modelCalls: count('model'),
    toolCalls: count('tool'),
    received: { all: receiver.received.length, different: ids.size },
    resumedAfterMs: resumed.map(({ loadMs, resumeMs }) => loadMs + resumeMs),
    servingMs: resumed.map(({ resumeMs }) => resumeMs),
  };
}

function environmentOf({ slow = false, registry }: Scenario, journal: string, number: number, fate: Fate | undefined) {
  const environment: Record<string, string> = {
    JOURNAL: journal,
    TOKEN_MS: slow ? '2' : '0',
    ...(registry !== undefined && { AGENTS: registry }),
  };
  if (fate === undefined || number > MOST_DEATHS) return environment;
  return { ...environment, DIE: fate.die, DEATHS: fate.deaths, DEATHS_EVERY: String(fate.every) };
}
