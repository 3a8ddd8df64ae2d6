import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { letteredIds, numericIds } from '../../../../src/governance/screening/detector/national-id.ts';
import {
  createFormReader,
  looksOf,
  type NationalId,
} from '../../../../src/governance/screening/detector/national-id-form.ts';

const signs = [...'0123456789', '19', '20', '756', '784', 'A', 'X', 'é', ' ', '-', '.', '/', '+', '(', ')', '_', '\n'];

/** Texts that have the form of an id, or nearly. */
function texts(ids: readonly NationalId[]): fc.Arbitrary<{ readonly text: string; readonly at: number }> {
  const values = fc.oneof(
    ...ids.map(({ form }) => fc.stringMatching(new RegExp(`^(?:${form.source.replace(/\(\?!.*\)$/, '')})$`))),
  );
  const rest = fc.array(fc.constantFrom(...signs), { maxLength: 4 });
  return fc
    .tuple(fc.constantFrom('', ' '), values, rest)
    .map(([before, value, after]) => ({ text: before + value + after.join(''), at: before.length }));
}

const formAt = ({ form }: NationalId, text: string, at: number): string | undefined => {
  form.lastIndex = at;
  return form.exec(text)?.[0];
};

describe.each([
  ['begin with a digit', numericIds],
  ['begin with a letter', letteredIds],
])('of ids that %s', (_name, ids) => {
  it('one look tells all forms that stand at a place', () => {
    const valuesAt = createFormReader(ids);
    fc.assert(
      fc.property(texts(ids), ({ text, at }) => {
        const values = valuesAt(text, at);
        expect(ids.map((id) => values.get(id))).toEqual(ids.map((id) => formAt(id, text, at)));
      }),
      { numRuns: 500 },
    );
  });

  it('none that needs no cue is overlooked', () => {
    const alone = ids.filter((id) => id.alone !== undefined);
    const looks = looksOf(alone);
    fc.assert(
      fc.property(texts(alone), ({ text, at }) => {
        looks.lastIndex = at;
        const isSeen = looks.test(text);
        const counts = alone.some((id) => id.alone?.form.test(formAt(id, text, at) ?? '') === true);
        expect(isSeen || !counts).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
