import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  adaptPace,
  hasTimeToSpare,
  judgeArrival,
  type LoopSample,
  defaultLimits as limits,
  type Moment,
  mayWait,
  type Pace,
  unhurried,
} from '../../src/host/admission.ts';

const work = { started: 10, finished: 10, pressed: false };
const atEase: LoopSample = { elapsedMs: 50, lagMs: 0, busyMs: 5, workedMs: 5, ...work };
const late: LoopSample = { elapsedMs: 250, lagMs: 200, busyMs: 250, workedMs: 250, ...work, started: 1, finished: 1 };
/** Requests are started at this rate, and take all the processor time there is. */
const draining = (perSecond: number): Pace => ({
  ...unhurried,
  queue: { started: perSecond, elapsedMs: 1000, workedMs: 1000 },
});
/** Requests take a millisecond of work each, and others have the processor nearly all the time. */
const starved = (perSecond: number): Pace => ({
  ...unhurried,
  queue: { started: perSecond, elapsedMs: 1000, workedMs: perSecond },
});

describe('a request that arrives', () => {
  const cases: [string, Partial<Moment>, Pace, string][] = [
    ['starts when nothing is in its way', {}, unhurried, 'start'],
    ['starts in a turn that still has budget', { turnMs: limits.turnBudgetMs - 1 }, unhurried, 'start'],
    ['waits for the next turn when this one has used its budget', { turnMs: limits.turnBudgetMs }, unhurried, 'wait'],
    ['waits while the loop has to catch its breath', { turnMs: Number.POSITIVE_INFINITY }, unhurried, 'wait'],
    ['starts with many others of unknown cost', { unproven: 127 }, unhurried, 'start'],
    ['waits until something is known of the many started before', { unproven: 128 }, unhurried, 'wait'],
    ['starts with more others when they have proved cheap', { unproven: 1279 }, { ...unhurried, provenMs: 4 }, 'start'],
    ['waits with fewer others when they have proved dear', { unproven: 52 }, { ...unhurried, provenMs: 100 }, 'wait'],
    ['starts with a few others whatever they cost', { unproven: 31 }, { ...unhurried, provenMs: 9999 }, 'start'],
    ['waits behind those who came before', { waiting: 1 }, unhurried, 'wait'],
    ['waits when starts are slowed down', {}, { ...unhurried, startsPerSecond: 50 }, 'wait'],
    ['waits in the longest queue while that is new', { waiting: 9999, pressedMs: 199 }, draining(1), 'wait'],
    ['waits without evidence of how fast the queue moves', { waiting: 9999, pressedMs: 5000 }, unhurried, 'wait'],
    ['waits when its turn comes in time', { waiting: 60, pressedMs: 5000 }, draining(100), 'wait'],
    ['is refused when its turn would come too late', { waiting: 61, pressedMs: 5000 }, draining(100), 'refuse'],
    ['waits when little work is ahead, however slow it goes', { waiting: 150, pressedMs: 5000 }, starved(1), 'wait'],
    ['is refused when much work is ahead', { waiting: 151, pressedMs: 5000 }, starved(1), 'refuse'],
    ['is refused when the queue is full, however new', { waiting: limits.maxWaiting }, unhurried, 'refuse'],
    ['is never refused when it would be the first', { pressedMs: 5000, turnMs: 99 }, draining(0.1), 'wait'],
  ];
  test.each(cases)('%s', (_, moment, pace, verdict) => {
    expect(judgeArrival({ turnMs: 0, unproven: 0, waiting: 0, pressedMs: 0, ...moment }, pace, limits)).toBe(verdict);
  });

  test('is refused only in a queue that has stood longer than the patience, or is full', () => {
    fc.assert(
      fc.property(moments, paces, (moment, pace) => {
        if (judgeArrival(moment, pace, limits) !== 'refuse') return;
        expect(moment.pressedMs >= limits.patienceMs || moment.waiting >= limits.maxWaiting).toBe(true);
      }),
    );
  });

  test('never overtakes those who wait', () => {
    fc.assert(
      fc.property(moments, paces, (moment, pace) => {
        if (judgeArrival(moment, pace, limits) === 'start') expect(moment.waiting).toBe(0);
      }),
    );
  });
});

