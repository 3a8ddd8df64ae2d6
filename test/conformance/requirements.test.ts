import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { requirements } from './requirements.ts';

const ROOT = join(import.meta.dirname, '../..');
const CITATION = /\bverifies\(([^)]*)\)/g;

const cited = new Map<string, string>();
for (const file of globSync(['test/**/*.test.ts', 'samples/**/*.test.ts'], { cwd: ROOT })) {
  if (file.endsWith('requirements.test.ts')) continue;
  for (const [, ids = ''] of readFileSync(join(ROOT, file), 'utf8').matchAll(CITATION)) {
    for (const [, id = ''] of ids.matchAll(/['"]([^'"]+)['"]/g)) cited.set(id, file);
  }
}

describe('the requirements list', () => {
  test('every requirement is cited by a test', () => {
    expect(Object.keys(requirements).filter((id) => !cited.has(id))).toEqual([]);
  });

  test('every citation names a requirement', () => {
    expect([...cited].filter(([id]) => !(id in requirements))).toEqual([]);
  });

  test('every requirement names a section and a behaviour that reads as a sentence', () => {
    for (const [id, { section, behaviour }] of Object.entries(requirements)) {
      expect(section, id).toMatch(/^(§\d+(\.\d+)?|D[1-8])$/);
      expect(behaviour, id).toMatch(/^[A-Za-z0-9+][^.]*.*\.$/);
    }
  });
});
