import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/runs/event.ts';
import { failedStep, planFork } from '../../src/runs/fork.ts';
import type { RecordedStep } from '../../src/runs/run-store.ts';

const at = (second: number) => new Date(Date.UTC(2026, 1, 1, 10, 0, second)).toISOString();
let ordinal = 0;
const step = (
  name: string,
  from: number,
  to: number,
  effect: RecordedStep['effect'] = 'read',
  error = false,
): RecordedStep => ({
  name,
  ordinal: ++ordinal,
  effect,
  outcome: error ? { error: { code: 'model_failed', message: 'no' } } : { value: name },
  startedAt: at(from),
  completedAt: at(to),
});

/** a, then b beside c (b is the slower one), then d. */
const steps = [
  step('a', 0, 1),
  step('c', 1, 2, 'external'),
  step('b', 1, 4, 'write'),
  step('c/second', 2, 3, 'external'),
  step('d', 4, 5, 'external', true),
];

describe('a fork', () => {
  it.each<[string | undefined, string[]]>([
    [undefined, []],
    ['a', []],
    ['b', ['a']],
    ['c', ['a']],
    ['c/second', ['a', 'c']],
    ['d', ['a', 'c', 'b', 'c/second']],
    ['', ['a', 'c', 'b', 'c/second']],
  ])('from %s begins with what had ended before that began', (from, kept) => {
    const { keep, redo } = planFork(steps, from);
    expect(keep).toEqual(kept);
    expect([...keep, ...redo].sort()).toEqual(steps.map(({ name }) => name).sort());
  });

  it('keeps what ended in the same millisecond, unless it ended after the chosen step did', () => {
    const instant = [step('x', 0, 0), step('y', 0, 0), step('z', 0, 0)];
    expect(planFork(instant, 'y').keep).toEqual(['x']);
  });

  it('names the effects that would happen again, also those nobody knows the outcome of', () => {
    const call = (name: string, effect: string) =>
      ({ type: 'tool.called', data: { step: name, tool: `${name}-tool`, effect } }) as unknown as RunEvent;
    const { effects } = planFork(steps, 'c/second', [call('d', 'external'), call('e', 'external'), call('f', 'read')]);
    expect(effects).toEqual([
      { step: 'b', effect: 'write', outcome: 'completed', tool: null },
      { step: 'c/second', effect: 'external', outcome: 'completed', tool: null },
      { step: 'd', effect: 'external', outcome: 'failed', tool: 'd-tool' },
      { step: 'e', effect: 'external', outcome: 'unknown', tool: 'e-tool' },
    ]);
  });

  it('begins anew what had been begun and not ended: its end would be told to the other run', () => {
    const asked = step('pay/1/approval', 1, 1, 'write');
    const child = step('sub/1/begun', 1, 1, 'write');
    const limit = [step('limit/1/reached', 1, 1), step('budget/1/deadline', 1, 1)];
    const open = planFork([asked, child, ...limit], '');
    expect(open.keep).toEqual([]);
    expect(open.effects.map((effect) => effect.step)).toEqual(['sub/1/begun']);
    const ends = [
      step('pay/1/approval/wait-1', 2, 2, 'wait'),
      step('pay/1/approval/outcome-1', 2, 2),
      step('sub/1', 2, 2, 'wait'),
      step('limit/1', 2, 2, 'wait'),
      step('budget/1', 2, 2, 'wait'),
    ];
    expect(planFork([asked, child, ...limit, ...ends], '').redo).toEqual([]);
  });

  it('is refused from a step there is not', () => {
    expect(() => planFork(steps, 'c/secnd')).toThrow('the run has no step "c/secnd", did you mean "c/second"?');
    expect(() => planFork([], 'a')).toThrow('it has none yet');
  });

  it('of a run that failed begins at the last step that failed', () => {
    expect(failedStep(steps)).toBe('d');
    expect(failedStep(steps.slice(0, 2))).toBe('');
  });
});
