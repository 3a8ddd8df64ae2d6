/**
 * Cron expressions: read into sets of values, and the search for the next local time they name. Five fields, or six
 * with seconds in front; lists, ranges, steps, names, `7` for Sunday, and the `@` words. When both day-of-month and
 * weekday are restricted, either suffices.
 */
import { closest } from '../core/closest.ts';

const DAY_MS = 86_400_000;
/** Longer than the longest pause a rule can have: 29 February from 2096 to 2104. */
const SEARCH_YEARS = 9;
const MAX_LENGTH = 200;

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Names of the values from `min` on, in full; the first three letters do too. */
  readonly names?: readonly string[];
}

const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const months = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
];

const SECOND: Field = { name: 'second', min: 0, max: 59 };
const MINUTE: Field = { name: 'minute', min: 0, max: 59 };
const HOUR: Field = { name: 'hour', min: 0, max: 23 };
const DAY: Field = { name: 'day-of-month', min: 1, max: 31 };
const MONTH: Field = { name: 'month', min: 1, max: 12, names: months };
const WEEKDAY: Field = { name: 'weekday', min: 0, max: 7, names: weekdays };

const words: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};

/** Values in ascending order. */
export interface CronRule {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  readonly days: readonly number[];
  readonly months: readonly number[];
  /** 0 is Sunday. */
  readonly weekdays: readonly number[];
}

/** An expression that is none; the message says which field, what was expected and what came. */
export class CronFault extends Error {
  override readonly name = 'CronFault';
}

/** @throws CronFault */
export function parseCron(expression: string): CronRule {
  const text = expression.trim();
  if (text.length > MAX_LENGTH) throw new CronFault(`expected at most ${MAX_LENGTH} characters, got ${text.length}`);
  const parts = spellOut(text).split(/\s+/);
  if (text === '' || parts.length < 5 || parts.length > 6) {
    throw new CronFault(
      'expected 5 fields (minute hour day-of-month month weekday) or 6 with seconds in front, ' +
        `got ${text === '' ? 'none' : parts.length}`,
    );
  }
  const [second, minute, hour, day, month, weekday] = parts.length === 6 ? parts : ['0', ...parts];
  return {
    seconds: valuesOf(second, SECOND),
    minutes: valuesOf(minute, MINUTE),
    hours: valuesOf(hour, HOUR),
    days: valuesOf(day, DAY),
    months: valuesOf(month, MONTH),
    weekdays: [...new Set(valuesOf(weekday, WEEKDAY).map((value) => value % 7))].sort((one, other) => one - other),
  };
}

function spellOut(text: string): string {
  if (!text.startsWith('@')) return text;
  const meaning = words[text.toLowerCase()];
  if (meaning !== undefined) return meaning;
  const known = Object.keys(words);
  throw new CronFault(
    `expected one of ${known.join(', ')}, got "${text}"${closest(text, known, ' (did you mean %s?)')}`,
  );
}

function valuesOf(text: string | undefined, field: Field): readonly number[] {
  const values = (text ?? '').split(',').flatMap((item) => itemValues(item, field));
  return [...new Set(values)].sort((one, other) => one - other);
}

/** The values of `*`, `a`, `a-b`, each with an optional `/step`; `a/step` goes from `a` to the end of the field. */
function itemValues(item: string, field: Field): readonly number[] {
  const [range = '', step, ...more] = item.split('/');
  const bounds = range.split('-');
  if (more.length > 0 || bounds.length > 2) throw faultIn(field, describe(field), item);
  const every = step === undefined ? 1 : readStep(step, field);
  const [from, to] = range === '*' ? [field.min, field.max] : boundsOf(bounds, step !== undefined, item, field);
  if (from > to) throw faultIn(field, 'a range from low to high', item);
  return Array.from({ length: Math.floor((to - from) / every) + 1 }, (_, index) => from + index * every);
}

function boundsOf(bounds: readonly string[], open: boolean, item: string, field: Field): readonly [number, number] {
  const [first = '', last] = bounds;
  const from = readValue(first, item, field);
  // Weekdays end on Saturday here, or Sunday would come twice.
  if (last === undefined) return [from, open ? Math.max(from, field === WEEKDAY ? 6 : field.max) : from];
  const to = readValue(last, item, field);
  return [from, field === WEEKDAY && to === 0 && from > 0 ? 7 : to];
}

function readValue(text: string, item: string, field: Field): number {
  const { min, max, names = [] } = field;
  const value = /^\d{1,4}$/.test(text) ? Number(text) : min + indexOfName(text.toLowerCase(), names);
  if (!(value >= min && value <= max)) {
    throw faultIn(field, `${describe(field)}${closest(text, names, ' (did you mean "%s"?)')}`, item);
  }
  return value;
}

function indexOfName(text: string, names: readonly string[]): number {
  const index = names.findIndex((name) => text === name || text === name.slice(0, 3));
  return index < 0 ? Number.NaN : index;
}

function readStep(text: string, field: Field): number {
  const step = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (step < 1 || step > field.max) throw faultIn(field, `a step from 1 to ${field.max}`, text);
  return step;
}

function describe({ min, max, names }: Field): string {
  const also = names === undefined ? '' : `, or a name like ${names[1]?.slice(0, 3)}`;
  return `values from ${min} to ${max}${also} (as *, a, a-b, with /step, or a list)`;
}

function faultIn({ name }: Field, expected: string, got: string): CronFault {
  return new CronFault(`field ${name}: expected ${expected}, got "${got}"`);
}

/** The first local time at or after `from` that the rule names, to the second; undefined when there is none. */
export function nextMatch(rule: CronRule, from: number): number | undefined {
  const start = Math.ceil(from / 1000) * 1000;
  const firstDay = Math.floor(start / DAY_MS) * DAY_MS;
  const limit = Date.UTC(new Date(firstDay).getUTCFullYear() + SEARCH_YEARS, 0, 1);
  for (let day = firstDay; day < limit; ) {
    const date = new Date(day);
    if (!rule.months.includes(date.getUTCMonth() + 1)) {
      day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
      continue;
    }
    if (isDay(rule, date)) {
      const time = timeOfDay(rule, day === firstDay ? (start - firstDay) / 1000 : 0);
      if (time !== undefined) return day + time * 1000;
    }
    day += DAY_MS;
  }
  return undefined;
}

function isDay({ days, weekdays: weekdaysOf }: CronRule, date: Date): boolean {
  const [byDay, byWeekday] = [days.includes(date.getUTCDate()), weekdaysOf.includes(date.getUTCDay())];
  const bothRestricted = days.length < 31 && weekdaysOf.length < 7;
  return bothRestricted ? byDay || byWeekday : byDay && byWeekday;
}

/** The first second of the day at or after `from` that the rule names. */
function timeOfDay({ hours, minutes, seconds }: CronRule, from: number): number | undefined {
  for (const hour of hours) {
    if ((hour + 1) * 3600 <= from) continue;
    for (const minute of minutes) {
      const start = hour * 3600 + minute * 60;
      if (start + 60 <= from) continue;
      const second = seconds.find((value) => start + value >= from);
      if (second !== undefined) return start + second;
    }
  }
  return undefined;
}
