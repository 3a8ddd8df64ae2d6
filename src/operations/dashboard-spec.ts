/**
 * The seed system's views of the whole, member by member: metrics of the runtime, the dashboard, series over time.
 */
import { z } from 'zod';
import { freeForm, time } from './field.ts';
import { specify } from './operation.ts';

export const PRIORITIES = ['CRITICAL', 'HIGH', 'NORMAL', 'LOW', 'BACKGROUND'] as const;
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

export const PERIODS = { '1h': 3600, '6h': 6 * 3600, '24h': 24 * 3600, '7d': 7 * 24 * 3600 } as const;
/** Points of a series, whatever its period. */
export const POINTS = 60;

export const runtimeSeries = [
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
  description: `Of the runtime: ${runtimeSeries.join(', ')}; any other name is a metric that was reported by POST /api/metrics (its mean).`,
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
