import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cue, cuesBefore, smallWords } from '../../../src/governance/screening/cue.ts';

const tested = cue('zyxphones?|ключ|暗号|q/z|zyx');

/** What a cue means, said slowly. */
const small = smallWords.map((word) => RegExp.escape(word)).join('|');
const words = tested.words.map((word) => RegExp.escape(word)).join('|');
const attached = '(?=(?:number|num|nr|no|nummer|numero|id|code|value|field)s?(?![a-zà-ÿ]))';
const meant = new RegExp(
  `(?<![a-z0-9à-ÿ])(?:${words})(?:(?![a-zà-ÿ])|${attached})(?:[^\\p{L}\\p{N}\\n]|(?:${small})(?![a-z])){0,12}$`,
  'u',
);

describe('a cue', () => {
  it.each([
    ['zyxphone', true],
    ['my zyxphone no. is: ', true],
    ['{"zyxphonenumber":"', true],
    ['zyxphone of the customer ', false],
    ['azyxphone ', false],
    ['zyxphone\n', false],
    ['zyxphone ...........', true],
    ['zyxphone ............', false],
    ['zyxphone noa ', false],
    ['zyxphoneno ', true],
    ['zyxphonees ', false],
    ['暗号は', true],
    ['', false],
  ])('before a value: %j: %s', (left, stands) => {
    expect(cuesBefore(left).has(tested)).toBe(stands);
  });

  it('is found wherever it stands, and nowhere else', () => {
    const parts = [
      ...tested.words,
      ...smallWords,
      ' ',
      '  ',
      ': ',
      '"',
      '.',
      '\n',
      '😀',
      '\ud83d',
      'a',
      '1',
      'é',
      '名',
      '𝒂',
    ];
    const lefts = fc.array(fc.constantFrom(...parts), { maxLength: 18 }).map((some) => some.join(''));
    fc.assert(
      fc.property(lefts, (left) => cuesBefore(left).has(tested) === meant.test(left)),
      { numRuns: 2000 },
    );
  });
});
