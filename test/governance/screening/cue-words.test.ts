import { describe, expect, it } from 'vitest';
import { wordsOf } from '../../../src/governance/screening/cue-words.ts';

describe('the words of a cue', () => {
  it.each([
    ['tel', ['tel']],
    ['a|b', ['a', 'b']],
    ['phones?', ['phone', 'phones']],
    ['cell ?phone', ['cellphone', 'cell phone']],
    ['nacid[oa]', ['nacido', 'nacida']],
    ['t\\.?c', ['tc', 't.c']],
    ['id(?:entity|entification)?', ['id', 'identity', 'identification']],
    [
      '(?:account|a/c) ?(?:no|#)',
      ['accountno', 'account#', 'account no', 'account #', 'a/cno', 'a/c#', 'a/c no', 'a/c #'],
    ],
    ['tel|tel', ['tel']],
  ])('%s are all it stands for', (pattern, words) => {
    expect([...wordsOf(pattern)].sort()).toEqual([...words].sort());
  });

  it.each(['tel.', 'a+', 'a*', '\\d{2}'.slice(2), '^a', 'a$', '(a)'])('%s is not understood', (pattern) => {
    expect(() => wordsOf(pattern)).toThrow(/not understood/);
  });
});
