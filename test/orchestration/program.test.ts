import { describe, expect, it } from 'vitest';
import type { Brief } from '../../src/agents/brief.ts';
import type { Model } from '../../src/agents/model.ts';
import type { SessionMemory } from '../../src/agents/session.ts';
import { AosError } from '../../src/core/errors.ts';
import { isJsonObject, type JsonObject } from '../../src/core/json.ts';
import { createRunProgram } from '../../src/orchestration/program.ts';
import { testCatalogue } from '../support/agents.ts';
import { unenforcedGovernor } from '../support/governance.ts';
import { expectSoundLog } from '../support/run-log.ts';
import { MemoryRun } from '../support/run-scope.ts';
import { type Script, scriptedModel } from '../support/scripted-model.ts';
import { tickingClock } from '../support/ticking-clock.ts';

const catalogue = testCatalogue('ceo', 'cfo', 'cmo');
const noMemory: SessionMemory = { add: async () => 1, recall: async () => [] };
const busy = () => new AosError('model_failed', 'the model is busy', { retry: 'later' });
const refused = () => new AosError('model_failed', 'the key was refused', { retry: 'never' });

function programOf(model: Model, memory = noMemory) {
  return createRunProgram({ catalogue, model, memory, clock: tickingClock(1), governor: unenforcedGovernor() });
}

/** Says who it is and in which phase; failures where `fails` says so. */
function chorus(fails: (brief: Brief, nth: number) => Error | undefined = () => undefined) {
  return scriptedModel((brief, nth): Script => {
    const failure = fails(brief, nth);
    return failure === undefined ? [`${brief.agent.agent_id} `, `${brief.kind} `, `${nth}`] : ['half a ', failure];
  });
}

function request(workflow: string, change: JsonObject = {}): JsonObject {
  return {
    agent_ids: ['ceo', 'cfo', 'cmo'],
    workflow,
    task: { type: 'review', data: { quarter: 'Q1-2026' } },
    ...change,
  };
}

async function run(model: Model, body: JsonObject) {
  const memoryRun = new MemoryRun(body);
  const result = await memoryRun.execute(programOf(model));
  expectSoundLog(memoryRun.events);
  return { result: result as JsonObject, memoryRun };
}

function member(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isJsonObject(inner) ? inner[key] : undefined), value);
}

describe('a sequential run', () => {
  it('shows every agent what the agents before it produced', async () => {
    const model = chorus();
    const { result, memoryRun } = await run(model, request('sequential'));
    const earlier = model.asked.map(({ brief }) =>
      brief.kind === 'handover' ? brief.earlier.map(({ text }) => text) : [],
    );
    expect(earlier).toEqual([[], ['ceo handover 0'], ['ceo handover 0', 'cfo handover 0']]);
    expect(model.asked[2]?.prompt.messages[0]?.content).toContain('ceo handover 0');
    expect(memoryRun.stepOrder).toEqual(['step-1/ceo', 'step-2/cfo', 'step-3/cmo']);
    expect(result).toMatchObject({
      workflow: 'sequential',
      agent_ids: ['ceo', 'cfo', 'cmo'],
      summary: 'cmo handover 0',
      turns: 3,
      progress: 1,
      model: 'scripted-1',
      simulated: false,
      results: {
        ceo: { status: 'completed', output: { position: 'ceo handover 0' }, error: null, turns: 1 },
        cmo: { status: 'completed', output: { position: 'cmo handover 0' } },
      },
    });
  });

  it('fails when an agent fails, and asks nobody after it', async () => {
    const model = chorus(({ agent }) => (agent.agent_id === 'cfo' ? refused() : undefined));
    const memoryRun = new MemoryRun(request('sequential'));
    await expect(memoryRun.execute(programOf(model))).rejects.toMatchObject({
      code: 'model_failed',
      message: 'cfo failed in step-2/cfo: the key was refused',
    });
    expectSoundLog(memoryRun.events);
    expect(model.asked).toHaveLength(2);
    expect(memoryRun.events.at(-1)).toMatchObject({
      type: 'turn.failed',
      data: { turn: 'step-2/cfo', error: { code: 'model_failed', message: 'the key was refused' } },
    });
  });

  it('leaves a gap in the line when it shall go on after errors', async () => {
    const model = chorus(({ agent }) => (agent.agent_id === 'cfo' ? refused() : undefined));
    const { result } = await run(model, request('sequential', { config: { continue_on_error: true } }));
    expect(model.asked.at(-1)?.brief).toMatchObject({ earlier: [{ text: 'ceo handover 0' }] });
    expect(member(result, 'results', 'cfo')).toMatchObject({
      status: 'failed',
      output: null,
      error: { code: 'model_failed', message: 'the key was refused' },
    });
    expect(result['summary']).toBe('cmo handover 0');
  });

  it('fails when nobody answers, even when it shall go on after errors', async () => {
    const memoryRun = new MemoryRun(request('sequential', { config: { continue_on_error: true } }));
    await expect(memoryRun.execute(programOf(chorus(refused)))).rejects.toMatchObject({ code: 'model_failed' });
    expect(memoryRun.types.filter((type) => type === 'turn.failed')).toHaveLength(3);
  });

  it('names the agents that max_turns leaves out', async () => {
    const { result } = await run(chorus(), request('sequential', { config: { max_turns: 2 } }));
    expect(member(result, 'results', 'cmo')).toMatchObject({
      status: 'skipped',
      output: null,
      turns: 0,
      started_at: null,
    });
    expect(result['summary']).toBe('cfo handover 0');
  });
});

