/**
 * A schedule: the rule that says at which instants a job is to fire. Checked once when it is written down; from then on
 * its firing times are pure arithmetic, each counted from the planned times and never from when a run began or ended.
 */
import { AosError } from '../core/errors.ts';
import { findZone, type Zone } from '../core/zone.ts';
import { CronFault, type CronRule, nextMatch, parseCron } from './cron.ts';

export const scheduleTypes = ['once', 'interval', 'hourly', 'daily', 'cron'] as const;
export type ScheduleType = (typeof scheduleTypes)[number];

/** Members that its type has no use for are null. Times are ISO-8601 UTC. */
export type Schedule = {
  readonly schedule_type: ScheduleType;
  readonly run_at: string | null;
  readonly interval_seconds: number | null;
  readonly minute: number | null;
  readonly hour: number | null;
  readonly cron_expression: string | null;
  /** IANA zone that hourly, daily and cron are read in. */
  readonly timezone: string;
  readonly max_runs: number | null;
  /** No firing before; an interval counts from here, so that its first firing is this one. */
  readonly start_date: string | null;
  /** No firing after. */
  readonly end_date: string | null;
};

/** A schedule as it is sent: nothing is certain but the kinds of values. */
export type ScheduleDraft = { readonly [Member in keyof Schedule]?: string | number | null | undefined };

export const MAX_INTERVAL_SECONDS = 31_536_000;
/** Times have four-digit years. */
const END_OF_TIME = Date.UTC(10_000, 0, 1);
const TIME = /^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[Zz]|[+-]\d\d:?\d\d)?)?$/;

/**
 * Checks a draft and fills in what it leaves out.
 * @throws AosError INVALID_SCHEDULE: which field, what was expected, what came
 */
export function checkSchedule(draft: ScheduleDraft): Schedule {
  const type = scheduleTypes.find((known) => known === draft.schedule_type);
  if (type === undefined) throw wrong('schedule_type', `one of ${scheduleTypes.join(', ')}`, draft.schedule_type);
  const none = { run_at: null, interval_seconds: null, minute: null, hour: null, cron_expression: null };
  const schedule: Schedule = {
    schedule_type: type,
    ...none,
    ...timingOf(type, draft),
    timezone: zoneName(draft.timezone),
    max_runs: draft.max_runs == null ? null : whole(draft, 'max_runs', 1, Number.MAX_SAFE_INTEGER),
    start_date: draft.start_date == null ? null : time('start_date', draft.start_date),
    end_date: draft.end_date == null ? null : time('end_date', draft.end_date),
  };
  const { start_date: start, end_date: end } = schedule;
  if (start !== null && end !== null && start > end) throw wrong('end_date', `a time after start_date ${start}`, end);
  return schedule;
}

/** The members that say when, of a schedule of that type. */
function timingOf(type: ScheduleType, draft: ScheduleDraft): Partial<Schedule> {
  switch (type) {
    case 'once':
      return { run_at: time('run_at', required(draft, 'run_at')) };
    case 'interval':
      required(draft, 'interval_seconds');
      return { interval_seconds: whole(draft, 'interval_seconds', 1, MAX_INTERVAL_SECONDS) };
    case 'hourly':
      return { minute: draft.minute == null ? 0 : whole(draft, 'minute', 0, 59) };
    case 'daily':
      required(draft, 'hour');
      return { hour: whole(draft, 'hour', 0, 23), minute: draft.minute == null ? 0 : whole(draft, 'minute', 0, 59) };
    case 'cron':
      return { cron_expression: cronText(required(draft, 'cron_expression')) };
  }
}

function required(draft: ScheduleDraft, field: keyof Schedule): string | number {
  const value = draft[field];
  if (value == null) throw invalid(`${field} is required for schedule_type ${draft.schedule_type}`);
  return value;
}

function whole(draft: ScheduleDraft, field: keyof Schedule, min: number, max: number): number {
  const value = draft[field];
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw wrong(field, `a whole number from ${min} to ${max}`, value);
}

/** ISO-8601 with any distance from UTC; without one it is UTC. */
function time(field: string, value: string | number): string {
  const instant = typeof value === 'string' ? parseTime(value) : undefined;
  if (instant === undefined) throw wrong(field, 'an ISO-8601 time such as 2026-02-02T08:00:00Z', value);
  return new Date(instant).toISOString();
}

