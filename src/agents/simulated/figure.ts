/**
 * What a task says in figures, dates and names, wherever in its data they stand. Reads keys as names, understands
 * numbers written as text (`"€1.2M"`, `"12 %"`), and finds them inside sentences as well.
 */
import type { JsonValue } from '../../core/json.ts';
import { type Period, periodIn } from './calendar.ts';

export interface Figure {
  /** Keys from the root, e.g. `["regions", "emea"]`. */
  readonly path: readonly string[];
  /** The last key in words: `new customers`. */
  readonly name: string;
  readonly value: number;
  /** A share is written in per cent; its value 1 is the whole. */
  readonly isShare: boolean;
  /** `$`, `€`, `USD` … when the task says so, else ''. */
  readonly currency: string;
}

export interface Fact {
  readonly name: string;
  readonly text: string;
}

export interface TaskData {
  readonly figures: readonly Figure[];
  /** Short texts that are neither figures nor dates: names of things. */
  readonly facts: readonly Fact[];
  readonly dates: readonly Fact[];
  readonly period: Period | undefined;
}

/** `$ 1,234.5 k`: currency, number, scale or per cent. */
const NUMBER =
  /(?<![\w.-])(?<currency>[$€£¥]|(?:USD|EUR|GBP|CHF)\s)?\s?(?<digits>-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?)\s?(?<scale>%|percent\b|k\b|m\b|mn\b|million\b|bn\b|b\b|billion\b)?\s?(?<after>USD|EUR|GBP|CHF|€)?(?![\w])/gi;
const SCALES: Record<string, number> = {
  '%': 0.01,
  percent: 0.01,
  k: 1e3,
  m: 1e6,
  mn: 1e6,
  million: 1e6,
  bn: 1e9,
  b: 1e9,
  billion: 1e9,
};
const ISO_DATE = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:?\d{2})?)?$/;
const SHARE_NAME =
  /\b(rate|margin|share|churn|growth|ratio|pct|percent|percentage|utili[sz]ation|conversion|retention)\b/;
/** Words beside a number in a sentence that do not name it. */
const FUNCTION_WORD =
  /^(a|an|the|of|is|was|are|were|at|to|by|in|on|our|we|have|has|had|with|about|from|and|or|for|up|down|per|than|over|under|around|only|some)$/i;
/** Longer texts are sentences, not names. */
const NAME_LENGTH = 60;
/** A task may be megabytes long; what follows is quadratic in places and the answer mentions a handful. */
const MAX_FIGURES = 500;
const MAX_PROSE = 20_000;
/** Where the words beside a number are looked for. */
const VICINITY = 80;

export function readTaskData(...sources: readonly JsonValue[]): TaskData {
  const figures: Figure[] = [];
  const facts: Fact[] = [];
  const dates: Fact[] = [];
  let named: { readonly period: Period; readonly depth: number } | undefined;

  // The task's own period stands higher up than those of its history; among equals the latest is meant.
  const notePeriod = (text: string, depth: number): boolean => {
    const period = periodIn(text);
    if (period === undefined) return false;
    const isBetter =
      named === undefined || depth < named.depth || (depth === named.depth && period.end > named.period.end);
    if (isBetter) named = { period, depth };
    return true;
  };
  const visit = (value: JsonValue, path: readonly string[]) => {
    if (figures.length >= MAX_FIGURES || facts.length >= MAX_FIGURES) return;
    const key = path.at(-1) ?? '';
    notePeriod(key, path.length);
    if (typeof value === 'number') figures.push(figureOf(path, value));
    else if (typeof value === 'string') visitText(value, path);
    else if (Array.isArray(value)) value.forEach((item, index) => void visit(item, [...path, labelOf(item, index)]));
    else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value)) visit(member, [...path, name]);
    }
  };
  const visitText = (text: string, path: readonly string[]) => {
    const name = wordsOf(path.at(-1) ?? '');
    const namesPeriod = notePeriod(text, path.length);
    if (ISO_DATE.test(text)) dates.push({ name, text: text.slice(0, 10) });
    else if (namesPeriod && text.length < NAME_LENGTH / 2) return;
    else {
      const found = [...text.slice(0, MAX_PROSE).matchAll(NUMBER)];
      const whole = found.length === 1 && found[0]?.[0].trim() === text.trim() ? found[0] : undefined;
      if (whole !== undefined) figures.push(figureOf(path, ...parsed(whole)));
      else {
        for (const match of found) if (isMeasure(text, match)) figures.push(proseFigure(path, text, match));
        if (text.length <= NAME_LENGTH && text.trim() !== '') facts.push({ name, text });
      }
    }
  };
  for (const source of sources) visit(source, []);
  return { figures, facts, dates, period: named?.period };
}

