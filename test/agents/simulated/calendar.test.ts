import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { addDays, daysBetween, daysIn, dueDay, periodIn, positionIn } from '../../../src/agents/simulated/calendar.ts';

describe('a period', () => {
  test.each([
    ['Q1-2026', '2026-01-01', '2026-03-31', 90],
    ['in 2026-Q2 we', '2026-04-01', '2026-06-30', 91],
    ['Q4 2024', '2024-10-01', '2024-12-31', 92],
    ['2024Q1', '2024-01-01', '2024-03-31', 91],
    ['H2-2025', '2025-07-01', '2025-12-31', 184],
    ['2026-02', '2026-02-01', '2026-02-28', 28],
    ['FY2025', '2025-01-01', '2025-12-31', 365],
  ])('%s runs from %s to %s, %i days', (text, start, end, days) => {
    const period = periodIn(text);
    expect(period).toMatchObject({ start, end });
    expect(period === undefined ? 0 : daysIn(period)).toBe(days);
  });

  test.each(['Q5-2026', '2026-02-14', 'H3 2026', 'quarterly', '2026'])('is not in %s', (text) => {
    expect(periodIn(text)).toBeUndefined();
  });

  test.each([
    ['2025-12-18', 'it begins in 2 weeks'],
    ['2026-02-01', '8 weeks are left (36 % of it is gone)'],
    ['2026-03-30', '1 day is left (99 % of it is gone)'],
    ['2026-03-31', 'today is its last day (100 % of it is gone)'],
    ['2026-04-30', 'it ended 4 weeks ago'],
  ])('seen from %s: %s', (today, words) => {
    const period = periodIn('Q1-2026');
    expect(period === undefined ? '' : positionIn(period, today)).toContain(words);
  });

  it('gives dates inside of it while it runs, and ahead of today always', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: -200, max: 200 }),
        fc.double({ min: 0.1, max: 0.9, noNaN: true }),
        (shift, share) => {
          const period = periodIn('Q1-2026');
          const today = addDays('2026-02-15', shift);
          const due = dueDay(period, today, share);
          expect(daysBetween(today, due)).toBeGreaterThanOrEqual(0);
          if (period !== undefined && daysBetween(today, period.end) >= 7) expect(due <= period.end).toBe(true);
        },
      ),
    ));
});
