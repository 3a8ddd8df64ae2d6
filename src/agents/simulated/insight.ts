/**
 * What follows from the figures of a task by arithmetic: margins, growth, shares, gaps to plan, runway, unit figures.
 * Each insight shows its arithmetic, so that a reader can check it. Nothing is estimated.
 */
import { daysIn } from './calendar.ts';
import { amount, type Figure, percent, type TaskData, wordsOf, written } from './figure.ts';

export type Topic = 'margin' | 'runway' | 'growth' | 'gap' | 'share' | 'unit' | 'total';

export interface Insight {
  readonly topic: Topic;
  readonly text: string;
  /** The number behind it, where proposals depend on it: a share, or months for a runway. */
  readonly value: number;
  /** What it is about, e.g. `revenue`. */
  readonly about: string;
}

/** The measures the rules know, by the words people use for them. First match wins. */
const MEASURES = {
  marketing: /\b(marketing|ad|ads|advertising|campaign)\b.*\b(spend|cost|costs|budget)\b|\bcac spend\b/,
  newCustomers: /\b(new|acquired|added)\b.*\b(customers?|clients?|accounts?|users?)\b/,
  burn: /\bburn\b/,
  cash: /\b(cash|liquidity|bank balance)\b/,
  revenue: /\b(revenues?|sales|turnover|mrr|arr)\b/,
  cost: /\b(costs?|expenses?|opex|cogs|spend|spending)\b/,
  profit: /\b(profit|ebitda|ebit|net income)\b/,
  customers: /\b(customers?|clients?|accounts?|users?|subscribers?)\b/,
  headcount: /\b(headcount|employees|staff|ftes?|people)\b/,
  churn: /\b(churn|attrition)\b/,
} as const;
export type Measure = keyof typeof MEASURES;

const REFERENCE = /\b(target|plan|planned|budget|budgeted|forecast|goal|previous|prior|last|before|py|ly)\b/;
const PREVIOUS = /\b(previous|prior|last|before|py|ly)\b/;

/** The figure of a measure, leaving out targets and figures of earlier periods. */
export function measureIn(data: TaskData, measure: Measure): Figure | undefined {
  return data.figures.find(
    (figure) => measureOf(figure) === measure && !REFERENCE.test(figure.name) && isCurrent(figure, data),
  );
}

export function insightsOf(data: TaskData): readonly Insight[] {
  return [
    ...marginsOf(data),
    ...runwayOf(data),
    ...comparisonsOf(data),
    ...seriesOf(data),
    ...unitsOf(data),
    ...sharesOf(data),
  ];
}

function measureOf(figure: Figure): Measure | undefined {
  if (figure.isShare && !MEASURES.churn.test(figure.name)) return undefined;
  const names = Object.keys(MEASURES) as Measure[];
  return names.find((measure) => MEASURES[measure].test(figure.name));
}

/** Figures under the key of another period than the task's are history. */
function isCurrent(figure: Figure, data: TaskData): boolean {
  const siblings = data.figures.filter((other) => isSeriesSibling(figure, other));
  return (
    siblings.length === 0 || siblings.every((other) => data.figures.indexOf(other) <= data.figures.indexOf(figure))
  );
}

function marginsOf(data: TaskData): Insight[] {
  const revenue = measureIn(data, 'revenue');
  const cost = measureIn(data, 'cost');
  const profit = measureIn(data, 'profit');
  if (revenue === undefined || revenue.value === 0) return [];
  if (cost !== undefined) {
    const result = revenue.value - cost.value;
    const margin = result / revenue.value;
    return [
      {
        topic: 'margin',
        about: 'revenue',
        value: margin,
        text: `${revenue.name} ${written(revenue)} less ${cost.name} ${written(cost)} leaves ${written({ ...revenue, value: result })}, a margin of ${percent(margin)}`,
      },
    ];
  }
  if (profit === undefined) return [];
  const margin = profit.value / revenue.value;
  return [
    {
      topic: 'margin',
      about: profit.name,
      value: margin,
      text: `${profit.name} ${written(profit)} on ${revenue.name} ${written(revenue)} is a margin of ${percent(margin)}`,
    },
  ];
}

function runwayOf(data: TaskData): Insight[] {
  const cash = measureIn(data, 'cash');
  if (cash === undefined) return [];
  const burn = measureIn(data, 'burn');
  if (burn !== undefined && burn.value > 0) {
    // A burn is per month unless its name says otherwise; that is how people quote it.
    const perMonth = /\b(year|annual|yearly)\b/.test(burn.name) ? 12 : /\bquarter(ly)?\b/.test(burn.name) ? 3 : 1;
    const months = (cash.value / burn.value) * perMonth;
    return [
      {
        topic: 'runway',
        about: 'cash',
        value: months,
        text: `cash ${written(cash)} at a burn of ${written(burn)} a ${perMonth === 1 ? 'month' : perMonth === 3 ? 'quarter' : 'year'} lasts ${amount(round(months, 1))} months`,
      },
    ];
  }
  const revenue = measureIn(data, 'revenue');
  const cost = measureIn(data, 'cost');
  if (revenue === undefined || cost === undefined || cost.value <= revenue.value || data.period === undefined)
    return [];
  const months = (cash.value / (cost.value - revenue.value)) * (daysIn(data.period) / 30.4);
  return [
    {
      topic: 'runway',
      about: 'cash',
      value: months,
      text: `costs exceed revenue by ${written({ ...cost, value: cost.value - revenue.value })} in ${data.period.label}; at that pace cash ${written(cash)} lasts ${amount(round(months, 1))} months`,
    },
  ];
}

