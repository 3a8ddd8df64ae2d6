import { describe, expect, it, test } from 'vitest';
import { namedIn, saysDone } from '../../src/orchestration/group-chat.ts';
import { testAgent } from '../support/agents.ts';
import { chorus, dieEverywhere, programOf, refused, requestOf, runToEnd } from '../support/orchestration.ts';
import { MemoryRun } from '../support/run-scope.ts';

const body = (config = {}) => requestOf('group-chat', { config });

describe('a group chat', () => {
  it('lets everybody speak in turn, hearing everything before', async () => {
    const model = chorus();
    const { result, memoryRun } = await runToEnd(model, body({ max_turns: 4 }));
    const words = memoryRun.stepOrder.filter((step) => !step.endsWith('/messages'));
    expect(words).toEqual(['word-1/cfo', 'word-2/ceo', 'word-3/cmo', 'word-4/cfo']);
    const heard = model.asked.map(({ brief }) => (brief.kind === 'discussion' ? brief.transcript.length : -1));
    expect(heard).toEqual([0, 1, 2, 3]);
    expect(result).toMatchObject({
      summary: 'cfo discussion 1',
      ended: 'max_turns',
      turns: 4,
      results: { cfo: { turns: 2, output: { position: 'cfo discussion 1' } }, ceo: { turns: 1 } },
    });
    expect(result['transcript']).toHaveLength(4);
  });

  it('ends when a speaker says that all is said', async () => {
    const model = chorus(({ agent }) => (agent.agent_id === 'ceo' ? 'We wait.\n\n[DONE]' : undefined));
    const { result } = await runToEnd(model, body());
    expect(result).toMatchObject({ summary: 'We wait.', ended: 'done', turns: 2, progress: 1 });
  });

  it('goes three times round when nobody says so', async () => {
    const { result } = await runToEnd(chorus(), body());
    expect(result['turns']).toBe(9);
  });

  it('lets the lead choose the next speaker when that is asked for', async () => {
    const model = chorus((brief, nth) =>
      brief.kind === 'selection' ? (['cmo', 'The next should be cfo, not ceo.', 'nobody'][nth] ?? 'cmo') : undefined,
    );
    const { result, memoryRun } = await runToEnd(model, body({ speaker: 'model', max_turns: 4 }));
    const words = memoryRun.stepOrder.filter((step) => step.startsWith('word') && !step.endsWith('/messages'));
    // Named nobody: in turn again.
    expect(words).toEqual(['word-1/cfo', 'word-2/cmo', 'word-3/cfo', 'word-4/ceo']);
    expect(
      model.asked
        .filter(({ brief }) => brief.kind === 'selection')
        .every(({ brief }) => brief.agent.agent_id === 'ceo'),
    ).toBe(true);
    // Choosing counts for the lead's usage, not as its word.
    expect(result).toMatchObject({ turns: 7, usage: { tokens_input: 70 } });
    expect(result['results']).toMatchObject({ ceo: { turns: 4, output: { position: 'ceo discussion 0' } } });
  });

  it('brings messages from outside to the agent they are for, and others to whoever speaks next', async () => {
    const model = chorus(({ agent }) => {
      if (agent.agent_id !== 'cfo') return undefined;
      run.send('message', { agent_id: 'cmo', message: 'The price is fixed.' });
      run.send('message', { message: 'Hurry.' });
      return undefined;
    });
    const run = new MemoryRun(body({ max_turns: 3 }));
    await run.execute(programOf(model));
    const heard = model.asked.map(({ brief }) => (brief.kind === 'discussion' ? brief.messages : undefined));
    expect(heard).toEqual([[], ['Hurry.'], ['The price is fixed.']]);
    expect(model.asked[2]?.prompt.messages[0]?.content).toContain('The price is fixed.');
  });

  it('passes over a speaker that fails', async () => {
    const model = chorus(({ agent }) => (agent.agent_id === 'ceo' ? refused() : undefined));
    const { result } = await runToEnd(model, body({ max_turns: 3 }));
    expect(result['results']).toMatchObject({ ceo: { status: 'failed' }, cmo: { status: 'completed' } });
    await expect(runToEnd(model, body({ continue_on_error: false }))).rejects.toMatchObject({ code: 'model_failed' });
    await expect(runToEnd(chorus(refused), body())).rejects.toMatchObject({ code: 'model_failed' });
  });

  it('comes to the same result wherever the process dies', async () => {
    // By the brief, not by how often it is asked: a process that died asks again.
    const choosing = () =>
      chorus((brief) =>
        brief.kind === 'selection'
          ? (['', 'cmo', 'cfo'][brief.transcript.length] ?? '')
          : `${brief.agent.agent_id} says`,
      );
    expect(await dieEverywhere(choosing, body({ speaker: 'model', max_turns: 3 }))).toBeGreaterThan(15);
  });
});

test.each([
  ['We are through.\n[DONE]', true],
  ['We are through.\n**[done]**\n\n', true],
  ['done', true],
  ['Done.', true],
  ['[DONE] but one thing more', false],
  ['It will be done.', false],
  ['[DONE]\nWait.', false],
  ['', false],
])('%j says that it is done: %s', (text, expected) => {
  expect(saysDone(text)).toBe(expected);
});

test.each([
  ['cmo', 'cmo'],
  ['I would say: CMO.', 'cmo'],
  ['cfo, then cmo', 'cfo'],
  ['cfo2 perhaps', undefined],
  ['', undefined],
])('%j names %s', (text, expected) => {
  expect(namedIn(text, [testAgent('cmo'), testAgent('cfo')])?.agent_id).toBe(expected);
});
