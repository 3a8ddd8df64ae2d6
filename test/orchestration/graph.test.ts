import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createToolSet, type Tool } from '../../src/agents/tool.ts';
import { AosError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { ApprovalAsk, ApprovalDesk, ApprovalOutcome } from '../../src/governance/approval-desk.ts';
import type { ProgramParts } from '../../src/orchestration/program.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { programOf } from '../support/orchestration.ts';
import { expectSoundLog } from '../support/run-log.ts';
import { MemoryRun } from '../support/run-scope.ts';
import { type Script, scriptedModel } from '../support/scripted-model.ts';

const refused = () => new AosError('model_failed', 'the key was refused', { retry: 'never' });

/** Says which node's agent it is; or what `says` gives for the instructions. */
function model(says: (instructions: string, nth: number) => Script | undefined = () => undefined) {
  return scriptedModel((brief, nth): Script => {
    const asked = brief.kind === 'node' ? (brief.instructions ?? '') : brief.kind;
    return says(asked, nth) ?? [`${brief.agent.agent_id}: ${asked}`];
  });
}

const agent = (id: string, instructions: string, more: JsonObject = {}): JsonObject => ({
  id,
  type: 'agent',
  agent_id: 'ceo',
  instructions,
  ...more,
});
const edge = (from: string, to: string, when?: JsonObject): JsonObject =>
  when === undefined ? { from, to } : { from, to, when };
const body = (nodes: JsonObject[], edges: JsonObject[] = [], more: JsonObject = {}): JsonObject => ({
  workflow: 'graph',
  task: { topic: 'bees', list: ['x', 'y', 'z'] },
  graph: { nodes, edges, ...more },
});

async function run(request: JsonObject, parts: Partial<ProgramParts> = {}, of = model()) {
  const memoryRun = new MemoryRun(request);
  const result = (await memoryRun.execute(programOf(of, parts))) as JsonObject;
  expectSoundLog(memoryRun.events);
  return { result, memoryRun };
}

function nodesTold({ events }: MemoryRun): string[] {
  return events.flatMap(({ type, data }) =>
    type.startsWith('node.') && 'node' in data
      ? [`${type.slice(5)} ${data.node}${'visit' in data && data.visit > 1 ? `/${data.visit}` : ''}`]
      : [],
  );
}

describe('a graph run', () => {
  it('gives each agent its instructions and what the nodes before it gave', async () => {
    const says = model();
    const { result, memoryRun } = await run(
      body(
        [agent('draft', 'write about {{input.task.topic}}'), agent('check', 'check it', { agent_id: 'cfo' })],
        [edge('draft', 'check')],
      ),
      {},
      says,
    );
    expect(says.asked[1]?.brief).toMatchObject({ given: [{ from: 'draft', text: 'ceo: write about bees' }] });
    expect(says.asked[1]?.prompt.messages[0]?.content).toContain('--- draft ---\nceo: write about bees');
    expect(memoryRun.stepOrder).toEqual(['draft/1', 'check/1']);
    expect(nodesTold(memoryRun)).toEqual(['started draft', 'completed draft', 'started check', 'completed check']);
    expect(result).toMatchObject({
      workflow: 'graph',
      agent_ids: ['ceo', 'cfo'],
      summary: 'cfo: check it',
      turns: 2,
      results: { ceo: { status: 'completed', output: { position: 'ceo: write about bees' } } },
      nodes: { draft: { status: 'completed', visits: 1 } },
      usage: { tokens_input: 20, tokens_output: 10 },
    });
  });

  it('takes branches at the same time, and joins them', async () => {
    const { result, memoryRun } = await run(
      body(
        [agent('a', 'a'), agent('b', 'b'), agent('c', 'c'), { id: 'j', type: 'join' }],
        [edge('a', 'b'), edge('a', 'c'), edge('b', 'j'), edge('c', 'j')],
      ),
    );
    expect(memoryRun.stepOrder).toEqual(['a/1', 'b/1', 'c/1']);
    expect(nodesTold(memoryRun).slice(2, 4)).toEqual(['started b', 'started c']);
    expect(result['nodes']).toMatchObject({ j: { output: { b: 'ceo: b', c: 'ceo: c' } } });
  });

  it('reads an answer as JSON, takes the edge whose condition holds, and skips the others', async () => {
    const says = model((asked) => (asked === 'judge' ? ['Well:\n```json\n{"approved": false}\n```'] : undefined));
    const { result, memoryRun } = await run(
      body(
        [agent('judge', 'judge', { output: 'json' }), agent('yes', 'yes'), agent('no', 'no')],
        [
          edge('judge', 'yes', { path: 'nodes.judge.output.approved', equals: true }),
          edge('judge', 'no', { path: 'nodes.judge.output.approved', equals: false }),
        ],
      ),
      {},
      says,
    );
    expect(result['summary']).toBe('ceo: no');
    expect(nodesTold(memoryRun)).toContain('skipped yes');
  });

  it('goes round a cycle until its condition holds', async () => {
    const says = model((asked, nth) => (asked === 'judge' ? [nth >= 3 ? 'fine' : 'again'] : undefined));
    const { result, memoryRun } = await run(
      body(
        [agent('draft', 'draft', { max_visits: 3 }), agent('judge', 'judge', { agent_id: 'cfo' })],
        [edge('draft', 'judge'), edge('judge', 'draft', { path: 'nodes.judge.output', contains: 'again' })],
        { start: ['draft'] },
      ),
      {},
      says,
    );
    expect(memoryRun.stepOrder).toEqual(['draft/1', 'judge/1', 'draft/2', 'judge/2', 'draft/3', 'judge/3']);
    expect(result['nodes']).toMatchObject({ draft: { visits: 3 }, judge: { visits: 3 } });
  });

  it('goes through a list, each item in a turn of its own', async () => {
    const each = { path: 'input.task.list' };
    const { result, memoryRun } = await run(body([agent('each', 'about {{item}} ({{index}})', { for_each: each })]));
    expect(memoryRun.stepOrder).toEqual(['each/1/item-1', 'each/1/item-2', 'each/1/item-3']);
    expect(result['nodes']).toMatchObject({
      each: { output: ['ceo: about x (0)', 'ceo: about y (1)', 'ceo: about z (2)'] },
    });
  });

  it('fails where a list is longer than it may be', async () => {
    const each = { path: 'input.task.list', max_items: 2 };
    await expect(run(body([agent('each', '{{item}}', { for_each: each })]))).rejects.toMatchObject({
      message: 'the node "each" failed: "input.task.list" has 3 items, more than max_items (2)',
    });
  });

  it('lays objects over each other, puts lists together and picks', async () => {
    const { result } = await run(
      body(
        [
          { id: 'a', type: 'transform', value: { x: 1, y: '{{input.task.topic}}' } },
          { id: 'b', type: 'transform', value: { y: 2 } },
          { id: 'm', type: 'transform', merge: ['nodes.a.output', 'nodes.b.output'] },
          { id: 'l', type: 'transform', merge: ['input.task.list', 'input.task.list'] },
        ],
        [edge('a', 'm'), edge('b', 'm'), edge('m', 'l')],
        { output: { merged: '{{nodes.m.output}}', first: '{{nodes.l.output.3}}' } },
      ),
    );
    expect(result).toMatchObject({
      output: { merged: { x: 1, y: 2 }, first: 'x' },
      summary: '{"merged":{"x":1,"y":2},"first":"x"}',
      turns: 0,
    });
  });
});

describe('a node that fails', () => {
  const failing = () => model((asked) => (asked === 'bad' ? ['half ', refused()] : undefined));

  it('fails the run, and says which node it was', async () => {
    const memoryRun = new MemoryRun(body([agent('a', 'bad'), agent('b', 'b')], [edge('a', 'b')]));
    await expect(memoryRun.execute(programOf(failing()))).rejects.toMatchObject({
      code: 'model_failed',
      message: 'the node "a" failed: the key was refused',
    });
    expect(nodesTold(memoryRun)).toEqual(['started a', 'failed a']);
    expectSoundLog(memoryRun.events);
  });

  it('is passed where its policy says so, and edges can tell', async () => {
    const { result } = await run(
      body(
        [agent('a', 'bad', { on_error: 'continue' }), agent('b', 'instead'), agent('c', 'c')],
        [
          edge('a', 'b', { path: 'nodes.a.status', equals: 'failed' }),
          edge('a', 'c', { path: 'nodes.a.status', equals: 'completed' }),
        ],
      ),
      {},
      failing(),
    );
    expect(result['summary']).toBe('ceo: instead');
    expect(result['nodes']).toMatchObject({
      a: { status: 'failed', error: 'the key was refused' },
      c: { status: 'skipped' },
    });
  });

  it('is repeated as often as its policy says, under names of their own', async () => {
    const says = model((asked, nth) => (asked === 'bad' && nth < 2 ? [refused()] : undefined));
    const { memoryRun } = await run(body([agent('a', 'bad', { on_error: { retry: 2 } })]), {}, says);
    expect(memoryRun.stepOrder).toEqual(['a/1', 'a/1/try-2', 'a/1/try-3']);
    expect(nodesTold(memoryRun)).toEqual(['started a', 'completed a']);
  });

  it('fails when its time is up, and stays so when the run is resumed', async () => {
    // The clock of these tests lets time pass as soon as somebody waits for anything else.
    const slow = () => scriptedModel(({ agent: { agent_id: id } }) => (id === 'ceo' ? Array(50).fill('x') : ['fine']));
    const request = body(
      [agent('a', 'a', { timeout_seconds: 5, on_error: 'continue' }), agent('b', 'b', { agent_id: 'cfo' })],
      [edge('a', 'b')],
    );
    const memoryRun = new MemoryRun(request);
    const death = { at: 'before-step-stored', nth: 2 } as const;
    expect(await memoryRun.execute(programOf(slow()), { death })).toBe('died');
    const again = slow();
    expect(await memoryRun.execute(programOf(again))).toMatchObject({
      summary: 'fine',
      nodes: { a: { status: 'failed', error: 'the node "a" did not end within 5 s' } },
    });
    expect(again.asked.map(({ brief }) => brief.agent.agent_id)).toEqual(['cfo']);
    expectSoundLog(memoryRun.events);
  });

  it('fails like its sub-run did, also when that stood at its own limit', async () => {
    const node = {
      id: 'sub',
      type: 'orchestration',
      on_error: 'continue',
      request: { agent_ids: ['cfo'], task: {} },
    };
    const memoryRun = new MemoryRun(body([node]));
    const error = { code: 'limit_exceeded', message: 'the run used 5 of 5 turns' } as const;
    memoryRun.onChild = (work) => memoryRun.childRun(work, { status: 'failed', result: null, error });
    expect(await memoryRun.execute(programOf(model()))).toMatchObject({ nodes: { sub: { status: 'failed' } } });
  });

  it('lets a tool with an effect that is under way come to its end before the run fails', async () => {
    const order: string[] = [];
    const slowPay: Tool<object> = {
      name: 'transfer',
      version: '1',
      description: 'pays slowly',
      input: z.object({}),
      effect: 'external',
      timeoutMs: 1_000_000,
      async run() {
        for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve));
        order.push('paid');
        return null;
      },
    };
    const memoryRun = new MemoryRun(
      body([agent('a', 'bad'), { id: 'p', type: 'tool', tool: 'transfer', arguments: {} }]),
    );
    const clock = new ManualClock();
    const running = memoryRun.execute(programOf(failing(), { tools: createToolSet([slowPay] as Tool[]), clock }));
    await expect(running.finally(() => order.push('failed'))).rejects.toMatchObject({ code: 'model_failed' });
    expect(order).toEqual(['paid', 'failed']);
    expect(memoryRun.recorded('p/1')).toBeNull();
  });

  it('fails when its answer shall be JSON and is not', async () => {
    await expect(run(body([agent('a', 'hm', { output: 'json' })]))).rejects.toMatchObject({
      message: 'the node "a" failed: the answer must be JSON, got "ceo: hm"',
    });
  });
});

