import { describe, expect, it, test } from 'vitest';
import { amount, percent, readTaskData, written } from '../../../src/agents/simulated/figure.ts';
import { insightsOf } from '../../../src/agents/simulated/insight.ts';
import type { JsonValue } from '../../../src/core/json.ts';

const figures = (data: JsonValue) => readTaskData(data).figures.map((figure) => `${figure.name} = ${written(figure)}`);

describe('the figures of a task', () => {
  test.each<[JsonValue, string[]]>([
    [{ revenue: 4_200_000 }, ['revenue = 4.2 M']],
    [{ data: { newCustomers: 120, burn_monthly: 350_000 } }, ['new customers = 120', 'burn monthly = 350,000']],
    [
      { cash: '€6.5M', cost: '1,200.50', share: '12 %', loss: -3000 },
      ['cash = €6.5 M', 'cost = 1,201', 'share = 12 %', 'loss = −3,000'],
    ],
    [{ churn: 2.5, churn_rate: 0.025, margin_pct: 31 }, ['churn = 2.5 %', 'churn rate = 2.5 %', 'margin pct = 31 %']],
    [
      [
        { name: 'emea', sales: 10 },
        { name: 'apac', sales: 5 },
      ],
      ['sales = 10', 'sales = 5'],
    ],
    [
      { prompt: 'Revenue was $4.2M with 45 employees since 2019, in 3 offices; headcount is 7.' },
      ['revenue = $4.2 M', 'employees = 45', 'headcount = 7'],
    ],
    [{ version: 'v1.2.3', id: 'a-17', day: '2026-03-01' }, []],
    [{ flag: true, nothing: null, text: '' }, []],
  ])('of %j are %j', (data, expected) => {
    expect(figures(data)).toEqual(expected);
  });

  it('are bounded, however large the task', () => {
    const many = readTaskData(Array.from({ length: 100_000 }, (_, index) => ({ name: `n${index}`, revenue: index })));
    expect(many.figures.length).toBeLessThanOrEqual(500);
    expect(insightsOf(many).length).toBeLessThan(501);
    expect(readTaskData('our 100 '.repeat(500_000)).figures.length).toBeLessThan(3000);
  });

  it('come with the dates, names and the period it is about', () => {
    const data = readTaskData({
      type: 'review',
      data: {
        quarter: 'Q1-2026',
        history: [{ quarter: 'Q4-2025', revenue: 1 }],
        due: '2026-03-01T10:00:00Z',
        owner: 'Ada',
      },
    });
    expect(data.period?.label).toBe('Q1-2026');
    expect(data.dates).toEqual([{ name: 'due', text: '2026-03-01' }]);
    expect(data.facts).toEqual([
      { name: 'type', text: 'review' },
      { name: 'owner', text: 'Ada' },
    ]);
  });
});

test.each([
  [0, '0'],
  [12.5, '12.5'],
  [1234, '1,234'],
  [999_999, '999,999'],
  [1_234_567, '1.23 M'],
  [2e9, '2 bn'],
])('%s is written %s', (value, text) => expect(amount(value)).toBe(text));

test.each([
  [0.314, '31.4 %'],
  [0.5, '50 %'],
  [-0.07, '-7 %'],
])('the share %s is written %s', (value, text) => expect(percent(value)).toBe(text));
