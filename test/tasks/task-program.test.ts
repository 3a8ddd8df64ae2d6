import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { AosError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Router } from '../../src/fabric/router.ts';
import { RETRY_STEP } from '../../src/tasks/attempt.ts';
import { innerWork } from '../../src/tasks/handler-scheduled-job.ts';
import { createTaskProgram, type TaskProgramParts } from '../../src/tasks/task-program.ts';
import { testCatalogue } from '../support/agents.ts';
import { unenforcedGovernor } from '../support/governance.ts';
import { testRun } from '../support/run.ts';
import { MemoryRun } from '../support/run-scope.ts';
import { type Script, scriptedModel } from '../support/scripted-model.ts';

function program(change: Partial<TaskProgramParts> & { script?: () => Script } = {}) {
  const { script = () => ['Forty', '-two.'] } = change;
  return createTaskProgram({
    agents: {
      catalogue: testCatalogue('ceo', 'cfo'),
      model: scriptedModel(script),
      clock: systemClock,
      governor: unenforcedGovernor(),
      captureContent: false,
    },
    evaluation: {
      judge: ({ expected_output_contains: expected }, { output }) =>
        String(output).includes(String(expected)) ? [] : [`the output does not contain "${expected}"`],
      recorded: async () => undefined,
    },
    prepareOrchestration: async (body) => ({ request: { workflow: 'collaborative', ...body }, definition: 'hash-1' }),
    health: async () => ({ status: 'healthy' }),
    router: { route: async () => ({}) },
    ...change,
  });
}

function attemptRun(type: string, payload: JsonObject, agentId: string | null = null): MemoryRun {
  return new MemoryRun(
    { task_id: 'task-1', attempt: 1, task_type: type, payload, agent_id: agentId },
    { id: 'task-1.1', kind: 'task' },
  );
}

describe('agent_run', () => {
  it('has the agent answer the input and says what it took', async () => {
    const run = attemptRun('agent_run', { input: 'What is six times seven?' }, 'cfo');
    expect(await run.execute(program())).toEqual({
      run_id: 'task-1.1',
      output: 'Forty-two.',
      tokens_input: 10,
      tokens_output: 5,
      cost_usd: 0.001,
      steps_executed: 1,
      model: 'scripted-1',
      simulated: false,
      error: null,
    });
    expect(run.types).toContain('turn.completed');
  });

  it('takes the agent and the context from the payload', async () => {
    const model = scriptedModel(() => ['Yes.']);
    const run = attemptRun('agent_run', { agent: 'ceo', input: { question: 'grow?' }, context: { quarter: 'Q1' } });
    await run.execute(
      program({
        agents: {
          catalogue: testCatalogue('ceo'),
          model,
          clock: systemClock,
          governor: unenforcedGovernor(),
          captureContent: false,
        },
      }),
    );
    const [asked] = model.asked;
    expect(asked?.brief.agent.agent_id).toBe('ceo');
    expect(asked?.prompt.messages.at(-1)?.content).toMatch(/"question": "grow\?"[\s\S]*Context:[\s\S]*"quarter": "Q1"/);
  });

  it('refuses an agent that is not there for good', async () => {
    const run = attemptRun('agent_run', { input: 'hello' }, 'cto');
    await expect(run.execute(program())).rejects.toMatchObject({ code: 'invalid_request', retry: 'never' });
  });
});

describe('orchestration', () => {
  const body = { agent_ids: ['ceo', 'cfo'], task: { type: 'review' }, orchestration_id: 'mine' };

  it('starts a run of its own, pinned to its definition, and gives its summary', async () => {
    const run = attemptRun('orchestration', body);
    run.onChild = ({ id }) => testRun({ id, status: 'completed', result: { summary: 'Grow.' } });
    expect(await run.execute(program())).toEqual({
      orchestration_id: 'task-1.1.orchestration',
      status: 'completed',
      summary: 'Grow.',
    });
    expect(run.children).toMatchObject([
      {
        kind: 'orchestration',
        definition: 'hash-1',
        request: { workflow: 'collaborative', agent_ids: ['ceo', 'cfo'] },
      },
    ]);
  });

  it.each([
    [{ status: 'failed', error: { code: 'model_failed', message: 'busy' } }, 'model_failed', 'later'],
    [{ status: 'timed_out', error: { code: 'timed_out', message: 'late' } }, 'timed_out', 'later'],
    [{ status: 'cancelled', cancelReason: 'enough' }, 'cancelled', 'never'],
  ] as const)('fails as its run did: %j', async (end, code, retry) => {
    const run = attemptRun('orchestration', body);
    run.onChild = ({ id }) => testRun({ id, ...end });
    await expect(run.execute(program())).rejects.toMatchObject({ code, retry });
  });
});

describe('scheduled_job', () => {
  const about = { job_id: 'job-1', job_name: 'nightly', run_number: 3 };

  it('does the task that its payload holds', async () => {
    const run = attemptRun('scheduled_job', { ...about, run: { task_type: 'health_check' } });
    expect(await run.execute(program())).toEqual({
      job_id: 'job-1',
      status: 'completed',
      result: { status: 'healthy' },
    });
  });

  it.each([
    [{ input: 'report' }, 'agent_run'],
    [{ agent_ids: ['ceo'], task: {} }, 'orchestration'],
    [{ run: { task_type: 'agent_run', agent_id: 'cfo', payload: { input: 'x' } } }, 'agent_run'],
  ])('finds in %j an %s', (payload, type) => {
    expect(innerWork({ type: 'scheduled_job', payload: { ...about, ...payload }, agentId: 'ceo' })).toMatchObject({
      type,
    });
  });

  it.each([{}, { run: { task_type: 'scheduled_job' } }, { run: { task_type: 'fly' } }])(
    'finds nothing to do in %j',
    (payload) => {
      expect(() => innerWork({ type: 'scheduled_job', payload, agentId: 'ceo' })).toThrow(AosError);
    },
  );
});