const add: Tool<{ a: number; b: number }> = {
  name: 'add',
  version: '1',
  description: 'adds',
  input: z.object({ a: z.number(), b: z.number() }),
  effect: 'read',
  timeoutMs: 1_000,
  run: async ({ a, b }) => ({ sum: a + b }),
};
const pay: Tool<{ amount: number }> = {
  name: 'pay',
  version: '1',
  description: 'pays',
  input: z.object({ amount: z.number().max(1_000) }),
  effect: 'external',
  timeoutMs: 1_000,
  requiresApproval: ({ amount }) => amount > 10,
  run: async ({ amount }, { idempotencyKey }) => ({ paid: amount, key: idempotencyKey }),
};
const tools = createToolSet([add, pay] as Tool[]);

/** A desk whose answers come as signals under the name of what was asked. */
function desk(): ApprovalDesk & { readonly asked: ApprovalAsk[] } {
  const asked: ApprovalAsk[] = [];
  return {
    asked,
    async ask(scope, ask) {
      asked.push(ask);
      const signal = await scope.wait({ name: `approval/${ask.name}`, reason: 'approval' });
      const base = { approvalId: ask.name, by: ['ada'] };
      const { decision, args, reason } = signal?.payload ?? {};
      if (decision !== 'approved') {
        return { ...base, decision: 'rejected', reason: String(reason ?? 'no') } satisfies ApprovalOutcome;
      }
      return { ...base, decision, args: (args as JsonObject | undefined) ?? ask.args, edited: args !== undefined };
    },
    decide: () => Promise.reject(new Error('nobody decides here')),
  };
}

