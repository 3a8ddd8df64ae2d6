import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { chorus, programOf, refused, runToEnd } from '../support/orchestration.ts';
import { expectSoundLog } from '../support/run-log.ts';
import { MemoryRun } from '../support/run-scope.ts';

const body = (config: JsonObject = {}): JsonObject => ({
  agent_ids: ['ceo', 'cfo'],
  workflow: 'collaborative',
  purpose: 'keep the company solvent',
  config,
});
const turnsOf = (run: MemoryRun) =>
  run.events.flatMap((event) => (event.type === 'turn.completed' ? [event.data.turn] : []));

describe('a perpetual run', () => {
  it('goes round in cycles and waits between them, holding nothing', async () => {
    const model = chorus();
    const run = new MemoryRun(body({ cycle_interval_seconds: 60 }));
    expect(await run.go(programOf(model))).toBe('waiting');
    expect(turnsOf(run)).toEqual(['cycle-1/ceo', 'cycle-1/cfo']);
    expect(run.waits).toMatchObject([{ name: 'cycle-2/pause', signal: 'stop', reason: 'timer' }]);
    run.pass('cycle-2/pause');
    expect(await run.go(programOf(model))).toBe('waiting');
    expect(turnsOf(run).slice(2)).toEqual(['cycle-2/ceo', 'cycle-2/cfo']);
    expect(run.events[0]?.data).not.toHaveProperty('plan.planned_turns');
    expectSoundLog(run.events);
  });

  it('waits half a minute when nobody says how long', async () => {
    const run = new MemoryRun(body());
    await run.go(programOf(chorus()));
    const ended = run.events.find((event) => event.type === 'turn.completed' && event.data.agent_id === 'cfo');
    const seconds = Date.parse(run.waits[0]?.until ?? '') - Date.parse(String(run.checkpoints[0]?.['next']));
    expect(seconds).toBe(0);
    expect(ended).toBeDefined();
  });

  it('shows every agent the last words of all', async () => {
    const model = chorus();
    const run = new MemoryRun(body());
    await run.go(programOf(model));
    run.pass('cycle-2/pause');
    await run.go(programOf(model));
    const { brief } = model.asked[2] ?? {};
    expect(brief).toMatchObject({
      kind: 'cycle',
      cycle: 2,
      latest: [{ text: 'ceo cycle 0' }, { text: 'cfo cycle 0' }],
    });
  });

  it('forgets its steps after every cycle and keeps its account', async () => {
    const run = new MemoryRun(body());
    const model = chorus();
    await run.go(programOf(model));
    run.pass('cycle-2/pause');
    await run.go(programOf(model));
    expect(run.recorded('cycle-2/ceo')).toBeUndefined();
    expect(run.checkpoints.at(-1)).toMatchObject({
      cycle: 2,
      accounts: { ceo: { turns: 2, output: 'ceo cycle 1', usage: { tokens_input: 20 } } },
      meter: { spent: { turns: 4, tokens: 60 } },
    });
  });

  it('stops between cycles when it is told', async () => {
    const run = new MemoryRun(body());
    const model = chorus();
    await run.go(programOf(model));
    run.send('stop', { reason: 'enough' });
    const result = await run.execute(programOf(model));
    expect(result).toMatchObject({
      workflow: 'perpetual',
      status: 'stopped',
      stop_reason: 'enough',
      cycles: 1,
      turns: 2,
      usage: { tokens_input: 20, tokens_output: 10, cost_usd: 0.002 },
      results: { ceo: { status: 'completed', output: { position: 'ceo cycle 0' }, turns: 1 } },
    });
    expect((result as JsonObject)['summary']).toContain('cfo: cfo cycle 0');
    expect(run.types.at(-1)).toBe('run.stopped');
  });

  it('lets the turn that runs come to its end and takes no other', async () => {
    const run = new MemoryRun(body());
    const model = chorus(({ agent }) => {
      if (agent.agent_id === 'ceo') run.send('stop');
      return undefined;
    });
    expect(await run.execute(programOf(model))).toMatchObject({
      status: 'stopped',
      cycles: 1,
      results: { ceo: { status: 'completed' }, cfo: { status: 'skipped', duration_seconds: null } },
    });
  });

  it('keeps messages over a pause for the agent they are for', async () => {
    const run = new MemoryRun(body());
    const model = chorus(({ agent }, nth) => {
      // After the turn of the agent it is for, and before the last poll of the cycle.
      if (agent.agent_id === 'ceo' && nth === 0) run.send('message', { agent_id: 'ceo', message: 'Hold the price.' });
      return undefined;
    });
    await run.go(programOf(model));
    expect(run.checkpoints[0]).toMatchObject({ inbox: { ceo: ['Hold the price.'] } });
    run.pass('cycle-2/pause');
    await run.go(programOf(model));
    expect(model.asked[2]?.brief).toMatchObject({ cycle: 2, messages: ['Hold the price.'] });
    expect(model.asked[3]?.brief).toMatchObject({ messages: [] });
  });

  it('ends after as many cycles as it may have', async () => {
    const run = new MemoryRun(body({ max_cycles: 2 }));
    run.onWait = () => 'timeout';
    expect(await run.execute(programOf(chorus()))).toMatchObject({ cycles: 2, stop_reason: 'max_cycles', turns: 4 });
    const shares = run.events.flatMap((event) => (event.type === 'turn.completed' ? [event.data.progress] : []));
    expect(shares).toEqual([0.25, 0.5, 0.75, 1]);
  });

  it('asks an agent that failed again in the next cycle, or fails by policy', async () => {
    const failing = chorus(({ agent }, nth) => (agent.agent_id === 'cfo' && nth === 0 ? refused() : undefined));
    const run = new MemoryRun(body({ max_cycles: 2 }));
    run.onWait = () => 'timeout';
    expect(await run.execute(programOf(failing))).toMatchObject({
      results: { cfo: { status: 'completed', turns: 2, error: null } },
    });
    const strict = body({ max_cycles: 2, continue_on_error: false });
    await expect(runToEnd(chorus(refused), strict)).rejects.toMatchObject({ code: 'model_failed' });
  });

  it('is the same wherever the process dies, and its progress never falls', async () => {
    const config = { max_cycles: 3 };
    const fresh = () => {
      const run = new MemoryRun(body(config));
      run.onWait = () => 'timeout';
      return run;
    };
    const says = () =>
      chorus((brief) => (brief.kind === 'cycle' ? `${brief.agent.agent_id} ${brief.cycle}` : undefined));
    let deaths = 0;
    for (const at of ['before-emit', 'after-emit', 'before-step-stored', 'after-step-stored'] as const) {
      for (let nth = 1; ; nth++) {
        const run = fresh();
        if ((await run.execute(programOf(says()), { death: { at, nth } })) !== 'died') break;
        deaths += 1;
        const result = await run.execute(programOf(says()));
        expect(result).toMatchObject({ cycles: 3, turns: 6, results: { cfo: { output: { position: 'cfo 3' } } } });
        expectSoundLog(run.events);
        expect(turnsOf(run)).toHaveLength(6);
      }
    }
    expect(deaths).toBeGreaterThan(30);
  });

  it.each([
    [
      { cycle_interval_seconds: -1 },
      '"config.cycle_interval_seconds" must be a number of seconds from 0 to 604800, got -1',
    ],
    [{ max_cycles: 0 }, '"config.max_cycles" must be a whole number from 1, got 0'],
  ])('is refused with %o', async (config, message) => {
    await expect(runToEnd(chorus(), body(config))).rejects.toMatchObject({ code: 'invalid_request', message });
  });
});
