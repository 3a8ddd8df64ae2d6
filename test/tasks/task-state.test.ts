import { describe, expect, it } from 'vitest';
import {
  canTaskMove,
  endedTaskStatuses,
  isEnded,
  type TaskStatus,
  taskSourcesOf,
  taskStatuses,
} from '../../src/tasks/task-state.ts';

/** x: the move is allowed. Rows are where the task is, columns where it goes, both in the order of `taskStatuses`. */
const TABLE: Readonly<Record<TaskStatus, string>> = {
  //                  pend assi runn appr retr comp fail dead canc
  pending: '           .    x    .    .    .    .    .    .    x',
  assigned: '          x    .    x    .    .    .    .    .    x',
  running: '           x    .    .    x    x    x    x    x    x',
  awaiting_approval: ' x    .    .    .    .    .    .    .    x',
  retrying: '          x    .    .    .    .    .    .    .    x',
  completed: '         .    .    .    .    .    .    .    .    .',
  failed: '            x    .    .    .    .    .    .    .    .',
  dead: '              x    .    .    .    .    .    .    .    .',
  cancelled: '         .    .    .    .    .    .    .    .    .',
};

describe('the moves of a task', () => {
  it.each(taskStatuses)('from %s are those of the table', (from) => {
    const allowed = TABLE[from].trim().split(/\s+/);
    expect(taskStatuses.map((to) => (canTaskMove(from, to) ? 'x' : '.'))).toEqual(allowed);
  });

  it('reach every status but the first from another one', () => {
    for (const status of taskStatuses) expect(taskSourcesOf(status).length, status).toBeGreaterThan(0);
  });

  it('end in four statuses, of which only the failed ones can be begun again', () => {
    expect(taskStatuses.filter(isEnded)).toEqual(endedTaskStatuses);
    expect(endedTaskStatuses.filter((ended) => taskStatuses.some((to) => canTaskMove(ended, to)))).toEqual([
      'failed',
      'dead',
    ]);
  });
});
