import { expect, it } from 'vitest';
import { covers, precision } from '../../src/governance/glob.ts';

it.each([
  ['fabric:*', 'fabric:crm:update', true],
  ['fabric:crm:*', 'fabric:crm:update', true],
  ['fabric:*:update', 'fabric:crm:update', true],
  ['fabric:*:update', 'fabric:crm:delete', false],
  ['*', 'anything', true],
  ['tool:refund', 'tool:refund', true],
  ['tool:refund', 'tool:refunds', false],
  ['tool:*s', 'tool:s', true],
  ['ab*ba', 'aba', false],
  ['a*b*c', 'a-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['fabric:*', 'tool:fabric:x', false],
])('the pattern %s and the name %s', (pattern, name, expected) => {
  expect(covers(pattern, name)).toBe(expected);
});

it('takes the pattern that says more for the more precise', () => {
  const patterns = ['*', 'fabric:*', 'fabric:crm:*', 'fabric:crm:update*', 'fabric:crm:update'];
  expect(patterns.toSorted((one, other) => precision(one) - precision(other))).toEqual(patterns);
});