describe('a collaborative run', () => {
  it('lets all answer at once, then see each other, then the lead decide', async () => {
    const model = chorus();
    const { result, memoryRun } = await run(model, request('collaborative'));
    const kinds = model.asked.map(({ brief }) => `${brief.kind} ${brief.agent.agent_id}`);
    expect(kinds).toEqual([
      ...['position ceo', 'position cfo', 'position cmo'],
      ...['revision ceo', 'revision cfo', 'revision cmo'],
      'synthesis ceo',
    ]);
    const revision = model.asked[4]?.brief;
    expect(revision).toMatchObject({
      own: 'cfo position 0',
      peers: [{ text: 'ceo position 0' }, { text: 'cmo position 0' }],
      round: 2,
    });
    expect(model.asked[6]?.brief).toMatchObject({
      contributions: [{ text: 'ceo revision 0' }, { text: 'cfo revision 0' }, { text: 'cmo revision 0' }],
    });
    const started = memoryRun.events.filter((event) => event.type === 'turn.started').map((event) => event.data);
    expect(started.map((data) => data.peers)).toEqual([
      ...[undefined, undefined, undefined],
      ...[
        ['cfo', 'cmo'],
        ['ceo', 'cmo'],
        ['ceo', 'cfo'],
      ],
      ['ceo', 'cfo', 'cmo'],
    ]);
    expect(result).toMatchObject({
      summary: 'ceo synthesis 0',
      synthesis: { agent_id: 'ceo', status: 'completed', error: null },
      turns: 7,
      results: { ceo: { turns: 3, output: { position: 'ceo revision 0' } }, cfo: { turns: 2 } },
    });
  });

  it('starts the turns of a round in the order of the agents, before any of them ends', async () => {
    const { memoryRun } = await run(chorus(), request('collaborative'));
    expect(memoryRun.stepOrder.slice(0, 3)).toEqual(['round-1/ceo', 'round-1/cfo', 'round-1/cmo']);
    const firstEnd = memoryRun.types.indexOf('turn.completed');
    const begun = memoryRun.types.slice(0, firstEnd).filter((type) => type === 'turn.started');
    expect(begun).toHaveLength(3);
  });

  it('counts usage once, where it arose', async () => {
    const { result } = await run(chorus(), request('collaborative'));
    const one = { tokens_input: 10, tokens_output: 5 };
    expect(result['usage']).toEqual({ tokens_input: 70, tokens_output: 35, cost_usd: 0.007 });
    expect(member(result, 'results', 'ceo', 'usage')).toMatchObject({ tokens_input: 3 * one.tokens_input });
    expect(member(result, 'results', 'cfo', 'usage')).toMatchObject({ tokens_output: 2 * one.tokens_output });
  });

  it('goes on without an agent that fails, and asks it again in the next round', async () => {
    const model = chorus(({ agent, kind }) =>
      agent.agent_id === 'cfo' && kind === 'position' ? refused() : undefined,
    );
    const { result } = await run(model, request('collaborative'));
    const second = model.asked.find(({ brief }) => brief.kind === 'revision' && brief.agent.agent_id === 'cfo');
    expect(second?.brief).toMatchObject({
      own: undefined,
      peers: [{ text: 'ceo position 0' }, { text: 'cmo position 0' }],
    });
    expect(member(result, 'results', 'cfo')).toMatchObject({ status: 'completed', error: null, turns: 2 });
  });

  it('keeps what an agent said before it failed', async () => {
    const model = chorus(({ agent, kind }) =>
      agent.agent_id === 'cmo' && kind === 'revision' ? refused() : undefined,
    );
    const { result } = await run(model, request('collaborative'));
    expect(member(result, 'results', 'cmo')).toMatchObject({
      status: 'completed',
      output: { position: 'cmo position 0' },
    });
    expect(model.asked.at(-1)?.brief).toMatchObject({ contributions: [{}, {}, { text: 'cmo position 0' }] });
  });

  it('fails as soon as a round ends in which nobody has ever answered', async () => {
    const memoryRun = new MemoryRun(request('collaborative'));
    await expect(memoryRun.execute(programOf(chorus(refused)))).rejects.toMatchObject({
      code: 'model_failed',
      message: 'ceo failed in round-1/ceo: the key was refused',
    });
    expect(memoryRun.stepOrder).toHaveLength(3);
    expectSoundLog(memoryRun.events);
  });

  it('fails at the first failure when it is told to', async () => {
    const model = chorus(({ agent }) => (agent.agent_id === 'cmo' ? refused() : undefined));
    const memoryRun = new MemoryRun(request('collaborative', { config: { continue_on_error: false } }));
    await expect(memoryRun.execute(programOf(model))).rejects.toMatchObject({
      message: 'cmo failed in round-1/cmo: the key was refused',
    });
  });

  it('completes with the positions side by side when the synthesis fails', async () => {
    const { result } = await run(
      chorus(({ kind }) => (kind === 'synthesis' ? refused() : undefined)),
      request('collaborative'),
    );
    expect(result['summary']).toContain('The synthesis by CEO failed');
    expect(result['summary']).toContain('CMO:\ncmo revision 0');
    expect(result['synthesis']).toMatchObject({ status: 'failed', error: { code: 'model_failed' } });
  });

  it('repeats a turn that may succeed later, and voids what it said before if it says something else', async () => {
    const model = scriptedModel((brief, nth) => {
      if (brief.agent.agent_id !== 'cfo' || brief.kind !== 'position') return ['fine'];
      return nth === 0 ? ['one thing', busy()] : ['another thing'];
    });
    const { memoryRun } = await run(model, request('collaborative'));
    const own = memoryRun.events.filter((event) => 'turn' in event.data && event.data.turn === 'round-1/cfo');
    expect(own.map((event) => event.type)).toEqual([
      'turn.started',
      'turn.delta',
      'turn.restarted',
      'turn.delta',
      'turn.completed',
    ]);
  });

  it('gives every agent the purpose, the context and the day', async () => {
    const model = chorus();
    await run(
      model,
      request('collaborative', {
        purpose: { purpose: 'grow without debt', purpose_scope: 'this year' },
        context: { market: 'dach' },
      }),
    );
    for (const { prompt } of model.asked) {
      expect(prompt.instructions).toContain('grow without debt');
      expect(prompt.instructions).toContain('this year');
      expect(prompt.messages[0]?.content).toContain('"market": "dach"');
      expect(prompt.messages[0]?.content).toContain('Today is 2026-02-01.');
    }
  });

  it('ends with the reason of its signal when that fires', async () => {
    const controller = new AbortController();
    const reason = new AosError('cancelled', 'enough');
    const model = scriptedModel((brief) => {
      if (brief.agent.agent_id === 'cmo') controller.abort(reason);
      return ['a', 'b'];
    });
    const memoryRun = new MemoryRun(request('collaborative'));
    await expect(memoryRun.execute(programOf(model), { signal: controller.signal })).rejects.toBe(reason);
    expect(memoryRun.types).not.toContain('turn.failed');
  });

  it('lets a fault of our own fail the run as what it is', async () => {
    const model = chorus(() => new TypeError('a bug'));
    const memoryRun = new MemoryRun(request('collaborative'));
    await expect(memoryRun.execute(programOf(model))).rejects.toThrow('a bug');
    expect(memoryRun.types).not.toContain('turn.failed');
  });

  it('says which agents there are when one has left the registry since', async () => {
    const memoryRun = new MemoryRun(request('collaborative', { agent_ids: ['cto'] }));
    await expect(memoryRun.execute(programOf(chorus()))).rejects.toMatchObject({
      code: 'invalid_request',
      message: 'there is no agent "cto" (there are: ceo, cfo, cmo)',
    });
  });
});

