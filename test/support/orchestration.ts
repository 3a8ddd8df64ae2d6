/** Orchestrations on the engine's port in memory, with a scripted model. */

import type { Brief } from '../../src/agents/brief.ts';
import type { Model } from '../../src/agents/model.ts';
import type { SessionMemory } from '../../src/agents/session.ts';
import { AosError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createRunProgram, type ProgramParts } from '../../src/orchestration/program.ts';
import type { Run } from '../../src/runs/run.ts';
import { testCatalogue } from './agents.ts';
import { unenforcedGovernor } from './governance.ts';
import { expectSoundLog } from './run-log.ts';
import { MemoryRun } from './run-scope.ts';
import { type Script, type ScriptedModel, scriptedModel } from './scripted-model.ts';
import { tickingClock } from './ticking-clock.ts';

export const noMemory: SessionMemory = { add: async () => 1, recall: async () => [] };

export function programOf(model: Model, change: Partial<ProgramParts> = {}) {
  const catalogue = testCatalogue('ceo', 'cfo', 'cmo', 'cto');
  return createRunProgram({
    catalogue,
    model,
    memory: noMemory,
    clock: tickingClock(1),
    governor: unenforcedGovernor(),
    ...change,
  });
}

export function requestOf(workflow: string, change: JsonObject = {}): JsonObject {
  return { agent_ids: ['cfo', 'ceo', 'cmo'], workflow, task: { type: 'review' }, ...change };
}

/** Runs to the end. @throws what the run fails with */
export async function runToEnd(
  model: Model,
  body: JsonObject,
  change: Partial<Run> = {},
): Promise<{ readonly result: JsonObject; readonly memoryRun: MemoryRun }> {
  const memoryRun = new MemoryRun(body, change);
  const result = await memoryRun.execute(programOf(model));
  expectSoundLog(memoryRun.events);
  if (result === 'died') throw new Error('the run died of itself');
  return { result, memoryRun };
}

/**
 * Dies once at every write of the run, each time in a run of its own, and goes on.
 * @returns how often; the results and the events' keys were the same every time
 */
export async function dieEverywhere(
  model: () => Model,
  body: JsonObject,
  prepare: (run: MemoryRun) => void = () => {},
) {
  const fresh = () => {
    const run = new MemoryRun(body);
    prepare(run);
    return run;
  };
  const whole = fresh();
  const expected = await whole.execute(programOf(model()));
  let deaths = 0;
  for (const at of ['before-emit', 'after-emit', 'before-step-stored', 'after-step-stored'] as const) {
    for (let nth = 1; ; nth++) {
      const run = fresh();
      const first = await run.execute(programOf(model()), { death: { at, nth } });
      if (first !== 'died') break;
      deaths += 1;
      const second = await run.execute(programOf(model()));
      expectSoundLog(run.events);
      if (JSON.stringify(timeless(second)) !== JSON.stringify(timeless(expected))) {
        throw new Error(`another result after a death ${at} ${nth}: ${JSON.stringify(second)}`);
      }
    }
  }
  return deaths;
}

/** Without times, which differ between executions. */
function timeless(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner) => (/^(started_at|completed_at|duration_seconds)$/.test(key) ? null : inner)),
  );
}

/** Says who it is and in which phase, or what `says` gives; fails where that is an error. */
export function chorus(
  says: (brief: Brief, nth: number) => string | Error | undefined = () => undefined,
): ScriptedModel {
  return scriptedModel((brief, nth): Script => {
    const said = says(brief, nth) ?? `${brief.agent.agent_id} ${brief.kind} ${nth}`;
    return said instanceof Error ? ['half a ', said] : [said];
  });
}

export const refused = () => new AosError('model_failed', 'the key was refused', { retry: 'never' });
