/** How large the pool of workers for tasks may be. */
import { count, type Fault, type Variables } from './value.ts';

export const tasksVariables = {
  AOS_WORKERS_MIN: count(0, 1000, 'workers').optional(),
  AOS_WORKERS_MAX: count(1, 1000, 'workers').optional(),
};
export type TasksVariables = Variables<typeof tasksVariables>;

export interface TasksConfig {
  /** Between how many workers the pool for tasks scales. */
  readonly workers: { readonly min: number; readonly max: number };
}

export const tasksDefaults: TasksConfig = { workers: Object.freeze({ min: 1, max: 10 }) };

export function readTasks(variables: TasksVariables, fault: Fault): TasksConfig {
  const { workers } = tasksDefaults;
  // One bound that is given moves the default of the other, so that setting one is enough.
  const max = variables.AOS_WORKERS_MAX ?? Math.max(workers.max, variables.AOS_WORKERS_MIN ?? 0);
  const min = variables.AOS_WORKERS_MIN ?? Math.min(workers.min, max);
  if (min > max) fault(`AOS_WORKERS_MIN must not be greater than AOS_WORKERS_MAX, but they are ${min} and ${max}`);
  return { workers: Object.freeze({ min, max }) };
}
