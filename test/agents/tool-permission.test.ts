/** Tool calls of a turn where a governor judges them. */
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { Tool } from '../../src/agents/tool.ts';
import type { Governor } from '../../src/governance/governor.ts';
import { answeringDesk, testGovernor, testPolicy } from '../support/governance.ts';
import { MemoryRun } from '../support/run-scope.ts';
import { type Script, scriptedModel } from '../support/scripted-model.ts';
import { turnProgram } from '../support/turn.ts';

const double: Tool<{ of: number }> = {
  name: 'double',
  version: '1',
  description: 'Doubles a number.',
  input: z.object({ of: z.number() }),
  effect: 'read',
  timeoutMs: 10_000,
  run: async ({ of }) => of * 2,
};

async function turnWith(governor: Governor, tool: Tool<{ of: number }>, run = new MemoryRun({})) {
  const scripts: Script[] = [[{ tool: 'double', args: { of: 21 } }], ['ok']];
  const model = scriptedModel((_brief, _nth, { exchanges = [] }) => scripts[exchanges.length] ?? ['no more']);
  await run.execute(turnProgram({ model, tools: [tool], governor }));
  const exchanges = model.asked.at(-1)?.exchanges ?? [];
  return { run, answers: exchanges.flatMap(({ calls }) => calls.map(({ answer }) => answer)) };
}

const order = (run: MemoryRun) => run.types.filter((type) => /^(tool|governance)\./.test(type));

describe('a tool call that is judged', () => {
  it('runs when it only reads, and the log is told of the verdict with its result', async () => {
    const { run, answers } = await turnWith(testGovernor(), double);
    expect(answers).toEqual([{ result: 42 }]);
    expect(order(run)).toEqual(['tool.called', 'governance.decided', 'tool.completed']);
    expect(run.events.find(({ type }) => type === 'governance.decided')?.data).toMatchObject({
      action: 'tool:double',
      verdict: 'allow',
      accountable: 'Platform',
      agent_id: 'cfo',
      environment: 'production',
    });
  });

  it('is judged before it runs when it changes something', async () => {
    const policy = testPolicy({ rules: [{ id: 'all', effect: 'allow', reason: 'All is well.' }] });
    const { run } = await turnWith(testGovernor({ policy }), { ...double, effect: 'external' });
    expect(order(run)).toEqual(['governance.decided', 'tool.called', 'tool.completed']);
  });

  it('is not run when it is denied, and the model is told why', async () => {
    const spy = vi.fn(async () => 1);
    const { run, answers } = await turnWith(testGovernor(), { ...double, effect: 'external', run: spy });
    expect(spy).not.toHaveBeenCalled();
    expect(answers).toMatchObject([
      { error: { code: 'forbidden', message: expect.stringContaining('No rule allows tool:double') } },
    ]);
    expect(order(run)).toEqual(['governance.decided', 'tool.called', 'tool.failed']);
  });

  it('asks once when the tool and a rule both want an approval, and runs with what was approved', async () => {
    const policy = testPolicy({ rules: [{ id: 'ask', effect: 'hold', reason: 'Somebody must agree.' }] });
    const approvals = answeringDesk(() => ({ args: { of: 4 }, edited: true }));
    const tool: Tool<{ of: number }> = { ...double, effect: 'write', requiresApproval: () => true };
    const { answers } = await turnWith(testGovernor({ policy, approvals }), tool);
    expect(approvals.asked).toHaveLength(1);
    expect(approvals.asked[0]).toMatchObject({ actionType: 'double', requestType: 'tool_execution' });
    expect(answers).toEqual([{ result: 8 }]);
  });

  it('is not run with arguments that were changed into what does not fit', async () => {
    const policy = testPolicy({ rules: [{ id: 'ask', effect: 'hold', reason: 'Somebody must agree.' }] });
    const approvals = answeringDesk(() => ({ args: { of: 'x' }, edited: true }));
    const { answers } = await turnWith(testGovernor({ policy, approvals }), double);
    expect(answers).toMatchObject([{ error: { message: expect.stringContaining('expected a number') } }]);
  });

  it.each(['before-emit', 'after-emit', 'before-step-stored', 'after-step-stored'] as const)(
    'has one verdict and one result when the process dies %s',
    async (at) => {
      const policy = testPolicy({ rules: [{ id: 'ask', effect: 'hold', reason: 'Somebody must agree.' }] });
      for (let nth = 1; nth <= 8; nth++) {
        const run = new MemoryRun({});
        const approvals = answeringDesk();
        const governor = testGovernor({ policy, approvals });
        const scripts: Script[] = [[{ tool: 'double', args: { of: 21 } }], ['ok']];
        const program = () =>
          turnProgram({
            model: scriptedModel((_brief, _nth, { exchanges = [] }) => scripts[exchanges.length] ?? ['no more']),
            tools: [{ ...double, effect: 'write' }],
            governor,
          });
        await run.execute(program(), { death: { at, nth } });
        expect(await run.execute(program())).toMatchObject({ output: 'ok' });
        expect(order(run)).toEqual(['governance.decided', 'governance.decided', 'tool.called', 'tool.completed']);
      }
    },
  );
});
