/** A run for tests, with everything filled in. */
import { CHAIN_START } from '../../src/runs/event-chain.ts';
import { hashRequest, type Run } from '../../src/runs/run.ts';

export function testRun(change: Partial<Run> = {}): Run {
  const request = change.request ?? {};
  const id = change.id ?? 'run-1';
  return {
    id,
    kind: 'message' in request ? 'chat' : 'orchestration',
    sessionId: 'session-1',
    caller: { tenantId: 'default', userId: '' },
    request,
    requestHash: hashRequest(request),
    status: 'running',
    waitingFor: null,
    wakeAt: null,
    parentId: null,
    rootId: id,
    depth: 0,
    definition: null,
    forkOf: null,
    actor: 'user:',
    priority: 3,
    result: null,
    error: null,
    cancelReason: null,
    traceparent: null,
    callId: '',
    simulated: true,
    simulation: false,
    held: false,
    createdAt: '2026-02-01T10:00:00.000Z',
    startedAt: '2026-02-01T10:00:00.000Z',
    completedAt: null,
    deadlineAt: null,
    lastEvent: 0,
    lastHash: CHAIN_START,
    ...change,
  };
}
