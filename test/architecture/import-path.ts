/**
 * Where an import leads: to a file of ours, a room, or a package.
 */
import type { ImportFact, SourceFacts } from './source-reader.ts';

/** The room of a file below `src`: the folder, or the file itself when it lies directly in `src`. */
export function roomOf(file: string): string {
  const [, first = ''] = file.split('/');
  return first.replace(/\.ts$/, '');
}

/** The path a relative import leads to, from the repository root; undefined for a package or a module of Node. */
export function targetOf(file: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return new URL(specifier, `file:///${file}`).pathname.slice(1);
}

/** The package an import leads to: `@scope/name` or `name`; undefined for a file or a module of Node. */
export function packageOf(specifier: string): string | undefined {
  if (specifier === '' || /^(?:\.|node:|#|\/)/.test(specifier)) return undefined;
  const [first = '', second = ''] = specifier.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}

/** The imports that lead to files of ours. */
export function localImports(source: SourceFacts): (ImportFact & { readonly target: string })[] {
  return source.imports.flatMap((fact) => {
    const target = targetOf(source.file, fact.specifier);
    return target === undefined ? [] : [{ ...fact, target }];
  });
}

export const isSource = (source: SourceFacts) => source.file.startsWith('src/');