/** Milliseconds since the epoch; undefined when the text is no time, or a day that its month does not have. */
function parseTime(text: string): number | undefined {
  if (!TIME.test(text)) return undefined;
  const day = text.slice(0, 10);
  const clock = text.slice(11).toUpperCase().replace(',', '.') || '00:00';
  const midnight = Date.parse(`${day}T00:00Z`);
  const instant = Date.parse(`${day}T${clock}${/(?:Z|[+-]\d\d:?\d\d)$/.test(clock) ? '' : 'Z'}`);
  if (!(instant >= 0 && instant < END_OF_TIME) || !new Date(midnight).toISOString().startsWith(day)) return undefined;
  return instant;
}

function zoneName(value: string | number | null | undefined): string {
  if (value == null) return 'UTC';
  if (typeof value === 'string' && findZone(value) !== undefined) return value;
  throw wrong('timezone', 'the name of an IANA time zone such as Europe/Berlin', value);
}

function cronText(value: string | number): string {
  if (typeof value !== 'string') throw wrong('cron_expression', 'a text', value);
  try {
    const rule = parseCron(value);
    if (nextMatch(rule, 0) === undefined) {
      throw invalid(`cron_expression never fires: no month it names has a day it names, got "${value}"`);
    }
    return value.trim();
  } catch (failure) {
    if (failure instanceof CronFault) throw invalid(`cron_expression: ${failure.message}`);
    throw failure;
  }
}

function wrong(field: string, expected: string, got: string | number | null | undefined): AosError {
  return invalid(`${field} must be ${expected}, got ${got === undefined ? 'nothing' : JSON.stringify(got)}`);
}

function invalid(message: string): AosError {
  return new AosError('unprocessable', message, { reason: 'INVALID_SCHEDULE' });
}

/**
 * The first planned time strictly after an instant; undefined when there is none any more.
 * @param anchor when the job was written down: an interval without a `start_date` counts from here
 */
export function nextTime(schedule: Schedule, anchor: number, after: number): number | undefined {
  const start = schedule.start_date === null ? undefined : Date.parse(schedule.start_date);
  const end = schedule.end_date === null ? END_OF_TIME - 1 : Date.parse(schedule.end_date);
  const from = start === undefined ? after : Math.max(after, start - 1);
  const planned = planAfter(schedule, start ?? anchor, from);
  return planned === undefined || planned > end ? undefined : planned;
}

function planAfter(schedule: Schedule, origin: number, after: number): number | undefined {
  const { schedule_type: type, run_at: runAt, interval_seconds: seconds } = schedule;
  if (type === 'once') {
    const at = Date.parse(runAt ?? '');
    return at > after ? at : undefined;
  }
  if (type === 'interval') {
    const every = (seconds ?? 0) * 1000;
    return origin + Math.max(0, Math.floor((after - origin) / every) + 1) * every;
  }
  const zone = findZone(schedule.timezone);
  if (zone === undefined) throw new Error(`the zone ${schedule.timezone} is not known to this build of Node`);
  return nextInZone(ruleOf(schedule), zone, after);
}

function ruleOf({ minute, hour, cron_expression: expression }: Schedule): CronRule {
  return parseCron(expression ?? `${minute} ${hour ?? '*'} * * *`);
}

/** A local time that occurs twice counts once, one that is skipped counts when the clock is put forward. */
function nextInZone(rule: CronRule, zone: Zone, after: number): number | undefined {
  for (let from = zone.nextLocal(after); ; from += 1000) {
    const local = nextMatch(rule, from);
    if (local === undefined) return undefined;
    const instant = zone.instantOf(local);
    if (instant > after) return instant;
    from = local;
  }
}

/** Up to `count` planned times after an instant, in order. */
export function upcoming(schedule: Schedule, anchor: number, after: number, count: number): number[] {
  const times: number[] = [];
  for (let time = nextTime(schedule, anchor, after); time !== undefined; time = nextTime(schedule, anchor, time)) {
    times.push(time);
    if (times.length >= count) break;
  }
  return count === 0 ? [] : times;
}

/**
 * The first planned time of a schedule that begins now. That of `once` may have passed; it is for the misfire rule.
 * @throws AosError INVALID_SCHEDULE when it would never fire
 */
export function firstTime(schedule: Schedule, now: number): number {
  const after = schedule.schedule_type === 'once' ? Date.parse(schedule.run_at ?? '') - 1 : now;
  const first = nextTime(schedule, now, after);
  if (first === undefined) {
    const bounds = [schedule.start_date ?? 'now', schedule.end_date ?? 'the end of time'];
    throw invalid(`the schedule never fires: it has no time between ${bounds.join(' and ')}`);
  }
  return first;
}
