/**
 * The seed system's views of the whole: metrics of the runtime, the dashboard, and series over time. Figures that this
 * version has nothing behind (planes, chaos, trust) are said to be none, never made up.
 */
import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { Schema } from '../store/schema.ts';
import { handledTypes } from '../tasks/task-program.ts';
import type { WorkerPool } from '../tasks/worker-pool.ts';
import type { AgentRegister } from './agent-register.ts';
import { freeForm, time } from './field.ts';
import type { Figures } from './figure.ts';
import { type Operation, realize, specify } from './operation.ts';

const PRIORITIES = ['CRITICAL', 'HIGH', 'NORMAL', 'LOW', 'BACKGROUND'] as const;
const number = z.number();
const counted = z.record(z.string(), z.int());

export const getRuntimeMetrics = specify({
  name: 'runtime.metrics',
  summary: 'Figures of the task queue and the workers',
  input: z.object({}),
  output: z.object({
    runtime_id: z.string(),
    tenant_id: z.string(),
    timestamp: time,
    status: z.enum(['running', 'stopping', 'stopped']),
    fabric: z.null().meta({ description: 'There are no planes yet' }),
    queue: z.object({
      pending: z.record(z.enum(PRIORITIES), z.int()).meta({ description: 'Due, by priority' }),
      total_pending: z.int(),
      scheduled: z.int(),
      processing: z.int(),
      dead: z.int(),
    }),
    pool: z.object({
      pool_id: z.string(),
      timestamp: time,
      workers: z.object({ total: z.int(), idle: z.int(), processing: z.int(), error: z.int() }),
      queue: z.object({ total_pending: z.int() }),
      totals: z.object({ tasks_processed: z.int(), tasks_completed: z.int(), tasks_failed: z.int() }),
      worker_details: z.array(freeForm),
    }),
    handlers_registered: z.array(z.string()),
    latency_ms: z.object({ p50: number.nullable(), p95: number.nullable(), p99: number.nullable() }),
    throughput_per_min: number,
    by_type: counted,
    by_status: counted,
    retries: z.int(),
    timeouts: z.int(),
  }),
  rest: { method: 'GET', path: '/api/v1/aoa/metrics', status: 200, family: 'detail' },
});

export const getDashboard = specify({
  name: 'runtime.dashboard',
  summary: 'The whole at one glance',
  description: 'All that the original and its test client read, under the keys of both.',
  input: z.object({}),
  output: z.object({
    timestamp: time,
    tenant_id: z.string(),
    agents: z.object({
      total: z.int(),
      total_registered: z.int(),
      active: z.int(),
      inactive: z.int(),
      by_status: counted,
      by_type: counted,
      by_trust_tier: counted,
    }),
    workflows: z.object({
      active_workflows: z.int(),
      completed: z.int(),
      failed: z.int(),
      completed_24h: z.int(),
      failed_24h: z.int(),
      completion_rate: number.nullable(),
      avg_duration_ms: number.nullable(),
      throughput_per_min: number,
    }),
    tasks: z.object({ by_status: counted }),
    approvals: z.object({ pending: z.int() }),
    chaos: z.object({
      events_triggered: z.int(),
      events_recovered: z.int(),
      events_failed: z.int(),
      recovery_rate: number.nullable(),
      by_type: counted,
    }),
    costs: z.object({
      today_usd: number,
      week_usd: number,
      month_usd: number,
      tokens_today: z.int(),
      budget_remaining_usd: number.nullable().meta({ description: 'null: no budget is set' }),
      budget_utilization: number.nullable(),
    }),
    governance: z.object({
      policies_active: z.int(),
      policy_violations_24h: z.int(),
      pending_approvals: z.int(),
      approvals_auto_approved: z.int(),
      approvals_escalated: z.int(),
    }),
    vitals: z.object({
      cpu_usage: number.meta({ description: "Share of the event loop's time in use, 0..1" }),
      memory_usage: number.meta({ description: 'Share of the heap in use, 0..1' }),
      workflows_active: z.int(),
      throughput_tps: number,
      chaos_recovery_rate: number.nullable(),
      status: z.enum(['healthy', 'warning', 'critical']),
    }),
    simulation_active: z.boolean(),
    simulation_scenario_id: z.string().nullable(),
  }),
  rest: { method: 'GET', path: '/api/v1/aoa/dashboard', status: 200, family: 'detail' },
});

const PERIODS = { '1h': 3600, '6h': 6 * 3600, '24h': 24 * 3600, '7d': 7 * 24 * 3600 } as const;
/** Points of a series, whatever its period. */
const POINTS = 60;

