/** The tasks of a caller, newest first, page by page. */
import { AosError } from '../core/errors.ts';
import { type Caller, reachOf } from '../runs/run.ts';
import type { StoreScope } from '../store/database.ts';
import type { Task, TaskType } from './task.ts';
import type { TaskStatus } from './task-state.ts';
import { toTask } from './task-store.ts';

export interface TaskFilter {
  readonly status?: TaskStatus | undefined;
  readonly taskType?: TaskType | undefined;
  readonly agentId?: string | undefined;
  /** Created at this time or later, epoch milliseconds. */
  readonly since?: number | undefined;
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface TaskPage {
  /** Newest first. */
  readonly items: readonly Task[];
  /** How many there are of the filter, on all pages. */
  readonly total: number;
  readonly nextCursor: string | null;
}

/** @throws AosError invalid_request when the cursor is none */
export async function listTasks(db: StoreScope, caller: Caller, filter: TaskFilter): Promise<TaskPage> {
  const { status, taskType, agentId, since, limit, cursor } = filter;
  if (cursor !== undefined && !/^\d{1,18}$/.test(cursor)) {
    throw new AosError('invalid_request', `"cursor" must be the next_cursor of the page before, got "${cursor}"`);
  }
  let query = db.selectFrom('tasks').where('tenant_id', '=', caller.tenantId);
  const user = reachOf(caller);
  if (user !== '') query = query.where('user_id', '=', user);
  if (status !== undefined) query = query.where('status', '=', status);
  if (taskType !== undefined) query = query.where('task_type', '=', taskType);
  if (agentId !== undefined) query = query.where('agent_id', '=', agentId);
  if (since !== undefined) query = query.where('created_at', '>=', new Date(since));
  const page = cursor === undefined ? query : query.where('seq', '<', cursor);
  const [{ total }, rows] = await Promise.all([
    query.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
    page
      .selectAll()
      .orderBy('seq', 'desc')
      .limit(limit + 1)
      .execute(),
  ]);
  const items = rows.slice(0, limit).map(toTask);
  return { items, total: Number(total), nextCursor: rows.length > limit ? (items.at(-1)?.seq ?? null) : null };
}
