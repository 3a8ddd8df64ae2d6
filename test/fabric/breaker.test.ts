import { describe, expect, it } from 'vitest';
import { createBreaker } from '../../src/fabric/breaker.ts';
import { createTraffic } from '../../src/fabric/traffic.ts';
import { ManualClock } from '../support/manual-clock.ts';

describe('a circuit', () => {
  function failing(times: number, clock = new ManualClock()) {
    const breaker = createBreaker(clock);
    for (let n = 0; n < times; n++) {
      breaker.admit();
      breaker.failed();
    }
    return { breaker, clock };
  }

  it('opens after five failures in a minute, and lets nothing through for half a minute', async () => {
    expect(failing(4).breaker.circuit()).toBe('closed');
    const { breaker, clock } = failing(5);
    expect(breaker.circuit()).toBe('open');
    expect(breaker.admit()).toBe(false);
    await clock.advance(29_999);
    expect(breaker.admit()).toBe(false);
    expect(breaker.opensInMs()).toBe(1);
    await clock.advance(1);
    expect(breaker.circuit()).toBe('half_open');
  });

  it('forgets failures after a minute, and all of them after a success', async () => {
    const { breaker, clock } = failing(4);
    await clock.advance(60_000);
    breaker.failed();
    expect(breaker.circuit()).toBe('closed');
    const other = failing(4).breaker;
    other.succeeded();
    other.failed();
    expect(other.circuit()).toBe('closed');
  });

  it('lets one call probe, closes when it succeeds and opens when it fails', async () => {
    const { breaker, clock } = failing(5);
    await clock.advance(30_000);
    expect([breaker.admit(), breaker.admit()]).toEqual([true, false]);
    breaker.failed();
    expect(breaker.circuit()).toBe('open');
    await clock.advance(30_000);
    expect(breaker.admit()).toBe(true);
    breaker.abstained();
    expect(breaker.admit()).toBe(true);
    breaker.succeeded();
    expect(breaker.circuit()).toBe('closed');
    expect([breaker.admit(), breaker.admit()]).toEqual([true, true]);
  });

  it('does not close because of a call that began before it opened', () => {
    const { breaker } = failing(5);
    breaker.succeeded();
    expect(breaker.circuit()).toBe('open');
  });
});

describe('traffic', () => {
  const never = new AbortController().signal;

  it('lets so many in at once and the next when one leaves', async () => {
    const clock = new ManualClock();
    const traffic = createTraffic(clock, { atOnce: 2, inLine: 1 });
    const first = await traffic.enter(1000, never);
    await traffic.enter(1000, never);
    const third = traffic.enter(1000, never);
    expect(await traffic.enter(1000, never)).toBeUndefined();
    expect([traffic.busy, traffic.waiting]).toEqual([2, 1]);
    first?.();
    first?.();
    expect(await third).toBeDefined();
    expect([traffic.busy, traffic.waiting]).toEqual([2, 0]);
  });

  it('turns away who has waited long enough, and whoever is called off', async () => {
    const clock = new ManualClock();
    const traffic = createTraffic(clock, { atOnce: 1, inLine: 5 });
    const leave = await traffic.enter(0, never);
    const patient = traffic.enter(500, never);
    const abort = new AbortController();
    const called = traffic.enter(5000, abort.signal);
    await clock.advance(500);
    expect(await patient).toBeUndefined();
    abort.abort(new Error('called off'));
    await expect(called).rejects.toThrow('called off');
    leave?.();
    expect([traffic.busy, traffic.waiting]).toEqual([0, 0]);
  });

  it('keeps a rate: a burst of a second, then one at a time', async () => {
    const clock = new ManualClock();
    const traffic = createTraffic(clock, { perSecond: 2, atOnce: 100, inLine: 100 });
    let through = 0;
    for (let n = 0; n < 6; n++) {
      void traffic.enter(10_000, never).then((leave) => {
        through += leave === undefined ? 0 : 1;
      });
    }
    await clock.advance(0);
    expect(through).toBe(2);
    await clock.advance(1000);
    expect(through).toBe(4);
    await clock.advance(1000);
    expect(through).toBe(6);
    // Who would have to wait too long is told at once, and takes nobody's turn.
    expect(await traffic.enter(100, never)).toBeUndefined();
    await clock.advance(500);
    expect(await traffic.enter(0, never)).toBeDefined();
  });
});
