/**
 * What `/metrics` shows: the figures of all tenants as they are in the database, those of this process, and the calls
 * of this door. Names are documented here, by their help.
 */
import type { EgressGuard } from '../egress/egress-guard.ts';
import type { Engine } from '../engine/engine.ts';
import type { BudgetFigure, Figures } from '../operations/figure.ts';
import type { WorkerPool } from '../tasks/worker-pool.ts';
import { exposed, formatFamilies, type MetricFamily, type Sample } from './exposition.ts';
import type { RequestMeter } from './request-meter.ts';

export interface InstrumentParts {
  readonly figures: Figures;
  readonly engine: Pick<Engine, 'backlog'>;
  readonly pool: Pick<WorkerPool, 'stats'>;
  readonly meter: RequestMeter;
  readonly egress: Pick<EgressGuard, 'counts'>;
}

const PRIORITIES = ['critical', 'high', 'normal', 'low', 'background'];

/** The text a scraper reads. */
export async function readInstruments({ figures, engine, pool, meter, egress }: InstrumentParts): Promise<string> {
  const [budgets, runs, tasks, approvals, jobs] = await Promise.all([
    figures.budgets(),
    figures.runs(undefined),
    figures.tasks(undefined),
    figures.approvals(undefined),
    figures.jobs(undefined),
  ]);
  const { executing, queued, oldestWaitMs } = engine.backlog();
  const { workers, totals, loopLoad } = pool.stats();
  const due = tasks.dueByRank.map((value, rank) => ({ labels: { priority: PRIORITIES[rank] ?? '' }, value }));
  const families: readonly MetricFamily[] = [
    exposed('aos_runs', 'gauge', 'Runs there are, by status', by('status', runs.byStatus)),
    exposed('aos_runs_completed_24h', 'gauge', 'Runs completed in the last day', [{ value: runs.completedDay }]),
    exposed('aos_runs_failed_24h', 'gauge', 'Runs failed or timed out in the last day', [{ value: runs.failedDay }]),
    exposed('aos_model_cost_usd_24h', 'gauge', 'What models cost in the last day', [{ value: runs.cost.day }]),
    exposed('aos_model_tokens_24h', 'gauge', 'Tokens models took in the last day', [{ value: runs.tokensDay }]),
    exposed('aos_tasks', 'gauge', 'Tasks there are, by status', by('status', tasks.byStatus)),
    exposed('aos_task_queue_depth', 'gauge', 'Tasks that are due, by priority', due),
    exposed('aos_tasks_scheduled', 'gauge', 'Tasks that are not due yet', [{ value: tasks.scheduled }]),
    exposed('aos_task_retries', 'gauge', 'Retries of the tasks there are', [{ value: tasks.retries }]),
    exposed('aos_task_throughput_per_minute', 'gauge', 'Tasks completed per minute over the last hour', [
      { value: tasks.throughputPerMin },
    ]),
    exposed('aos_approvals', 'gauge', 'Approvals there are, by status', by('status', approvals)),
    exposed(
      'aos_budget_limit',
      'gauge',
      'What there is of a budget, with its top-ups',
      of(budgets, ({ limit }) => limit),
    ),
    exposed(
      'aos_budget_used',
      'gauge',
      'What is used of a budget, in its fullest account',
      of(budgets, ({ committed, overdrawn }) => committed + overdrawn),
    ),
    exposed(
      'aos_budget_reserved',
      'gauge',
      'What is set aside of it',
      of(budgets, ({ reserved }) => reserved),
    ),
    exposed('aos_jobs', 'gauge', 'Jobs there are, by status', by('status', jobs)),
    exposed('aos_engine_executing', 'gauge', 'Runs executing in this process', [{ value: executing }]),
    exposed('aos_engine_queued', 'gauge', 'Runs that wait for a place in this process', [{ value: queued }]),
    exposed('aos_engine_oldest_wait_seconds', 'gauge', 'How long the first of them has waited', [
      { value: oldestWaitMs / 1000 },
    ]),
    exposed('aos_workers', 'gauge', 'Workers of this process, by status', by('status', countOf(workers))),
    exposed('aos_worker_tasks_total', 'counter', 'Attempts of the workers of this process, by outcome', [
      { labels: { outcome: 'completed' }, value: totals.completed },
      { labels: { outcome: 'failed' }, value: totals.failed },
    ]),
    exposed(
      'aos_egress_connections_total',
      'counter',
      'Connections this process wanted to make, by what its guard said',
      by('verdict', { ...egress.counts() }),
    ),
    exposed('aos_event_loop_load', 'gauge', "Share of this process's time in use", [{ value: loopLoad }]),
  ];
  return formatFamilies([...families, ...meter.families()]);
}

function of(budgets: readonly BudgetFigure[], value: (budget: BudgetFigure) => number): Sample[] {
  return budgets.map((budget) => {
    const { tenantId: tenant, id, dimension } = budget;
    return { labels: { tenant, budget: id, dimension }, value: value(budget) };
  });
}

function by(label: string, counts: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(counts).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function countOf(workers: readonly { readonly status: string }[]): Record<string, number> {
  const found: Record<string, number> = { idle: 0, processing: 0 };
  for (const { status } of workers) found[status] = (found[status] ?? 0) + 1;
  return found;
}
