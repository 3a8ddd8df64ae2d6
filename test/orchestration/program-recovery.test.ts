/**
 * A run whose process dies at every boundary there is, one after the other, and is executed again: the log must be
 * sound each time, the result the same, and a turn that was over must not be asked of the model again.
 */

import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/agents/model.ts';
import { createSimulatedModel } from '../../src/agents/simulated-model.ts';
import { AosError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createRunProgram } from '../../src/orchestration/program.ts';
import { testCatalogue } from '../support/agents.ts';
import { unenforcedGovernor } from '../support/governance.ts';
import { expectSoundLog } from '../support/run-log.ts';
import { type Death, MemoryRun } from '../support/run-scope.ts';
import { scriptedModel } from '../support/scripted-model.ts';
import { tickingClock } from '../support/ticking-clock.ts';

const catalogue = testCatalogue('ceo', 'cfo', 'cmo');
const task = { type: 'review', data: { quarter: 'Q1-2026', revenue: 4_200_000, costs: 3_900_000 } };
const body = (workflow: string): JsonObject => ({ agent_ids: ['ceo', 'cfo', 'cmo'], workflow, task });
const points: readonly Death['at'][] = ['before-emit', 'after-emit', 'before-step-stored', 'after-step-stored'];

/** Fast time, so that a turn is written in several deltas. */
function programOf(model: Model) {
  const memory = { add: async () => 1, recall: async () => [] };
  return createRunProgram({ catalogue, model, memory, clock: tickingClock(20), governor: unenforcedGovernor() });
}

/** The same words to the same brief, in a few pieces. */
const steady = () =>
  scriptedModel(({ kind, agent }) => [
    `${agent.agent_id}: `,
    `this is my ${kind}. `,
    'It has a second sentence. ',
    'And an end.',
  ]);
const simulated = () => createSimulatedModel({ firstTokenMs: 0, tokenMs: 1 }, tickingClock(1));

/** Dies at every point, once each, until an execution gets through; gives each log and result to `check`. */
async function dieEverywhere(
  workflow: string,
  modelOf: () => Model,
  check: (run: MemoryRun, result: JsonObject, death: Death) => void,
): Promise<number> {
  let deaths = 0;
  for (const at of points) {
    for (let nth = 1; ; nth++) {
      const run = new MemoryRun(body(workflow));
      const model = modelOf();
      const outcome = await run.execute(programOf(model), { death: { at, nth } });
      if (outcome !== 'died') break;
      deaths += 1;
      expectSoundLog(run.events);
      const before = JSON.stringify(run.events);
      const result = await run.execute(programOf(model));
      if (result === 'died') throw new Error('nobody was to die the second time');
      expect(JSON.stringify(run.events).startsWith(before.slice(0, -1)), 'what was written stays').toBe(true);
      expectSoundLog(run.events);
      check(run, result, { at, nth });
    }
  }
  return deaths;
}

describe.each(['sequential', 'collaborative'])('a %s run that dies and is executed again', (workflow) => {
  it('ends with the same log and result as one that never died, wherever that is', async () => {
    const undisturbed = new MemoryRun(body(workflow));
    const expected = (await undisturbed.execute(programOf(steady()))) as JsonObject;
    expectSoundLog(undisturbed.events);
    expect(undisturbed.types.filter((type) => type === 'turn.delta').length).toBeGreaterThan(6);
    const deaths = await dieEverywhere(workflow, steady, (run, result) => {
      expect(run.types).not.toContain('turn.restarted');
      expect(result['summary']).toBe(expected['summary']);
      expect(result['usage']).toEqual(expected['usage']);
      expect(outputs(run)).toEqual(outputs(undisturbed));
    });
    expect(deaths).toBeGreaterThan(undisturbed.events.length);
  });

  it('never asks again for a turn that was over', async () => {
    let model = scriptedModel(() => ['fine']);
    await dieEverywhere(
      workflow,
      () => {
        model = scriptedModel(() => ['a ', 'b ', 'c']);
        return model;
      },
      (run) => {
        const planned = run.types.filter((type) => type === 'turn.completed').length;
        // At most the turns that were under way at the death were asked twice.
        expect(model.asked.length - planned).toBeLessThanOrEqual(3);
      },
    );
  });

  it('voids the half of a turn that comes out differently the second time', async () => {
    let restarts = 0;
    await dieEverywhere(
      workflow,
      () => scriptedModel((_brief, nth) => [`attempt ${nth}: `, 'something ', 'longer ', `in all of ${nth}`]),
      (run) => {
        restarts += run.types.filter((type) => type === 'turn.restarted').length;
      },
    );
    expect(restarts).toBeGreaterThan(0);
  });

  it('is sound after many deaths in a row', async () => {
    const run = new MemoryRun(body(workflow));
    const model = simulated();
    let executions = 0;
    for (let outcome: JsonObject | 'died' = 'died'; outcome === 'died'; executions++) {
      outcome = await run.execute(programOf(model), { death: { at: 'after-emit', nth: 9 + executions } });
    }
    expect(executions).toBeGreaterThan(3);
    expectSoundLog(run.events);
    expect(run.types).not.toContain('turn.restarted');
  });
});

it('keeps a failed turn failed when the run is executed again', async () => {
  const model = () =>
    scriptedModel(({ agent, kind }) =>
      agent.agent_id === 'cfo' && kind !== 'synthesis'
        ? ['half ', new AosError('model_failed', 'refused', { retry: 'never' })]
        : ['fine'],
    );
  const deaths = await dieEverywhere('collaborative', model, (run, result) => {
    expect(run.types.filter((type) => type === 'turn.failed')).toHaveLength(2);
    expect(result['results']).toMatchObject({ cfo: { status: 'failed', error: { message: 'refused' } } });
  });
  expect(deaths).toBeGreaterThan(20);
});

function outputs(run: MemoryRun): Record<string, string> {
  return Object.fromEntries(
    run.events.flatMap((event) => (event.type === 'turn.completed' ? [[event.data.turn, event.data.output]] : [])),
  );
}
