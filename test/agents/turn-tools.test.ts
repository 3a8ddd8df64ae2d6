import { describe, expect, it, test, vi } from 'vitest';
import { z } from 'zod';
import type { Meter } from '../../src/agents/meter.ts';
import type { ToolExchange } from '../../src/agents/model.ts';
import type { Tool, ToolContext } from '../../src/agents/tool.ts';
import { AosError } from '../../src/core/errors.ts';
import type { JsonValue } from '../../src/core/json.ts';
import type { RunProgram } from '../../src/engine/engine.ts';
import { type SettledOutcome, settlementPayload } from '../../src/engine/settlement.ts';
import type { ApprovalAsk, ApprovalDesk, ApprovalOutcome } from '../../src/governance/approval-desk.ts';
import type { RunEvent } from '../../src/runs/event.ts';
import { unenforcedGovernor } from '../support/governance.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { type Death, MemoryRun } from '../support/run-scope.ts';
import { type Script, scriptedModel } from '../support/scripted-model.ts';
import { turnProgram } from '../support/turn.ts';

const input = z.object({ of: z.number() });
type Input = z.output<typeof input>;

function tool(change: Partial<Tool<Input>> = {}): Tool<Input> {
  return {
    name: 'double',
    version: '1',
    description: 'Doubles a number.',
    input,
    effect: 'read',
    timeoutMs: 10_000,
    run: async ({ of }) => of * 2,
    ...change,
  };
}

const ask = (of: JsonValue, name = 'double') => ({ tool: name, args: { of } });

/** A model that says one script after the other. */
const saying = (...scripts: Script[]) =>
  scriptedModel((_brief, _nth, { exchanges = [] }) => scripts[exchanges.length] ?? ['no more']);

const answersIn = (exchanges: readonly ToolExchange[] | undefined) =>
  exchanges?.flatMap(({ calls }) => calls.map(({ answer }) => answer));

/** The text a follower of the log has of the turn. */
function followed(events: readonly RunEvent[]): string {
  let text = '';
  for (const { type, data } of events) {
    if (type === 'turn.restarted') text = '';
    else if (type === 'turn.delta') {
      expect(data.offset).toBe(text.length);
      text += data.text;
    }
  }
  return text;
}

