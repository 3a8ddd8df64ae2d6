import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { calculator } from '../../../src/agents/standard-tools/calculator.ts';
import { evaluate } from '../../../src/agents/standard-tools/expression.ts';

describe('an expression', () => {
  test.each([
    ['17 * 23', 391],
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['10 - 4 - 3', 3],
    ['2 ^ 3 ^ 2', 512],
    ['2 ** 10', 1024],
    ['-2 ^ 2', -4],
    ['(-2) ^ 2', 4],
    ['2 ^ -1', 0.5],
    ['--3', 3],
    ['7 % 4', 3],
    ['-7 % 4', -3],
    ['8 ÷ 2 × 3 − 1', 11],
    ['1e3 + .5', 1000.5],
    ['1_000_000 / 4', 250_000],
    ['sqrt(16) + ABS(-2)', 6],
    ['max(1, 2 + 3, 4)', 5],
    ['min(3)', 3],
    ['round(2.5) + round(-2.5)', 0],
    ['round(1.005, 2)', 1.01],
    ['round(1234.5, -2)', 1200],
    ['log(1000) + ln(e) + log2(8)', 7],
    ['cos(0) + sin(0) + tan(0)', 1],
    ['floor(2.7) + ceil(2.1)', 5],
    ['2pi', undefined],
    ['pi', Math.PI],
  ])('%s', (text, value) => {
    if (value === undefined) expect(() => evaluate(text)).toThrow('expected an operator or the end');
    else expect(evaluate(text)).toBeCloseTo(value, 12);
  });

  test.each([
    ['', 'expected a number, a name or "(" at character 1, got the end'],
    ['1 +', 'expected a number, a name or "(" at character 4, got the end'],
    ['(1', 'expected ")" at character 3, got the end'],
    ['1)', 'expected an operator or the end at character 2, got ")"'],
    ['1 2', 'expected an operator or the end at character 3, got "2"'],
    ['1,5', 'expected an operator or the end at character 2, got ",5"'],
    ['x', 'there is no "x" (there are: pi, e)'],
    ['process.exit()', 'there is no "process"'],
    ['constructor', 'there is no "constructor"'],
    ['toString()', 'there is no function "tostring"'],
    ['sqrt(1, 2)', 'sqrt takes 1 arguments, got 2'],
    ['sqrt()', 'expected a number'],
    ['1 / 0', 'a division by zero has no result'],
    ['1 % (2 - 2)', 'division by zero'],
    ['sqrt(-1)', 'no finite value (it comes to NaN)'],
    ['10 ^ 400', 'no finite value (it comes to Infinity)'],
    ['1'.repeat(1001), 'at most 1000 are read'],
    ['('.repeat(500), 'nested more than 100 deep'],
    ['-'.repeat(900), 'nested more than 100 deep'],
    ['2^'.repeat(400), 'nested more than 100 deep'],
  ])('is refused with the place of its fault: %s', (text, message) => {
    expect(() => evaluate(text)).toThrow(message);
  });

  /** An expression as text that JavaScript computes the same way. */
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 5 },
      fc.integer({ min: 0, max: 10_000 }).map(String),
      fc.integer({ min: 0, max: 9999 }).map((number) => (number / 100).toFixed(2)),
      fc
        .tuple(tie('expression'), fc.constantFrom('+', '-', '*', '/', '%'), tie('expression'))
        .map(([left, sign, right]) => `${left} ${sign} ${right}`),
      tie('expression').map((inner) => `(${inner})`),
      tie('expression').map((inner) => `-(${inner})`),
      fc.tuple(tie('expression'), fc.integer({ min: 0, max: 3 })).map(([base, power]) => `(${base}) ** ${power}`),
    ),
  }));

  it('has the value that JavaScript gives it', () => {
    fc.assert(
      fc.property(expression, (text) => {
        const theirs = Number(new Function(`return (${text})`)());
        let ours: number | undefined;
        try {
          ours = evaluate(text);
        } catch (thrown) {
          // What JavaScript calls Infinity or NaN somewhere on the way is a fault here.
          expect(String(thrown)).toMatch(/no finite value|division by zero|characters; at most|nested/);
        }
        if (ours !== undefined) expect(ours).toBe(theirs);
      }),
      { numRuns: 2000 },
    );
  });

  it('or a fault with words is all there ever is', () => {
    const pieces = fc.constantFrom(
      '1',
      '.5',
      'e',
      '(',
      ')',
      '+',
      '-',
      '*',
      '^',
      ',',
      'max',
      'pi',
      ' ',
      '%',
      'ü',
      '1e9',
    );
    fc.assert(
      fc.property(
        fc.array(pieces).map((list) => list.join('')),
        (text) => {
          try {
            expect(Number.isFinite(evaluate(text))).toBe(true);
          } catch (thrown) {
            expect(thrown).toMatchObject({ code: 'invalid_request' });
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('the calculator', () => {
  it('gives results without the noise of binary fractions', async () => {
    const context = {} as never;
    expect(await calculator.run({ expression: '0.1 + 0.2' }, context)).toEqual({
      expression: '0.1 + 0.2',
      result: 0.3,
    });
    expect(await calculator.run({ expression: '1.1 * 3' }, context)).toMatchObject({ result: 3.3 });
  });
});
