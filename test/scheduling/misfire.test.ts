import { describe, expect, it } from 'vitest';
import { dueTimes, judgeDue, MAX_CATCH_UPS, type MisfirePolicy } from '../../src/scheduling/misfire.ts';
import { checkSchedule, nextTime } from '../../src/scheduling/schedule.ts';

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Times in seconds; now is 1000, the grace 60. */
function judge(due: number[], policy: MisfirePolicy, once = false) {
  const verdict = judgeDue(
    due.map((time) => time * 1000),
    1_000_000,
    once,
    { policy, graceMs: 60_000 },
  );
  return {
    fire: verdict.fire.map(({ plannedAt, catchUp }) => `${plannedAt / 1000}${catchUp ? ' late' : ''}`),
    missed: verdict.missed.map((time) => time / 1000),
  };
}

describe('times that have come', () => {
  it.each<[string, number[], MisfirePolicy, string[], number[]]>([
    ['fire when they are on time', [1000], 'run_once', ['1000'], []],
    ['fire to the end of the grace', [940], 'run_once', ['940'], []],
    ['fire each while none is late', [950, 975, 1000], 'run_once', ['950', '975', '1000'], []],
    ['fire once for all as soon as one is late', [900, 950, 1000], 'run_once', ['1000 late'], [900, 950]],
    ['fire once when late', [100], 'run_once', ['100 late'], []],
    ['are given up when late', [100, 200], 'skip', [], [100, 200]],
    ['are given up as far as they are late', [100, 950, 1000], 'skip', ['950', '1000'], [100]],
    ['fire all', [100, 200, 1000], 'run_all', ['100 late', '200 late', '1000'], []],
    ['do nothing when there are none', [], 'run_all', [], []],
  ])('%s: %j with %s', (_what, due, policy, fire, missed) => {
    expect(judge(due, policy)).toEqual({ fire, missed });
  });

  it.each<[MisfirePolicy]>([['run_once'], ['skip'], ['run_all']])(
    'of a job that fires once are missed when late, with %s too',
    (policy) => {
      expect(judge([100], policy, true)).toEqual({ fire: [], missed: [100] });
      expect(judge([950], policy, true)).toEqual({ fire: ['950'], missed: [] });
    },
  );

  it('fire the newest hundred at most, and tell of a hundred that do not', () => {
    const all = judge(range(1, 900), 'run_all');
    expect(all.fire).toHaveLength(MAX_CATCH_UPS);
    expect(all.fire.at(-1)).toBe('900 late');
    expect(all.missed).toEqual(range(701, 800));
    expect(judge(range(1, 900), 'run_once').missed).toHaveLength(MAX_CATCH_UPS);
  });
});

describe('looking for times that have come', () => {
  const second = checkSchedule({ schedule_type: 'interval', interval_seconds: 1 });
  const daily = checkSchedule({ schedule_type: 'daily', hour: 2 });

  it('finds every one of a short sleep', () => {
    expect(dueTimes(second, 0, 5_000, 8_000)).toEqual([5_000, 6_000, 7_000, 8_000]);
    expect(dueTimes(second, 0, 5_000, 4_999)).toEqual([]);
  });

  it('finds the newest of a long sleep', () => {
    const year = 365 * 86_400_000;
    const due = dueTimes(second, 0, 1_000, year);
    expect(due).toHaveLength(2 * MAX_CATCH_UPS);
    expect(due.at(-1)).toBe(year);
    const days = dueTimes(daily, 0, nextTime(daily, 0, 0) ?? 0, 10 * 86_400_000);
    expect(days).toHaveLength(10);
  });

  it('finds a planned time that the schedule would not plan any more', () => {
    expect(dueTimes(second, 0, 1_500, 3_000)).toEqual([1_500, 2_000, 3_000]);
  });
});
