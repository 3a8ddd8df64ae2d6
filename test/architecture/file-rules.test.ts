import { describe, expect, it } from 'vitest';
import { checkExports, checkNames, checkStrictness, checkTestPlaces } from './file-rules.ts';
import { importing, source } from './made-up-source.ts';

describe('what a file shows', () => {
  it('has no default export and passes nothing on, save the package entry', () => {
    const exports = [{ name: 'default', line: 3 }];
    expect(checkExports([source('src/runs/run.ts', { exports })])[0]?.rule).toBe('no default exports');
    const passed = { how: 're-export' } as const;
    expect(checkExports([importing('src/runs/run.ts', './event.ts', passed)])).toHaveLength(1);
    expect(checkExports([importing('src/index.ts', './host/agent-server.ts', passed)])).toEqual([]);
  });

  it('has no any, in tests neither, and silences no rule', () => {
    const silencers = [
      { text: '@ts-ignore', line: 1 },
      { text: '@ts-expect-error', line: 2 },
      { text: 'biome-ignore lint/suspicious/noExplicitAny:', line: 3 },
      { text: 'biome-ignore lint/suspicious/noControlCharactersInRegex:', line: 4 },
    ];
    const lines = (file: string) =>
      checkStrictness([source(file, { anys: [9], silencers })]).map(({ where }) => where.split(':')[1]);
    expect(lines('src/runs/run.ts')).toEqual([
      '9',
      '1 says @ts-ignore',
      '2 says @ts-expect-error',
      expect.stringContaining('3'),
    ]);
    expect(lines('test/runs/run.test.ts')).toEqual(['9', '1 says @ts-ignore', expect.stringContaining('3')]);
  });
});

describe('names', () => {
  const bad = [
    'src/runs/utils.ts',
    'src/common/run.ts',
    'src/runs/run-helpers.ts',
    'src/runs/task-manager.ts',
    'test/runs/types.test.ts',
    'src/runs/runStore.ts',
    'src/Runs/run.ts',
    'src/runs/run_store.ts',
    'src/runs/run.types.ts',
  ];
  it.each(bad)('%s is refused', (file) => expect(checkNames([file], [])).toHaveLength(1));

  const good = [
    'src/runs/run-store.ts',
    'src/a2a/views.ts',
    'test/runs/run-store.test.ts',
    'samples/ws-echo/client.ts',
    'src/dashboard/page.html',
  ];
  it.each(good)('%s is fine', (file) => expect(checkNames([file], [])).toEqual([]));

  it('of exports do not end in an empty word', () => {
    const exports = [
      { name: 'RunManager', line: 1 },
      { name: 'Manageress', line: 2 },
    ];
    expect(checkNames([], [source('src/runs/run.ts', { exports })])).toHaveLength(1);
  });
});

describe('places of tests', () => {
  const sources = ['src/runs/event-log.ts', 'src/config.ts'];
  const good = [
    'test/runs/event-log.test.ts',
    'test/runs/event-log-replay.test.ts',
    'test/config.test.ts',
    'test/architecture/house.test.ts',
    'test/runs/database.ts',
  ];
  it.each(good)('%s is fine', (file) => expect(checkTestPlaces([...sources, file])).toEqual([]));

  const bad = [
    'test/runs/event.test.ts',
    'test/event-log.test.ts',
    'test/engine/event-log.test.ts',
    'test/odds/ends.test.ts',
  ];
  it.each(bad)('%s is refused', (file) => expect(checkTestPlaces([...sources, file])).toHaveLength(1));
});
