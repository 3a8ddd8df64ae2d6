/**
 * Which file may import which. Pure: facts about the sources in, findings out.
 */
import type { Finding } from './finding.ts';
import { annexes, floors } from './house.ts';
import { isSource, localImports, packageOf, roomOf } from './import-path.ts';
import type { SourceFacts } from './source-reader.ts';

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
