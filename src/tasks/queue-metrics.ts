/**
 * The figures of the line and of this process's pool, with the names the seed system gave them. What is counted is in
 * the database and so of all processes; workers are those of this one.
 */
import { sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import type { StoreScope } from '../store/database.ts';
import { priorities } from './priority.ts';
import { handledTypes } from './task-program.ts';
import { taskStatuses } from './task-state.ts';
import type { WorkerView } from './worker.ts';
import type { PoolStats } from './worker-pool.ts';

export type PoolFigures = {
  pool_id: string;
  timestamp: string;
  workers: { total: number; idle: number; processing: number; error: number };
  queue: { total_pending: number };
  totals: { tasks_processed: number; tasks_completed: number; tasks_failed: number };
  worker_details: WorkerView[];
};

export type QueueFigures = {
  queue: {
    /** By name of the priority, in capitals; without those scheduled for later. */
    pending: Record<string, number>;
    total_pending: number;
    scheduled: number;
    processing: number;
    dead: number;
  };
  pool: PoolFigures;
  /** From due to done, of the tasks that completed in the last hour; null when none did. */
  latency_ms: { p50: number | null; p95: number | null; p99: number | null };
  /** Tasks that ended in the last minute. */
  throughput_per_min: number;
  by_type: Record<string, number>;
  by_status: Record<string, number>;
  retries: number;
  timeouts: number;
  handlers_registered: string[];
};

export interface QueueMetricsParts {
  readonly db: StoreScope;
  readonly pool: { stats(): PoolStats };
  readonly clock: Clock;
}

/** @returns the figures of a tenant's tasks, or of all when none is named */
export async function queueMetrics({ db, pool, clock }: QueueMetricsParts, tenantId?: string): Promise<QueueFigures> {
  const now = new Date(clock.now());
  const mine = tenantId === undefined ? sql`true` : sql`tenant_id = ${tenantId}`;
  const [counts, ended] = await Promise.all([
    sql<CountRow>`
      select task_type, status, rank, status in ('pending', 'retrying') and due_at > ${now} as later,
             count(*)::int as tasks, sum(retry_count)::int as retries,
             count(*) filter (where last_error ->> 'code' = 'timed_out')::int as timeouts
        from aos.tasks where ${mine} group by 1, 2, 3, 4`.execute(db),
    sql<EndedRow>`
      select percentile_cont(array[0.5, 0.95, 0.99]) within group (
               order by extract(epoch from completed_at - greatest(created_at, coalesce(scheduled_at, created_at))) * 1000
             ) filter (where status = 'completed') as latency,
             count(*) filter (where completed_at > ${new Date(now.getTime() - 60_000)})::int as last_minute
        from aos.tasks where ${mine} and completed_at > ${new Date(now.getTime() - 3_600_000)}`.execute(db),
  ]);
  const { rows } = counts;
  const sum = (which: (row: CountRow) => boolean, of: 'tasks' | 'retries' | 'timeouts' = 'tasks') =>
    rows.filter(which).reduce((total, row) => total + row[of], 0);
  const inLine = ({ status, later }: CountRow) => (status === 'pending' || status === 'retrying') && !later;
  const [p50 = null, p95 = null, p99 = null] = (ended.rows[0]?.latency ?? []).map((ms) => Math.round(ms));
  const types = [...new Set(rows.map((row) => row.task_type))].toSorted();
  const totalPending = sum(inLine);
  return {
    queue: {
      pending: Object.fromEntries(
        priorities.map((name, rank) => [name.toUpperCase(), sum((row) => inLine(row) && row.rank === rank)]),
      ),
      total_pending: totalPending,
      scheduled: sum(({ later }) => later),
      processing: sum(({ status }) => status === 'assigned' || status === 'running'),
      dead: sum(({ status }) => status === 'dead'),
    },
    pool: poolFigures(pool.stats(), totalPending, isoTime(now.getTime())),
    latency_ms: { p50, p95, p99 },
    throughput_per_min: ended.rows[0]?.last_minute ?? 0,
    by_type: Object.fromEntries(types.map((type) => [type, sum((row) => row.task_type === type)])),
    by_status: Object.fromEntries(taskStatuses.map((status) => [status, sum((row) => row.status === status)])),
    retries: sum(() => true, 'retries'),
    timeouts: sum(() => true, 'timeouts'),
    handlers_registered: [...handledTypes],
  };
}

type CountRow = {
  task_type: string;
  status: string;
  rank: number;
  later: boolean;
  tasks: number;
  retries: number;
  timeouts: number;
};
type EndedRow = { latency: number[] | null; last_minute: number };

export function poolFigures(stats: PoolStats, totalPending: number, timestamp: string): PoolFigures {
  const having = (status: WorkerView['status']) => stats.workers.filter((worker) => worker.status === status).length;
  return {
    pool_id: stats.poolId,
    timestamp,
    workers: {
      total: stats.workers.length,
      idle: having('idle'),
      processing: having('processing'),
      error: having('error'),
    },
    queue: { total_pending: totalPending },
    totals: {
      tasks_processed: stats.totals.processed,
      tasks_completed: stats.totals.completed,
      tasks_failed: stats.totals.failed,
    },
    worker_details: [...stats.workers],
  };
}