describe('a place in the queue', () => {
  test('that is given up would not be kept further back or after a longer wait', () => {
    fc.assert(
      fc.property(moments, paces, fc.nat(1000), fc.nat(1000), fc.nat(1000), (moment, pace, ageMs, back, longer) => {
        const place = { ahead: moment.waiting, ageMs };
        if (place.ahead === 0 || mayWait(place, moment.pressedMs, pace, limits)) return;
        const worse = { ahead: place.ahead + back, ageMs: ageMs + longer };
        expect(mayWait(worse, moment.pressedMs, pace, limits)).toBe(false);
      }),
    );
  });

  test('counts the time already waited', () => {
    const place = { ahead: 40, ageMs: 200 };
    expect(mayWait(place, 5000, draining(100), limits)).toBe(true);
    expect(mayWait({ ...place, ageMs: 201 }, 5000, draining(100), limits)).toBe(false);
  });
});

test('a loop that has time to spare is not what requests wait for', () => {
  expect(hasTimeToSpare(50, 24)).toBe(true);
  expect(hasTimeToSpare(50, 25)).toBe(false);
});

describe('the pace', () => {
  const paceAfter = (samples: readonly LoopSample[], from: Pace = unhurried) =>
    samples.reduce((pace, sample) => adaptPace(pace, sample, limits), from);

  test('is not limited while the loop is on time, whatever is started, finished or in flight', () => {
    const onTime = fc.record({ ...samples, lagMs: fc.double({ min: 0, max: limits.lagTargetMs, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(onTime), (series) => {
        expect(paceAfter(series).startsPerSecond).toBe(Number.POSITIVE_INFINITY);
      }),
    );
  });

  test('is not limited by one pause, however long', () => {
    const pause = { ...late, elapsedMs: 5050, lagMs: 5000, busyMs: 5050 };
    expect(paceAfter([atEase, pause, atEase]).startsPerSecond).toBe(Number.POSITIVE_INFINITY);
    expect(paceAfter([late, late, atEase, late, late]).startsPerSecond).toBe(Number.POSITIVE_INFINITY);
  });

  test('is limited to what the process finishes once the loop has been late in a row', () => {
    // Each 250 ms of work finish 10 requests: 25 ms each, 40 in a second, of which nine tenths are let in.
    const busy: LoopSample = { ...late, lagMs: 61, elapsedMs: 250, started: 50, finished: 10 };
    expect(paceAfter([busy]).startsPerSecond).toBeCloseTo(36 * (60 / 61));
    expect(paceAfter([{ ...busy, finished: 2 }, { ...busy, finished: 2 }, busy]).startsPerSecond).toBeLessThan(36);
  });

  test('is limited more, the later the loop is', () => {
    const limitAt = (lagMs: number) => paceAfter([{ ...late, lagMs, finished: 100 }]).startsPerSecond;
    expect(limitAt(600)).toBeLessThan(limitAt(120));
  });

  test('never falls to nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.record(samples)), (series) => {
        expect(paceAfter(series).startsPerSecond).toBeGreaterThanOrEqual(10);
      }),
    );
  });

  test('is free again after half a second without trouble', () => {
    const limited = paceAfter([late, late, late]);
    expect(limited.startsPerSecond).not.toBe(Number.POSITIVE_INFINITY);
    expect(paceAfter(Array(9).fill(atEase), limited).startsPerSecond).not.toBe(Number.POSITIVE_INFINITY);
    expect(paceAfter(Array(10).fill(atEase), limited).startsPerSecond).toBe(Number.POSITIVE_INFINITY);
  });

  test('stays limited as long as requests wait', () => {
    const limited = paceAfter([late, late, late]);
    const pressed = { ...atEase, pressed: true };
    expect(paceAfter(Array(100).fill(pressed), limited).startsPerSecond).not.toBe(Number.POSITIVE_INFINITY);
  });
});

