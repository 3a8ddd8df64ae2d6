import { describe, expect, it, test } from 'vitest';
import { dateTime } from '../../../src/agents/standard-tools/date-time.ts';
import { checkSchema } from '../../../src/core/schema-check.ts';

const NOW = Date.parse('2026-02-01T10:30:00Z');
const run = (asked: object) =>
  dateTime.run(checkSchema(dateTime.input, asked as never, 'it'), { clock: { now: () => NOW } } as never);

describe('date_time', () => {
  test.each([
    [{ operation: 'now' }, { iso: '2026-02-01T10:30:00Z', weekday: 'Sunday', time_zone: 'UTC' }],
    [
      { operation: 'now', time_zone: 'Asia/Tokyo' },
      { iso: '2026-02-01T19:30:00+09:00', date: '2026-02-01' },
    ],
    [
      { operation: 'weekday', date: '2026-11-20' },
      { iso: '2026-11-20', weekday: 'Friday' },
    ],
    [{ operation: 'weekday', date: '1969-07-20' }, { weekday: 'Sunday' }],
    [{ operation: 'weekday', date: '2024-02-29', time_zone: 'America/New_York' }, { weekday: 'Thursday' }],
    [
      { operation: 'convert', date: '2026-07-01T12:00:00Z', time_zone: 'Europe/Berlin' },
      { iso: '2026-07-01T14:00:00+02:00' },
    ],
    [
      { operation: 'convert', date: '2026-01-01T02:00:00+05:30', time_zone: 'America/Los_Angeles' },
      { iso: '2025-12-31T12:30:00-08:00', date: '2025-12-31', weekday: 'Wednesday' },
    ],
    [
      { operation: 'convert', date: '2026-07-01 12:00', time_zone: 'Europe/Berlin' },
      { iso: '2026-07-01T12:00:00+02:00' },
    ],
    [{ operation: 'add', date: '2026-01-31', months: 1 }, { iso: '2026-02-28' }],
    [{ operation: 'add', date: '2024-02-29', years: 1 }, { iso: '2025-02-28' }],
    [{ operation: 'add', date: '2026-03-31', months: -1, days: 1 }, { iso: '2026-03-01' }],
    [{ operation: 'add', date: '2026-12-20', weeks: 2 }, { iso: '2027-01-03' }],
    [{ operation: 'add', date: '2026-01-01', hours: 36 }, { iso: '2026-01-02T12:00:00Z' }],
    [{ operation: 'add', days: 3 }, { iso: '2026-02-04T10:30:00Z' }],
    // A day on the calendar keeps the time of day, 24 hours do not.
    [
      { operation: 'add', date: '2026-03-28T12:00', days: 1, time_zone: 'Europe/Berlin' },
      { iso: '2026-03-29T12:00:00+02:00' },
    ],
    [
      { operation: 'add', date: '2026-03-28T12:00', hours: 24, time_zone: 'Europe/Berlin' },
      { iso: '2026-03-29T13:00:00+02:00' },
    ],
    [
      { operation: 'difference', date: '2026-01-31', until: '2026-03-01' },
      { days: 29, calendar: { years: 0, months: 1, days: 1 } },
    ],
    [
      { operation: 'difference', date: '2026-03-01', until: '2025-12-24' },
      { days: -67, hours: -1608, calendar: { years: 0, months: -2, days: -5 } },
    ],
    [
      { operation: 'difference', date: '2000-02-29', until: '2026-02-28' },
      { calendar: { years: 26, months: 0, days: 0 } },
    ],
    [
      { operation: 'difference', date: '2026-03-28', until: '2026-03-30', time_zone: 'Europe/Berlin' },
      { days: 2, hours: 47 },
    ],
    [
      { operation: 'difference', date: '2026-02-01T10:00:00Z' },
      { days: 0, hours: 0, minutes: 30 },
    ],
  ])('%o is %o', async (asked, expected) => {
    expect(await run(asked)).toMatchObject(expected);
  });

  test.each([
    [{ operation: 'now', time_zone: 'Mars/Olympus' }, 'there is no time zone "Mars/Olympus"'],
    [{ operation: 'weekday', date: 'tomorrow' }, 'expected a date or time such as 2026-02-28T17:30, got "tomorrow"'],
    [{ operation: 'weekday', date: '2026-02-30' }, 'there is no 2026-02-30'],
    [{ operation: 'weekday', date: '2026-02-01T24:00' }, 'there is no 2026-02-01T24:00'],
    [{ operation: 'add', date: '9999-12-30', days: 2 }, 'outside the years'],
    [{ operation: 'add', years: -10_000 }, 'outside the years'],
    [{ operation: 'add', years: 1_000_000 }, 'outside the years'],
    [{ operation: 'later' }, 'operation'],
  ])('%o is refused: %s', async (asked, message) => {
    await expect((async () => run(asked))()).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(message),
    });
  });

  it('says what day it is by the clock it is given', async () => {
    expect(await run({ operation: 'now' })).toMatchObject({ date: '2026-02-01', time: '10:30:00' });
  });
});
