import { describe, expect, it } from 'vitest';
import type { ModelPart } from '../../src/agents/model.ts';
import { createSimulatedModel } from '../../src/agents/simulated-model.ts';
import { systemClock } from '../../src/core/clock.ts';
import { AosError } from '../../src/core/errors.ts';
import { testAgent } from '../support/agents.ts';
import { ManualClock } from '../support/manual-clock.ts';

const request = {
  brief: {
    kind: 'position',
    agent: testAgent('cfo'),
    assignment: { task: { revenue: 100, costs: 60 }, context: {}, purpose: undefined, today: '2026-02-01' },
    group: [],
  },
  prompt: { instructions: 'x'.repeat(40), messages: [{ role: 'user', content: 'y'.repeat(39) }] },
} as const;
const never = new AbortController().signal;
/** The model loads its rules at the first question; with these loaded, that takes no turn of the event loop. */
const loaded = import('../../src/agents/simulated/answer.ts');

describe('the simulated model', () => {
  it('says the same to the same brief, in pieces that add up', async () => {
    const model = createSimulatedModel({ firstTokenMs: 0, tokenMs: 0 }, systemClock);
    const first = await Array.fromAsync(model.stream(request, never));
    expect(await Array.fromAsync(model.stream(request, never))).toEqual(first);
    const text = first.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('');
    expect(text).toContain('Revenue 100 less costs 60 leaves 40, a margin of 40 %');
    expect(text).toMatch(/\.$/);
    expect(first.at(-1)).toEqual({
      type: 'end',
      usage: { tokens_input: 20, tokens_output: Math.ceil(text.length / 4), cost_usd: 0 },
      finishReason: 'stop',
      model: 'simulated',
      id: undefined,
    });
  });

  it('paces itself by the clock', async () => {
    const clock = new ManualClock();
    const parts: ModelPart[] = [];
    const reading = (async () => {
      const model = createSimulatedModel({ firstTokenMs: 100, tokenMs: 10 }, clock);
      for await (const part of model.stream(request, never)) parts.push(part);
    })();
    await loaded;
    await clock.advance(99);
    expect(parts).toHaveLength(0);
    await clock.advance(1);
    expect(parts).toHaveLength(1);
    await clock.advance(20);
    expect(parts).toHaveLength(3);
    await clock.advance(10_000);
    await reading;
    expect(parts.at(-1)?.type).toBe('end');
  });

  it('stops at once when its signal fires', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const reason = new AosError('cancelled', 'enough');
    const model = createSimulatedModel({ firstTokenMs: 100, tokenMs: 10 }, clock);
    const reading = Array.fromAsync(model.stream(request, controller.signal));
    reading.catch(() => {});
    await loaded;
    await clock.advance(150);
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
    expect(clock.armed).toBe(0);
  });
});
