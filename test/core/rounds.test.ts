import { describe, expect, it } from 'vitest';
import { createRounds } from '../../src/core/rounds.ts';
import { ManualClock } from '../support/manual-clock.ts';

function watch(work: (round: number, now: number) => number | undefined | Promise<number | undefined>) {
  const clock = new ManualClock(0);
  const times: number[] = [];
  const failures: unknown[] = [];
  const rounds = createRounds({
    clock,
    longestMs: 100,
    failed: (thrown) => failures.push(thrown),
    work: async () => {
      times.push(clock.now());
      return work(times.length, clock.now());
    },
  });
  return { clock, times, failures, rounds };
}

describe('rounds', () => {
  it('come at once, when they are due, and after the longest pause', async () => {
    const { clock, times, rounds } = watch((round) => (round === 1 ? 30 : undefined));
    rounds.start();
    await clock.advance(250);
    expect(times).toEqual([0, 30, 130, 230]);
  });

  it('come sooner when somebody says so, and not later', async () => {
    const { clock, times, rounds } = watch(() => undefined);
    rounds.start();
    await clock.advance(10);
    rounds.due(50);
    rounds.due(80);
    rounds.due(40);
    await clock.advance(60);
    rounds.due();
    await clock.advance(1);
    expect(times).toEqual([0, 40, 70]);
  });

  it('do not overlap; what is due meanwhile comes next', async () => {
    const gate = Promise.withResolvers<undefined>();
    const { clock, times, rounds } = watch((round) => (round === 1 ? gate.promise : undefined));
    rounds.start();
    rounds.due();
    await clock.advance(20);
    expect(times).toEqual([0]);
    gate.resolve(undefined);
    await clock.advance(1);
    expect(times).toEqual([0, 20]);
  });

  it('go on after one that failed', async () => {
    const { clock, times, failures, rounds } = watch((round) => {
      if (round === 1) throw new Error('away');
      return undefined;
    });
    rounds.start();
    await clock.advance(100);
    expect(times).toEqual([0, 100]);
    expect(failures).toHaveLength(1);
  });

  it('end with the one that is under way', async () => {
    const gate = Promise.withResolvers<undefined>();
    const { clock, times, rounds } = watch(() => gate.promise);
    rounds.start();
    const stopped = rounds.stop();
    gate.resolve(undefined);
    await stopped;
    rounds.due();
    await clock.advance(500);
    expect(times).toEqual([0]);
    expect(clock.armed).toBe(0);
  });
});
