import { expect, test } from 'vitest';
import { exposed, formatFamilies } from '../../src/api/exposition.ts';

test('families are written one after the other, each with its help, type and samples', () => {
  const text = formatFamilies([
    exposed('aos_a', 'gauge', 'First\nline', [{ value: 1.5 }, { labels: { x: 'a"b\\c\nd' }, value: 0 }]),
    exposed('aos_b', 'histogram', 'Second', [{ suffix: '_bucket', labels: { le: '+Inf' }, value: 3 }]),
  ]);
  expect(text).toBe(
    [
      '# HELP aos_a First\\nline',
      '# TYPE aos_a gauge',
      'aos_a 1.5',
      'aos_a{x="a\\"b\\\\c\\nd"} 0',
      '# HELP aos_b Second',
      '# TYPE aos_b histogram',
      'aos_b_bucket{le="+Inf"} 3',
      '',
    ].join('\n'),
  );
});

test.each([
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
  [Number.NaN, 'NaN'],
])('%d is written %s', (value, written) => {
  expect(formatFamilies([exposed('x', 'gauge', '', [{ value }])])).toContain(`x ${written}\n`);
});