const series = [
  'tasks_completed',
  'tasks_failed',
  'task_latency_ms',
  'runs_completed',
  'runs_failed',
  'run_duration_ms',
];

export const getTimeseries = specify({
  name: 'runtime.timeseries',
  summary: 'A figure over time',
  description: `Of the runtime: ${series.join(', ')}; any other name is a metric that was reported by POST /api/metrics (its mean).`,
  input: z.object({
    metric: z.string().min(1).max(200),
    period: z.enum(['1h', '6h', '24h', '7d']).default('1h'),
  }),
  output: z.object({
    metric_name: z.string(),
    period: z.string(),
    points: z.array(z.object({ timestamp: time, value: number })),
  }),
  rest: { method: 'GET', path: '/api/v1/aoa/metrics/timeseries', status: 200, family: 'detail' },
  errors: ['not_found'],
});

export const dashboardSpecs = [getRuntimeMetrics, getDashboard, getTimeseries];

export interface DashboardParts {
  readonly figures: Figures;
  readonly agents: AgentRegister;
  readonly pool: Pick<WorkerPool, 'stats'>;
  readonly db: Kysely<Schema>;
  readonly clock: Clock;
  readonly runtimeId: string;
  /** Share of the heap in use, 0..1. */
  readonly memoryUse: () => number;
}

export function createDashboardOperations(parts: DashboardParts): readonly Operation[] {
  const { figures, agents, pool, clock, runtimeId, memoryUse } = parts;
  const now = () => isoTime(clock.now());

  return [
    realize(getRuntimeMetrics, async (_input, { caller }) => {
      const tasks = await figures.tasks(caller.tenantId);
      const { poolId, status, workers, totals } = pool.stats();
      const pending = tasks.dueByRank.reduce((sum, count) => sum + count, 0);
      const busy = workers.filter((worker) => worker.status === 'processing').length;
      const { completed = 0, running = 0, assigned = 0, dead = 0 } = tasks.byStatus;
      return {
        runtime_id: runtimeId,
        tenant_id: caller.tenantId,
        timestamp: now(),
        status,
        fabric: null,
        queue: {
          pending: Object.fromEntries(PRIORITIES.map((name, rank) => [name, tasks.dueByRank[rank] ?? 0])) as Record<
            (typeof PRIORITIES)[number],
            number
          >,
          total_pending: pending,
          scheduled: tasks.scheduled,
          processing: running + assigned,
          dead,
        },
        pool: {
          pool_id: poolId,
          timestamp: now(),
          workers: {
            total: workers.length,
            idle: workers.filter((worker) => worker.status === 'idle').length,
            processing: busy,
            error: workers.filter((worker) => worker.status === 'error').length,
          },
          queue: { total_pending: pending },
          totals: {
            tasks_processed: totals.processed,
            tasks_completed: totals.completed,
            tasks_failed: totals.failed,
          },
          worker_details: workers.map((worker) => ({ ...worker })),
        },
        handlers_registered: [...handledTypes],
        latency_ms: tasks.latencyMs,
        throughput_per_min: tasks.throughputPerMin,
        by_type: tasks.byType,
        by_status: { completed, ...tasks.byStatus },
        retries: tasks.retries,
        timeouts: tasks.timeouts,
      };
    }),

    realize(getDashboard, async (_input, { caller }) => {
      const { tenantId } = caller;
      const [runs, tasks, approvals, atWork] = await Promise.all([
        figures.runs(tenantId),
        figures.tasks(tenantId),
        figures.approvals(tenantId),
        figures.agentsAtWork(tenantId),
      ]);
      const visible = agents.visibleTo(caller);
      const active = visible.filter((agent) => agent.agent_id in atWork).length;
      const { queued = 0, running = 0, waiting = 0, completed = 0, failed = 0, timed_out: late = 0 } = runs.byStatus;
      const { pending = 0, escalated = 0 } = approvals;
      const ended = runs.completedDay + runs.failedDay;
      const { loopLoad } = pool.stats();
      const depth = tasks.dueByRank.reduce((sum, count) => sum + count, 0);
      return {
        timestamp: now(),
        tenant_id: tenantId,
        agents: {
          total: visible.length,
          total_registered: visible.length,
          active,
          inactive: visible.length - active,
          by_status: { active, inactive: visible.length - active },
          by_type: countOf(visible.map((agent) => agent.agent_type)),
          by_trust_tier: {},
        },
        workflows: {
          active_workflows: queued + running + waiting,
          completed,
          failed: failed + late,
          completed_24h: runs.completedDay,
          failed_24h: runs.failedDay,
          completion_rate: ended === 0 ? null : runs.completedDay / ended,
          avg_duration_ms: runs.averageMs,
          throughput_per_min: runs.perMinute,
        },
        tasks: { by_status: tasks.byStatus },
        approvals: { pending: pending + escalated },
        chaos: { events_triggered: 0, events_recovered: 0, events_failed: 0, recovery_rate: null, by_type: {} },
        costs: {
          today_usd: runs.cost.day,
          week_usd: runs.cost.week,
          month_usd: runs.cost.month,
          tokens_today: runs.tokensDay,
          budget_remaining_usd: null,
          budget_utilization: null,
        },
        governance: {
          policies_active: 0,
          policy_violations_24h: 0,
          pending_approvals: pending + escalated,
          approvals_auto_approved: 0,
          approvals_escalated: escalated,
        },
        vitals: {
          cpu_usage: loopLoad,
          memory_usage: memoryUse(),
          workflows_active: queued + running + waiting,
          throughput_tps: runs.perMinute / 60,
          chaos_recovery_rate: null,
          status: vitalsWord(loopLoad, depth),
        },
        simulation_active: false,
        simulation_scenario_id: null,
      };
    }),

    realize(getTimeseries, async ({ metric, period }, { caller }) => {
      const seconds = PERIODS[period];
      const from = clock.now() - seconds * 1000;
      const values = await seriesOf(parts.db, metric, caller.tenantId, from, (seconds * 1000) / POINTS);
      if (values === undefined) {
        throw new AosError(
          'not_found',
          `there is no metric "${metric}" (of the runtime there are: ${series.join(', ')})`,
          {
            reason: 'METRIC_NOT_FOUND',
          },
        );
      }
      const points = values.map((value, index) => ({
        timestamp: isoTime(from + ((index + 1) * seconds * 1000) / POINTS),
        value,
      }));
      return { metric_name: metric, period, points };
    }),
  ];
}

