import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { instructionsOf, leadOf, titleOf } from '../../src/agents/agent.ts';
import { loadCatalogue, parseCatalogue, RegistryError } from '../../src/agents/catalogue.ts';
import { createStandardTools } from '../../src/agents/standard-tools/standard-tools.ts';
import { createToolSet, toolNamesOf } from '../../src/agents/tool.ts';
import { testAgent } from '../support/agents.ts';

const entry = { agent_id: 'x', agent_type: 'A', purpose: 'p', adapter_name: 'a' };
const file = (...agents: unknown[]) => JSON.stringify({ agents });

describe('the registry that ships with the package', () => {
  it('has the seven officers, each with instructions of its own', async () => {
    const catalogue = await loadCatalogue();
    expect(catalogue.enabled.map((agent) => agent.agent_id)).toEqual([
      'ceo',
      'cfo',
      'cmo',
      'coo',
      'cto',
      'chro',
      'cso',
    ]);
    const texts = catalogue.enabled.map(instructionsOf);
    expect(new Set(texts).size).toBe(7);
    for (const text of texts) expect(text.length).toBeGreaterThan(800);
    expect(catalogue.enabled.map(titleOf)).toContain('Chief Financial Officer');
  });
});

describe('the tools of an agent', () => {
  const withTools = (tools: unknown, more = {}) => file({ ...entry, config: { tools, ...more } });

  it('are those that it names', () => {
    const catalogue = parseCatalogue(withTools(['b', 'a'], { max_tool_calls: 3 }), 'f.json', ['a', 'b', 'c']);
    expect(catalogue.find('x')?.config['tools']).toEqual(['b', 'a']);
  });

  test.each([
    [
      withTools(['a', 'z']),
      'the agent registry f.json has a fault: agents[0].config.tools (agent "x"): names the tool "z", which there is not (there are: a)',
    ],
    [withTools('a'), 'agents[0].config.tools (agent "x"): expected a list of names of tools, got "a"'],
    [withTools([''], {}), 'agents[0].config.tools (agent "x"): expected a list of names of tools, got [""]'],
    [
      withTools([], { max_tool_calls: -1 }),
      'agents[0].config.max_tool_calls (agent "x"): expected a whole number, 0 or more, got -1',
    ],
  ])('stop the start where there is a fault in them: %s', (content, message) => {
    expect(() => parseCatalogue(content, 'f.json', ['a'])).toThrow(message);
  });

  it('of the shipped registry are all there', async () => {
    const tools = createToolSet(
      createStandardTools({ documents: undefined as never, fetch: undefined as never, record: undefined as never }),
    );
    const catalogue = await loadCatalogue(undefined, Object.keys(tools.versions));
    expect(Object.fromEntries(catalogue.all.map((agent) => [agent.agent_id, toolNamesOf(agent)]))).toMatchObject({
      ceo: ['date_time', 'search_documents', 'record_decision'],
      cfo: ['calculator', 'date_time'],
      cmo: [],
    });
  });
});

describe('a registry of the user', () => {
  it('loads from its file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'registry-'));
    try {
      const path = join(folder, 'mine.json');
      await writeFile(path, file(entry, { ...entry, agent_id: 'off', enabled: false }));
      const catalogue = await loadCatalogue(path);
      expect(catalogue.path).toBe(path);
      expect(catalogue.all).toHaveLength(2);
      expect(catalogue.find('x')).toEqual({ ...entry, capabilities: [], config: {}, enabled: true });
      expect(catalogue.find('off'), 'a disabled agent is not found').toBeUndefined();
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('that is not there is named, with the variable to check', async () => {
    await expect(loadCatalogue('/nowhere/agents.json')).rejects.toThrow(
      'the agent registry /nowhere/agents.json cannot be read (ENOENT): check AGENT_REGISTRY_PATH',
    );
  });

  test.each([
    ['{', /^the agent registry f\.json is not JSON: /],
    ['[]', 'the agent registry f.json has a fault: the whole file: expected an object, got []'],
    ['{}', 'the agent registry f.json has a fault: agents: expected a list, got nothing'],
    [file(), 'the agent registry f.json has a fault: agents: expected at least one agent, got []'],
    [
      file({ ...entry, agent_id: 'two words' }),
      'the agent registry f.json has a fault: agents[0].agent_id (agent "two words"): expected 1 to 128 of the characters A-Z a-z 0-9 . _ : -, got "two words"',
    ],
    [
      file(entry, { ...entry, agent_id: 'y', purpose: undefined, enabled: 'yes' }),
      'the agent registry f.json has 2 faults:\n' +
        '  - agents[1].purpose (agent "y"): expected a text, got nothing\n' +
        '  - agents[1].enabled (agent "y"): expected true or false, got "yes"',
    ],
    [
      file({ ...entry, config: { instructions: 3 } }),
      'the agent registry f.json has a fault: agents[0].config.instructions (agent "x"): expected a text or a list of lines, got 3',
    ],
    [
      file(entry, entry),
      'the agent registry f.json has a fault: agents[1].agent_id: expected an id of its own, got "x", which agents[0] has',
    ],
  ])('with the content %s is refused: which entry, what was expected, what came', (content, message) => {
    expect(() => parseCatalogue(content, 'f.json')).toThrow(RegistryError);
    expect(() => parseCatalogue(content, 'f.json')).toThrow(message);
  });
});

describe('an agent', () => {
  it('takes its instructions as a text or as lines, and makes some of its purpose when it has none', () => {
    expect(instructionsOf(testAgent('a', { config: { instructions: 'Do it.' } }))).toBe('Do it.');
    expect(instructionsOf(testAgent('a', { config: { instructions: ['Do', 'it.'] } }))).toBe('Do\nit.');
    const made = instructionsOf(testAgent('a', { purpose: 'Count sheep.', capabilities: ['wide_awake'] }));
    expect(made).toContain('You are A. Your purpose: Count sheep.');
    expect(made).toContain('wide awake');
  });

  it('leads when it is the first of the leadership type, or the first of all', () => {
    const [a, b, c] = [testAgent('a'), testAgent('b', { agent_type: 'LeadershipAgent' }), testAgent('c')];
    expect(leadOf([a, b, c])).toBe(b);
    expect(leadOf([c, a])).toBe(c);
  });
});
