import { expect, it } from 'vitest';
import { createLoopLoad } from '../../src/tasks/loop-load.ts';

it('is the share of the time since the last look in which the event loop had something to do', () => {
  let at = 1_000;
  let idle = 500;
  const load = createLoopLoad({ monotonic: () => at }, () => idle);
  const pass = (ms: number, idleMs: number) => {
    at += ms;
    idle += idleMs;
    return load();
  };
  expect(pass(1_000, 900)).toBeCloseTo(0.1);
  expect(pass(1_000, 0)).toBe(1);
  expect(pass(500, 500)).toBe(0);
  // Clocks of different kinds may disagree a little.
  expect(pass(500, 501)).toBe(0);
  expect(pass(0, 0)).toBe(0);
});
