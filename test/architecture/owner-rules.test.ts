import { describe, expect, it } from 'vitest';
import { importing, source } from './made-up-source.ts';
import { checkOwners } from './owner-rules.ts';
import type { ImportFact } from './source-reader.ts';

describe('single owners', () => {
  const foreign: [file: string, specifier: string, names: string[]][] = [
    ['src/runs/run.ts', 'pg', ['Pool']],
    ['src/runs/run.ts', 'kysely', ['Kysely']],
    ['src/invocations/view.ts', 'hono', ['Hono']],
    ['src/runs/routes.ts', 'hono/streaming', ['stream']],
    ['src/engine/engine.ts', '@dbos-inc/dbos-sdk', ['DBOS']],
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
