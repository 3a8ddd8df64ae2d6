import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AosError } from '../../src/core/errors.ts';
import { findJsonFault, parseJsonText } from '../../src/core/json-text.ts';

function refusal(text: string): string {
  try {
    parseJsonText(text, 'the body');
  } catch (error) {
    if (error instanceof AosError && error.code === 'invalid_request') return error.message;
    throw error;
  }
  throw new Error('the text was accepted');
}

describe('JSON text from outside', () => {
  test.each([
    ['', 'it is empty; send a JSON object'],
    [' \n', 'it is empty; send a JSON object'],
    ['hello', `expected a value at line 1, column 1, got "h"`],
    ['{"a":1,}', `expected a name in double quotes at line 1, column 8, got "}"`],
    [`{'a':1}`, `expected a name in double quotes or '}' at line 1, column 2, got "'"`],
    ['{"message": hello}', `expected a value at line 1, column 13, got "h"`],
    ['{\n  "a": 1\n  "b": 2\n}', `expected ',' or '}' at line 3, column 3, got "\\""`],
    ['[1 2]', `expected ',' or ']' at line 1, column 4, got "2"`],
    ['[,]', `expected a value or ']' at line 1, column 2, got ","`],
    ['[1,]', `expected a value at line 1, column 4, got "]"`],
    ['{"a"}', `expected ':' at line 1, column 5, got "}"`],
    ['{"a":1', `expected ',' or '}' at line 1, column 7, got the end`],
    ['"abc', 'expected the closing quote of the text at line 1, column 5, got the end'],
    ['"a\nb"', 'expected the closing quote of the text at line 1, column 3, got "\\n"'],
    ['"a\\x"', 'expected a valid escape at line 1, column 3, got "\\\\"'],
    ['{"a":1} 😀', 'expected nothing more at line 1, column 9, got "😀"'],
    ['01', 'expected nothing more at line 1, column 2, got "1"'],
    ['[1}', `expected ',' or ']' at line 1, column 3, got "}"`],
  ])('%j is refused with the place of the fault', (text, problem) => {
    expect(refusal(text)).toBe(`the body is not valid JSON: ${problem}`);
  });

  test('the scan finds a fault exactly where the parser refuses the text', () => {
    const almostJson = fc
      .tuple(fc.json({ maxDepth: 4 }), fc.nat(), fc.constantFrom('', '"', ',', '}', ']', '\\', ':', '1', 'e', '\n'))
      .map(([json, at, insert]) => {
        const offset = at % (json.length + 1);
        return json.slice(0, offset) + insert + json.slice(offset + 1);
      });
    fc.assert(
      fc.property(
        fc.oneof(almostJson, fc.json(), fc.string({ unit: fc.constantFrom(...'[]{},:"\\0-1.e tn') })),
        (text) => {
          let accepted = true;
          try {
            JSON.parse(text);
          } catch {
            accepted = false;
          }
          expect(findJsonFault(text) === undefined).toBe(accepted);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('valid text is its value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        const text = JSON.stringify(value);
        expect(parseJsonText(text, 'the body')).toEqual(JSON.parse(text));
      }),
    );
  });

  test('nesting has a limit, far below what would overflow the stack', () => {
    expect(parseJsonText('['.repeat(100) + ']'.repeat(100), 'the body')).toBeDefined();
    expect(refusal('['.repeat(101) + ']'.repeat(101))).toContain('at most 100 levels');
    expect(refusal('['.repeat(200_000) + ']'.repeat(200_000))).toContain('at most 100 levels');
    expect(refusal('['.repeat(200_000))).toContain('at line 1, column 200001');
  });
});
