import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { formatEvent } from '../../src/host/event-stream.ts';
import { invocationSchema, viewInvocation, viewServerSentEvent } from '../../src/invocations/view.ts';
import { isTerminal, runStatuses } from '../../src/runs/run.ts';
import { testRun } from '../support/run.ts';
import { testEvent } from '../support/run-event.ts';

const run = testRun({
  id: 'a:b',
  kind: 'chat',
  caller: { tenantId: 'secret-tenant', userId: 'secret-user' },
  callId: 'secret-call',
  lastEvent: 4,
});

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
      const event = testEvent('turn.delta', data, { runId: 'r', seq });
      const lines = formatEvent(viewServerSentEvent(event)).split(/\r\n|\r|\n/);
      expect(lines).toHaveLength(5);
      expect(lines.slice(0, 2)).toEqual([`id: ${seq}`, 'event: turn.delta']);
      expect(lines.slice(3)).toEqual(['', '']);
      const said = JSON.parse(lines[2]?.replace('data: ', '') ?? '') as JsonObject;
      expect(said).toEqual({ invocation_id: 'r', seq, type: 'turn.delta', at: event.at, ...data });
    }),
  );
});
