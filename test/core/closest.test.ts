import { expect, test } from 'vitest';
import { closest } from '../../src/core/closest.ts';

const words = ['ceo', 'cfo', 'collaborative', 'sequential', 'agent_ids'];

test.each([
  ['cof', 'cfo'],
  ['CEO', 'ceo'],
  ['colaborative', 'collaborative'],
  ['seqential', 'sequential'],
  ['agent_id', 'agent_ids'],
  ['agents_id', 'agent_ids'],
  ['xyz', undefined],
  ['swarm', undefined],
  ['', undefined],
  ['c'.repeat(1_000_000), undefined],
])('the word meant by %.20s is %s', (given, word) => {
  expect(closest(given, words, '%s')).toBe(word ?? '');
});

test('the word stands in the sentence where it is wanted', () => {
  expect(closest('cof', words, ', did you mean "%s"?')).toBe(', did you mean "cfo"?');
});
