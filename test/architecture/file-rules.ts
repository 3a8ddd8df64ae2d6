/**
 * What a file is called, where it lies, and what it shows. Pure: facts about the sources in, findings out.
 */
import { basename } from 'node:path';
import type { Finding } from './finding.ts';
import { crossCuttingTests, emptyEndings, emptyWords } from './house.ts';
import { isSource, roomOf } from './import-path.ts';
import type { SourceFacts } from './source-reader.ts';

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
