import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkSchedule, firstTime, nextTime, type ScheduleDraft, upcoming } from '../../src/scheduling/schedule.ts';

const utc = (text: string) => Date.parse(`${text}Z`);
const iso = (time: number) => new Date(time).toISOString().slice(0, 19);
const draft = (members: ScheduleDraft) => checkSchedule(members);
const daily = (hour: number, minute: number, timezone: string) =>
  draft({ schedule_type: 'daily', hour, minute, timezone });
const cron = (cron_expression: string, timezone = 'UTC') => draft({ schedule_type: 'cron', cron_expression, timezone });

describe('through a change of clocks', () => {
  it.each([
    // Put forward: a skipped time runs when the clock is put forward.
    ['Europe/Berlin', 2, 30, '2026-03-28T00:00', ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30']],
    ['America/New_York', 2, 30, '2026-03-07T00:00', ['2026-03-07T07:30', '2026-03-08T07:00', '2026-03-09T06:30']],
    ['Australia/Lord_Howe', 2, 15, '2026-10-02T00:00', ['2026-10-02T15:45', '2026-10-03T15:30', '2026-10-04T15:15']],
    // Put back: a repeated time runs the first time only.
    ['Europe/Berlin', 2, 30, '2026-10-24T00:00', ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30']],
    ['America/New_York', 1, 30, '2026-10-31T00:00', ['2026-10-31T05:30', '2026-11-01T05:30', '2026-11-02T06:30']],
    ['Australia/Lord_Howe', 1, 45, '2026-04-04T00:00', ['2026-04-04T14:45', '2026-04-05T15:15', '2026-04-06T15:15']],
    // Beside the change nothing is special.
    ['Europe/Berlin', 3, 0, '2026-03-28T00:00', ['2026-03-28T02:00', '2026-03-29T01:00', '2026-03-30T01:00']],
    ['Europe/Berlin', 1, 59, '2026-10-24T00:00', ['2026-10-24T23:59', '2026-10-26T00:59']],
  ])('daily in %s at %i:%i', (timezone, hour, minute, from, expected) => {
    const times = upcoming(daily(hour, minute, timezone), 0, utc(`${from}:00`), expected.length);
    expect(times.map(iso)).toEqual(expected.map((time) => `${time}:00`));
  });

  it('fires skipped times together, once', () => {
    const quarter = upcoming(cron('*/15 * * * *', 'Europe/Berlin'), 0, utc('2026-03-29T00:44:00'), 3);
    expect(quarter.map(iso)).toEqual(['2026-03-29T00:45:00', '2026-03-29T01:00:00', '2026-03-29T01:15:00']);
  });

  it('does not fire in the repetition, wherever the search begins', () => {
    const half = cron('0,30 2 * * *', 'Europe/Berlin');
    expect(upcoming(half, 0, utc('2026-10-25T00:00:00'), 2).map(iso)).toEqual([
      '2026-10-25T00:30:00',
      '2026-10-26T01:00:00',
    ]);
    for (const from of ['2026-10-25T00:45:00', '2026-10-25T01:00:00', '2026-10-25T01:15:00']) {
      expect(iso(nextTime(half, 0, utc(from)) ?? 0)).toBe('2026-10-26T01:00:00');
    }
    const hourly = draft({ schedule_type: 'hourly', minute: 5, timezone: 'Europe/Berlin' });
    expect(upcoming(hourly, 0, utc('2026-10-25T00:00:00'), 2).map(iso)).toEqual([
      '2026-10-25T00:05:00',
      '2026-10-25T02:05:00',
    ]);
  });
});

describe('an interval', () => {
  it('is counted from when it was written down, whatever the time of asking', () => {
    const every = draft({ schedule_type: 'interval', interval_seconds: 900 });
    const anchor = utc('2026-01-01T00:00:07');
    expect(upcoming(every, anchor, anchor, 2).map(iso)).toEqual(['2026-01-01T00:15:07', '2026-01-01T00:30:07']);
    expect(iso(nextTime(every, anchor, utc('2026-01-01T00:15:06')) ?? 0)).toBe('2026-01-01T00:15:07');
    expect(iso(nextTime(every, anchor, utc('2026-01-01T00:15:07')) ?? 0)).toBe('2026-01-01T00:30:07');
    expect(iso(nextTime(every, anchor, utc('2026-01-01T00:22:00')) ?? 0)).toBe('2026-01-01T00:30:07');
  });

  it('with a start_date begins there', () => {
    const every = draft({ schedule_type: 'interval', interval_seconds: 60, start_date: '2026-02-01T00:00:00Z' });
    expect(upcoming(every, 0, utc('2026-01-01T00:00:00'), 2).map(iso)).toEqual([
      '2026-02-01T00:00:00',
      '2026-02-01T00:01:00',
    ]);
  });
});

describe('bounds', () => {
  it('keep every firing between start_date and end_date, both included', () => {
    const bounded = draft({
      schedule_type: 'daily',
      hour: 0,
      start_date: '2026-01-02T00:00:00Z',
      end_date: '2026-01-04T01:00:00+01:00',
    });
    expect(upcoming(bounded, 0, 0, 10).map(iso)).toEqual([
      '2026-01-02T00:00:00',
      '2026-01-03T00:00:00',
      '2026-01-04T00:00:00',
    ]);
  });

  it('that leave no firing are refused', () => {
    const now = utc('2026-06-01T00:00:00');
    const over = draft({ schedule_type: 'daily', hour: 0, end_date: '2026-01-01' });
    expect(() => firstTime(over, now)).toThrow(/never fires: it has no time between now and 2026-01-01/);
  });

  it('let a single time be in the past: the misfire rule judges it', () => {
    const past = draft({ schedule_type: 'once', run_at: '2026-01-01T00:00:00' });
    expect(iso(firstTime(past, utc('2026-06-01T00:00:00')))).toBe('2026-01-01T00:00:00');
  });
});

describe('a draft', () => {
  it.each<[ScheduleDraft, RegExp]>([
    [{}, /^schedule_type must be one of once, interval, hourly, daily, cron, got nothing$/],
    [{ schedule_type: 'weekly' }, /got "weekly"/],
    [{ schedule_type: 'once' }, /^run_at is required for schedule_type once$/],
    [{ schedule_type: 'once', run_at: 'tomorrow' }, /^run_at must be an ISO-8601 time .*, got "tomorrow"$/],
    [{ schedule_type: 'once', run_at: '2026-02-30T00:00:00Z' }, /run_at must be/],
    [{ schedule_type: 'once', run_at: '2026-02-01T25:00:00Z' }, /run_at must be/],
    [{ schedule_type: 'interval' }, /^interval_seconds is required for schedule_type interval$/],
    [{ schedule_type: 'interval', interval_seconds: 0 }, /whole number from 1 to 31536000, got 0$/],
    [{ schedule_type: 'interval', interval_seconds: 1.5 }, /got 1.5$/],
    [{ schedule_type: 'interval', interval_seconds: 31_536_001 }, /got 31536001$/],
    [{ schedule_type: 'interval', interval_seconds: '60' }, /got "60"$/],
    [{ schedule_type: 'hourly', minute: 60 }, /^minute must be a whole number from 0 to 59, got 60$/],
    [{ schedule_type: 'daily' }, /^hour is required/],
    [{ schedule_type: 'daily', hour: 24 }, /^hour must be a whole number from 0 to 23, got 24$/],
    [{ schedule_type: 'daily', hour: 1, minute: -1 }, /^minute must be/],
    [{ schedule_type: 'cron' }, /^cron_expression is required/],
    [{ schedule_type: 'cron', cron_expression: 'every day' }, /^cron_expression: expected 5 fields/],
    [{ schedule_type: 'cron', cron_expression: '0 0 30 2 *' }, /^cron_expression never fires/],
    [{ schedule_type: 'hourly', timezone: 'Mars/Olympus' }, /^timezone must be the name of an IANA time zone/],
    [{ schedule_type: 'hourly', max_runs: 0 }, /^max_runs must be a whole number from 1/],
    [{ schedule_type: 'hourly', start_date: 'soon' }, /^start_date must be/],
    [{ schedule_type: 'hourly', start_date: '2026-02-02', end_date: '2026-02-01' }, /^end_date must be a time after/],
  ])('%j is refused', (members, sentence) => {
    expect(() => checkSchedule(members)).toThrow(sentence);
    expect(() => checkSchedule(members)).toThrow(
      expect.objectContaining({ code: 'unprocessable', reason: 'INVALID_SCHEDULE' }),
    );
  });

  it('gets what it leaves out', () => {
    expect(checkSchedule({ schedule_type: 'hourly', run_at: 'ignored' })).toEqual({
      schedule_type: 'hourly',
      run_at: null,
      interval_seconds: null,
      minute: 0,
      hour: null,
      cron_expression: null,
      timezone: 'UTC',
      max_runs: null,
      start_date: null,
      end_date: null,
    });
  });
});

const zones = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC');
const field = (min: number, max: number) =>
  fc.oneof(
    fc.constant('*'),
    fc.integer({ min, max }).map(String),
    fc.integer({ min: 1, max }).map((step) => `*/${step}`),
    fc.uniqueArray(fc.integer({ min, max }), { minLength: 2, maxLength: 4 }).map((values) => values.join(',')),
    fc
      .tuple(fc.integer({ min, max }), fc.integer({ min, max }))
      .map((two) => `${Math.min(...two)}-${Math.max(...two)}`),
  );
const expressions = fc
  .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7))
  .map((fields) => fields.join(' '));
