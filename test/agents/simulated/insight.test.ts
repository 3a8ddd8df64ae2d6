import { describe, expect, test } from 'vitest';
import { readTaskData } from '../../../src/agents/simulated/figure.ts';
import { insightsOf } from '../../../src/agents/simulated/insight.ts';
import type { JsonValue } from '../../../src/core/json.ts';

describe('what follows from figures', () => {
  test.each<[string, JsonValue, string[]]>([
    ['a margin', { revenue: 200, costs: 150 }, ['revenue 200 less costs 150 leaves 50, a margin of 25 %']],
    ['a margin of profit', { sales: 200, ebitda: 20 }, ['ebitda 20 on sales 200 is a margin of 10 %']],
    ['a runway', { cash: 1200, burn: 100 }, ['cash 1,200 at a burn of 100 a month lasts 12 months']],
    ['a yearly burn', { cash: 1200, annual_burn: 1200 }, ['cash 1,200 at a burn of 1,200 a year lasts 12 months']],
    [
      'a loss of a quarter',
      { quarter: 'Q1-2026', revenue: 100, costs: 400, cash: 1000 },
      [
        'revenue 100 less costs 400 leaves −300, a margin of -300 %',
        'costs exceed revenue by 300 in Q1-2026; at that pace cash 1,000 lasts 9.9 months',
      ],
    ],
    ['growth', { revenue: 110, previous_revenue: 100 }, ['revenue is up 10 %: 100 (previous revenue) to 110']],
    ['a gap', { revenue: 90, target_revenue: 100 }, ['revenue 90 is 10 % below target revenue 100']],
    ['a plan that is met', { revenue: 100, planned_revenue: 100 }, ['revenue 100 is exactly on planned revenue 100']],
    ['a series', { revenue: { 'Q1-2025': 100, 'Q2-2025': 80 } }, ['revenue is down 20 %: 100 (Q1-2025) to 80']],
    [
      'a list',
      [
        { quarter: 'Q1-2025', orders: 10 },
        { quarter: 'Q2-2025', orders: 15 },
      ],
      ['orders is up 50 %: 10 (Q1-2025) to 15'],
    ],
    ['parts', { data: { regions: { emea: 30, apac: 10 } } }, ['regions add up to 40; emea is the largest with 75 %']],
    [
      'a unit cost',
      { marketing_spend: 1000, new_customers: 20 },
      ['acquisition cost per new customer is 50 (1,000 over 20)'],
    ],
    ['nothing of nothing', { quarter: 'Q1-2026' }, []],
    ['nothing of one figure', { revenue: 100 }, []],
    ['nothing where one would divide by zero', { revenue: 0, costs: 10, headcount: 0, previous_revenue: 0 }, []],
  ])('%s', (_name, data, expected) => {
    expect(insightsOf(readTaskData(data)).map((insight) => insight.text)).toEqual(expected);
  });
});
