import { describe, expect, it } from 'vitest';
import {
  isJobOver,
  type JobSituation,
  type JobStatus,
  jobMoves,
  jobStatuses,
  settleJob,
} from '../../src/scheduling/job-state.ts';

describe('the moves of a job', () => {
  it('are these and no others', () => {
    const drawn = jobStatuses.map((from) => `${from}: ${jobMoves[from].join(' ')}`.trim());
    expect(drawn).toEqual([
      'scheduled: running paused completed failed cancelled',
      'running: scheduled paused completed failed cancelled',
      'paused: scheduled running completed failed cancelled',
      'completed:',
      'failed:',
      'cancelled:',
    ]);
  });
});

const idle: JobSituation = {
  status: 'running',
  once: false,
  hasNext: true,
  runCount: 1,
  maxRuns: null,
  activeRuns: 0,
  consecutiveFailures: 0,
  failureThreshold: null,
};

describe('a job', () => {
  it.each<[string, Partial<JobSituation>, JobStatus]>([
    ['waits for its next time', {}, 'scheduled'],
    ['runs while a run is under way', { activeRuns: 1 }, 'running'],
    ['waits again after a failed run', { consecutiveFailures: 3 }, 'scheduled'],
    ['fails at its threshold', { consecutiveFailures: 3, failureThreshold: 3 }, 'failed'],
    ['goes on below its threshold', { consecutiveFailures: 2, failureThreshold: 3 }, 'scheduled'],
    ['completes with its last run', { runCount: 5, maxRuns: 5 }, 'completed'],
    ['completes only when the last run has ended', { runCount: 5, maxRuns: 5, activeRuns: 1 }, 'running'],
    ['completes when no time is left', { hasNext: false }, 'completed'],
    [
      'completes when no time is left, though its last run failed',
      { hasNext: false, consecutiveFailures: 1 },
      'completed',
    ],
    ['that fires once completes', { once: true, hasNext: false }, 'completed'],
    ['that fires once fails with its run', { once: true, hasNext: false, consecutiveFailures: 1 }, 'failed'],
    ['stays paused', { status: 'paused', hasNext: false }, 'paused'],
    ['stays paused while a run is under way', { status: 'paused', hasNext: false, activeRuns: 1 }, 'paused'],
    [
      'that is paused fails at its threshold',
      { status: 'paused', consecutiveFailures: 1, failureThreshold: 1 },
      'failed',
    ],
    ['that is paused completes with its last run', { status: 'paused', runCount: 1, maxRuns: 1 }, 'completed'],
    ['stays cancelled', { status: 'cancelled' }, 'cancelled'],
    ['stays completed', { status: 'completed', activeRuns: 1 }, 'completed'],
    ['stays failed', { status: 'failed' }, 'failed'],
  ])('%s', (_what, change, expected) => {
    expect(settleJob({ ...idle, ...change })).toBe(expected);
  });

  it('only ever moves as drawn', () => {
    const flags = [true, false];
    for (const status of jobStatuses)
      for (const once of flags)
        for (const hasNext of flags)
          for (const activeRuns of [0, 1])
            for (const consecutiveFailures of [0, 1])
              for (const maxRuns of [1, null])
                for (const failureThreshold of [1, null]) {
                  const to = settleJob({
                    ...idle,
                    status,
                    once,
                    hasNext,
                    activeRuns,
                    consecutiveFailures,
                    maxRuns,
                    failureThreshold,
                  });
                  if (to !== status) expect(jobMoves[status]).toContain(to);
                  if (isJobOver(status)) expect(to).toBe(status);
                }
  });
});
