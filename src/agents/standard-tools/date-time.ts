/**
 * Dates and times: what time it is, moving a date on, the distance between two, the day of the week, the same instant
 * in another time zone. A time without an offset is local to the zone that is named, a date without a time its first
 * moment. The calendar is the proleptic Gregorian one.
 */
import { z } from 'zod';
import { AosError } from '../../core/errors.ts';
import { findZone, type Zone } from '../../core/zone.ts';
import type { Tool } from '../tool.ts';

const amount = z.number().int().min(-1_000_000).max(1_000_000).optional();
const moment = z
  .string()
  .max(40)
  .optional()
  .describe(
    'A date or time such as 2026-02-28, 2026-02-28T17:30 or 2026-02-28T17:30:00+01:00. The present when left out.',
  );

const input = z.object({
  operation: z
    .enum(['now', 'add', 'difference', 'weekday', 'convert'])
    .describe(
      'now: the present. add: date moved by years … minutes. difference: from date to until. weekday: of date. convert: date in another time_zone.',
    ),
  date: moment,
  until: moment,
  time_zone: z.string().max(60).optional().describe('An IANA name such as Europe/Berlin; UTC when left out.'),
  years: amount,
  months: amount,
  weeks: amount,
  days: amount,
  hours: amount,
  minutes: amount,
});
type Input = z.output<typeof input>;

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
/** Within what four digits of a year can say, a day away from the ends because of the zones. */
const FIRST_MOMENT = Date.parse('0000-01-02T00:00:00Z');
const LAST_MOMENT = Date.parse('9999-12-31T00:00:00Z');
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

const DATE = /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})$/;
const TIME =
  /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})[T ](?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:\.\d{1,9})?)?(?<offset>Z|[+-]\d{2}:?\d{2})?$/i;

/** A point in time, and whether it was given as a day. */
interface Moment {
  readonly instant: number;
  readonly isDay: boolean;
}

/** @throws AosError invalid_request for what is no date, time or zone */
export const dateTime: Tool<Input> = {
  name: 'date_time',
  version: '1',
  description:
    'Tells the present date and time and computes with dates: adding, differences, weekdays, time zones. Use it whenever a date matters.',
  input,
  effect: 'read',
  timeoutMs: 1000,
  async run(asked, { clock }) {
    const zone = zoneOf(asked.time_zone ?? 'UTC');
    const present: Moment = { instant: clock.now(), isDay: false };
    const date = asked.date === undefined ? present : momentOf(asked.date, zone);
    switch (asked.operation) {
      case 'now':
        return described(present, zone);
      case 'weekday':
      case 'convert':
        return described(date, zone);
      case 'add':
        return described(moved(date, asked, zone), zone);
      case 'difference':
        return distance(date, asked.until === undefined ? present : momentOf(asked.until, zone), zone);
    }
  },
};

function zoneOf(name: string): Zone {
  const zone = findZone(name);
  if (zone !== undefined) return zone;
  throw faulty(`there is no time zone "${name}"; expected an IANA name such as Europe/Berlin`);
}

function momentOf(text: string, zone: Zone): Moment {
  const groups = (DATE.exec(text.trim()) ?? TIME.exec(text.trim()))?.groups;
  if (groups === undefined) throw faulty(`expected a date or time such as 2026-02-28T17:30, got "${text}"`);
  const part = (name: string) => Number(groups[name] ?? 0);
  const local = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
  const back = new Date(local);
  const isReal =
    back.getUTCMonth() === part('month') - 1 &&
    back.getUTCDate() === part('day') &&
    part('hour') < 24 &&
    part('minute') < 60 &&
    part('second') < 60;
  if (!isReal) throw faulty(`there is no ${text}`);
  const offset = groups['offset'];
  const instant = offset === undefined ? zone.instantOf(local) : local - offsetMs(offset);
  return { instant, isDay: groups['hour'] === undefined };
}

function offsetMs(offset: string): number {
  if (offset.toUpperCase() === 'Z') return 0;
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(offset) ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours) * HOUR_MS + Number(minutes) * MINUTE_MS);
}

/** Years to days move the calendar and keep the time of day; hours and minutes are time that passes. */
function moved(date: Moment, by: Input, zone: Zone): Moment {
  const { years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0 } = by;
  const passed = hours * HOUR_MS + minutes * MINUTE_MS;
  const local = addMonths(zone.localAt(date.instant), years * 12 + months) + (weeks * 7 + days) * DAY_MS;
  if (!(local + passed > FIRST_MOMENT && local + passed < LAST_MOMENT && local > FIRST_MOMENT && local < LAST_MOMENT)) {
    throw faulty('the result lies outside the years 0000 to 9999');
  }
  const sameDay = years === 0 && months === 0 && weeks === 0 && days === 0;
  const instant = (sameDay ? date.instant : zone.instantOf(local)) + passed;
  return { instant, isDay: date.isDay && hours === 0 && minutes === 0 };
}

/** The same day some months on; the last of the month where it has no such day. */
function addMonths(local: number, months: number): number {
  const date = new Date(local);
  const time = local - Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
  const first = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1));
  const lastDay = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate();
  return first.getTime() + (Math.min(date.getUTCDate(), lastDay) - 1) * DAY_MS + time;
}

function distance(from: Moment, until: Moment, zone: Zone) {
  const [earlier, later] = from.instant <= until.instant ? [from, until] : [until, from];
  const [start, end] = [zone.localAt(earlier.instant), zone.localAt(later.instant)];
  let months = monthsBetween(start, end);
  if (addMonths(start, months) > end) months -= 1;
  const rest = Math.floor((end - addMonths(start, months)) / DAY_MS);
  // Plus 0, because there is no -0 in what people read.
  const signed = (value: number) => (from.instant <= until.instant ? value : -value) + 0;
  const ms = until.instant - from.instant;
  return {
    from: described(from, zone).iso,
    until: described(until, zone).iso,
    // Whole calendar days where days were given; a day of a clock change is one as well.
    days: from.isDay && until.isDay ? signed(Math.round((end - start) / DAY_MS)) : Math.trunc(ms / DAY_MS),
    hours: Math.trunc(ms / HOUR_MS),
    minutes: Math.trunc(ms / MINUTE_MS),
    calendar: { years: signed(Math.trunc(months / 12)), months: signed(months % 12), days: signed(rest) },
  };
}

function monthsBetween(start: number, end: number): number {
  const [from, to] = [new Date(start), new Date(end)];
  return (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth();
}

function described({ instant, isDay }: Moment, zone: Zone) {
  const local = zone.localAt(instant);
  const text = new Date(local).toISOString();
  const [date = '', time = ''] = text.slice(0, 19).split('T');
  return {
    iso: isDay ? date : `${date}T${time}${offsetText(local - instant)}`,
    date,
    time,
    weekday: WEEKDAYS[new Date(local).getUTCDay()] ?? '',
    time_zone: zone.name,
  };
}

function offsetText(ms: number): string {
  if (ms === 0) return 'Z';
  const minutes = Math.round(Math.abs(ms) / MINUTE_MS);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${ms < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function faulty(message: string): AosError {
  return new AosError('invalid_request', message);
}
