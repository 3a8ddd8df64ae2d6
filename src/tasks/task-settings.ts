/**
 * What operators set about tasks while they run: the pool's bounds, the limits, retries and ageing. Stored once for all
 * processes on the database; each hears of a change and reads it.
 */
import { sql } from 'kysely';
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { Database, StoreScope } from '../store/database.ts';
import { TASK_CHANNEL } from './task-store.ts';

const workers = z.int().min(1).max(1000);
const seconds = z.number().min(0).max(86_400);
const limit = z.int().min(1).max(100_000).nullable();
const limits = z.strictObject({
  /** For every name that has no limit of its own; null: none. */
  default: limit.optional(),
  /** Null takes the name's own limit away. */
  names: z.record(z.string().min(1).max(256), limit).optional(),
});

/** What may be changed, all of it optional. */
export const taskSettingsPatch = z.strictObject({
  policy: z.enum(['fixed', 'auto', 'manual']).optional(),
  min_workers: workers.optional(),
  max_workers: workers.optional(),
  initial_workers: workers.optional(),
  backlog_per_worker: z.number().min(1).max(10_000).optional(),
  max_wait_seconds: seconds.optional(),
  scale_up_cooldown_seconds: seconds.optional(),
  scale_down_backlog: z.int().min(0).max(100_000).optional(),
  scale_down_cooldown_seconds: seconds.optional(),
  max_loop_load: z.number().min(0.1).max(1).optional(),
  max_pending: z.int().min(1).max(1_000_000).optional(),
  aging_seconds: z.number().min(1).max(86_400).optional(),
  retry_delay_seconds: seconds.optional(),
  max_retry_delay_seconds: seconds.optional(),
  limits: z.strictObject({ agent: limits.optional(), tenant: limits.optional(), target: limits.optional() }).optional(),
});
export type TaskSettingsPatch = z.output<typeof taskSettingsPatch>;

export type ScalingPolicy = 'fixed' | 'auto' | 'manual';
export const limitKinds = ['agent', 'tenant', 'target'] as const;
export type LimitKind = (typeof limitKinds)[number];
export type LimitTable = { default: number | null; names: Record<string, number> };

export type TaskSettings = {
  /** `auto` follows the backlog, `manual` only what is asked for, `fixed` stays at `initial_workers`. */
  policy: ScalingPolicy;
  min_workers: number;
  max_workers: number;
  initial_workers: number;
  /** More waiting tasks per worker than this ask for more workers. */
  backlog_per_worker: number;
  /** So does a task that has waited longer than this. */
  max_wait_seconds: number;
  scale_up_cooldown_seconds: number;
  /** Fewer waiting tasks than this let an idle worker go. */
  scale_down_backlog: number;
  scale_down_cooldown_seconds: number;
  /** Share of the event loop's time, 0..1, above which workers are held back. */
  max_loop_load: number;
  /** Above this many waiting tasks submissions are refused as `overloaded`. */
  max_pending: number;
  /** A task that has waited this long counts one class of priority more urgent; twice as long, two. */
  aging_seconds: number;
  retry_delay_seconds: number;
  max_retry_delay_seconds: number;
  /** How many tasks may run at a time, over all processes; of a target, within one tenant. */
  limits: Record<LimitKind, LimitTable>;
};

export const defaultTaskSettings: TaskSettings = {
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
  max_pending: 10_000,
  aging_seconds: 300,
  retry_delay_seconds: 30,
  max_retry_delay_seconds: 600,
  limits: {
    agent: { default: null, names: {} },
    tenant: { default: null, names: {} },
    target: { default: null, names: {} },
  },
};

export interface TaskSettingsStore {
  /** As last read. */
  current(): TaskSettings;
  load(): Promise<TaskSettings>;
  /**
   * Changes what the patch names, for all processes.
   * @throws AosError invalid_request when the outcome would not hold together
   */
  change(patch: TaskSettingsPatch): Promise<TaskSettings>;
}

const ROW = 'pool';