describe('a turn with tools', () => {
  it('calls the model again with what the tool gave, each as a step of its own', async () => {
    const run = new MemoryRun({ message: 'x' });
    const model = saying([ask(21)], ['It is 42.']);
    expect(await run.execute(turnProgram({ model, tools: [tool()] }))).toMatchObject({
      output: 'It is 42.',
      tool_calls: 1,
      usage: { tokens_input: 20, tokens_output: 10, cost_usd: 0.002 },
    });
    expect(run.stepOrder).toEqual(['chat/1', 'chat/1/tool-1/double', 'chat/1/call-2']);
    expect(model.asked[0]).toMatchObject({
      tools: [
        {
          name: 'double',
          description: 'Doubles a number.',
          parameters: { type: 'object', properties: { of: { type: 'number' } }, required: ['of'] },
        },
      ],
      exchanges: [],
    });
    expect(model.asked[1]?.exchanges).toEqual([
      { text: '', calls: [{ id: 'call-1', name: 'double', arguments: '{"of":21}', answer: { result: 42 } }] },
    ]);
    expect(run.types).toEqual(['turn.started', 'tool.called', 'tool.completed', 'turn.delta', 'turn.completed']);
    const about = {
      turn: 'chat/1',
      agent_id: 'cfo',
      step: 'chat/1/tool-1/double',
      tool_call_id: 'call-1',
      tool: 'double',
    };
    expect(run.events[1]?.data).toEqual({ ...about, effect: 'read', arguments: { of: 21 } });
    expect(run.events[2]?.data).toEqual({ ...about, result: 42, duration_ms: expect.any(Number) });
    expect(run.events.at(-1)?.data).toMatchObject({ output: 'It is 42.', tool_calls: 1, usage: { tokens_input: 20 } });
  });

  it('offers an agent only the tools it names', async () => {
    const model = saying(['fine']);
    const other = tool({ name: 'other' });
    await new MemoryRun({}).execute(turnProgram({ model, tools: [tool(), other], config: { tools: ['other'] } }));
    expect(model.asked[0]?.tools?.map(({ name }) => name)).toEqual(['other']);
  });

  it('runs tools that are asked for at once at the same time', async () => {
    const both = Promise.withResolvers<void>();
    let under = 0;
    const meeting = tool({
      async run({ of }) {
        under += 1;
        if (under === 2) both.resolve();
        await both.promise;
        return of;
      },
    });
    const model = saying([ask(1), ask(2)], ['done']);
    await new MemoryRun({}).execute(turnProgram({ model, tools: [meeting] }));
    expect(answersIn(model.asked[1]?.exchanges)).toEqual([{ result: 1 }, { result: 2 }]);
  });

  it('gives the tool who asks, a key that stays the same, and passes its effect to the step', async () => {
    const contexts: ToolContext[] = [];
    const writing = tool({
      effect: 'external',
      async run(_input, context) {
        contexts.push(context);
        return null;
      },
    });
    const run = new MemoryRun({});
    await run.execute(turnProgram({ model: saying([ask(1)], ['done']), tools: [writing] }));
    expect(contexts[0]).toMatchObject({
      idempotencyKey: 'run-1/chat/1/tool-1/double',
      caller: run.run.caller,
      sessionId: 'session-1',
    });
    expect(run.stepOptions.get('chat/1/tool-1/double')?.effect).toBe('external');
  });

  it('takes the effect of the input where the tool tells them apart', async () => {
    const run = new MemoryRun({});
    const some = tool({ effect: 'external', effectOf: ({ of }) => (of === 0 ? 'read' : 'external') });
    await run.execute(turnProgram({ model: saying([ask(0), ask(1)], ['done']), tools: [some] }));
    expect(['1', '2'].map((n) => run.stepOptions.get(`chat/1/tool-${n}/double`)?.effect)).toEqual(['read', 'external']);
  });

  it('shows what the model says before a tool and voids it by what it says after', async () => {
    const run = new MemoryRun({});
    await run.execute(turnProgram({ model: saying(['Let me compute.', ask(21)], ['It is 42.']), tools: [tool()] }));
    expect(run.types.filter((type) => type !== 'tool.called')).toEqual([
      'turn.started',
      'turn.delta',
      'tool.completed',
      'turn.restarted',
      'turn.delta',
      'turn.completed',
    ]);
    expect(followed(run.events)).toBe('It is 42.');
  });

  it('cuts a long result off, for the model and in the log', async () => {
    const model = saying([ask(1)], ['done']);
    const run = new MemoryRun({});
    await run.execute(turnProgram({ model, tools: [tool({ run: async () => 'x'.repeat(100_000) })] }));
    const [answer] = answersIn(model.asked[1]?.exchanges) ?? [];
    const told = answer !== undefined && 'result' in answer ? String(answer.result) : '';
    expect(told).toHaveLength(16_000 + '… (84000 more characters left out)'.length);
    expect(told).toMatch(/84000 more characters left out\)$/);
  });
});

