/** Runs for tests: the stores on a database, and admissions with everything filled in. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../../src/core/clock.ts';
import { createEventLog, type EventLog } from '../../src/runs/event-log.ts';
import { createRunStore, type RunAdmission, type RunStore } from '../../src/runs/run-store.ts';
import type { Database } from '../../src/store/database.ts';

export interface TestRuns {
  readonly events: EventLog;
  readonly runs: RunStore;
}

export function createTestRuns(database: Database): TestRuns {
  const events = createEventLog({ database, clock: systemClock });
  return { events, runs: createRunStore({ database, events, clock: systemClock }) };
}

export function testAdmission(change: Partial<RunAdmission> = {}): RunAdmission {
  return {
    id: randomUUID(),
    kind: 'orchestration',
    sessionId: 'session-1',
    caller: { tenantId: 'default', userId: '' },
    request: {
      workflow: 'collaborative',
      agent_ids: ['ceo', 'cfo'],
      task: { type: 'review', data: { quarter: 'Q1' } },
    },
    simulated: true,
    callId: 'call-1',
    ...change,
  };
}
