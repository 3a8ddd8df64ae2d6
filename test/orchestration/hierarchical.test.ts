import { describe, expect, it } from 'vitest';
import { chorus, dieEverywhere, refused, requestOf, runToEnd } from '../support/orchestration.ts';

const PLAN = 'The plan.\n```json\n{"assignments": {"cfo": "price it", "cmo": "sell it"}}\n```';
const led = (says: Parameters<typeof chorus>[0] = () => undefined) =>
  chorus((brief, nth) => says(brief, nth) ?? (brief.kind === 'assign' ? PLAN : undefined));

describe('a hierarchical run', () => {
  it('has the leader plan, the others do their parts at once, and the leader bring them together', async () => {
    const model = led();
    const { result, memoryRun } = await runToEnd(model, requestOf('hierarchical'));
    expect(memoryRun.stepOrder).toEqual(['lead/ceo', 'work/cfo', 'work/cmo', 'synthesis/ceo']);
    expect(memoryRun.events[0]?.data).toMatchObject({
      plan: { phases: [['lead/ceo'], ['work/cfo', 'work/cmo'], ['synthesis/ceo']], planned_turns: 4 },
    });
    const parts = model.asked.flatMap(({ brief }) => (brief.kind === 'work' ? [brief.part] : []));
    expect(parts).toEqual(['price it', 'sell it']);
    expect(model.asked.at(-1)?.prompt.messages[0]?.content).toContain('cmo work 0');
    expect(result).toMatchObject({
      lead: 'ceo',
      assignments: { cfo: 'price it', cmo: 'sell it' },
      summary: 'ceo synthesis 0',
      turns: 4,
      results: { ceo: { turns: 2, output: { position: PLAN } }, cmo: { output: { position: 'cmo work 0' } } },
    });
  });

  it('gives the whole plan to whoever it names no part for', async () => {
    const model = led(({ kind }) => (kind === 'assign' ? 'Let us all do our best.' : undefined));
    await runToEnd(model, requestOf('hierarchical'));
    const work = model.asked.find(({ brief }) => brief.kind === 'work');
    expect(work?.brief).toMatchObject({ part: undefined, plan: 'Let us all do our best.' });
    expect(work?.prompt.messages[0]?.content).toContain('Let us all do our best.');
  });

  it('lets the first agent lead when none is of the leadership type', async () => {
    const { memoryRun } = await runToEnd(led(), requestOf('hierarchical', { agent_ids: ['cmo', 'cfo'] }));
    expect(memoryRun.stepOrder).toEqual(['lead/cmo', 'work/cfo', 'synthesis/cmo']);
  });

  it('goes on without a plan when the lead fails, each working by itself', async () => {
    const model = led((brief) => (brief.kind === 'assign' ? refused() : undefined));
    const { result } = await runToEnd(model, requestOf('hierarchical'));
    expect(result['results']).toMatchObject({
      ceo: { status: 'failed' },
      cfo: { output: { position: 'cfo position 0' } },
    });
    expect(result['summary']).toBe('ceo synthesis 0');
  });

  it('fails when no part was done', async () => {
    const model = led(({ kind }) => (kind === 'work' ? refused() : undefined));
    await expect(runToEnd(model, requestOf('hierarchical'))).rejects.toMatchObject({ code: 'model_failed' });
  });

  it('fails at the first failure where that is the policy', async () => {
    const model = led(({ agent }) => (agent.agent_id === 'cfo' ? refused() : undefined));
    const body = requestOf('hierarchical', { config: { on_error: 'fail' } });
    await expect(runToEnd(model, body)).rejects.toMatchObject({ message: expect.stringContaining('work/cfo') });
  });

  it('is one turn when the leader is alone', async () => {
    const { result } = await runToEnd(led(), requestOf('hierarchical', { agent_ids: ['ceo'] }));
    expect(result).toMatchObject({ summary: 'ceo position 0', turns: 1 });
  });

  it.each([
    [4, ['lead/ceo', 'work/cfo', 'work/cmo', 'synthesis/ceo']],
    [3, ['lead/ceo', 'work/cfo', 'work/cmo']],
    [2, ['lead/ceo', 'work/cfo']],
    [1, ['lead/ceo']],
  ])('of at most %s turns has the steps %j', async (maxTurns, steps) => {
    const { memoryRun, result } = await runToEnd(led(), requestOf('hierarchical', { config: { max_turns: maxTurns } }));
    expect(memoryRun.stepOrder).toEqual(steps);
    expect(result['summary']).not.toBe('');
  });

  it('comes to the same result wherever the process dies', async () => {
    expect(await dieEverywhere(() => led(), requestOf('hierarchical'))).toBeGreaterThan(15);
  });
});