/** @param defaults what holds until somebody changes it */
export function createTaskSettings(
  { db, notifications }: Pick<Database, 'db' | 'notifications'>,
  defaults: TaskSettingsPatch = {},
): TaskSettingsStore {
  const initial = merged(defaultTaskSettings, defaults);
  let current = initial;

  async function load(): Promise<TaskSettings> {
    const stored = await readPatch(db);
    if (stored !== undefined) current = merged(initial, stored);
    // The claim reads limits from their table, so those given at the start must come into it.
    else if (limitRows(initial).length > 0) await change({});
    return current;
  }

  /** Only what was changed is stored: the rest follows what a process is started with. */
  async function change(patch: TaskSettingsPatch): Promise<TaskSettings> {
    current = await db.transaction().execute(async (trx) => {
      await sql`select pg_advisory_xact_lock(hashtextextended('aos:task-settings', 0))`.execute(trx);
      const stored = joined((await readPatch(trx)) ?? {}, patch);
      const next = merged(initial, stored);
      checkSettings(next, patch);
      const settings = JSON.stringify(stored);
      await trx
        .insertInto('task_settings')
        .values({ name: ROW, settings })
        .onConflict((conflict) => conflict.column('name').doUpdateSet({ settings }))
        .execute();
      await trx.deleteFrom('task_limits').execute();
      const rows = limitRows(next);
      if (rows.length > 0) await trx.insertInto('task_limits').values(rows).execute();
      return next;
    });
    notifications.announce(TASK_CHANNEL, 'settings', 'settings');
    return current;
  }

  return { current: () => current, load, change };
}

async function readPatch(db: StoreScope): Promise<TaskSettingsPatch | undefined> {
  const row = await db.selectFrom('task_settings').select('settings').where('name', '=', ROW).executeTakeFirst();
  return row && checkSchema(taskSettingsPatch, row.settings, 'the stored settings of the worker pool');
}

/** Two changes as one, the later one counting. */
function joined(earlier: TaskSettingsPatch, later: TaskSettingsPatch): TaskSettingsPatch {
  const limits = limitKinds.flatMap((kind) => {
    const [one = {}, other = {}] = [earlier.limits?.[kind], later.limits?.[kind]];
    const names = { ...one.names, ...other.names };
    return [[kind, { ...one, ...other, ...(Object.keys(names).length > 0 && { names }) }]];
  });
  return { ...earlier, ...later, limits: Object.fromEntries(limits) };
}

function limitRows({ limits }: TaskSettings) {
  return limitKinds.flatMap((kind) => {
    const { default: all, names } = limits[kind];
    const named = Object.entries(names).map(([name, max]) => ({ kind, name, max }));
    return all === null ? named : [...named, { kind, name: '', max: all }];
  });
}

/** The limit that holds for a name; undefined: none. */
export function limitOf({ default: all, names }: LimitTable, name: string): number | undefined {
  return (Object.hasOwn(names, name) ? names[name] : all) ?? undefined;
}

function merged(base: TaskSettings, patch: TaskSettingsPatch): TaskSettings {
  const { limits: changes = {}, ...plain } = patch;
  const given = Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined));
  const tables = limitKinds.map((kind): [LimitKind, LimitTable] => {
    const { default: all = base.limits[kind].default, names = {} } = changes[kind] ?? {};
    const entries = Object.entries({ ...base.limits[kind].names, ...names });
    return [
      kind,
      {
        default: all,
        names: Object.fromEntries(entries.flatMap(([name, max]) => (max === null ? [] : [[name, max]]))),
      },
    ];
  });
  const settings: TaskSettings = {
    ...base,
    ...given,
    limits: Object.fromEntries(tables) as Record<LimitKind, LimitTable>,
  };
  // New bounds move the number to begin with, too.
  const { min_workers: min, max_workers: max, initial_workers: first } = settings;
  return { ...settings, initial_workers: Math.min(Math.max(first, min), max) };
}

function checkSettings({ min_workers: min, max_workers: max }: TaskSettings, patch: TaskSettingsPatch): void {
  if (min > max) throw new AosError('invalid_request', `min_workers (${min}) must not be above max_workers (${max})`);
  const { initial_workers: initial = min } = patch;
  if (initial < min || initial > max) {
    throw new AosError('invalid_request', `initial_workers (${initial}) must lie between ${min} and ${max}`);
  }
}
