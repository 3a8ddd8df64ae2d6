/**
 * The statuses of a task and the moves between them, written down once; the database compares before it sets.
 *
 * pending → assigned → running, and from there to an end, back for another attempt (`retrying`), or to wait for a
 * person. A task whose worker is gone, or whose wait is over, is `pending` again. An end changes only when somebody asks
 * for a failed or dead task to be tried again.
 */
export const taskStatuses = [
  'pending',
  'assigned',
  'running',
  'awaiting_approval',
  'retrying',
  'completed',
  'failed',
  'dead',
  'cancelled',
] as const;
export type TaskStatus = (typeof taskStatuses)[number];

export const taskMoves: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  pending: ['assigned', 'cancelled'],
  assigned: ['running', 'pending', 'cancelled'],
  running: ['completed', 'failed', 'retrying', 'dead', 'awaiting_approval', 'pending', 'cancelled'],
  awaiting_approval: ['pending', 'cancelled'],
  retrying: ['pending', 'cancelled'],
  completed: [],
  failed: ['pending'],
  dead: ['pending'],
  cancelled: [],
};

export const endedTaskStatuses = ['completed', 'failed', 'dead', 'cancelled'] as const satisfies readonly TaskStatus[];

export function isEnded(status: TaskStatus): boolean {
  return endedTaskStatuses.some((ended) => ended === status);
}

export function canTaskMove(from: TaskStatus, to: TaskStatus): boolean {
  return taskMoves[from].includes(to);
}

/** The statuses a task may come from when it moves to `to`. */
export function taskSourcesOf(to: TaskStatus): readonly TaskStatus[] {
  return taskStatuses.filter((from) => canTaskMove(from, to));
}
