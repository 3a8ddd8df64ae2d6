import { describe, expect, it } from 'vitest';
import { createFlush } from '../../src/telemetry/flush.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Lets everything that is ready run. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function start() {
  const clock = new ManualClock();
  const runs: { resolve: () => void; reject: (reason: unknown) => void }[] = [];
  const flush = createFlush({
    run: () => new Promise<void>((resolve, reject) => runs.push({ resolve, reject })),
    clock,
    spacingMs: 100,
    limitMs: 5_000,
  });
  const ask = () => {
    const asked = { done: false };
    void flush().then(() => {
      asked.done = true;
    });
    return asked;
  };
  return { clock, runs, flush, ask };
}

describe('flush', () => {
  it('of a lone caller starts at once, but not inside the call', async () => {
    const { runs, ask } = start();
    const asked = ask();
    expect(runs).toHaveLength(0);
    await turn();
    expect(runs).toHaveLength(1);
    expect(asked.done).toBe(false);
    runs[0]?.resolve();
    await turn();
    expect(asked.done).toBe(true);
  });

  it('has one under way and one waiting, however many ask', async () => {
    const { clock, runs, ask } = start();
    ask();
    await turn();
    const later = Array.from({ length: 100 }, ask);
    await clock.advance(1_000);
    await turn();
    expect(runs).toHaveLength(1);
    runs[0]?.resolve();
    await turn();
    await turn();
    expect(runs).toHaveLength(2);
    expect(later.some(({ done }) => done)).toBe(false);
    runs[1]?.resolve();
    await turn();
    expect(later.every(({ done }) => done)).toBe(true);
    expect(runs).toHaveLength(2);
  });

  it('keeps its distance from the flush before', async () => {
    const { clock, runs, ask } = start();
    ask();
    await turn();
    runs[0]?.resolve();
    await turn();
    ask();
    await turn();
    await clock.advance(99);
    await turn();
    expect(runs).toHaveLength(1);
    await clock.advance(1);
    await turn();
    expect(runs).toHaveLength(2);
  });

  it('lets its callers go after the limit, and starts the next although the work is still stuck', async () => {
    const { clock, runs, ask } = start();
    const first = ask();
    await turn();
    const second = ask();
    await clock.advance(4_999);
    await turn();
    expect([first.done, second.done]).toEqual([false, false]);
    await clock.advance(1);
    await turn();
    expect([first.done, second.done]).toEqual([true, true]);
    await turn();
    expect(runs).toHaveLength(2);
  });

  it('does not reject when the work does', async () => {
    const { runs, flush } = start();
    const asked = flush();
    await turn();
    runs[0]?.reject(new Error('broken'));
    await expect(asked).resolves.toBeUndefined();
  });
});