describe('what goes wrong with a tool is told to the model:', () => {
  test.each([
    [
      'a tool there is not',
      { tool: 'tripple', args: {} },
      'not_found',
      'you asked for the tool "tripple", which there is not (there are: double)',
    ],
    [
      'arguments that are no JSON',
      { tool: 'double', args: '{"of": 21' },
      'invalid_request',
      "what double was given is not valid JSON: expected ',' or '}' at line 1, column 10, got the end",
    ],
    [
      'arguments that are no object',
      { tool: 'double', args: '[21]' },
      'invalid_request',
      'what double was given must be a JSON object, got [21]',
    ],
    [
      'arguments that do not fit',
      { tool: 'double', args: { of: 'many' } },
      'invalid_request',
      'what double was given cannot be used: "of": expected a number, got a text',
    ],
    [
      'no arguments at all',
      { tool: 'double', args: '' },
      'invalid_request',
      'what double was given cannot be used: "of" is missing: expected a number',
    ],
  ])('%s', async (_name, call, code, message) => {
    const run = new MemoryRun({});
    const model = saying([call], ['then not']);
    const spy = vi.fn(async () => null);
    expect(await run.execute(turnProgram({ model, tools: [tool({ run: spy })] }))).toMatchObject({
      output: 'then not',
    });
    expect(answersIn(model.asked[1]?.exchanges)).toEqual([{ error: { code, message } }]);
    expect(run.types.slice(1, 3)).toEqual(['tool.called', 'tool.failed']);
    expect(run.events[2]?.data).toMatchObject({ error: { code, message } });
    expect(spy).not.toHaveBeenCalled();
  });

  it('a name that is no name makes no odd step', async () => {
    const run = new MemoryRun({});
    await run.execute(turnProgram({ model: saying([{ tool: '../a b/ü', args: {} }], ['ok']), tools: [tool()] }));
    expect(run.stepOrder).toContain('chat/1/tool-1/___a_b__');
  });

  it('a failure with words for people', async () => {
    const model = saying([ask(1)], ['ok']);
    const failing = tool({ run: () => Promise.reject(new AosError('not_found', 'there is no such number')) });
    await new MemoryRun({}).execute(turnProgram({ model, tools: [failing] }));
    expect(answersIn(model.asked[1]?.exchanges)).toEqual([
      { error: { code: 'not_found', message: 'there is no such number' } },
    ]);
  });

  it('any other failure, without its words, which go to the log', async () => {
    const model = saying([ask(1)], ['ok']);
    const logged: unknown[] = [];
    const log = { error: (...line: unknown[]) => logged.push(line) };
    const failing = tool({ run: () => Promise.reject(new Error('password hunter2')) });
    await new MemoryRun({}).execute(turnProgram({ model, tools: [failing], log: log as never }));
    expect(answersIn(model.asked[1]?.exchanges)).toEqual([
      { error: { code: 'internal_error', message: 'double failed; the log has the details' } },
    ]);
    expect(logged).toMatchObject([['a tool met an unexpected error', { tool: 'double' }]]);
  });

  it('a failure that passes, when the tool only reads, after another try', async () => {
    let tries = 0;
    const flaky = tool({
      run: async ({ of }) => {
        tries += 1;
        if (tries === 1) throw new AosError('unreachable', 'gone for a moment');
        return of;
      },
    });
    const model = saying([ask(7)], ['ok']);
    await new MemoryRun({}).execute(turnProgram({ model, tools: [flaky] }));
    expect(answersIn(model.asked[1]?.exchanges)).toEqual([{ result: 7 }]);
  });

  it('but one with effects is never tried again by itself', async () => {
    const run = vi.fn(() => Promise.reject(new AosError('unreachable', 'gone for a moment')));
    const model = saying([ask(7)], ['ok']);
    await new MemoryRun({}).execute(turnProgram({ model, tools: [tool({ run, effect: 'external' })] }));
    expect(run).toHaveBeenCalledTimes(1);
    expect(answersIn(model.asked[1]?.exchanges)).toMatchObject([{ error: { code: 'unreachable' } }]);
  });

  it.each([
    ['read', 'double did not end within 2 s'],
    ['external', 'double did not end within 2 s; whether it had its effect is not known, so do not just repeat it'],
  ] as const)('a tool (%s) that takes too long, also when it does not stop', async (effect, message) => {
    const clock = new ManualClock();
    const begun = Promise.withResolvers<AbortSignal>();
    const slow = tool({
      effect,
      timeoutMs: 2000,
      run(_input, { signal }) {
        begun.resolve(signal);
        return new Promise(() => {});
      },
    });
    const model = saying([ask(1)], ['ok']);
    // A tool that reads is tried once more; of one that others see somebody is asked first, and nobody says.
    const run = new MemoryRun({});
    const waits: string[] = [];
    run.onWait = ({ reason }) => {
      waits.push(reason);
      return 'timeout';
    };
    const running = run.execute(turnProgram({ model, tools: [slow], clock }));
    const signal = await begun.promise;
    for (let beat = 0; beat < 20; beat++) {
      await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(2000);
    }
    await running;
    expect(signal.aborted).toBe(true);
    expect(waits).toEqual(effect === 'external' ? ['unknown_outcome'] : []);
    expect(answersIn(model.asked[1]?.exchanges)).toEqual([{ error: { code: 'timed_out', message } }]);
  });
});

