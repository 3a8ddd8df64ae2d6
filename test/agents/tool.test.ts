import { describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { createToolSet, describeTool, type Tool, toolNamesOf } from '../../src/agents/tool.ts';
import { testAgent } from '../support/agents.ts';

const tool = (name: string): Tool => ({
  name,
  version: '3',
  description: 'Does something.',
  input: z.object({ of: z.number().default(1) }),
  effect: 'read',
  timeoutMs: 1000,
  run: async () => null,
});

describe('a set of tools', () => {
  it('finds tools by name, and gives an agent those it names, in its order', () => {
    const [a, b] = [tool('a'), tool('b')];
    const tools = createToolSet([a, b]);
    expect(tools.find('a')).toBe(a);
    expect(tools.find('c')).toBeUndefined();
    expect(tools.versions).toEqual({ a: '3', b: '3' });
    expect(tools.forAgent(testAgent('x', { config: { tools: ['b', 'a', 'b'] } }))).toEqual([b, a]);
    expect(tools.forAgent(testAgent('x'))).toEqual([]);
  });

  it('says which tool an agent names that is not there, and which there are', () => {
    const agent = testAgent('x', { config: { tools: ['z'] } });
    expect(() => createToolSet([tool('a')]).forAgent(agent)).toThrow(
      'x names the tool "z", which there is not (there are: a)',
    );
    expect(() => createToolSet([]).forAgent(agent)).toThrow('x names the tool "z", which there is not (there is none)');
  });

  test.each(['', 'Upper', 'two words', 'ü', 'x'.repeat(65)])('takes no tool of the name "%s"', (name) => {
    expect(() => createToolSet([tool(name)])).toThrow('1 to 64 of a-z 0-9 _ -');
  });

  it('takes no two tools of one name', () => {
    expect(() => createToolSet([tool('a'), tool('a')])).toThrow('two tools have the name "a"');
  });
});

describe('a tool', () => {
  it('is described to models by the schema of what it takes, not of what it makes of it', () => {
    expect(describeTool(tool('a'))).toEqual({
      name: 'a',
      description: 'Does something.',
      parameters: { type: 'object', properties: { of: { type: 'number', default: 1 } } },
    });
  });

  it('is named in the registry by a list; anything else is no name', () => {
    expect(toolNamesOf({ config: { tools: ['a', 1, 'a', null, 'b'] } })).toEqual(['a', 'b']);
    expect(toolNamesOf({ config: { tools: 'a' } })).toEqual([]);
  });
});