describe('a tool node', () => {
  it('gets its arguments from references and gives what the tool gives', async () => {
    const { result, memoryRun } = await run(
      body(
        [
          { id: 'n', type: 'transform', value: { a: 2 } },
          { id: 'sum', type: 'tool', tool: 'add', arguments: { a: '{{nodes.n.output.a}}', b: 3 } },
        ],
        [edge('n', 'sum')],
      ),
      { tools },
    );
    expect(result['nodes']).toMatchObject({ sum: { output: { sum: 5 } } });
    expect(memoryRun.stepOptions.get('sum/1')).toMatchObject({ effect: 'read' });
  });

  it('fails on arguments the tool does not take', async () => {
    const node = { id: 'sum', type: 'tool', tool: 'add', arguments: { a: 'two', b: 3 } };
    await expect(run(body([node]), { tools })).rejects.toMatchObject({
      message: 'the node "sum" failed: its arguments cannot be used: "a": expected a number, got a text',
    });
  });

  it('asks before a tool that wants it, and runs it once with what was approved', async () => {
    const approvals = desk();
    const request = body([{ id: 'p', type: 'tool', tool: 'pay', arguments: { amount: 500 } }]);
    const memoryRun = new MemoryRun(request);
    expect(await memoryRun.go(programOf(model(), { tools, approvals }))).toBe('waiting');
    expect(approvals.asked[0]).toMatchObject({
      actionType: 'pay',
      args: { amount: 500 },
      requestType: 'tool_execution',
    });
    memoryRun.send('approval/p/1', { decision: 'approved', args: { amount: 400 } });
    const result = await memoryRun.execute(programOf(model(), { tools, approvals }));
    expect(result).toMatchObject({ nodes: { p: { output: { paid: 400, key: 'run-1/p/1' } } } });
    expect(memoryRun.stepOptions.get('p/1')).toMatchObject({ effect: 'external', retry: { attempts: 1 } });
  });

  it('that was cut off is not used again before somebody knows, whatever its policy', async () => {
    const paid: number[] = [];
    const counting = { ...pay, run: async ({ amount }: { amount: number }) => ({ paid: paid.push(amount) }) };
    const node = { id: 'p', type: 'tool', tool: 'pay', arguments: { amount: 5 }, on_error: { retry: 3 } };
    const program = () => programOf(model(), { tools: createToolSet([counting] as Tool[]) });
    const cutOff = async (answer: JsonObject) => {
      paid.length = 0;
      const memoryRun = new MemoryRun(body([node]));
      let nth = 1;
      // The tool has been used, and the process ends before that is stored.
      while (paid.length === 0) await memoryRun.execute(program(), { death: { at: 'before-step-stored', nth: nth++ } });
      expect(await memoryRun.go(program())).toBe('waiting');
      expect(memoryRun.waits).toMatchObject([
        { name: 'p/1/settle', reason: 'unknown_outcome', detail: { tool: 'pay' } },
      ]);
      memoryRun.send('p/1/settle', answer);
      return memoryRun;
    };
    const done = await (await cutOff({ outcome: 'completed', result: { paid: 5 } })).execute(program());
    expect(done).toMatchObject({ nodes: { p: { output: { paid: 5 } } } });
    expect(paid).toEqual([5]);
    const again = await (await cutOff({ outcome: 'not_done' })).execute(program());
    expect(again).toMatchObject({ nodes: { p: { output: { paid: 2 } } } });
    expect(paid).toEqual([5, 5]);
    const failing = (await cutOff({ outcome: 'failed' })).execute(program());
    await expect(failing).rejects.toMatchObject({ message: expect.stringContaining('not done again') });
    expect(paid).toEqual([5]);
  });

  it('does not ask before what the tool lets pass', async () => {
    const node = { id: 'p', type: 'tool', tool: 'pay', arguments: { amount: 5 } };
    const { result } = await run(body([node]), { tools, approvals: desk() });
    expect(result['nodes']).toMatchObject({ p: { output: { paid: 5 } } });
  });
});

