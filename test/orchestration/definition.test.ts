import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { createToolSet, type Tool } from '../../src/agents/tool.ts';
import { systemClock } from '../../src/core/clock.ts';
import {
  buildOf,
  contentOf,
  type Definition,
  definitionIn,
  definitionOf,
  hashOf,
  missingIn,
} from '../../src/orchestration/definition.ts';
import { createDefinitionStore } from '../../src/orchestration/definition-store.ts';
import type { Database } from '../../src/store/database.ts';
import { testAgent } from '../support/agents.ts';
import { openTestDatabase } from '../support/database.ts';
import { chorus, programOf, requestOf } from '../support/orchestration.ts';
import { MemoryRun } from '../support/run-scope.ts';

const agents = [testAgent('cfo', { config: { tools: ['calculator'] } }), testAgent('ceo')];
const pinned = definitionOf('sequential@1', agents, { calculator: '2', other: '1' });

describe('a definition', () => {
  it('is read back as it was, under the same hash whatever the order of its members', () => {
    const content = contentOf(pinned);
    expect(definitionIn(content)).toEqual(pinned);
    const turned = Object.fromEntries(Object.entries(content).toReversed());
    expect(hashOf(turned)).toBe(hashOf(content));
    expect(hashOf(contentOf({ ...pinned, workflow: 'sequential@2' }))).not.toBe(hashOf(content));
  });

  it.each([
    [['sequential@1'], { calculator: '2' }, []],
    [['sequential@2'], { calculator: '2' }, ['the workflow sequential@1']],
    [['sequential@1'], { calculator: '3' }, ['the tool calculator in version 2']],
    [[], {}, ['the workflow sequential@1', 'the tool calculator in version 2']],
  ])('in a build with %j and the tools %o misses %j', (workflows, tools, missing) => {
    expect(missingIn(pinned, buildOf(workflows, tools as Record<string, string>))).toEqual(missing);
  });
});

describe('a run that is pinned', () => {
  const body = requestOf('sequential', { agent_ids: ['cfo', 'ceo'] });
  const calculator = (version: string): Tool => ({
    name: 'calculator',
    version,
    description: 'computes',
    input: z.object({}),
    effect: 'read',
    timeoutMs: 1000,
    run: async () => 1,
  });
  const build = (definition: Definition | undefined, version: string, model = chorus()) =>
    programOf(model, { definitions: { find: async () => definition }, tools: createToolSet([calculator(version)]) });

  it('uses the agents as they were', async () => {
    const changed = {
      ...pinned,
      agents: [testAgent('cfo', { purpose: 'what it was for' }), testAgent('ceo')],
      tools: {},
    };
    const model = chorus();
    const run = new MemoryRun(body, { definition: 'hash' });
    await run.execute(build(changed, '2', model));
    expect(model.asked[0]?.prompt.instructions).toContain('what it was for');
  });

  it('to a version that is gone waits and says for what, and goes on when it is back', async () => {
    const run = new MemoryRun(body, { definition: 'hash' });
    expect(await run.go(build(pinned, '3'))).toBe('waiting');
    expect(run.waits).toMatchObject([
      {
        name: 'definition/1',
        signal: 'definition',
        reason: 'definition',
        detail: { missing: ['the tool calculator in version 2'] },
      },
    ]);
    expect(run.types).toEqual(['run.definition_missing']);
    // A build that does not have it either is asked in vain.
    run.send('definition');
    expect(await run.go(build(pinned, '4'))).toBe('waiting');
    expect(run.waits).toMatchObject([{ name: 'definition/2' }]);
    run.send('definition');
    expect(await run.go(build(pinned, '2'))).toMatchObject({ turns: 2 });
  });

  it('to a definition that is nowhere waits as well', async () => {
    const run = new MemoryRun(body, { definition: 'hash' });
    expect(await run.go(build(undefined, '2'))).toBe('waiting');
    expect(run.waits).toMatchObject([{ detail: { missing: ['the definition hash'] } }]);
  });
});

describe('the store of definitions', () => {
  let database: Database;
  beforeAll(async () => {
    database = await openTestDatabase();
  });
  afterAll(() => database.close());

  test('keeps one of each content, also when two write it at once', async () => {
    const one = createDefinitionStore({ database, clock: systemClock });
    const other = createDefinitionStore({ database, clock: systemClock });
    const hashes = await Promise.all([one.store(pinned), other.store(pinned), one.store(pinned)]);
    expect(new Set(hashes)).toEqual(new Set([hashOf(contentOf(pinned))]));
    const rows = await database.db.selectFrom('definitions').select('hash').execute();
    expect(rows).toHaveLength(1);
    const fresh = createDefinitionStore({ database, clock: systemClock });
    expect(await fresh.find(hashes[0])).toEqual(pinned);
    expect(await fresh.find('nothing')).toBeUndefined();
  });
});