/** A process that starts one request after another, each taking `costMs`, while `perSecond` arrive for `seconds`. */
function simulate({ costMs, perSecond, seconds }: { costMs: number; perSecond: number; seconds: number }) {
  const waiting: number[] = [];
  const waits: number[] = [];
  let refused = 0;
  let pace = unhurried;
  let pressedSince: number | undefined;
  let sampledAt = 0;
  let started = 0;
  let arrivals = 0;
  let now = 0;
  while (now < seconds * 1000) {
    const pressedMs = pressedSince === undefined ? 0 : now - pressedSince;
    for (; arrivals < (now / 1000) * perSecond; arrivals++) {
      const moment = { turnMs: Number.POSITIVE_INFINITY, unproven: 0, waiting: waiting.length, pressedMs };
      if (judgeArrival(moment, pace, limits) === 'refuse') refused++;
      else waiting.push((arrivals / perSecond) * 1000);
    }
    if (now - sampledAt >= 50) {
      const elapsedMs = now - sampledAt;
      const pressed = pressedSince !== undefined && pressedSince <= sampledAt;
      pace = adaptPace(
        pace,
        { elapsedMs, lagMs: 0, busyMs: elapsedMs, workedMs: elapsedMs, started, finished: started, pressed },
        limits,
      );
      for (let last = waiting.length - 1; last > 0; last--) {
        if (mayWait({ ahead: last, ageMs: now - (waiting[last] ?? 0) }, pressedMs, pace, limits)) break;
        waiting.pop();
        refused++;
      }
      sampledAt = now;
      started = 0;
    }
    const next = waiting.shift();
    if (next === undefined) {
      pressedSince = undefined;
      now += 1;
    } else {
      pressedSince ??= now;
      waits.push(now - next);
      started++;
      now += costMs;
    }
  }
  return { waits, refused, arrivals };
}

describe('a queue under the rule', () => {
  const cost = fc.integer({ min: 1, max: 40 });

  test('of a process that keeps up refuses nobody', () => {
    fc.assert(
      fc.property(cost, fc.double({ min: 0.1, max: 0.9, noNaN: true }), (costMs, load) => {
        expect(simulate({ costMs, perSecond: (load * 1000) / costMs, seconds: 5 }).refused).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test('of a process with many times its work keeps it busy, and nobody waits much longer than was promised', () => {
    fc.assert(
      fc.property(cost, fc.double({ min: 2, max: 20, noNaN: true }), (costMs, load) => {
        const { waits, refused, arrivals } = simulate({ costMs, perSecond: (load * 1000) / costMs, seconds: 5 });
        expect(waits.length * costMs).toBeGreaterThan(0.98 * 5000);
        expect(refused).toBeGreaterThan(arrivals / 4);
        // A small queue may stand whatever its requests cost.
        const promised = Math.max(limits.maxWaitMs, limits.smallQueue * costMs);
        expect(Math.max(...waits)).toBeLessThan(promised + limits.patienceMs);
      }),
      { numRuns: 30 },
    );
  });
});

const samples = {
  elapsedMs: fc.double({ min: 1, max: 10_000, noNaN: true }),
  lagMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
  busyMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
  workedMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
  started: fc.nat(1000),
  finished: fc.nat(1000),
  pressed: fc.boolean(),
};
const moments = fc.record({
  turnMs: fc.double({ min: 0, noNaN: true }),
  unproven: fc.integer({ min: -1000, max: 10_000 }),
  waiting: fc.nat(20_000),
  pressedMs: fc.double({ min: 0, max: 10_000, noNaN: true }),
});
const paces = fc.record({
  startsPerSecond: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.double({ min: 10, max: 10_000, noNaN: true })),
  queue: fc.option(fc.record({ started: fc.nat(1000), elapsedMs: fc.nat(10_000), workedMs: fc.nat(10_000) }), {
    nil: undefined,
  }),
  lateSamples: fc.nat(10),
  easySamples: fc.nat(10),
  busyMs: fc.double({ min: 0, max: 1000, noNaN: true }),
  finished: fc.nat(1000),
  provenMs: fc.double({ min: 0, max: 1000, noNaN: true }),
  proven: fc.nat(1000),
});