describe('a node that waits', () => {
  const approve = {
    id: 'ok',
    type: 'approval',
    title: 'Publish {{input.task.topic}}?',
    arguments: { text: '{{nodes.a.output}}' },
  };

  it('waits for an approval beside other branches, and goes on where it stood', async () => {
    const approvals = desk();
    const says = model();
    const memoryRun = new MemoryRun(
      body(
        [agent('a', 'a'), approve, agent('b', 'b'), agent('c', 'c')],
        [edge('a', 'ok'), edge('a', 'b'), edge('ok', 'c')],
      ),
    );
    expect(await memoryRun.go(programOf(says, { approvals }))).toBe('waiting');
    expect(approvals.asked[0]).toMatchObject({ title: 'Publish bees?', args: { text: 'ceo: a' }, actionType: 'ok' });
    expect(nodesTold(memoryRun)).toEqual(['started a', 'completed a', 'started ok', 'started b', 'completed b']);
    memoryRun.send('approval/ok/1', { decision: 'approved' });
    const result = (await memoryRun.execute(programOf(says, { approvals }))) as JsonObject;
    expect(result['nodes']).toMatchObject({
      ok: { output: { approved: true, by: ['ada'] } },
      c: { status: 'completed' },
    });
    expect(says.asked).toHaveLength(3);
  });

  it('fails on a rejection, or goes on when the graph wants to tell', async () => {
    const answer = (memoryRun: MemoryRun) => {
      memoryRun.onWait = () => ({ decision: 'rejected', reason: 'too early' });
      return memoryRun.execute(programOf(model(), { approvals: desk() }));
    };
    const nodes = (more: JsonObject) => [agent('a', 'a'), { ...approve, ...more }, agent('no', 'no')];
    const edges = [edge('a', 'ok'), edge('ok', 'no', { path: 'nodes.ok.output.approved', equals: false })];
    await expect(answer(new MemoryRun(body(nodes({}), edges)))).rejects.toMatchObject({
      message: 'the node "ok" failed: it was rejected by ada: too early',
    });
    expect(await answer(new MemoryRun(body(nodes({ on_reject: 'continue' }), edges)))).toMatchObject({
      summary: 'ceo: no',
    });
  });

  it('asks before any node that requires it, with what it is going to do', async () => {
    const approvals = desk();
    const memoryRun = new MemoryRun(
      body([agent('a', 'write on {{input.task.topic}}', { requires_approval: { title: 'May it?', quorum: 2 } })]),
    );
    memoryRun.onWait = () => ({ decision: 'approved', args: { instructions: 'write on ants' } });
    const result = await memoryRun.execute(programOf(model(), { approvals }));
    expect(approvals.asked[0]).toMatchObject({
      name: 'a/1',
      title: 'May it?',
      quorum: 2,
      agentId: 'ceo',
      args: { instructions: 'write on bees' },
    });
    expect(result).toMatchObject({ summary: 'ceo: write on ants' });
  });

  it('takes the input somebody sends, or what the graph has instead when the time passes', async () => {
    const nodes = [
      {
        id: 'budget',
        type: 'input',
        prompt: 'How much for {{input.task.topic}}?',
        timeout_seconds: 60,
        otherwise: { eur: 0 },
      },
      agent('b', 'with {{nodes.budget.output.eur}}'),
    ];
    const fresh = () => new MemoryRun(body(nodes, [edge('budget', 'b')]));
    const sent = fresh();
    expect(await sent.go(programOf(model()))).toBe('waiting');
    expect(sent.waits[0]).toMatchObject({
      signal: 'budget',
      reason: 'input',
      detail: { node: 'budget', prompt: 'How much for bees?' },
    });
    expect(sent.waits[0]?.until).toMatch(/Z$/);
    sent.send('budget', { eur: 5 });
    expect(await sent.execute(programOf(model()))).toMatchObject({ summary: 'ceo: with 5' });
    const late = fresh();
    late.onWait = () => 'timeout';
    expect(await late.execute(programOf(model()))).toMatchObject({ summary: 'ceo: with 0' });
  });
});