describe('the bounds of a turn', () => {
  it('are told to a model that asks for more tools than it may, and end a model that does not listen', async () => {
    const spy = vi.fn(async () => 1);
    const model = scriptedModel(() => [ask(1), ask(2)]);
    const run = new MemoryRun({});
    const work = run.execute(turnProgram({ model, tools: [tool({ run: spy })], config: { max_tool_calls: 3 } }));
    await expect(work).rejects.toMatchObject({ code: 'model_failed', message: expect.stringContaining('kept asking') });
    expect(spy).toHaveBeenCalledTimes(3);
    expect(model.asked.map(({ toolsClosed }) => toolsClosed)).toEqual([false, false, true, true]);
    expect(answersIn(model.asked[2]?.exchanges)?.at(-1)).toMatchObject({
      error: { message: 'the limit of 3 tool calls in a turn is reached: answer with what you have' },
    });
  });

  it('leave a model that listens its answer', async () => {
    const model = scriptedModel((_brief, _nth, { toolsClosed }) => (toolsClosed === true ? ['enough'] : [ask(1)]));
    const run = new MemoryRun({});
    expect(await run.execute(turnProgram({ model, tools: [tool()] }))).toMatchObject({
      output: 'enough',
      tool_calls: 16,
    });
  });

  it('are the same in the meter, which is asked between steps', async () => {
    const calls: string[] = [];
    const meter: Meter = {
      async check() {
        calls.push('check');
      },
      async spend(turn, usage) {
        calls.push(`spend ${turn} ${usage.tokens_input}`);
      },
      async toolCall(name, args) {
        calls.push(`${name} ${JSON.stringify(args)}`);
      },
    };
    const run = new MemoryRun({});
    const program = () => turnProgram({ model: saying([ask(1), ask(2)], ['ok']), tools: [tool()], meter });
    await run.execute(program());
    const first = calls.splice(0);
    expect(first).toEqual([
      'check',
      'spend chat/1 10',
      'double {"of":1}',
      'double {"of":2}',
      'check',
      'spend chat/1 10',
    ]);
    await run.execute(program());
    expect(calls).toEqual(first);
  });
});

describe('a tool that requires an approval', () => {
  const asked: ApprovalAsk[] = [];
  const desk = (outcome: (ask: ApprovalAsk) => Promise<Partial<ApprovalOutcome>>): ApprovalDesk => ({
    async ask(_scope, question) {
      asked.push(question);
      return { approvalId: 'a-1', by: ['ada'], ...(await outcome(question)) } as ApprovalOutcome;
    },
    decide: () => Promise.reject(new Error('not here')),
  });
  const guarded = tool({ effect: 'write', requiresApproval: ({ of }) => of > 10 });

  it('is run when it was approved, and not asked for where it is not required', async () => {
    asked.length = 0;
    const model = saying([ask(1), ask(21)], ['ok']);
    const approvals = desk(async ({ args }) => ({ decision: 'approved', args, edited: false }));
    await new MemoryRun({}).execute(
      turnProgram({ model, tools: [guarded], governor: unenforcedGovernor({ approvals }) }),
    );
    expect(answersIn(model.asked[1]?.exchanges)).toEqual([{ result: 2 }, { result: 42 }]);
    expect(asked).toMatchObject([
      {
        name: 'chat/1/tool-2/double',
        requestType: 'tool_execution',
        actionType: 'double',
        agentId: 'cfo',
        args: { of: 21 },
        title: 'CFO wants to use double',
      },
    ]);
  });

  it('is run with the arguments as they were approved', async () => {
    const run = new MemoryRun({});
    const model = saying([ask(21)], ['ok']);
    const approvals = desk(async () => ({ decision: 'approved', args: { of: 11 }, edited: true }));
    await run.execute(turnProgram({ model, tools: [guarded], governor: unenforcedGovernor({ approvals }) }));
    expect(answersIn(model.asked[1]?.exchanges)).toEqual([{ result: 22 }]);
    expect(run.events.find(({ type }) => type === 'tool.called')?.data).toMatchObject({ arguments: { of: 11 } });
  });

  test.each([
    [
      'rejected',
      { decision: 'rejected', reason: 'too dear' },
      'the use of double was not allowed: CFO wants to use double was rejected: too dear',
    ],
    [
      'not decided in time',
      { decision: 'timeout', reason: 'nobody came' },
      'the use of double was not allowed: CFO wants to use double was not decided in time: nobody came',
    ],
    [
      'approved with arguments that do not fit',
      { decision: 'approved', args: { of: 'x' }, edited: true },
      'what double may be given cannot be used: "of": expected a number, got a text',
    ],
  ] as const)('is not run when it was %s', async (_name, outcome, message) => {
    const run = new MemoryRun({});
    const model = saying([ask(21)], ['ok']);
    const spy = vi.fn(async () => 1);
    const approvals = desk(async () => outcome as Partial<ApprovalOutcome>);
    await run.execute(
      turnProgram({ model, tools: [{ ...guarded, run: spy }], governor: unenforcedGovernor({ approvals }) }),
    );
    expect(answersIn(model.asked[1]?.exchanges)).toMatchObject([{ error: { message } }]);
    expect(spy).not.toHaveBeenCalled();
  });

  it('is not run where nobody can be asked', async () => {
    const model = saying([ask(21)], ['ok']);
    await new MemoryRun({}).execute(turnProgram({ model, tools: [guarded] }));
    expect(answersIn(model.asked[1]?.exchanges)).toMatchObject([
      { error: { code: 'forbidden', message: expect.stringContaining('the use of double was not allowed') } },
    ]);
  });

  it('lets its agent answer an approver who asks back, and counts that call', async () => {
    const run = new MemoryRun({});
    const model = scriptedModel((brief, _nth, { exchanges = [] }) => {
      const last = brief.kind === 'chat' ? (brief.messages.at(-1)?.content ?? '') : '';
      if (last.includes('asks: why?')) return ['Because of the runway.'];
      return exchanges.length === 0 ? [ask(21)] : ['ok'];
    });
    let answer: string | undefined;
    const approvals = desk(async ({ args, onQuestion }) => {
      answer = await onQuestion?.({ text: 'why?', askedBy: 'ada', number: 1 });
      return { decision: 'approved', args, edited: false };
    });
    const outcome = await run.execute(
      turnProgram({ model, tools: [guarded], governor: unenforcedGovernor({ approvals }) }),
    );
    expect(answer).toBe('Because of the runway.');
    expect(outcome).toMatchObject({ usage: { tokens_input: 30 } });
    expect(run.stepOrder).toContain('chat/1/tool-1/double/question-1');
    expect(followed(run.events)).toBe('ok');
  });
});