describe('a chat run', () => {
  const messages: { runId: string; role: string; content: string }[] = [];
  const memory: SessionMemory = {
    async add({ runId, role, content }) {
      const there = messages.findIndex((message) => message.runId === runId && message.role === role);
      return there >= 0 ? there + 1 : messages.push({ runId, role, content });
    },
    recall: async (_session, last) =>
      messages.slice(0, last).map(({ role, content }) => ({ role: role === 'assistant' ? role : 'user', content })),
  };

  it('answers with the conversation so far, and remembers message and answer', async () => {
    const model = scriptedModel(({ kind }, nth) => [`answer ${nth} to ${kind}`]);
    const first = new MemoryRun({ message: 'I am Ada' }, { id: 'a' });
    expect(await first.execute(programOf(model, memory))).toEqual({
      message: 'answer 0 to chat',
      agent_id: 'ceo',
      usage: { tokens_input: 10, tokens_output: 5, cost_usd: 0.001 },
      model: 'scripted-1',
      simulated: false,
    });
    const second = new MemoryRun({ message: 'Who am I?', agent_id: 'cmo' }, { id: 'b' });
    expect(await second.execute(programOf(model, memory))).toMatchObject({ agent_id: 'cmo' });
    expect(model.asked[1]?.prompt.messages).toEqual([
      { role: 'user', content: 'I am Ada' },
      { role: 'assistant', content: 'answer 0 to chat' },
      { role: 'user', content: 'Who am I?' },
    ]);
    expectSoundLog(first.events);
    expect(first.events[0]).toMatchObject({ type: 'run.started', data: { plan: { planned_turns: 1 } } });
  });

  it('fails with the failure of the model', async () => {
    const failing = new MemoryRun({ message: 'hello' }, { id: 'c' });
    await expect(
      failing.execute(
        programOf(
          scriptedModel(() => [refused()]),
          memory,
        ),
      ),
    ).rejects.toMatchObject({
      code: 'model_failed',
      message: 'the key was refused',
    });
    expect(failing.types).toEqual(['run.started', 'turn.started', 'turn.failed']);
  });
});