describe('an orchestration node', () => {
  const node = {
    id: 'sub',
    type: 'orchestration',
    request: { workflow: 'sequential', agent_ids: ['cfo'], task: { on: '{{input.task.topic}}' } },
  };

  it('starts a run of its own and takes its result', async () => {
    const memoryRun = new MemoryRun(body([node, agent('b', '{{nodes.sub.output.summary}}')], [edge('sub', 'b')]));
    memoryRun.onChild = (work) => memoryRun.childRun(work, { result: { summary: 'all well' } });
    const result = await memoryRun.execute(programOf(model()));
    expect(memoryRun.children).toMatchObject([{ request: { workflow: 'sequential', task: { on: 'bees' } } }]);
    expect(result).toMatchObject({ summary: 'ceo: all well', nodes: { sub: { output: { status: 'completed' } } } });
  });

  it('fails when that run does', async () => {
    const memoryRun = new MemoryRun(body([node]));
    memoryRun.onChild = (work) =>
      memoryRun.childRun(work, { status: 'failed', result: null, error: { code: 'model_failed', message: 'no key' } });
    await expect(memoryRun.execute(programOf(model()))).rejects.toMatchObject({
      code: 'model_failed',
      message: 'the node "sub" failed: its run run-1.sub-1 ended as failed: no key',
    });
  });
});