describe('a turn that is resumed', () => {
  const points: Death[] = (['before-emit', 'after-emit', 'before-step-stored', 'after-step-stored'] as const).flatMap(
    (at) => [1, 2, 3, 4, 5, 6, 7].map((nth) => ({ at, nth })),
  );

  test.each(points)('after a death at %o says and does everything once', async (death) => {
    const done = new Map<string, number>();
    const writing = tool({
      effect: 'write',
      async run({ of }, { idempotencyKey }) {
        done.set(idempotencyKey, of);
        return of * 2;
      },
    });
    const scripts: Script[] = [['Let me ', 'see.', ask(1), ask(2)], [ask(3)], ['The answer ', 'is 12.']];
    const program = () => turnProgram({ model: saying(...scripts), tools: [writing] });
    const run = new MemoryRun({});
    const first = await run.execute(program(), { death });
    if (first !== 'died') return;
    expect(await run.execute(program())).toMatchObject({ output: 'The answer is 12.', tool_calls: 3 });
    expect([...done]).toHaveLength(3);
    expect(followed(run.events)).toBe('The answer is 12.');
    const count = (type: string) => run.types.filter((other) => other === type).length;
    expect([count('turn.started'), count('tool.called'), count('tool.completed'), count('turn.completed')]).toEqual([
      1, 3, 3, 1,
    ]);
    expect(run.events.at(-1)).toMatchObject({ type: 'turn.completed', data: { usage: { tokens_input: 30 } } });
    expect(new Set(run.events.map(({ key }) => key)).size).toBe(run.events.length);
  });

  /** A tool whose every use is seen elsewhere, and a model that uses it once. */
  function sendingProgram() {
    const done: string[] = [];
    const sending = tool({
      effect: 'external',
      async run({ of }, { idempotencyKey }) {
        done.push(idempotencyKey);
        return of;
      },
    });
    const model = saying([ask(1)], ['done']);
    const told = () => answersIn(model.asked.at(-1)?.exchanges)?.[0];
    return { done, told, program: () => turnProgram({ model, tools: [sending] }) };
  }
  const SETTLE = 'chat/1/tool-1/double/settle';

  test.each(points)('after a death at %o never does again what others may have seen', async (death) => {
    const { done, told, program } = sendingProgram();
    const run = new MemoryRun({});
    if ((await run.execute(program(), { death })) !== 'died') return;
    const before = done.length;
    let outcome = await run.go(program());
    // It is told as done only when it was done and stored; begun and not stored, the run waits for somebody who knows.
    if (outcome === 'waiting') {
      expect(run.waits).toMatchObject([
        { name: SETTLE, reason: 'unknown_outcome', detail: { tool: 'double', agent_id: 'cfo' } },
      ]);
      expect(run.types).not.toContain('tool.completed');
      run.send(SETTLE, settlementPayload({ outcome: 'completed', result: 7, note: undefined, externalId: undefined }));
      outcome = await run.go(program());
      expect(told()).toEqual({ result: 7 });
      expect(run.events.find(({ type }) => type === 'tool.completed')?.data).toMatchObject({ settled_by: 'someone' });
    } else expect(told()).toEqual({ result: 1 });
    expect(outcome).toMatchObject({ output: 'done', tool_calls: 1 });
    expect(done.length).toBeLessThanOrEqual(1);
    expect(before).toBeLessThanOrEqual(1);
  });

  describe('and waits for what became of a tool', () => {
    /** The process ends while the tool is under way. */
    const cutOff = async (run: MemoryRun, program: () => RunProgram) => {
      expect(await run.execute(program(), { death: { at: 'before-step-stored', nth: 2 } })).toBe('died');
      expect(await run.go(program())).toBe('waiting');
    };
    const settle = (outcome: SettledOutcome, note?: string) =>
      settlementPayload({ outcome, note, externalId: undefined });

    test('uses it again when it was not done', async () => {
      const { done, told, program } = sendingProgram();
      const run = new MemoryRun({});
      await cutOff(run, program);
      run.send(SETTLE, settle('not_done'));
      expect(await run.execute(program())).toMatchObject({ output: 'done' });
      expect(told()).toEqual({ result: 1 });
      expect(done).toHaveLength(2);
      expect(run.types.filter((type) => type === 'tool.called')).toHaveLength(2);
    });

    test('waits again when that is cut off too', async () => {
      const { done, program } = sendingProgram();
      const run = new MemoryRun({});
      await cutOff(run, program);
      run.send(SETTLE, settle('not_done'));
      // Steps that are stored already count too: the model, the call, the time to settle in, the call again.
      expect(await run.execute(program(), { death: { at: 'before-step-stored', nth: 4 } })).toBe('died');
      expect(await run.go(program())).toBe('waiting');
      expect(run.waits).toMatchObject([{ name: 'chat/1/tool-1/double/again-2/settle' }]);
      expect(done).toHaveLength(2);
    });

    test('tells the model that it failed, and why', async () => {
      const { done, told, program } = sendingProgram();
      const run = new MemoryRun({});
      await cutOff(run, program);
      run.send(SETTLE, settle('failed', 'the shop is closed'));
      expect(await run.execute(program())).toMatchObject({ output: 'done' });
      expect(told()).toMatchObject({
        error: { code: 'failed', message: expect.stringContaining('the shop is closed') },
      });
      expect(done).toHaveLength(1);
    });

    test('tells the model that nobody knows when nobody said', async () => {
      const { done, told, program } = sendingProgram();
      const run = new MemoryRun({});
      await cutOff(run, program);
      run.pass(SETTLE);
      expect(await run.execute(program())).toMatchObject({ output: 'done' });
      expect(told()).toMatchObject({ error: { code: 'unknown_outcome' } });
      expect(done).toHaveLength(1);
    });
  });
});

