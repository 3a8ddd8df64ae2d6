/**
 * The seed system's views of the whole: metrics of the runtime, the dashboard, and series over time. Figures that this
 * version has nothing behind (planes, chaos, trust) are said to be none, never made up.
 */
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import { handledTypes } from '../tasks/task-program.ts';
import type { WorkerPool } from '../tasks/worker-pool.ts';
import type { AgentRegister } from './agent-register.ts';
import { type BudgetOperationParts, moneyLeft } from './budget.ts';
import {
  getDashboard,
  getRuntimeMetrics,
  getTimeseries,
  PERIODS,
  POINTS,
  PRIORITIES,
  runtimeSeries,
} from './dashboard-spec.ts';
import type { Figures } from './figure.ts';
import { type Operation, realize } from './operation.ts';
import { seriesOf } from './runtime-series.ts';
import type { SimulationState } from './simulation.ts';

export interface DashboardParts {
  readonly figures: Figures;
  readonly agents: AgentRegister;
  readonly pool: Pick<WorkerPool, 'stats'>;
  readonly budgeting: BudgetOperationParts['budgeting'];
  readonly tenant: TenantScopes;
  readonly clock: Clock;
  readonly runtimeId: string;
  /** Share of the heap in use, 0..1. */
  readonly memoryUse: () => number;
  readonly simulation: SimulationState | undefined;
}

export function createDashboardOperations(parts: DashboardParts): readonly Operation[] {
  const { figures, agents, pool, budgeting, clock, runtimeId, memoryUse, simulation } = parts;
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
      const budgets = budgeting.book.of(tenantId);
      const accounts = budgets.length === 0 ? [] : await budgeting.ledger.accounts(tenantId);
      const left = moneyLeft(budgets, accounts, clock.now());
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
          ...left,
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
        simulation_active: simulation !== undefined,
        simulation_scenario_id: simulation?.scenario ?? null,
      };
    }),

    realize(getTimeseries, async ({ metric, period }, { caller }) => {
      const seconds = PERIODS[period];
      const from = clock.now() - seconds * 1000;
      const values = await seriesOf(parts.tenant, metric, caller.tenantId, from, (seconds * 1000) / POINTS);
      if (values === undefined) {
        throw new AosError(
          'not_found',
          `there is no metric "${metric}" (of the runtime there are: ${runtimeSeries.join(', ')})`,
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
