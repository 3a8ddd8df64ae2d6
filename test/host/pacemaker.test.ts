import { expect, test } from 'vitest';
import { defaultLimits } from '../../src/host/admission.ts';
import { createPacemaker } from '../../src/host/pacemaker.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** A pacemaker, and the world it looks at: time, requests in flight, work of the thread. */
function scene() {
  const clock = new ManualClock();
  const world = { inFlight: 0, workedMs: 0, looks: 0, hasMore: false };
  const pacemaker = createPacemaker({
    limits: defaultLimits,
    clock,
    inFlight: () => world.inFlight,
    workedMs: () => world.workedMs,
    onLook() {
      world.looks++;
      return world.hasMore;
    },
  });
  const start = (count: number) => {
    pacemaker.arrived(clock.monotonic());
    for (let request = 0; request < count; request++) pacemaker.started();
    world.inFlight += count;
  };
  return { clock, world, pacemaker, start, mayStart: () => pacemaker.mayStart(clock.monotonic()) };
}

test('it looks while there is traffic, and not between', async () => {
  const { clock, world, start } = scene();
  await clock.advance(1000);
  expect(world.looks).toBe(0);
  start(1);
  await clock.advance(1000);
  expect(world.looks).toBe(2);
  expect(clock.armed).toBe(0);
});

test('it goes on looking while there is something left to look out for', async () => {
  const { clock, world, start } = scene();
  world.hasMore = true;
  start(1);
  await clock.advance(1000);
  expect(world.looks).toBe(20);
});

test('many started at once are waited for, until they have shown that they only wait', async () => {
  const { clock, pacemaker, start, mayStart } = scene();
  start(128);
  expect(mayStart()).toBe(false);
  await clock.advance(100);
  expect(mayStart()).toBe(false);
  await clock.advance(50);
  pacemaker.arrived(clock.monotonic());
  expect(pacemaker.unproven()).toBe(0);
  expect(mayStart()).toBe(true);
});

test('those in flight since before a pause in traffic are known to wait', async () => {
  const { clock, world, pacemaker, start } = scene();
  start(100);
  await clock.advance(10_000);
  expect(clock.armed).toBe(0);
  pacemaker.arrived(clock.monotonic());
  expect(pacemaker.unproven()).toBe(0);
  world.inFlight += 5;
  expect(pacemaker.unproven()).toBe(5);
});

test('with nothing in flight another may always be started', () => {
  const { world, start, mayStart } = scene();
  start(128);
  world.inFlight = 0;
  expect(mayStart()).toBe(true);
});

test('pressure lasts from the first that waits to the last', () => {
  const { pacemaker } = scene();
  pacemaker.pressed(1000, true);
  pacemaker.pressed(1200, true);
  expect(pacemaker.pressedMs(1500)).toBe(500);
  pacemaker.pressed(1600, false);
  expect(pacemaker.pressedMs(1700)).toBe(0);
});