/** A figure as people write it: `4.2 M`, `31.4 %`, `1,250`. */
export function written(figure: Pick<Figure, 'value' | 'isShare' | 'currency'>): string {
  if (figure.isShare) return percent(figure.value);
  const prefix = figure.currency.length > 1 ? `${figure.currency} ` : figure.currency;
  return `${figure.value < 0 ? '−' : ''}${prefix}${amount(Math.abs(figure.value))}`;
}

export function percent(share: number): string {
  return `${trimmed(share * 100, 1)} %`;
}

export function amount(value: number): string {
  if (Math.abs(value) >= 1e9) return `${trimmed(value / 1e9, 2)} bn`;
  if (Math.abs(value) >= 1e6) return `${trimmed(value / 1e6, 2)} M`;
  const digits = Math.abs(value) >= 100 ? 0 : 2;
  return trimmed(value, digits).replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ',');
}

function trimmed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return digits === 0 ? text : text.replace(/\.?0+$/, '');
}

/** `new_customers` and `newCustomers` are both `new customers`. */
export function wordsOf(key: string): string {
  return key
    .slice(0, NAME_LENGTH)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_\-.]+/g, ' ')
    .trim()
    .toLowerCase();
}

function figureOf(path: readonly string[], value: number, currency = '', isPercent = false): Figure {
  const name = wordsOf(path.at(-1) ?? 'value');
  const named = SHARE_NAME.test(name);
  // `churn: 2.5` and `churn_pct: 2.5` mean per cent, `churn: 0.025` is already a share.
  const inPercent = named && !isPercent && (Math.abs(value) > 1 || /\b(pct|percent|percentage)\b/.test(name));
  return { path, name, value: inPercent ? value / 100 : value, isShare: named || isPercent, currency };
}

function proseFigure(path: readonly string[], text: string, match: RegExpExecArray): Figure {
  const before = /(?<![\p{L}\d.])((?:\p{L}+[\s:=]+){1,3})$/u.exec(wordsBefore(text, match))?.[1];
  const words = (before ?? '').split(/[\s:=]+/).filter((word) => word !== '' && !FUNCTION_WORD.test(word));
  const after = /^\s+(\p{L}+)/u.exec(text.slice(match.index + match[0].length).slice(0, VICINITY))?.[1];
  const name =
    words.length > 0 ? words.join('_') : after !== undefined && !FUNCTION_WORD.test(after) ? after : 'figure';
  return figureOf([...path.slice(0, -1), name], ...parsed(match));
}

function wordsBefore(text: string, { index }: RegExpExecArray): string {
  return text.slice(Math.max(0, index - VICINITY), index);
}

function parsed(match: RegExpExecArray): [value: number, currency: string, isPercent: boolean] {
  const scale = match.groups?.['scale']?.toLowerCase() ?? '';
  const value = Number((match.groups?.['digits'] ?? '0').replaceAll(',', '')) * (SCALES[scale] ?? 1);
  const currency = (match.groups?.['currency'] ?? match.groups?.['after'] ?? '').trim();
  return [Number(value.toPrecision(12)), currency, scale === '%' || scale === 'percent'];
}

/** In a sentence, a bare small number or a year is more often a count of words than a figure, unless it is stated. */
function isMeasure(text: string, match: RegExpExecArray): boolean {
  if (/\b(is|are|was|were|=|:)\s*$/i.test(wordsBefore(text, match))) return true;
  const { currency, scale, after, digits = '' } = match.groups ?? {};
  if (currency !== undefined || scale !== undefined || after !== undefined) return true;
  return Number(digits.replaceAll(',', '')) > 12 && !/^(19|20)\d\d$/.test(digits);
}

/** Items of a list are known by their own name where they have one. */
function labelOf(item: JsonValue, index: number): string {
  if (typeof item === 'object' && item !== null && !Array.isArray(item)) {
    for (const key of ['name', 'id', 'label', 'title', 'period', 'quarter', 'month', 'year', 'region', 'product']) {
      const name = item[key];
      if (typeof name === 'string' || typeof name === 'number') return String(name);
    }
  }
  return `${index + 1}`;
}
