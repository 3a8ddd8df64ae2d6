import { describe, expect, it } from 'vitest';
import { chorus, dieEverywhere, refused, requestOf, runToEnd } from '../support/orchestration.ts';

describe('a concurrent run', () => {
  it('asks everybody at once and puts the answers side by side', async () => {
    const model = chorus();
    const { result, memoryRun } = await runToEnd(model, requestOf('concurrent'));
    expect(memoryRun.stepOrder).toEqual(['branch/cfo', 'branch/ceo', 'branch/cmo']);
    expect(memoryRun.types.slice(1, 4)).toEqual(['turn.started', 'turn.started', 'turn.started']);
    expect(result).toMatchObject({
      workflow: 'concurrent',
      turns: 3,
      progress: 1,
      usage: { tokens_input: 30, tokens_output: 15, cost_usd: 0.003 },
      results: { cfo: { status: 'completed', output: { position: 'cfo position 0' }, turns: 1 } },
    });
    expect(result['summary']).toContain('3 of 3 agents answered.');
    expect(result['summary']).toContain('CMO:\ncmo position 0');
    expect(result).not.toHaveProperty('synthesis');
  });

  it('has the lead make one result when it is asked to', async () => {
    const { result } = await runToEnd(chorus(), requestOf('concurrent', { config: { synthesis: true } }));
    expect(result).toMatchObject({ summary: 'ceo synthesis 0', synthesis: { agent_id: 'ceo' }, turns: 4 });
  });

  it('reports a branch that failed and goes on', async () => {
    const model = chorus(({ agent }) => (agent.agent_id === 'cmo' ? refused() : undefined));
    const { result } = await runToEnd(model, requestOf('concurrent'));
    expect(result['results']).toMatchObject({
      cfo: { status: 'completed' },
      cmo: { status: 'failed', output: null, error: { code: 'model_failed', message: 'the key was refused' } },
    });
    expect(result['summary']).toContain('2 of 3 agents answered.');
  });

  it.each([{ continue_on_error: false }, { on_error: 'fail' }])('fails by the policy %o', async (config) => {
    const model = chorus(({ agent }) => (agent.agent_id === 'cmo' ? refused() : undefined));
    await expect(runToEnd(model, requestOf('concurrent', { config }))).rejects.toMatchObject({ code: 'model_failed' });
  });

  it('fails when nobody answers', async () => {
    await expect(runToEnd(chorus(refused), requestOf('concurrent'))).rejects.toMatchObject({
      message: 'cfo failed in branch/cfo: the key was refused',
    });
  });

  it('leaves agents without a turn when turns are few', async () => {
    const { result } = await runToEnd(chorus(), requestOf('concurrent', { config: { max_turns: 2, synthesis: true } }));
    expect(result['results']).toMatchObject({ ceo: { status: 'completed' }, cmo: { status: 'skipped', turns: 0 } });
    expect(result).not.toHaveProperty('synthesis');
  });

  it('comes to the same result wherever the process dies', async () => {
    const body = requestOf('concurrent', { config: { synthesis: true } });
    expect(await dieEverywhere(() => chorus(), body)).toBeGreaterThan(15);
  });
});
