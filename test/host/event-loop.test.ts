import { expect, test } from 'vitest';
import { createLagMeter, createTurnMeter, type LagSample } from '../../src/host/event-loop.ts';
import { ManualClock } from '../support/manual-clock.ts';

function turnEnded(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A clock whose time also passes within a turn, as it does for code that computes. */
function workingClock() {
  let worked = 0;
  const clock = new ManualClock();
  return {
    ...clock,
    now: () => clock.now(),
    monotonic: () => clock.monotonic() + worked,
    work(ms: number) {
      worked += ms;
    },
    after: clock.after.bind(clock),
    every: clock.every.bind(clock),
    sleep: clock.sleep.bind(clock),
    advance: clock.advance.bind(clock),
  };
}

test('a turn lasts as long as the work done in it, and ends with it', async () => {
  const clock = workingClock();
  const turn = createTurnMeter(clock);
  clock.work(100);
  expect(turn.elapsed(clock.monotonic())).toBe(0);
  clock.work(10);
  expect(turn.elapsed(clock.monotonic())).toBe(10);
  clock.work(20);
  expect(turn.elapsed(clock.monotonic())).toBe(30);
  await turnEnded();
  expect(turn.elapsed(clock.monotonic())).toBe(0);
});

test('work is counted once, when it is asked for', async () => {
  const clock = workingClock();
  const turn = createTurnMeter(clock);
  clock.work(50);
  turn.elapsed(clock.monotonic());
  clock.work(30);
  await turnEnded();
  // The real loop waits a little meanwhile; made-up time is in tens of milliseconds to stand out against it.
  expect(turn.takeBusyMs()).toBeGreaterThan(70);
  expect(turn.takeBusyMs()).toBe(0);
});

test('lag is what a sample comes later than asked', async () => {
  const clock = workingClock();
  const samples: LagSample[] = [];
  const lag = createLagMeter(clock, 50, (sample) => samples.push(sample));
  lag.start(clock.monotonic());
  await clock.advance(50);
  clock.work(70);
  await clock.advance(50);
  expect(samples.map(({ lagMs }) => lagMs)).toEqual([0, 70]);
  expect(samples.map(({ now, previous }) => now - previous)).toEqual([50, 120]);
});

test('no samples are taken before the start and after the stop', async () => {
  const clock = new ManualClock();
  let samples = 0;
  const lag = createLagMeter(clock, 50, () => samples++);
  await clock.advance(100);
  expect(samples).toBe(0);
  lag.start(clock.monotonic());
  lag.start(clock.monotonic());
  await clock.advance(100);
  lag.stop();
  await clock.advance(100);
  expect(samples).toBe(2);
  expect(clock.armed).toBe(0);
});
