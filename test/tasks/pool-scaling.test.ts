import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowedWorkers, type PoolState, scaled } from '../../src/tasks/pool-scaling.ts';
import { defaultTaskSettings } from '../../src/tasks/task-settings.ts';

const state: PoolState = {
  now: 1_000_000,
  workers: 2,
  busy: 2,
  allowed: 10,
  backlog: 0,
  oldestWaitMs: 0,
  grownAt: undefined,
  changedAt: 0,
};

describe('the size of the pool', () => {
  it.each<[string, Partial<PoolState>, Partial<typeof defaultTaskSettings>, number, string | undefined]>([
    ['stays while the line is short', { backlog: 10 }, {}, 2, undefined],
    ['grows as far as the backlog asks', { backlog: 11 }, {}, 3, 'backlog'],
    ['grows at once to what a long line asks', { backlog: 38 }, {}, 8, 'backlog'],
    ['does not grow above its maximum', { backlog: 500 }, {}, 10, 'backlog'],
    ['does not grow above what the event loop allows', { backlog: 500, allowed: 4 }, {}, 4, 'backlog'],
    ['stays when the event loop allows no more', { backlog: 500, allowed: 2 }, {}, 2, undefined],
    ['grows by one when a task has waited too long', { backlog: 1, oldestWaitMs: 5_001 }, {}, 3, 'oldest_wait'],
    ['does not grow while workers are idle: limits hold the tasks', { backlog: 500, busy: 1 }, {}, 2, undefined],
    ['does not grow within the cooldown', { backlog: 500, grownAt: 941_000 }, {}, 2, undefined],
    ['grows when the cooldown is over', { backlog: 500, grownAt: 940_000 }, {}, 10, 'backlog'],
    ['grows at once after it has shrunk', { backlog: 500, changedAt: 999_999 }, {}, 10, 'backlog'],
    ['shrinks by one when idle', { workers: 5, busy: 0, backlog: 1 }, {}, 4, 'idle'],
    ['does not shrink below its minimum', { workers: 1, busy: 0 }, {}, 1, undefined],
    ['does not shrink while tasks wait', { workers: 5, busy: 0, backlog: 2 }, {}, 5, undefined],
    ['does not shrink while all are busy', { workers: 5, busy: 5 }, {}, 5, undefined],
    ['does not shrink within its cooldown', { workers: 5, busy: 0, changedAt: 701_000 }, {}, 5, undefined],
    ['is never changed when fixed', { backlog: 500 }, { policy: 'fixed' }, 2, undefined],
    ['goes back to its initial number when it is made fixed', { workers: 5 }, { policy: 'fixed' }, 2, 'fixed'],
    ['is never changed by the line when manual', { backlog: 500 }, { policy: 'manual' }, 2, undefined],
    ['follows new bounds whatever the policy', { workers: 8 }, { policy: 'manual', max_workers: 4 }, 4, 'bounds'],
    ['follows a new minimum', { workers: 2 }, { min_workers: 3 }, 3, 'bounds'],
  ])('%s', (_, change, settings, workers, reason) => {
    const outcome = scaled({ ...defaultTaskSettings, ...settings }, { ...state, ...change });
    expect(outcome).toEqual(reason === undefined ? { workers } : { workers, reason });
  });

  it('stays within its bounds, grows only when nobody is idle, and never above what is allowed', () => {
    const count = fc.integer({ min: 1, max: 40 });
    const states = fc.record({
      now: fc.nat(10_000_000),
      workers: count,
      busy: fc.nat(40),
      allowed: count,
      backlog: fc.nat(1_000),
      oldestWaitMs: fc.nat(100_000),
      grownAt: fc.option(fc.nat(10_000_000), { nil: undefined }),
      changedAt: fc.nat(10_000_000),
    });
    const settings = fc.record({
      min_workers: fc.integer({ min: 1, max: 5 }),
      max_workers: fc.integer({ min: 5, max: 30 }),
    });
    fc.assert(
      fc.property(states, settings, (given, bounds) => {
        const before = Math.min(Math.max(given.workers, bounds.min_workers), bounds.max_workers);
        const now = { ...given, workers: before, busy: Math.min(given.busy, before) };
        const { workers } = scaled({ ...defaultTaskSettings, ...bounds }, now);
        expect(workers).toBeGreaterThanOrEqual(bounds.min_workers);
        expect(workers).toBeLessThanOrEqual(bounds.max_workers);
        if (workers > before) {
          expect(now.busy).toBe(before);
          expect(workers).toBeLessThanOrEqual(now.allowed);
        }
        if (workers < before) expect(before - workers).toBe(1);
      }),
    );
  });
});

describe('what the event loop allows', () => {
  const settings = { maxLoad: 0.9, maxWorkers: 10 };

  it.each([
    ['takes one of the busy away when overloaded', 10, 0.95, 6, 5],
    ['goes on taking', 5, 0.95, 5, 4],
    ['leaves one whatever happens', 1, 1, 1, 1],
    ['leaves one when nobody works, too', 10, 1, 0, 1],
    ['gives one back when there is room', 4, 0.5, 4, 5],
    ['stays in between', 4, 0.8, 4, 4],
    ['gives no more than the maximum', 10, 0, 0, 10],
    ['follows a smaller maximum', 20, 0.8, 10, 10],
  ])('%s', (_, allowed, load, busy, expected) => {
    expect(allowedWorkers(allowed, { load, busy, ...settings })).toBe(expected);
  });

  it('lies between one and the maximum whatever the load was', () => {
    const loads = fc.array(fc.record({ load: fc.double({ min: 0, max: 1, noNaN: true }), busy: fc.nat(30) }));
    fc.assert(
      fc.property(loads, fc.integer({ min: 1, max: 30 }), (history, maxWorkers) => {
        let allowed = maxWorkers;
        for (const { load, busy } of history) {
          allowed = allowedWorkers(allowed, { load, busy, maxLoad: 0.9, maxWorkers });
          expect(allowed).toBeGreaterThanOrEqual(1);
          expect(allowed).toBeLessThanOrEqual(maxWorkers);
        }
      }),
    );
  });
});
