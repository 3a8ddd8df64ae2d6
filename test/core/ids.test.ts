import { expect, test } from 'vitest';
import { isProtocolId, newHexId, newHexUuid, newUuid, randomUnit } from '../../src/core/ids.ts';

test('new ids have the form their name says and do not repeat', () => {
  expect(newUuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(newHexUuid()).toMatch(/^[0-9a-f]{32}$/);
  expect(newHexId(8)).toMatch(/^[0-9a-f]{16}$/);
  expect(new Set(Array.from({ length: 1000 }, newUuid)).size).toBe(1000);
});

test('random numbers lie from 0 to below 1 and are spread over all of it', () => {
  const drawn = Array.from({ length: 1000 }, randomUnit);
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...drawn)).toBeLessThan(1);
  for (let tenth = 0; tenth < 10; tenth++) expect(drawn.some((value) => Math.floor(value * 10) === tenth)).toBe(true);
});

test.each([
  ['a', true],
  ['A-Za-z0-9._:-', true],
  ['x'.repeat(256), true],
  ['x'.repeat(257), false],
  ['', false],
  [undefined, false],
  ['a b', false],
  ['abc\n', false],
  ['ä', false],
  ['a/b', false],
])('%j is a protocol id: %s', (value, expected) => {
  expect(isProtocolId(value)).toBe(expected);
});
