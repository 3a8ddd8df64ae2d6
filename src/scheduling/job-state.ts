/**
 * The statuses of a job and the moves between them. `running` is said of a job while a run of it is under way; a paused
 * job stays paused whatever runs. Ends never change.
 */
export const jobStatuses = ['scheduled', 'running', 'paused', 'completed', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof jobStatuses)[number];

/** From each status, where a job may go next. */
export const jobMoves: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  scheduled: ['running', 'paused', 'completed', 'failed', 'cancelled'],
  running: ['scheduled', 'paused', 'completed', 'failed', 'cancelled'],
  paused: ['scheduled', 'running', 'completed', 'failed', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
};

export function isJobOver(status: JobStatus): boolean {
  return jobMoves[status].length === 0;
}

/** What decides where a job stands, after it fired or one of its runs ended. */
export interface JobSituation {
  readonly status: JobStatus;
  readonly once: boolean;
  /** Whether another firing is planned. */
  readonly hasNext: boolean;
  readonly runCount: number;
  readonly maxRuns: number | null;
  /** Runs that wait or are under way. */
  readonly activeRuns: number;
  /** Failed runs since the last one that completed. */
  readonly consecutiveFailures: number;
  /** So many failures in a row end the job; null: none do. */
  readonly failureThreshold: number | null;
}

/** Where the job stands now. */
export function settleJob(situation: JobSituation): JobStatus {
  const { status, once, hasNext, runCount, maxRuns, activeRuns, consecutiveFailures, failureThreshold } = situation;
  if (isJobOver(status)) return status;
  if (failureThreshold !== null && consecutiveFailures >= failureThreshold) return 'failed';
  const spent = maxRuns !== null && runCount >= maxRuns;
  const mayEnd = activeRuns === 0;
  // A paused job has no next firing either, but gets one when it is resumed.
  if (status === 'paused') return spent && mayEnd ? 'completed' : 'paused';
  if (!mayEnd) return 'running';
  if (hasNext && !spent) return 'scheduled';
  return once && consecutiveFailures > 0 ? 'failed' : 'completed';
}
