/** Events for tests: the members that a log adds, filled in. */
import type { EventData, EventType, RunEvent } from '../../src/runs/event.ts';

export function testEvent<T extends EventType>(
  type: T,
  data: EventData[T],
  change: Partial<Pick<RunEvent, 'runId' | 'seq' | 'key' | 'at' | 'actor'>> = {},
): RunEvent {
  const log = { runId: 'run-1', seq: 1, key: type, at: '2026-01-01T00:00:00.000Z', actor: 'system' };
  return { ...log, traceId: null, hash: '', prevHash: '', ...change, type, data } as RunEvent;
}