const schedules = fc.oneof(
  fc.tuple(expressions, zones).map(([expression, zone]) => cron(expression, zone)),
  fc.integer({ min: 1, max: 100_000 }).map((n) => draft({ schedule_type: 'interval', interval_seconds: n })),
  fc.tuple(fc.nat(23), fc.nat(59), zones).map(([hour, minute, zone]) => daily(hour, minute, zone)),
);
const instants = fc.integer({ min: utc('2024-01-01T00:00:00'), max: utc('2030-01-01T00:00:00') });

describe('every schedule', () => {
  it('is next strictly later', () => {
    fc.assert(
      fc.property(schedules, instants, (schedule, after) => {
        expect(nextTime(schedule, after, after)).toBeGreaterThan(after);
      }),
    );
  });

  it('previews what it will do one after the other', () => {
    fc.assert(
      fc.property(schedules, instants, fc.integer({ min: 1, max: 8 }), (schedule, after, count) => {
        const one: number[] = [];
        for (let last = after; one.length < count; one.push(last)) last = nextTime(schedule, after, last) ?? 0;
        expect(upcoming(schedule, after, after, count)).toEqual(one);
      }),
    );
  });

  it('is next at the same time wherever between two firings one asks', () => {
    fc.assert(
      fc.property(schedules, instants, fc.double({ min: 0, max: 1, noNaN: true }), (schedule, after, share) => {
        const next = nextTime(schedule, after, after) ?? 0;
        const between = Math.min(next - 1, after + Math.floor((next - after) * share));
        expect(nextTime(schedule, after, between)).toBe(next);
      }),
    );
  });
});

