/** A scenario tried: one life left alone, then lives whose processes are killed at every boundary, before and after it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Life, live, MOST_DEATHS } from './life.ts';
import type { Scenario } from './scenario.ts';
import type { MatrixServer } from './server.ts';
import { firstDifference } from './world.ts';

export interface Trial {
  readonly scenario: string;
  /** Boundaries at which a process was killed. */
  readonly killed: { readonly before: number; readonly after: number };
  /** Lives it took, the undisturbed one not counted. */
  readonly lives: number;
  /** Done again because a process died before it could be noted that it was done. */
  readonly repeats: { readonly modelCalls: number; readonly toolCalls: number; readonly deliveries: number };
  readonly lost: number;
  readonly duplicates: number;
  readonly faults: readonly string[];
  readonly resumedAfterMs: readonly number[];
  readonly servingMs: readonly number[];
  readonly seconds: number;
}

export interface TrialOptions {
  readonly server: MatrixServer;
  /** Of the boundaries every so-manieth; 1 for all. */
  readonly every: number;
}

export async function tryScenario(scenario: Scenario, { server, every }: TrialOptions): Promise<Trial> {
  const began = performance.now();
  const folder = mkdtempSync(join(tmpdir(), 'aos-deaths-'));
  const undisturbed = await live(scenario, await server.createDatabase());
  const faults = [...undisturbed.faults.map((fault) => `undisturbed: ${fault}`)];
  const lives: Life[] = [];
  const killed = { before: 0, after: 0 };
  for (const die of ['before', 'after'] as const) {
    const deaths = join(folder, die);
    try {
      let life: Life;
      do {
        life = await live(scenario, await server.createDatabase(), { die, deaths, every });
        lives.push(life);
        killed[die] += life.deaths;
        faults.push(...faultsOf(life, undisturbed).map((fault) => `${die}: ${fault}`));
      } while (life.deaths >= MOST_DEATHS);
    } catch (failure) {
      faults.push(`${die}: ${failure instanceof Error ? failure.message : String(failure)}`);
      continue;
    }
    const listed = existsSync(deaths) ? (readFileSync(deaths, 'utf8').match(/^died /gm)?.length ?? 0) : 0;
    // The last boundary of a life may be its end: then it is over before anybody sees the process die.
    const unseen = listed - killed[die];
    if (unseen < 0 || unseen > lives.length) faults.push(`${die}: ${listed} processes were to die, ${killed[die]} did`);
    killed[die] = listed;
  }
  rmSync(folder, { recursive: true, force: true });
  const sum = (count: (life: Life) => number) => lives.reduce((all, life) => all + count(life), 0);
  return {
    scenario: scenario.name,
    killed,
    lives: lives.length,
    repeats: {
      modelCalls: sum((life) => life.modelCalls - undisturbed.modelCalls),
      toolCalls: sum((life) => life.toolCalls - undisturbed.toolCalls),
      deliveries: sum(({ received }) => received.all - received.different),
    },
    lost: sum((life) => Math.max(0, ended(undisturbed) - ended(life))),
    duplicates: sum((life) => life.duplicates + life.received.different - undisturbed.received.different),
    faults,
    resumedAfterMs: lives.flatMap((life) => life.resumedAfterMs),
    servingMs: lives.flatMap((life) => life.servingMs),
    seconds: (performance.now() - began) / 1000,
  };
}

function ended({ world }: Life): number {
  const { runs } = world;
  return Array.isArray(runs) ? runs.filter((run) => Object(run).status === 'completed').length : 0;
}

function faultsOf(life: Life, undisturbed: Life): string[] {
  const difference = firstDifference(life.world, undisturbed.world);
  return [...life.faults, ...(difference === undefined ? [] : [`differs from the undisturbed life at ${difference}`])];
}
