/**
 * What has one home stays there. Pure: facts about the sources in, findings out.
 */
import type { Finding } from './finding.ts';
import { doors, type Owner, owners } from './house.ts';
import { isSource, roomOf } from './import-path.ts';
import type { SourceFacts } from './source-reader.ts';

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