describe('a tool whose work is steps of the run', () => {
  const steps = (fails = false) =>
    tool({
      effect: 'external',
      run: () => Promise.reject(new Error('it is steps')),
      async asSteps({ of }, { scope, name, agentId }) {
        const first = await scope.step(`${name}/first`, async () => of * 2);
        const word = await scope.wait({ name: `${name}/word`, reason: 'input' });
        if (fails) throw new AosError('unprocessable', 'the plane refused it');
        return { first, word: word?.payload['say'] ?? null, agentId };
      },
    });

  it('waits in the run, and is told when it began and how it ended, once', async () => {
    const model = saying([ask(2)], ['done']);
    const program = () => turnProgram({ model, tools: [steps()] });
    const run = new MemoryRun({});
    expect(await run.go(program())).toBe('waiting');
    run.send('chat/1/tool-1/double/word', { say: 'yes' });
    expect(await run.execute(program())).toMatchObject({ output: 'done', tool_calls: 1 });
    expect(answersIn(model.asked.at(-1)?.exchanges)).toEqual([{ result: { first: 4, word: 'yes', agentId: 'cfo' } }]);
    expect(await run.execute(program())).toMatchObject({ output: 'done' });
    expect(run.types.filter((type) => type.startsWith('tool.'))).toEqual(['tool.called', 'tool.completed']);
  });

  it('fails as an answer to the model', async () => {
    const model = saying([ask(2)], ['done']);
    const run = new MemoryRun({});
    run.onWait = () => 'timeout';
    await run.execute(turnProgram({ model, tools: [steps(true)] }));
    expect(answersIn(model.asked.at(-1)?.exchanges)).toMatchObject([{ error: { message: 'the plane refused it' } }]);
    expect(run.types.at(-3)).toBe('tool.failed');
  });
});