/** What the words of the rule say, minute by minute, with nothing of the code under test but the expression. */
function bruteForce(expression: string, timeZone: string, from: number, minutes: number): number[] {
  const [minute, hour, day, month, weekday] = expression.split(' ').map(accepts);
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  const local = (instant: number) => utc(`${format.format(instant).replace(' ', 'T')}:00`);
  const matches = (time: number): boolean => {
    const date = new Date(time);
    const byDay = day?.(date.getUTCDate()) === true;
    const byWeekday = weekday?.(date.getUTCDay()) === true || (date.getUTCDay() === 0 && weekday?.(7) === true);
    const anyDay = span(1, 31).every((value) => day?.(value));
    const anyWeekday =
      span(1, 6).every((value) => weekday?.(value)) && (weekday?.(0) === true || weekday?.(7) === true);
    return (
      minute?.(date.getUTCMinutes()) === true &&
      hour?.(date.getUTCHours()) === true &&
      month?.(date.getUTCMonth() + 1) === true &&
      (anyDay || anyWeekday ? byDay && byWeekday : byDay || byWeekday)
    );
  };
  const times: number[] = [];
  let latest = local(from - 60_000);
  // An hour that is repeated may have begun before.
  for (let back = 1; back <= 180; back++) latest = Math.max(latest, local(from - back * 60_000));
  for (let instant = from; instant < from + minutes * 60_000; instant += 60_000) {
    const now = local(instant);
    // What the clock shows now for the first time: nothing in a repetition, more than a minute after a gap.
    let fires = false;
    for (let shown = latest + 60_000; shown <= now; shown += 60_000) fires ||= matches(shown);
    latest = Math.max(latest, now);
    if (fires) times.push(instant);
  }
  return times;
}

function accepts(text: string): (value: number) => boolean {
  if (text === '*') return () => true;
  if (text.startsWith('*/')) {
    const step = Number(text.slice(2));
    return (value) => value % step === 0;
  }
  if (text.includes('-')) {
    const [from = 0, to = 0] = text.split('-').map(Number);
    return (value) => value >= from && value <= to;
  }
  const values = text.split(',').map(Number);
  return (value) => values.includes(value);
}

const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a scan of every minute', () => {
  // Steps in days and months count from 1, so `*/2` means the odd ones: the scan has no such expressions.
  const plain = fc
    .tuple(field(0, 59), field(0, 23), fc.constantFrom('*', '1-15', '25,29,8,1'), fc.constant('*'), field(0, 6))
    .map((fields) => fields.join(' '));
  const beginnings = fc.oneof(
    fc.constantFrom('2026-03-28', '2026-10-24', '2026-03-07', '2026-10-31', '2026-10-03', '2026-04-04'),
    fc.integer({ min: 0, max: 1400 }).map((day) => iso(utc('2026-01-01T00:00:00') + day * 86_400_000).slice(0, 10)),
  );

  it('finds the same times', () => {
    fc.assert(
      fc.property(plain, zones, beginnings, (expression, zone, day) => {
        const from = utc(`${day}T00:00:00`);
        const minutes = 2 * 1440;
        const found = bruteForce(expression, zone, from, minutes);
        const schedule = cron(expression, zone);
        const times: number[] = [];
        for (let time = nextTime(schedule, 0, from - 1); time !== undefined && time < from + minutes * 60_000; ) {
          times.push(time);
          time = nextTime(schedule, 0, time);
        }
        expect(times.map(iso)).toEqual(found.map(iso));
      }),
      { numRuns: 60 },
    );
  });
});
