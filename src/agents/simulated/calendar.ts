/**
 * Periods as people write them (`Q1-2026`, `2026-H1`, `2026-03`, `FY2026`) and the date arithmetic the simulated model
 * does with them. Days are ISO dates; all of it is calendar arithmetic in UTC.
 */
export interface Period {
  /** As it was written. */
  readonly label: string;
  /** First and last day, ISO dates. */
  readonly start: string;
  readonly end: string;
}

const DAY_MS = 86_400_000;

const PATTERNS: readonly { readonly pattern: RegExp; readonly months: (part: number) => readonly [number, number] }[] =
  [
    { pattern: /\bQ(?<part>[1-4])[\s/_-]*(?:FY)?(?<year>20\d\d)\b/i, months: quarter },
    { pattern: /\b(?:FY)?(?<year>20\d\d)[\s/_-]*Q(?<part>[1-4])\b/i, months: quarter },
    { pattern: /\bH(?<part>[12])[\s/_-]*(?:FY)?(?<year>20\d\d)\b/i, months: half },
    { pattern: /\b(?:FY)?(?<year>20\d\d)[\s/_-]*H(?<part>[12])\b/i, months: half },
    { pattern: /\b(?<year>20\d\d)-(?<part>0[1-9]|1[0-2])\b(?!-\d)/, months: (month) => [month, month] },
    { pattern: /\bFY[\s_-]*(?<year>20\d\d)\b/i, months: () => [1, 12] },
  ];

function quarter(part: number): readonly [number, number] {
  return [part * 3 - 2, part * 3];
}

function half(part: number): readonly [number, number] {
  return [part * 6 - 5, part * 6];
}

/** The first period a text names; calendar years, because nobody told us of another fiscal one. */
export function periodIn(text: string): Period | undefined {
  for (const { pattern, months } of PATTERNS) {
    const found = pattern.exec(text);
    const year = Number(found?.groups?.['year']);
    if (found === null || Number.isNaN(year)) continue;
    const [first, last] = months(Number(found.groups?.['part'] ?? 0));
    return { label: found[0], start: isoDay(Date.UTC(year, first - 1, 1)), end: isoDay(Date.UTC(year, last, 0)) };
  }
  return undefined;
}

/** Days of the period, both ends included. */
export function daysIn(period: Period): number {
  return daysBetween(period.start, period.end) + 1;
}

export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / DAY_MS);
}

export function addDays(day: string, days: number): string {
  return isoDay(Date.parse(day) + days * DAY_MS);
}

/** Where today lies in the period, in words. */
export function positionIn(period: Period, today: string): string {
  const until = daysBetween(today, period.start);
  const left = daysBetween(today, period.end);
  const span = `${period.start} to ${period.end}, ${daysIn(period)} days`;
  if (until > 0) return `${period.label} runs ${span}; it begins in ${weeks(until)}`;
  if (left < 0) return `${period.label} ran ${span}; it ended ${weeks(-left)} ago`;
  const gone = Math.round((100 * (daysIn(period) - left)) / daysIn(period));
  return `${period.label} runs ${span}; ${leftOver(left)} (${gone} % of it is gone)`;
}

/**
 * The day by which something should be done: `share` of the way through what is left of the period, or that share of
 * 12 weeks from today when there is no period ahead.
 */
export function dueDay(period: Period | undefined, today: string, share: number): string {
  const over = period === undefined || daysBetween(today, period.end) < 7;
  const from = over || today > period.start ? today : period.start;
  const days = over ? 84 : daysBetween(from, period.end);
  return addDays(from, Math.round(days * share));
}

function leftOver(days: number): string {
  return days === 0 ? 'today is its last day' : `${weeks(days)} ${days === 1 ? 'is' : 'are'} left`;
}

function weeks(days: number): string {
  if (days < 14) return days === 1 ? '1 day' : `${days} days`;
  return `${Math.round(days / 7)} weeks`;
}

function isoDay(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 10);
}
