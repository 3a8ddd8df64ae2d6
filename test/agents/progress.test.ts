import { describe, expect, it } from 'vitest';
import { createProgress } from '../../src/agents/progress.ts';
import type { RunEvent } from '../../src/runs/event.ts';
import { testEvent } from '../support/run-event.ts';

const failed = (turn: string): RunEvent =>
  testEvent('turn.failed', { turn, agent_id: 'a', round: 1, error: { code: 'model_failed', message: 'm' } });

describe('progress', () => {
  it('is the share of planned turns that are finished', async () => {
    const progress = createProgress(3);
    const shares: number[] = [];
    for (const turn of ['a', 'b', 'b', 'c']) await progress.finish(turn, async (share) => void shares.push(share));
    expect(shares).toEqual([0.333, 0.667, 0.667, 1]);
  });

  it('counts what executions before this one finished', async () => {
    const progress = createProgress(4);
    progress.note([failed('a'), failed('b')]);
    let reached = 0;
    await progress.finish('c', async (share) => {
      reached = share;
    });
    expect(reached).toBe(0.75);
  });

  it('is written in order, however long a write takes, and goes on after one that failed', async () => {
    const progress = createProgress(3);
    const written: number[] = [];
    const slow = Promise.withResolvers<void>();
    const first = progress.finish('a', async (share) => {
      await slow.promise;
      written.push(share);
    });
    const second = progress.finish('b', () => Promise.reject(new Error('the database is gone')));
    const third = progress.finish('c', async (share) => void written.push(share));
    slow.resolve();
    await expect(second).rejects.toThrow('gone');
    await Promise.all([first, third]);
    expect(written).toEqual([0.333, 1]);
  });
});
