import { describe, expect, it, test } from 'vitest';
import type { Agent } from '../../src/agents/agent.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { patternFor } from '../../src/orchestration/patterns.ts';
import { planEvent, type RoundPlan } from '../../src/orchestration/plan.ts';
import { testAgent } from '../support/agents.ts';

const agents = (...ids: string[]) => ids.map((id) => testAgent(id));
const planOf = (workflow: string, who: readonly Agent[], config: JsonObject) =>
  patternFor({ workflow }).plan({ workflow, config }, who) as RoundPlan;
const three = agents('cfo', 'ceo', 'cmo');
const shape = (workflow: string, config: JsonObject = {}, who = three) => planEvent(planOf(workflow, who, config));
const round = (number: number, ...ids: string[]) => ids.map((id) => `round-${number}/${id}`);

describe('a plan', () => {
  it('puts a line of agents into one phase each', () => {
    expect(shape('sequential')).toEqual({
      workflow: 'sequential',
      agent_ids: ['cfo', 'ceo', 'cmo'],
      rounds: 1,
      phases: [['step-1/cfo'], ['step-2/ceo'], ['step-3/cmo']],
      planned_turns: 3,
    });
  });

  it('gives a collaboration two rounds and a synthesis by the first leader', () => {
    expect(shape('collaborative')).toEqual({
      workflow: 'collaborative',
      agent_ids: ['cfo', 'ceo', 'cmo'],
      rounds: 2,
      phases: [round(1, 'cfo', 'ceo', 'cmo'), round(2, 'cfo', 'ceo', 'cmo'), ['synthesis/ceo']],
      planned_turns: 7,
    });
  });

  it('lets the first agent lead when none is of the leadership type', () => {
    expect(planOf('collaborative', agents('cmo', 'cto'), {}).synthesis?.name).toBe('synthesis/cmo');
  });

  test.each([
    // asked rounds, max_turns → rounds, synthesis, agents that act, planned turns
    [1, undefined, 1, true, 3, 4],
    [3, undefined, 3, true, 3, 10],
    [2, 7, 2, true, 3, 7],
    [2, 6, 1, true, 3, 4],
    [2, 4, 1, true, 3, 4],
    [2, 3, 1, false, 3, 3],
    [2, 2, 1, false, 2, 2],
    [2, 1, 1, false, 1, 1],
  ])('of %s rounds with max_turns %s has %s rounds, synthesis %s, %s agents, %s turns', (rounds, max, ...expected) => {
    const plan = planOf('collaborative', three, { rounds, ...(max === undefined ? {} : { max_turns: max }) });
    const acting = plan.rounds[0]?.length;
    expect([plan.rounds.length, plan.synthesis !== undefined, acting, plan.plannedTurns]).toEqual(expected);
    expect(plan.skipped).toHaveLength(3 - (acting ?? 0));
    expect(plan.plannedTurns).toBeLessThanOrEqual(max ?? 99);
  });

  it('cuts a line at its end', () => {
    const plan = planOf('sequential', three, { max_turns: 2 });
    expect([plan.plannedTurns, plan.skipped.map((agent) => agent.agent_id)]).toEqual([2, ['cmo']]);
  });

  it('goes on after a failure by default in a collaboration, not in a line', () => {
    const goesOn = (workflow: string, config: JsonObject) => planOf(workflow, three, config).continueOnError;
    expect([goesOn('collaborative', {}), goesOn('sequential', {})]).toEqual([true, false]);
    expect(goesOn('collaborative', { continue_on_error: false })).toBe(false);
    expect(goesOn('sequential', { continue_on_error: true })).toBe(true);
  });

  test.each([
    ['collaborative', { rounds: 0 }, '"config.rounds" must be a whole number from 1 to 10, got 0'],
    ['collaborative', { rounds: 11 }, '"config.rounds" must be a whole number from 1 to 10, got 11'],
    ['sequential', { max_turns: 1.5 }, '"config.max_turns" must be a whole number from 1, got 1.5'],
    ['sequential', { continue_on_error: 'yes' }, '"config.continue_on_error" must be true or false, got "yes"'],
  ])('of %s with %o is refused', (workflow, config, message) => {
    expect(() => planOf(workflow, three, config)).toThrow(
      expect.objectContaining({ code: 'invalid_request', message }),
    );
  });
});
