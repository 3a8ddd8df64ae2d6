import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { AosError } from '../../src/core/errors.ts';
import { partsOfKey, type Run } from '../../src/runs/run.ts';
import { type Begun, executeAttempt, RETRY_STEP } from '../../src/tasks/attempt.ts';
import { submissionOf, type Task } from '../../src/tasks/task.ts';
import { silentLog } from '../support/log.ts';
import { testRun } from '../support/run.ts';
import { acme } from '../support/tasks.ts';

const task: Task = {
  id: 'task-1',
  seq: '1',
  caller: acme,
  submission: submissionOf({ task_type: 'health_check' }),
  status: 'assigned',
  statusMessage: null,
  waitingFor: null,
  fabric: null,
  traceparent: null,
  parentRunId: null,
  held: false,
  callId: '',
  createdAt: '2026-02-01T10:00:00.000Z',
  dueAt: '2026-02-01T10:00:00.000Z',
  assignedAt: '2026-02-01T10:00:00.000Z',
  startedAt: null,
  completedAt: null,
  retryCount: 0,
  attempt: 2,
  lastError: null,
  result: null,
  workerId: 'worker-1',
  claim: 1,
  isClaimed: true,
};

interface Scene {
  readonly run?: Partial<Run> | Error;
  readonly begun?: Begun;
  readonly retry?: 'later' | 'never';
}

async function attempt({ run = {}, begun = 'yes', retry }: Scene) {
  const calls: string[] = [];
  const ending = await executeAttempt(
    task,
    {
      runs: {
        admit: async ({ id, actor }) => {
          calls.push(`admit ${id} by ${actor}`);
          return { run: testRun({ id }), outcome: 'created' };
        },
        steps: async () =>
          retry === undefined
            ? []
            : [
                {
                  name: RETRY_STEP,
                  ordinal: 1,
                  effect: 'read',
                  outcome: { value: retry },
                  startedAt: '',
                  completedAt: '',
                },
              ],
      },
      engine: {
        perform: async (key) => {
          const { runId: id } = partsOfKey(key);
          calls.push(`perform ${id}`);
          if (run instanceof Error) throw run;
          return testRun({ id, ...run });
        },
        cancel: async (id) => {
          calls.push(`cancel ${id}`);
          return undefined;
        },
      },
      clock: systemClock,
      log: silentLog,
      simulated: true,
    },
    async () => {
      calls.push('begin');
      return begun;
    },
  );
  return { ending, calls };
}

describe('an attempt', () => {
  it('is a run of its own, admitted before the worker begins', async () => {
    const { calls } = await attempt({ run: { status: 'completed' } });
    expect(calls).toEqual(['admit task-1.2 by task:task-1', 'begin', 'perform task-1.2']);
  });

  it.each<[Begun, string[]]>([
    ['cancelled', ['cancel task-1.2']],
    ['lost', []],
  ])('is not executed when the task is %s', async (begun, more) => {
    const { ending, calls } = await attempt({ begun });
    expect(ending).toEqual({ status: 'given_back', afterMs: 0 });
    expect(calls).toEqual(['admit task-1.2 by task:task-1', 'begin', ...more]);
  });

  it.each<[string, Scene, object]>([
    ['completed', { run: { status: 'completed', result: { a: 1 } } }, { status: 'completed', result: { a: 1 } }],
    [
      'failed',
      { run: { status: 'failed', error: { code: 'model_failed', message: 'busy' } } },
      { status: 'failed', failure: { code: 'model_failed', message: 'busy', retry: undefined } },
    ],
    [
      'failed for good',
      { run: { status: 'failed', error: { code: 'model_failed', message: 'key' } }, retry: 'never' },
      { status: 'failed', failure: { code: 'model_failed', message: 'key', retry: 'never' } },
    ],
    [
      'timed out',
      { run: { status: 'timed_out', error: { code: 'timed_out', message: 'late' } } },
      { status: 'failed', failure: { code: 'timed_out', message: 'late' } },
    ],
    ['cancelled', { run: { status: 'cancelled', cancelReason: 'enough' } }, { status: 'cancelled', reason: 'enough' }],
    [
      'waiting',
      { run: { status: 'waiting', waitingFor: 'timer' } },
      { status: 'waiting', reason: 'timer', message: 'waits for a time to come' },
    ],
    ['still with another process', { run: { status: 'running' } }, { status: 'given_back', afterMs: 1_000 }],
    [
      'refused for good',
      { run: new AosError('conflict', 'taken') },
      { status: 'failed', failure: { code: 'conflict' } },
    ],
    ['out of reach', { run: new Error('no database') }, { status: 'given_back', afterMs: 1_000 }],
  ])('whose run is %s', async (_, scene, ending) => {
    expect((await attempt(scene)).ending).toMatchObject(ending);
  });
});
