/** How many runs execute at a time, and how long they are kept. */
import { count, type Variables } from './value.ts';

export const runsVariables = {
  AOS_MAX_RUNS: count(1, 10_000, 'runs').optional(),
  AOS_RETENTION_DAYS: count(1, 36_500, 'days').optional(),
};
export type RunsVariables = Variables<typeof runsVariables>;

export interface RunsConfig {
  /** Runs executing at a time in this process; the rest are queued. */
  readonly maxRuns: number;
  /** Ended runs older than this are deleted; undefined: they are kept for ever. */
  readonly retentionDays: number | undefined;
}

export const runsDefaults: RunsConfig = { maxRuns: 64, retentionDays: undefined };

export function readRuns(variables: RunsVariables): RunsConfig {
  return { maxRuns: variables.AOS_MAX_RUNS ?? runsDefaults.maxRuns, retentionDays: variables.AOS_RETENTION_DAYS };
}
