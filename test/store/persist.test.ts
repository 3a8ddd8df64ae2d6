import { describe, expect, it } from 'vitest';
import { isConnectionFailure, persist } from '../../src/store/persist.ts';
import { silentLog } from '../support/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

const withCode = (code: string) => Object.assign(new Error('failed'), { code });

describe('a failed write', () => {
  it.each([
    ['ECONNREFUSED', true],
    ['ECONNRESET', true],
    ['ENOENT', true],
    ['08006', true],
    ['57P01', true],
    ['57P03', true],
    ['53300', true],
    ['23505', false],
    ['42P01', false],
    ['22P02', false],
  ])('with code %s: may succeed unchanged later: %s', (code, expected) => {
    expect(isConnectionFailure(withCode(code))).toBe(expected);
  });

  it('is known by its message where there is no code', () => {
    expect(isConnectionFailure(new Error('Connection terminated unexpectedly'))).toBe(true);
    expect(isConnectionFailure(new Error('anything else'))).toBe(false);
    expect(isConnectionFailure('not even an error')).toBe(false);
  });
});

describe('persisting', () => {
  const options = () => ({ clock: new ManualClock(), log: silentLog, signal: new AbortController().signal });

  it('repeats until the database is back', async () => {
    const { clock, ...rest } = options();
    let attempts = 0;
    const result = persist(
      async () => {
        if (++attempts < 6) throw withCode('ECONNREFUSED');
        return 'written';
      },
      { clock, ...rest },
    );
    await clock.advance(10_000);
    expect(await result).toBe('written');
  });

  it('does not repeat what the database refused', async () => {
    let attempts = 0;
    const result = persist(async () => {
      attempts++;
      throw withCode('23505');
    }, options());
    await expect(result).rejects.toMatchObject({ code: '23505' });
    expect(attempts).toBe(1);
  });

  it('gives up when its signal fires', async () => {
    const abort = new AbortController();
    const clock = new ManualClock();
    const result = persist(() => Promise.reject(withCode('ECONNREFUSED')), {
      clock,
      log: silentLog,
      signal: abort.signal,
    });
    result.catch(() => {});
    await clock.advance(1_000);
    abort.abort();
    await expect(result).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
