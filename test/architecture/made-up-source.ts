import type { ImportFact, SourceFacts } from './source-reader.ts';

/** A file that is nothing but these facts. */
export function source(file: string, facts: Partial<Omit<SourceFacts, 'file'>> = {}): SourceFacts {
  return { file, imports: [], globals: [], exports: [], anys: [], silencers: [], ...facts };
}

/** A file with one import. */
export function importing(file: string, specifier: string, fact: Partial<ImportFact> = {}): SourceFacts {
  return source(file, { imports: [{ specifier, literal: true, how: 'import', names: ['x'], line: 1, ...fact }] });
}
