/** The worker pool of this process, and the settings of all: visible, and settable while it runs. */
import { z } from 'zod';
import { type Clock, isoTime } from '../core/clock.ts';
import { poolFigures } from '../tasks/queue-metrics.ts';
import type { TaskClaims } from '../tasks/task-claims.ts';
import { taskSettingsPatch } from '../tasks/task-settings.ts';
import type { WorkerPool } from '../tasks/worker-pool.ts';
import { time } from './field.ts';
import { type Operation, type RestRoute, realize, specify } from './operation.ts';

const POOL_PATH = '/api/v1/aoa/pool';
const rest = (method: RestRoute['method'], path = ''): RestRoute => ({
  method,
  path: `${POOL_PATH}${path}`,
  status: 200,
  family: 'detail',
});

const limitTable = z.object({ default: z.int().nullable(), names: z.record(z.string(), z.int()) });

const settings = z
  .object({
    policy: z
      .enum(['fixed', 'auto', 'manual'])
      .meta({ description: 'auto follows the backlog · manual only what is asked for · fixed stays as it begins' }),
    min_workers: z.int(),
    max_workers: z.int(),
    initial_workers: z.int(),
    backlog_per_worker: z.number().meta({ description: 'More waiting tasks per worker ask for more workers' }),
    max_wait_seconds: z.number().meta({ description: 'So does a task that has waited longer' }),
    scale_up_cooldown_seconds: z.number(),
    scale_down_backlog: z.int().meta({ description: 'Fewer waiting tasks let an idle worker go' }),
    scale_down_cooldown_seconds: z.number(),
    max_loop_load: z.number().meta({ description: "Share of the event loop's time above which workers are held back" }),
    max_pending: z.int().meta({ description: 'More waiting tasks are refused' }),
    aging_seconds: z.number().meta({ description: 'A task that has waited this long counts one class more urgent' }),
    retry_delay_seconds: z.number(),
    max_retry_delay_seconds: z.number(),
    limits: z
      .object({ agent: limitTable, tenant: limitTable, target: limitTable })
      .meta({ description: 'How many tasks may run at a time, over all processes' }),
  })
  .meta({ id: 'PoolSettings' });

const worker = z.object({
  worker_id: z.string(),
  worker_type: z.string(),
  status: z.enum(['starting', 'idle', 'processing', 'stopping', 'stopped', 'error']),
  current_task: z.string().nullable(),
  metrics: z.object({
    tasks_processed: z.int(),
    tasks_completed: z.int(),
    tasks_failed: z.int(),
    total_processing_time_ms: z.int(),
    last_task_at: time.nullable(),
    uptime_seconds: z.number(),
  }),
});

export const poolView = z
  .object({
    pool_id: z.string(),
    timestamp: time,
    status: z.enum(['running', 'stopping', 'stopped']),
    workers: z.object({
      total: z.int(),
      idle: z.int(),
      processing: z.int(),
      error: z.int(),
      allowed: z.int().meta({ description: 'How many may be at work with the event loop as busy as it is' }),
    }),
    loop_load: z.number().meta({ description: "Share of the event loop's time that was used in the last second" }),
    queue: z.object({ total_pending: z.int(), oldest_wait_ms: z.int() }),
    totals: z.object({ tasks_processed: z.int(), tasks_completed: z.int(), tasks_failed: z.int() }),
    last_scaling: z.object({ at: time, from: z.int(), to: z.int(), reason: z.string() }).nullable(),
    settings,
    worker_details: z.array(worker),
  })
  .meta({ id: 'WorkerPool', description: 'The worker pool of the process that answers' });

const example = {
  pool_id: 'pool-77aa01cd',
  timestamp: '2026-02-01T10:00:00.000Z',
  status: 'running',
  workers: { total: 2, idle: 1, processing: 1, error: 0, allowed: 10 },
  loop_load: 0.04,
  queue: { total_pending: 0, oldest_wait_ms: 0 },
  totals: { tasks_processed: 120, tasks_completed: 117, tasks_failed: 3 },
  last_scaling: null,
  settings: {
    policy: 'auto',
    min_workers: 1,
    max_workers: 10,
    initial_workers: 2,
    backlog_per_worker: 5,
    max_wait_seconds: 5,
    scale_up_cooldown_seconds: 60,
    scale_down_backlog: 2,
    scale_down_cooldown_seconds: 300,
    max_loop_load: 0.9,
    max_pending: 10000,
    aging_seconds: 300,
    retry_delay_seconds: 30,
    max_retry_delay_seconds: 600,
    limits: {
      agent: { default: null, names: { ceo: 2 } },
      tenant: { default: null, names: {} },
      target: { default: null, names: {} },
    },
  },
  worker_details: [],
};

export const getPool = specify({
  name: 'pool.get',
  summary: 'The worker pool as it is',
  input: z.object({}),
  output: poolView,
  rest: rest('GET'),
  example: { output: example },
});

export const changePool = specify({
  name: 'pool.change',
  governs: { kind: 'admin', type: 'pool_change' },
  summary: 'Change settings of queue and pool',
  access: 'admin',
  description: 'Only what the body names, for all processes on the database. Null takes the limit of a name away.',
  input: taskSettingsPatch,
  output: poolView,
  rest: rest('PUT'),
  example: { input: { max_workers: 20, limits: { agent: { names: { ceo: 2 } } } }, output: example },
});

export const scalePool = specify({
  name: 'pool.scale',
  governs: { kind: 'admin', type: 'pool_scale' },
  summary: 'Set the number of workers',
  access: 'admin',
  description:
    'Of the process that answers, between min_workers and max_workers. Refused (409) when the policy is fixed.',
  input: z.object({ target_workers: z.int().min(1).max(1000) }),
  output: poolView,
  rest: rest('POST', '/scale'),
  errors: ['conflict'],
  example: { input: { target_workers: 4 }, output: example },
});

export const poolSpecs = [getPool, changePool, scalePool];

export interface PoolOperationParts {
  readonly pool: WorkerPool;
  readonly claims: Pick<TaskClaims, 'line'>;
  readonly clock: Clock;
}

export function createPoolOperations({ pool, claims, clock }: PoolOperationParts): readonly Operation[] {
  async function view(): Promise<z.infer<typeof poolView>> {
    const { backlog, oldestWaitMs } = await claims.line();
    const stats = pool.stats();
    const { workers, totals, worker_details, ...figures } = poolFigures(stats, backlog, isoTime(clock.now()));
    const { lastScaling: last } = stats;
    const { limits } = stats.settings;
    return {
      ...figures,
      status: stats.status,
      workers: { ...workers, allowed: stats.allowed },
      loop_load: Math.round(stats.loopLoad * 1000) / 1000,
      queue: { total_pending: backlog, oldest_wait_ms: oldestWaitMs },
      totals,
      last_scaling: last === undefined ? null : { ...last, at: isoTime(last.at) },
      settings: { ...stats.settings, limits: { agent: limits.agent, tenant: limits.tenant, target: limits.target } },
      worker_details,
    };
  }

  return [
    realize(getPool, view),
    realize(changePool, async (patch) => {
      await pool.change(patch);
      return view();
    }),
    realize(scalePool, async ({ target_workers: target }) => {
      await pool.scale(target);
      return view();
    }),
  ];
}
