/**
 * Arithmetic between instants and the local times of an IANA zone. A local time is written as the milliseconds that
 * the same date and time would be in UTC, so that calendar arithmetic on it is that of UTC.
 *
 * The one rule for clock changes: a local time that occurs twice is its first occurrence, one that is skipped is the
 * instant at which the clock was put forward.
 */
const DAY_MS = 86_400_000;
/** No zone has changed its clocks twice within a week since 1970. */
const STRIDE_MS = 5 * DAY_MS;

export interface Zone {
  readonly name: string;
  /** The local time at an instant. */
  localAt(instant: number): number;
  /** The instant of a local time, by the rule above. */
  instantOf(local: number): number;
  /**
   * The earliest local time that has not begun by an instant: of a local time before it the instant is not later. It
   * differs from the next millisecond of local time only while an hour is repeated.
   */
  nextLocal(instant: number): number;
}

/** Part of the zone's history with one distance from UTC; `end` is exclusive. */
interface Period {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

/** By the name in lower case: there are only so many zones. */
const zones = new Map<string, Zone>();

/** The zone of an IANA name, in any case; undefined when there is none of that name. */
export function findZone(name: string): Zone | undefined {
  const key = name.toLowerCase();
  const known = zones.get(key);
  if (known !== undefined) return known;
  // Intl also takes distances from UTC ("+02:00"), which are not zones: they know no clock changes.
  if (!/^[a-z]/.test(key)) return undefined;
  try {
    const zone = createZone(name);
    zones.set(key, zone);
    return zone;
  } catch (failure) {
    if (failure instanceof RangeError) return undefined;
    throw failure;
  }
}

function createZone(name: string): Zone {
  const offsetAt = offsetReader(name);
  const years = new Map<number, readonly number[]>();

  /** The instants of clock changes in a year (UTC): looked for once, every few days. */
  function changesIn(year: number): readonly number[] {
    const known = years.get(year);
    if (known !== undefined) return known;
    const changes: number[] = [];
    const end = Date.UTC(year + 1, 0, 1);
    let before = Date.UTC(year, 0, 1);
    let offset = offsetAt(before);
    while (before < end) {
      const after = Math.min(before + STRIDE_MS, end);
      const next = offsetAt(after);
      if (next !== offset) changes.push(changeBetween(before, after, offset));
      [before, offset] = [after, next];
    }
    years.set(year, changes);
    return changes;
  }

  function changeBetween(before: number, after: number, offset: number): number {
    let [low, high] = [before, after];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offsetAt(middle) === offset) low = middle;
      else high = middle;
    }
    return high;
  }

  /** The periods that begin within two days around an instant, and the one before them, in order. */
  function periodsAround(instant: number): readonly Period[] {
    const [from, to] = [instant - 2 * DAY_MS, instant + 2 * DAY_MS];
    const years = new Set([new Date(from).getUTCFullYear(), new Date(to).getUTCFullYear()]);
    const changes = [...years].flatMap(changesIn).filter((change) => change > from && change <= to);
    const starts = [Number.NEGATIVE_INFINITY, ...changes];
    return starts.map((start, index) => ({
      start,
      end: starts[index + 1] ?? Number.POSITIVE_INFINITY,
      offset: offsetAt(index === 0 ? from : start),
    }));
  }

  const offsetOf = (periods: readonly Period[], instant: number): number =>
    periods.findLast(({ start }) => start <= instant)?.offset ?? 0;

  return {
    name,
    localAt: (instant) => instant + offsetOf(periodsAround(instant), instant),
    instantOf(local) {
      for (const { start, end, offset } of periodsAround(local)) {
        const instant = local - offset;
        if (instant < end) return Math.max(instant, start);
      }
      return local;
    },
    nextLocal(instant) {
      const periods = periodsAround(instant);
      const shown = periods.filter(({ end }) => end <= instant).map(({ end, offset }) => end + offset);
      return Math.max(instant + offsetOf(periods, instant) + 1, ...shown);
    },
  };
}

/** Reads the distance from UTC at an instant, in milliseconds, from the time zone data that Node brings. */
function offsetReader(timeZone: string): (instant: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (instant) => {
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = format
      .format(instant)
      .split(/\D+/)
      .map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(instant / 1000) * 1000;
  };
}