describe('evaluation', () => {
  it('puts every case to the agent and counts what holds', async () => {
    const run = attemptRun(
      'evaluation',
      {
        cases: [
          { name: 'answer', input: 'six times seven', expected_output_contains: 'Forty' },
          { input: 'six times eight', expected_output_contains: 'Fifty' },
        ],
      },
      'ceo',
    );
    expect(await run.execute(program())).toMatchObject({
      agent_id: 'ceo',
      total_cases: 2,
      passed: 1,
      failed: 1,
      pass_rate: 0.5,
      results: [
        { case: 1, name: 'answer', passed: true, failures: [], tools: [], output: 'Forty-two.' },
        { case: 2, passed: false, failures: ['the output does not contain "Fifty"'] },
      ],
    });
  });

  it('fails a case whose model failed, and goes on with the next', async () => {
    let asked = 0;
    const script = () => (++asked === 1 ? [new AosError('model_failed', 'no', { retry: 'never' })] : ['Forty']);
    const run = attemptRun(
      'evaluation',
      {
        cases: [
          { input: 'a', expected_output_contains: 'Forty' },
          { input: 'b', expected_output_contains: 'Forty' },
        ],
      },
      'ceo',
    );
    expect(await run.execute(program({ script }))).toMatchObject({
      passed: 1,
      results: [{ passed: false, status: 'failed', error: { code: 'model_failed' } }, { passed: true }],
    });
  });

  it('holds the cases against a recorded run', async () => {
    const observation = {
      status: 'completed',
      output: 'Forty-two.',
      tools: ['calculator'],
      usage: { tokens_input: 1, tokens_output: 1, cost_usd: 0 },
      duration_ms: 5,
      error: null,
    } as const;
    const recorded = async (id: string) =>
      id === 'run-7' ? { ...observation, tools: [...observation.tools] } : undefined;
    const judge = () => [];
    const run = attemptRun('evaluation', { run_id: 'run-7', cases: [{ expected_output_contains: 'Forty' }] });
    expect(await run.execute(program({ evaluation: { judge, recorded } }))).toMatchObject({
      run_id: 'run-7',
      pass_rate: 1,
    });
    const lost = attemptRun('evaluation', { run_id: 'run-8', cases: [{}] });
    await expect(lost.execute(program({ evaluation: { judge, recorded } }))).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

describe('a failure', () => {
  it('keeps what it says about trying again when its code alone would say otherwise', async () => {
    const judge = () => {
      throw new AosError('model_failed', 'The key was refused.', { retry: 'never' });
    };
    const run = attemptRun('evaluation', { cases: [{ input: 'a' }] }, 'ceo');
    const evaluation = { judge, recorded: async () => undefined };
    await expect(run.execute(program({ evaluation }))).rejects.toMatchObject({ code: 'model_failed', retry: 'never' });
    expect(run.stepOrder.at(-1)).toBe(RETRY_STEP);
  });
});

describe('the others', () => {
  it('tell the health of the process', async () => {
    expect(await attemptRun('health_check', {}).execute(program())).toEqual({ status: 'healthy' });
  });

  it('hand a fabric action to the router, the same action at every attempt', async () => {
    const orders: unknown[] = [];
    const router: Router = {
      async route(_scope, name, order) {
        orders.push(order);
        return { name };
      },
    };
    const payload = { entity_id: 1042, entity_type: 'customer', data: { tier: 'gold' }, on_unavailable: 'wait' };
    const request = {
      task_id: 'task-1',
      task_type: 'fabric_action',
      target_system: 'crm',
      action_type: 'UPDATE',
      payload,
    };
    for (const attempt of [1, 2]) {
      const run = new MemoryRun({ ...request, attempt, agent_id: 'cmo' }, { id: `task-1.${attempt}`, kind: 'task' });
      expect(await run.execute(program({ router }))).toEqual({ name: 'action' });
    }
    expect(orders[0]).toMatchObject({
      id: 'task-1',
      taskId: 'task-1',
      agentId: 'cmo',
      target: 'crm',
      type: 'update',
      entityId: '1042',
      entityType: 'customer',
      data: { tier: 'gold' },
      onUnavailable: 'wait',
      waitMs: 86_400_000,
    });
    expect(orders[1]).toEqual(orders[0]);
  });

  it.each([
    [{ target_system: 'fax', action_type: 'update' }, 'UNKNOWN_TARGET'],
    [{ target_system: 'crm', action_type: 'burn' }, 'UNKNOWN_ACTION'],
    [{ target_system: 'crm', action_type: 'update', payload: { plane: 'tube' } }, 'UNKNOWN_PLANE'],
  ])('refuse a fabric action that cannot be: %j', async (members, reason) => {
    const request = { task_id: 'task-1', attempt: 1, task_type: 'fabric_action', payload: {}, ...members };
    const run = new MemoryRun(request, { id: 'task-1.1', kind: 'task' });
    await expect(run.execute(program())).rejects.toMatchObject({ code: 'unprocessable', reason });
  });

  it('take the fabric action of a job from its payload', () => {
    const run = { task_type: 'fabric_action', target_system: 'crm', action_type: 'sync', payload: { data: { a: 1 } } };
    expect(innerWork({ type: 'scheduled_job', payload: { run }, agentId: 'cmo' })).toEqual({
      type: 'fabric_action',
      agentId: 'cmo',
      payload: { data: { a: 1 }, target_system: 'crm', action_type: 'sync' },
    });
  });
});
