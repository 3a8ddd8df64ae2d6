import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { formatEvent } from '../../src/host/event-stream.ts';
import { invocationSchema, viewInvocation, viewServerSentEvent } from '../../src/invocations/view.ts';
import type { RunEvent } from '../../src/runs/event.ts';
import { isTerminal, type Run, runStatuses } from '../../src/runs/run.ts';

const run: Run = {
  id: 'a:b',
  kind: 'chat',
  sessionId: 's',
  caller: { userId: 'secret-user' },
  request: { message: 'm' },
  requestHash: 'h',
  status: 'running',
  waitingFor: null,
  result: null,
  error: null,
  cancelReason: null,
  traceparent: null,
  callId: 'secret-call',
  simulated: true,
  createdAt: '2026-01-01T00:00:00.000Z',
  startedAt: '2026-01-01T00:00:00.001Z',
  completedAt: null,
  deadlineAt: null,
  lastEvent: 4,
};

describe('a run as an invocation', () => {
  test.each(runStatuses)('a %s run has the documented shape', (status) => {
    const view = viewInvocation({ ...run, status });
    expect(invocationSchema.strict().parse(view)).toEqual(view);
    expect(view.links).toEqual({
      self: '/invocations/a%3Ab',
      ...(isTerminal(status) ? {} : { cancel: '/invocations/a%3Ab/cancel' }),
    });
  });

  test('nothing of the caller is shown', () => {
    expect(JSON.stringify(viewInvocation(run))).not.toContain('secret');
  });

  test('a cancelled run says why', () => {
    expect(viewInvocation({ ...run, status: 'cancelled', cancelReason: 'wrong quarter' }).error).toEqual({
      code: 'cancelled',
      message: 'wrong quarter',
    });
  });

  test('the same run gives the same view, and the run is left alone', () => {
    const frozen = Object.freeze({ ...run });
    expect(viewInvocation(frozen)).toEqual(viewInvocation(frozen));
  });
});

test('an event of any text is one frame of four lines that says it back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1 }), (text, seq) => {
      const data = { turn: 't', agent_id: 'ceo', offset: 0, text: text.toWellFormed() };
      const event: RunEvent = { runId: 'r', seq, at: '2026-01-01T00:00:00.000Z', type: 'turn.delta', data };
      const lines = formatEvent(viewServerSentEvent(event)).split(/\r\n|\r|\n/);
      expect(lines).toHaveLength(5);
      expect(lines.slice(0, 2)).toEqual([`id: ${seq}`, 'event: turn.delta']);
      expect(lines.slice(3)).toEqual(['', '']);
      const said = JSON.parse(lines[2]?.replace('data: ', '') ?? '') as JsonObject;
      expect(said).toEqual({ invocation_id: 'r', seq, type: 'turn.delta', at: event.at, ...data });
    }),
  );
});