describe('a graph run that is interrupted', () => {
  const request = body(
    [
      agent('draft', 'draft', { max_visits: 2 }),
      agent('left', 'left'),
      agent('right', 'right', { agent_id: 'cfo' }),
      { id: 'j', type: 'join' },
      agent('each', 'on {{item}}', { for_each: { path: 'input.task.list' }, agent_id: 'cmo' }),
      agent('first', 'whoever is first', { agent_id: 'cto' }),
      { id: 'any', type: 'join', wait: 'any' },
    ],
    [
      edge('draft', 'left'),
      edge('draft', 'right'),
      edge('left', 'j'),
      edge('right', 'j'),
      edge('j', 'draft', { path: 'nodes.j.visits', lt: 2 }),
      edge('j', 'each', { path: 'nodes.j.visits', gte: 2 }),
      edge('left', 'any'),
      edge('right', 'any'),
      edge('any', 'first'),
    ],
    { start: ['draft'] },
  );

  it('comes to the same result with the same events, wherever it was', { timeout: 60_000 }, async () => {
    const whole = await run(request);
    let deaths = 0;
    for (const at of ['before-emit', 'after-emit', 'before-step-stored', 'after-step-stored'] as const) {
      for (let nth = 1; ; nth++) {
        const memoryRun = new MemoryRun(request);
        const first = await memoryRun.execute(programOf(model()), { death: { at, nth } });
        if (first !== 'died') break;
        deaths += 1;
        const result = (await memoryRun.execute(programOf(model()))) as JsonObject;
        expectSoundLog(memoryRun.events);
        expect(result['nodes']).toEqual(whole.result['nodes']);
        expect(result['summary']).toBe(whole.result['summary']);
        expect(nodesTold(memoryRun).toSorted()).toEqual(nodesTold(whole.memoryRun).toSorted());
      }
    }
    expect(deaths).toBeGreaterThan(50);
  });
});
