import { expect, it } from 'vitest';
import type { Run } from '../../src/runs/run.ts';
import { createEvaluation } from '../../src/tasks/recorded-run.ts';
import { testRun } from '../support/run.ts';
import { testEvent } from '../support/run-event.ts';

const caller = { tenantId: 'default', userId: '' };
const times = { startedAt: '2026-02-01T10:00:00.000Z', completedAt: '2026-02-01T10:00:02.500Z' };

function recorded(run: Partial<Run>) {
  const called = {
    turn: 'chat/1',
    agent_id: 'ceo',
    step: 's',
    tool_call_id: 'c',
    effect: 'read',
    arguments: {},
  } as const;
  const events = ['calculator', 'date_time'].map((tool, index) =>
    testEvent('tool.called', { ...called, tool }, { seq: index + 1 }),
  );
  const found = testRun({ ...times, ...run });
  return createEvaluation({
    runs: { findInTenant: async (id) => (id === found.id ? found : undefined) },
    events: {
      of: () => ({
        read: async (_id, after) => events.filter(({ seq }) => seq > after),
        payload: async () => undefined,
        async *follow() {},
      }),
    },
  }).recorded('run-1', caller);
}

it('observes of an orchestration its summary, its tools, what it used and how long it took', async () => {
  const usage = { tokens_input: 900, tokens_output: 400, cost_usd: null };
  expect(await recorded({ status: 'completed', result: { summary: 'Grow.', usage } })).toEqual({
    status: 'completed',
    output: 'Grow.',
    tools: ['calculator', 'date_time'],
    usage,
    duration_ms: 2_500,
    error: null,
  });
});

it('observes of an attempt at a task its output and what it used', async () => {
  const result = { output: 'Forty-two.', tokens_input: 10, tokens_output: 5, cost_usd: 0.001 };
  expect(await recorded({ status: 'completed', result })).toMatchObject({
    output: 'Forty-two.',
    usage: { tokens_input: 10, tokens_output: 5, cost_usd: 0.001 },
  });
});

it('observes how a run failed', async () => {
  const error = { code: 'model_failed', message: 'busy' } as const;
  expect(await recorded({ status: 'failed', error })).toMatchObject({ status: 'failed', output: null, error });
});

it('finds nothing to observe in a run that has not ended, or that is not there', async () => {
  expect(await recorded({ status: 'running' })).toBeUndefined();
  expect(await recorded({ id: 'another', status: 'completed' })).toBeUndefined();
});
