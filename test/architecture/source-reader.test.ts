import { describe, expect, it } from 'vitest';
import { readProject, type SourceFacts } from './source-reader.ts';

/** Reads made-up files, each on its own; one start of the compiler for all of them. */
function readAll(texts: readonly string[]): SourceFacts[] {
  const files = texts.map((text, index) => [`/house/src/room-${index}.ts`, `${text}\nexport {};`]);
  const compilerOptions = { module: 'nodenext', noEmit: true };
  const tsconfig = JSON.stringify({ compilerOptions, files: files.map(([path]) => path) });
  return readProject('/house', 'tsconfig.json', { '/house/tsconfig.json': tsconfig, ...Object.fromEntries(files) });
}

function read(text: string): SourceFacts {
  const [facts] = readAll([text]);
  if (facts === undefined) throw new Error('the made-up file was not read');
  return facts;
}

describe('imports', () => {
  const cases: [text: string, specifier: string, how: string, names: string[]][] = [
    ["import { a, b as c } from './x.ts';", './x.ts', 'import', ['a', 'b']],
    ["import d from './x.ts';", './x.ts', 'import', ['default']],
    ["import * as x from 'pkg';", 'pkg', 'import', ['*']],
    ["import 'pkg';", 'pkg', 'import', []],
    ["import type { A } from './x.ts';", './x.ts', 'type', ['A']],
    ["import { type A, type B } from './x.ts';", './x.ts', 'type', ['A', 'B']],
    ["import { type A, b } from './x.ts';", './x.ts', 'import', ['b']],
    ["export { a as b } from './x.ts';", './x.ts', 're-export', ['a']],
    ["export * from './x.ts';", './x.ts', 're-export', ['*']],
    ["const x = await import('./x.ts');", './x.ts', 'dynamic', ['*']],
    ['const x = await import(`./x.ts`);', './x.ts', 'dynamic', ['*']],
    ["type X = import('./x.ts').X;", './x.ts', 'type', ['*']],
    ["const x = import.meta.resolve('pkg');", 'pkg', 'dynamic', ['*']],
    ["const x = require('pkg');", 'pkg', 'dynamic', ['*']],
    ["const x = require.resolve('pkg');", 'pkg', 'dynamic', ['*']],
    ["const x = createRequire(import.meta.url)('pkg');", 'pkg', 'dynamic', ['*']],
    ["const x = createRequire(import.meta.url).resolve('pkg');", 'pkg', 'dynamic', ['*']],
  ];
  const facts = readAll(cases.map(([text]) => `// first line\n${text}`));
  it.each(cases.map((row, index) => ({ row, index })))('$row.0', ({ row: [, specifier, how, names], index }) => {
    expect(facts[index]?.imports).toEqual([{ specifier, literal: true, how, names, line: 2 }]);
  });

  it('of a template give its literal beginning, also through a constant', () => {
    const { imports } = read(
      `export const load = (a: string) => import(\`@scope/\${a}\`);
       export async function loadNamed(a: string) { const name = \`@scope/\${a}\`; await import(name); }`,
    );
    expect(imports.map(({ specifier, literal }) => ({ specifier, literal }))).toEqual([
      { specifier: '@scope/', literal: false },
      { specifier: '@scope/', literal: false },
    ]);
  });

  it('of a value nobody can read are seen all the same', () => {
    const { imports } = read('export const load = (name: string) => import(name);');
    expect(imports).toMatchObject([{ specifier: '', literal: false, how: 'dynamic' }]);
    expect(read('export const find = (name: string) => import.meta.resolve(name);').imports).toEqual([]);
  });

  it('in comments and strings are none', () => {
    expect(read(`// import './a.ts'\n/* import('./b.ts') */\nexport const text = "import './c.ts'";`).imports).toEqual(
      [],
    );
  });
});

describe('globals', () => {
  const cases: [text: string, paths: string[]][] = [
    ['export const a = process.env;', ['process.env']],
    ["export const a = process['env'].HOME;", ['process.env.HOME']],
    ['export const a = globalThis.process.pid;', ['process.pid']],
    ['export const { env: a } = process;', ['process.env']],
    ['export const a = Date.now();', ['Date.now']],
    ['export const a = () => new Date();', ['new Date()']],
    ['export const a = new Date(0);', ['Date']],
    ['export const { now } = Date;', ['Date.now']],
    ['export const { setTimeout: later } = globalThis;', ['setTimeout']],
    ['setTimeout(() => {}, 1);', ['setTimeout']],
    ['export const a = { setTimeout };', ['setTimeout']],
    ['export const a = crypto.randomUUID();', ['crypto.randomUUID']],
  ];
  const facts = readAll(cases.map(([text]) => text));
  it.each(cases.map((row, index) => ({ row, index })))('$row.0', ({ row: [, paths], index }) => {
    expect(facts[index]?.globals.map(({ path }) => path)).toEqual(paths);
  });

  const notGlobal = [
    'export function run(process: { pid: number }) { return process.pid; }',
    'const console = { log() {} }; console.log();',
    'export const a = { process: 1, Date: 2 };',
    'export const a = (host: { process: number }) => host.process;',
    'import { setTimeout } from "./clock.ts"; setTimeout();',
    '// console.log(Date.now())',
  ];
  it('of the same name that are somebody else are none', () => {
    expect(readAll(notGlobal).flatMap(({ globals }) => globals)).toEqual([]);
  });
});

describe('exports, any and silencers', () => {
  it('names what is declared, and default as default', () => {
    const text = `export const a = 1, b = 2; export function f() {} export class C {} export interface I {}
      export type T = 1; const inner = 1; export { inner as outer }; export default inner;`;
    expect(read(text).exports.map(({ name }) => name)).toEqual(['a', 'b', 'f', 'C', 'I', 'T', 'outer', 'default']);
    expect(read('export default function f() {}').exports.map(({ name }) => name)).toEqual(['default']);
  });

  it('finds any as a type, not as a word', () => {
    expect(read('// any\nexport const a: any = "any";\nexport const f = (x: unknown) => x as any[];').anys).toEqual([
      2, 3,
    ]);
  });

  it('finds comments that silence the compiler or the linter', () => {
    const ignore = ['// @ts', 'ignore'].join('-');
    const lint = ['/* biome', 'ignore lint/suspicious/noExplicitAny: x */'].join('-');
    expect(read(`${ignore}\nexport const a = 1;\n${lint}\n`).silencers).toEqual([
      { text: '@ts-ignore', line: 1 },
      { text: 'biome-ignore lint/suspicious/noExplicitAny:', line: 3 },
    ]);
  });
});
