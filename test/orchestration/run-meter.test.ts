import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { RunScope } from '../../src/engine/engine.ts';
import { limitsOf } from '../../src/orchestration/limits.ts';
import { createLoopGuard } from '../../src/orchestration/loop-guard.ts';
import { createRunMeter, type RunMeter } from '../../src/orchestration/run-meter.ts';
import { chorus, programOf, requestOf, runToEnd } from '../support/orchestration.ts';
import { MemoryRun } from '../support/run-scope.ts';
import { tickingClock } from '../support/ticking-clock.ts';

const usage = (tokens: number) => ({ tokens_input: tokens, tokens_output: 0, cost_usd: 0.01 });

/** A run whose program does something with a meter. */
async function metered(run: MemoryRun, config: JsonObject, use: (meter: RunMeter, scope: RunScope) => Promise<void>) {
  return run.go(async (scope) => {
    const meter = createRunMeter({
      scope,
      clock: tickingClock(1),
      limits: limitsOf(config, 1),
      guard: createLoopGuard(),
      restored: scope.checkpointed?.['meter'],
    });
    await use(meter, scope);
    return meter.state();
  });
}

const spendAll = (turns: number) => async (meter: RunMeter) => {
  for (let nth = 1; nth <= turns; nth++) {
    await meter.begin(`turn-${nth}`);
    await meter.spend(`turn-${nth}`, usage(100));
  }
};

describe('a run at a limit', () => {
  it('says so and waits', async () => {
    const run = new MemoryRun({});
    expect(await metered(run, { max_tokens: 250 }, spendAll(5))).toBe('waiting');
    expect(run.waits).toMatchObject([
      { name: 'limit/1', reason: 'limit', detail: { limit: 'tokens', used: 300, max: 250 } },
    ]);
    expect(run.events.map(({ type, data }) => [type, data])).toMatchObject([
      ['run.limit_reached', { wait: 'limit/1', limit: 'tokens', used: 300, max: 250 }],
    ]);
  });

  it('goes on when it is let, by the same amount again, and says when that is used up too', async () => {
    const run = new MemoryRun({});
    run.send('limit/1', { decision: 'continue' });
    expect(await metered(run, { max_tokens: 250 }, spendAll(9))).toBe('waiting');
    // 300 used and 250 more granted.
    expect(run.waits).toMatchObject([{ name: 'limit/2', detail: { used: 600, max: 550 } }]);
    run.send('limit/2', { decision: 'continue', raise: { max_tokens: 10_000 } });
    expect(await metered(run, { max_tokens: 250 }, spendAll(9))).toMatchObject({ spent: { tokens: 900 }, trips: 2 });
    expect(run.types).toEqual(['run.limit_reached', 'run.limit_reached']);
  });

  it('fails when it is stopped', async () => {
    const run = new MemoryRun({});
    run.send('limit/1', { decision: 'stop' });
    await expect(metered(run, { max_tokens: 250 }, spendAll(5))).rejects.toMatchObject({
      code: 'limit_exceeded',
      message: 'the run used 300 of 250 tokens (config.max_tokens) and was told to stop there',
      facts: { limit: 'tokens', used: 300, max: 250 },
    });
  });

  it('fails when nobody answers in time', async () => {
    const run = new MemoryRun({});
    run.onWait = () => 'timeout';
    await expect(metered(run, { max_tokens: 250 }, spendAll(5))).rejects.toMatchObject({
      message: expect.stringContaining('nobody let it go on in time'),
    });
  });

  it('takes a word it does not know for no permission', async () => {
    const run = new MemoryRun({});
    run.send('limit/1', { decision: 'perhaps' });
    expect(await metered(run, { max_tokens: 250 }, spendAll(5))).toBe('waiting');
    expect(run.waits).toMatchObject([{ name: 'limit/2' }]);
  });

  it('asks once for all branches', async () => {
    const run = new MemoryRun({});
    const branches = async (meter: RunMeter) => {
      await meter.spend('before', usage(300));
      await Promise.all(['a', 'b', 'c'].map((turn) => meter.begin(turn)));
    };
    expect(await metered(run, { max_tokens: 250 }, branches)).toBe('waiting');
    expect(run.waits).toHaveLength(1);
    run.send('limit/1', { decision: 'continue' });
    expect(await metered(run, { max_tokens: 250 }, branches)).toMatchObject({ spent: { turns: 3 }, trips: 1 });
  });

  it('counts turns, tool calls and cost', async () => {
    const waitsFor = async (config: JsonObject, use: (meter: RunMeter) => Promise<void>) => {
      const run = new MemoryRun({});
      await metered(run, config, use);
      return run.waits[0]?.detail?.['limit'];
    };
    expect(await waitsFor({ max_turns: 2 }, spendAll(3))).toBe('turns');
    expect(await waitsFor({ max_turns: 3 }, spendAll(3))).toBeUndefined();
    expect(await waitsFor({ max_cost_usd: 0.02 }, spendAll(3))).toBe('cost_usd');
    const calls = async (meter: RunMeter) => {
      for (let nth = 1; nth <= 3; nth++) await meter.toolCall('search', { nth });
    };
    expect(await waitsFor({ max_tool_calls: 2 }, calls)).toBe('tool_calls');
    const again = async (meter: RunMeter) => {
      for (let nth = 1; nth <= 4; nth++) await meter.ofTurn('t').toolCall('search', {});
    };
    expect(await waitsFor({}, again)).toBe('loop');
  });

  it('keeps what was spent over a checkpoint', async () => {
    const run = new MemoryRun({});
    const spent = { turns: 2, tokens: 240, cost_usd: 0.1, tool_calls: 0 };
    run.checkpoints.push({ meter: { spent, limits: {}, trips: 3 } });
    expect(await metered(run, { max_tokens: 250 }, spendAll(2))).toBe('waiting');
    expect(run.waits).toMatchObject([{ name: 'limit/4', detail: { used: 340 } }]);
  });
});

describe('an orchestration at a limit', () => {
  it('waits before the turn that would go beyond it, and goes on from there', async () => {
    const model = chorus();
    const run = new MemoryRun(requestOf('sequential', { config: { max_tokens: 20 } }));
    expect(await run.go(programOf(model))).toBe('waiting');
    expect(model.asked).toHaveLength(2);
    run.send('limit/1', { decision: 'continue', raise: { max_tokens: 1000 } });
    expect(await run.go(programOf(model))).toMatchObject({ turns: 3, usage: { tokens_input: 30 } });
    expect(model.asked).toHaveLength(3);
  });

  it('that goes in circles says so, unless it is not to be watched', async () => {
    const model = () => chorus(() => 'the same');
    const body = (config: JsonObject) => requestOf('group-chat', { config: { max_turns: 12, ...config } });
    const run = new MemoryRun(body({}));
    expect(await run.go(programOf(model()))).toBe('waiting');
    expect(run.waits).toMatchObject([{ detail: { limit: 'loop', what: 'cfo said the same 3 times' } }]);
    expect((await runToEnd(model(), body({ loop_guard: false }))).result['turns']).toBe(12);
  });

  it('nested too deep does not begin', async () => {
    await expect(runToEnd(chorus(), requestOf('sequential'), { depth: 5 })).rejects.toMatchObject({
      code: 'limit_exceeded',
    });
  });
});