/** `revenue` beside `previous_revenue` or `target_revenue`. */
function comparisonsOf(data: TaskData): Insight[] {
  return data.figures.flatMap((reference): Insight[] => {
    if (!REFERENCE.test(reference.name) || reference.value === 0) return [];
    const subject = bare(reference.name);
    const parent = reference.path.slice(0, -1).join('.');
    const actual = data.figures.find(
      (figure) =>
        figure !== reference &&
        !REFERENCE.test(figure.name) &&
        figure.path.slice(0, -1).join('.') === parent &&
        (figure.name === subject || bare(figure.name.replace(/\b(actual|current)\b/, '')) === subject),
    );
    if (actual === undefined) return [];
    const change = actual.value / reference.value - 1;
    if (PREVIOUS.test(reference.name)) return [growth(actual, reference, change)];
    const verdict = change === 0 ? 'exactly on' : `${percent(Math.abs(change))} ${change > 0 ? 'above' : 'below'}`;
    return [
      {
        topic: 'gap',
        about: actual.name,
        value: change,
        text: `${actual.name} ${written(actual)} is ${verdict} ${reference.name} ${written(reference)}`,
      },
    ];
  });
}

/** The same measure under several periods or list items in order, e.g. one entry a quarter. */
function seriesOf(data: TaskData): Insight[] {
  const seen = new Set<Figure>();
  return data.figures.flatMap((first): Insight[] => {
    if (seen.has(first)) return [];
    const series = [first, ...data.figures.filter((other) => isSeriesSibling(first, other))];
    for (const figure of series) seen.add(figure);
    const last = series.at(-1);
    if (series.length < 2 || last === undefined || first.value === 0) return [];
    return [
      growth(
        { ...last, name: nameInSeries(last) },
        { ...first, name: first.path.find((key) => PERIOD_KEY.test(key)) ?? '' },
        last.value / first.value - 1,
      ),
    ];
  });
}

function growth(to: Figure, from: Figure, change: number): Insight {
  const direction = change === 0 ? 'unchanged' : `${change > 0 ? 'up' : 'down'} ${percent(Math.abs(change))}`;
  return {
    topic: 'growth',
    about: to.name,
    value: change,
    text: `${to.name} is ${direction}: ${written(from)} (${from.name}) to ${written(to)}`,
  };
}

const PERIOD_KEY =
  /^((20\d\d)?[-_ ]?(q[1-4]|h[12])[-_ ]?(20\d\d)?|20\d\d(-\d\d)?|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|month \d+|week \d+)/i;

/** Same place, same measure, another period. */
function isSeriesSibling(figure: Figure, other: Figure): boolean {
  if (figure === other || figure.path.length !== other.path.length || figure.path.length < 2) return false;
  const differing = figure.path.flatMap((key, index) => (key === other.path[index] ? [] : [index]));
  const at = differing[0];
  if (differing.length !== 1 || at === undefined) return false;
  return PERIOD_KEY.test(figure.path[at] ?? '') && PERIOD_KEY.test(other.path[at] ?? '');
}

function nameInSeries(figure: Figure): string {
  return PERIOD_KEY.test(figure.path.at(-1) ?? '') ? wordsOf(figure.path.at(-2) ?? 'value') : figure.name;
}

function unitsOf(data: TaskData): Insight[] {
  const ratio = (over: Measure, under: Measure, text: string): Insight[] => {
    const top = measureIn(data, over);
    const bottom = measureIn(data, under);
    if (top === undefined || bottom === undefined || bottom.value <= 0) return [];
    const value = top.value / bottom.value;
    return [
      {
        topic: 'unit',
        about: text,
        value,
        text: `${text} is ${written({ ...top, value: round(value, 2) })} (${written(top)} over ${written(bottom)})`,
      },
    ];
  };
  return [
    ...ratio('marketing', 'newCustomers', 'acquisition cost per new customer'),
    ...ratio('revenue', 'customers', 'revenue per customer'),
    ...ratio('revenue', 'headcount', 'revenue per head'),
  ];
}

/** Parts of a whole: a group of three or fewer words apart figures that none of the measures names, e.g. by region. */
function sharesOf(data: TaskData): Insight[] {
  const groups = new Map<string, Figure[]>();
  for (const figure of data.figures) {
    if (figure.path.length < 3 || figure.isShare || measureOf(figure) !== undefined) continue;
    if (PERIOD_KEY.test(figure.path.at(-1) ?? '')) continue;
    const parent = figure.path.slice(0, -1).join('.');
    groups.set(parent, [...(groups.get(parent) ?? []), figure]);
  }
  return [...groups.values()].flatMap((parts): Insight[] => {
    const total = parts.reduce((sum, part) => sum + part.value, 0);
    const largest = parts.reduce((most, part) => (part.value > most.value ? part : most));
    if (parts.length < 2 || total <= 0 || parts.some((part) => part.value < 0)) return [];
    const about = wordsOf(largest.path.at(-2) ?? 'parts');
    return [
      {
        topic: 'share',
        about,
        value: largest.value / total,
        text: `${about} add up to ${written({ ...largest, value: total })}; ${largest.name} is the largest with ${percent(largest.value / total)}`,
      },
    ];
  });
}

function bare(name: string): string {
  return name
    .replace(new RegExp(REFERENCE, 'g'), '')
    .replace(/\b(year|quarter|month|period)\b/g, '')
    .replace(/\s+/g, ' ')
    .trim();
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