/** Bounds of the original: queue depth 1000 and 5000, and an event loop with room left. */
function vitalsWord(loopLoad: number, depth: number): 'healthy' | 'warning' | 'critical' {
  if (depth > 5000 || loopLoad > 0.95) return 'critical';
  return depth > 1000 || loopLoad > 0.8 ? 'warning' : 'healthy';
}

function countOf(words: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const word of words) found[word] = (found[word] ?? 0) + 1;
  return found;
}

/** One value per bucket; undefined when nothing is known under that name. */
async function seriesOf(
  db: Kysely<Schema>,
  metric: string,
  tenantId: string,
  from: number,
  bucketMs: number,
): Promise<number[] | undefined> {
  const bucket = (column: string) =>
    sql`least(${POINTS - 1}, greatest(0, floor((extract(epoch from ${sql.ref(column)}) * 1000 - ${from}) / ${bucketMs})))::int`;
  const since = new Date(from);
  const span = sql`extract(epoch from completed_at - created_at)::float8 * 1000`;
  const own: Record<string, ReturnType<typeof sql>> = {
    tasks_completed: ended('tasks', sql`count(*)`, sql`status = 'completed'`),
    tasks_failed: ended('tasks', sql`count(*)`, sql`status in ('failed', 'dead')`),
    task_latency_ms: ended('tasks', sql`avg(${span})`, sql`status = 'completed'`),
    runs_completed: ended('runs', sql`count(*)`, sql`status = 'completed'`),
    runs_failed: ended('runs', sql`count(*)`, sql`status in ('failed', 'timed_out')`),
    run_duration_ms: ended('runs', sql`avg(${span})`, sql`status = 'completed'`),
  };

  function ended(table: string, value: ReturnType<typeof sql>, which: ReturnType<typeof sql>) {
    return sql`select ${bucket('completed_at')} as bucket, ${value} as value from ${sql.table(`aos.${table}`)}
      where tenant_id = ${tenantId} and completed_at > ${since} and ${which} group by 1`;
  }

  const reported = sql`select ${bucket('at')} as bucket, avg(value) as value from aos.metric_points
    where tenant_id = ${tenantId} and name = ${metric} and at > ${since} group by 1`;
  const query = Object.hasOwn(own, metric) ? own[metric] : undefined;
  const { rows } = await (query ?? reported).execute(db);
  if (query === undefined && rows.length === 0) return undefined;
  const values = Array.from({ length: POINTS }, () => 0);
  for (const row of rows as { bucket: number; value: string | number }[]) values[row.bucket] = Number(row.value);
  return values;
}
