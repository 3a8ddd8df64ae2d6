import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkDependencies, checkDependencyNotes } from './dependency-rules.ts';
import { checkExports, checkNames, checkStrictness, checkTestPlaces } from './file-rules.ts';
import { describeFindings, type Finding } from './finding.ts';
import { annexes, floors, usedWithoutImport } from './house.ts';
import { roomOf } from './import-path.ts';
import { checkCycles, checkLayers, checkReadableImports } from './layer-rules.ts';
import { checkOwners } from './owner-rules.ts';
import { readProject } from './source-reader.ts';

const root = resolve(import.meta.dirname, '../..');
const sources = readProject(root, 'tsconfig.json');
const files = sources.map(({ file }) => file);
const declared = readDeclarations();

describe('the house', () => {
  it('has sources to look at', () => {
    expect(files).toContain('src/core/ids.ts');
    expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(10);
  });

  it('names every room once', () => {
    const rooms = [...floors.flat(), ...Object.keys(annexes)];
    expect(rooms).toEqual([...new Set(rooms)]);
  });

  it('imports go down only, and never sideways', () => holds(checkLayers(sources)));
  it('every import can be read', () => holds(checkReadableImports(sources)));
  it('everything that has one owner stays with it', () => holds(checkOwners(sources)));
  it('no file imports itself through others', () => holds(checkCycles(sources)));
  it('there are no default exports and no barrels but the package entry', () => holds(checkExports(sources)));
  it('there is no any and no rule is silenced', () => holds(checkStrictness(sources)));
  it('names say what is inside', () => holds(checkNames(codeFiles(), sources)));
  it('tests lie where their subjects lie', () => holds(checkTestPlaces(files)));
  it('every dependency is used and every use declared', () =>
    holds(checkDependencies(declared, sources, usedWithoutImport)));
  it('every dependency has a line that says why it is there', () =>
    holds(checkDependencyNotes(declared, readFileSync(`${root}/docs/dependencies.md`, 'utf8'))));

  it('the documents name only files that exist, and every room that does', () => {
    const text = readFileSync(`${root}/docs/architecture.md`, 'utf8');
    const named = [...text.matchAll(/`((?:src|test|samples|scripts|agents|docs|bench)\/[\w./-]*)`/g)].map(
      ([, path = '']) => path,
    );
    expect(named.filter((path) => !existsSync(`${root}/${path}`))).toEqual([]);
    const rooms = [...new Set(files.filter((file) => file.startsWith('src/')).map(roomOf))];
    expect(rooms.filter((room) => !text.includes(room))).toEqual([]);
  });
});

function holds(findings: readonly Finding[]): void {
  if (findings.length > 0) expect.fail(`${findings.length} finding(s)\n${describeFindings(findings)}`);
}

/** Every file in the folders that hold code. */
function codeFiles(): string[] {
  return ['src', 'test', 'samples', 'bench', 'scripts']
    .filter((folder) => existsSync(`${root}/${folder}`))
    .flatMap((folder) => readdirSync(`${root}/${folder}`, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name !== 'README.md')
    .map((entry) => relative(root, `${entry.parentPath}/${entry.name}`))
    .filter((file) => !/(?:^|\/)(?:__snapshots__|node_modules)\//.test(file));
}

function readDeclarations() {
  const manifest: Record<string, Record<string, string> | undefined> = JSON.parse(
    readFileSync(`${root}/package.json`, 'utf8'),
  );
  const names = (field: string) => Object.keys(manifest[field] ?? {});
  return {
    dependencies: names('dependencies'),
    optionalDependencies: names('optionalDependencies'),
    devDependencies: names('devDependencies'),
  };
}
