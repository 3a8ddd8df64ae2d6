import { describe, expect, it } from 'vitest';
import type { SessionMemory } from '../../src/agents/session.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { chorus, programOf, refused } from '../support/orchestration.ts';
import { MemoryRun } from '../support/run-scope.ts';

/** Keeps what was said, in order; the same message of a run once. */
function listMemory() {
  const said: { runId: string; role: string; content: string }[] = [];
  const memory: SessionMemory = {
    async add({ runId, role, content }) {
      const there = said.findIndex((one) => one.runId === runId && one.role === role);
      return there >= 0 ? there + 1 : said.push({ runId, role, content });
    },
    recall: async (_, last) =>
      said.slice(0, last).map(({ role, content }) => ({ role: role === 'user' ? 'user' : 'assistant', content })),
  };
  return { said, memory };
}

const ask = { message: 'What now?' };

describe('a chat that is steered', () => {
  it('remembers the message and answers it in the same run', async () => {
    const { said, memory } = listMemory();
    const run = new MemoryRun(ask, { id: 'first' });
    const model = chorus((_, nth) => {
      if (nth === 0) run.send('steer', { run_id: 'second', message: 'And costs?' });
      return `answer ${nth + 1}`;
    });
    const result = await run.execute(programOf(model, { memory }));
    expect(result).toMatchObject({
      message: 'answer 2',
      agent_id: 'ceo',
      steered_by: ['second'],
      usage: { tokens_input: 20, tokens_output: 10 },
    });
    expect(said).toEqual([
      { runId: 'first', role: 'user', content: 'What now?' },
      { runId: 'first', role: 'assistant', content: 'answer 1' },
      { runId: 'second', role: 'user', content: 'And costs?' },
      { runId: 'second', role: 'assistant', content: 'answer 2' },
    ]);
    expect(run.events.find(({ type }) => type === 'run.steered')?.data).toEqual({ by: 'second', in_turn: 'chat/2' });
    expect(model.asked[1]?.prompt.messages).toHaveLength(3);
  });

  it('answers several messages that came together in one turn', async () => {
    const { said, memory } = listMemory();
    const run = new MemoryRun(ask);
    const model = chorus((_, nth) => {
      if (nth === 0) {
        run.send('steer', { run_id: 'second', message: 'And costs?' });
        run.send('steer', { run_id: 'third', message: 'And people?' });
      }
      return `answer ${nth + 1}`;
    });
    await run.execute(programOf(model, { memory }));
    expect(model.asked).toHaveLength(2);
    expect(said.map(({ content }) => content)).toEqual([
      'What now?',
      'answer 1',
      'And costs?',
      'And people?',
      'answer 2',
    ]);
  });
});

describe('a chat whose message was handed to another run', () => {
  const handed = async (other: MemoryRun, memory: SessionMemory) => {
    const run = new MemoryRun({ message: 'And costs?' }, { id: 'second', lastEvent: 2 });
    await run.execute(async (scope) => {
      await scope.emit('steering', { type: 'run.steering', data: { into: 'first' } });
      return {};
    });
    const events = { read: async (_: string, after: number) => other.events.slice(after) };
    const model = chorus(() => 'my own answer');
    return { result: (await run.execute(programOf(model, { memory, events }))) as JsonObject, model };
  };

  it('says who answered it, and asks no model', async () => {
    const { memory } = listMemory();
    const first = new MemoryRun(ask, { id: 'first' });
    await first.execute(
      programOf(
        chorus((_, nth) => {
          if (nth === 0) first.send('steer', { run_id: 'second', message: 'And costs?' });
          return `answer ${nth + 1}`;
        }),
        { memory },
      ),
    );
    const { result, model } = await handed(first, memory);
    expect(result).toEqual({ steered: 'first', message: 'answer 2', agent_id: 'ceo' });
    expect(model.asked).toEqual([]);
  });

  it('answers it itself when the other did not take it', async () => {
    const { memory } = listMemory();
    const first = new MemoryRun(ask, { id: 'first' });
    await first.execute(programOf(chorus(), { memory }));
    expect((await handed(first, memory)).result).toMatchObject({ message: 'my own answer' });
  });

  it('answers it itself when the other took it and failed', async () => {
    const { memory, said } = listMemory();
    const first = new MemoryRun(ask, { id: 'first' });
    const model = chorus((_, nth) => {
      if (nth > 0) return refused();
      first.send('steer', { run_id: 'second', message: 'And costs?' });
      return undefined;
    });
    await expect(first.execute(programOf(model, { memory }))).rejects.toMatchObject({ code: 'model_failed' });
    expect((await handed(first, memory)).result).toMatchObject({ message: 'my own answer' });
    expect(said.filter(({ content }) => content === 'And costs?')).toHaveLength(1);
  });
});
