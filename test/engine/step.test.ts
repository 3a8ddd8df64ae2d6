import { describe, expect, it } from 'vitest';
import { AosError } from '../../src/core/errors.ts';
import { attemptStep, pauseAfter, unwrap } from '../../src/engine/step.ts';
import { recordingLog, silentLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

const parts = (change = {}) => ({
  key: 'run-1/round-1/ceo',
  signal: new AbortController().signal,
  clock: new ManualClock(),
  log: silentLog,
  fields: { run_id: 'run-1', step: 'round-1/ceo' },
  ...change,
});

const busy = () => new AosError('overloaded', 'The model is busy.');

describe('a step', () => {
  it('gives the result of its body', async () => {
    const outcome = await attemptStep(async ({ attempt }) => ({ attempt }), parts());
    expect(unwrap(outcome)).toEqual({ attempt: 1 });
  });

  it('is tried again, after growing pauses, while its failure may pass', async () => {
    const clock = new ManualClock();
    const times: number[] = [];
    const start = clock.now();
    const outcome = attemptStep(async ({ attempt }) => {
      times.push(clock.now() - start);
      if (attempt < 4) throw busy();
      return 'at last';
    }, parts({ clock }));
    await clock.advance(60_000);
    expect(unwrap(await outcome)).toBe('at last');
    expect(times).toEqual([0, 500, 2_000, 6_500]);
    expect([1, 2, 3].map((attempt) => pauseAfter(attempt))).toEqual([500, 1_500, 4_500]);
  });

  it('pauses as long as whoever refused asks for, but no longer than a minute', async () => {
    const clock = new ManualClock();
    const times: number[] = [];
    const start = clock.now();
    const hints = [2_000, 100, 3_600_000];
    const outcome = attemptStep(async ({ attempt }) => {
      times.push(clock.now() - start);
      const retryAfterMs = hints[attempt - 1];
      if (retryAfterMs !== undefined) throw new AosError('overloaded', 'The model is busy.', { retryAfterMs });
      return 'at last';
    }, parts({ clock }));
    await clock.advance(120_000);
    expect(unwrap(await outcome)).toBe('at last');
    expect(times).toEqual([0, 2_000, 3_500, 63_500]);
  });

  it('fails for good after four attempts', async () => {
    const clock = new ManualClock();
    let attempts = 0;
    const outcome = attemptStep(async () => {
      attempts++;
      throw busy();
    }, parts({ clock }));
    await clock.advance(60_000);
    expect(() => unwrap({ value: null })).not.toThrow();
    const stored = await outcome;
    expect(stored).toEqual({ error: { code: 'overloaded', message: 'The model is busy.', retry: 'later' } });
    expect(() => unwrap(stored)).toThrow(AosError);
    expect(attempts).toBe(4);
  });

  it('is not tried again when that could not help', async () => {
    let attempts = 0;
    const outcome = await attemptStep(async () => {
      attempts++;
      throw new AosError('model_failed', 'The model refused the key.', { retry: 'never' });
    }, parts());
    expect(outcome).toMatchObject({ error: { code: 'model_failed', retry: 'never' } });
    expect(attempts).toBe(1);
  });

  it('tells an unexpected failure to the log and nobody else', async () => {
    const log = recordingLog();
    const secret = new Error('password is hunter2');
    const outcome = await attemptStep(() => Promise.reject(secret), parts({ log }));
    expect(outcome).toMatchObject({ error: { code: 'internal_error' } });
    expect(JSON.stringify(outcome)).not.toContain('hunter2');
    expect(log.lines).toMatchObject([
      { level: 'error', fields: { run_id: 'run-1', step: 'round-1/ceo', error: secret } },
    ]);
  });

  it('ends at once when its signal fires, though the body does not listen', async () => {
    const abort = new AbortController();
    const outcome = attemptStep(() => new Promise(() => {}), parts({ signal: abort.signal }));
    abort.abort(new AosError('cancelled', 'not needed'));
    expect(await outcome).toMatchObject({ error: { code: 'cancelled', message: 'not needed' } });
  });

  it('ends at once when its signal fires during a pause', async () => {
    const abort = new AbortController();
    const clock = new ManualClock();
    const outcome = attemptStep(() => Promise.reject(busy()), parts({ signal: abort.signal, clock }));
    await clock.advance(100);
    abort.abort(new AosError('timed_out', 'too late'));
    expect(await outcome).toMatchObject({ error: { code: 'timed_out', message: 'too late' } });
    expect(clock.armed).toBe(0);
  });
});
