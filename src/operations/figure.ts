/**
 * Figures of the runtime, counted in the database whenever somebody asks: of one tenant, or of all for the operator's
 * own instruments. Nothing is counted on the side, so a restart loses nothing.
 */
import { sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import type { Database } from '../store/database.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export interface TaskFigures {
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byType: Readonly<Record<string, number>>;
  /** Of those that are due: by class of priority, 0 (critical) to 4 (background). */
  readonly dueByRank: readonly number[];
  /** Not due yet. */
  readonly scheduled: number;
  readonly retries: number;
  readonly timeouts: number;
  /** From submission to end, of the tasks completed in the last hour; null when there is none. */
  readonly latencyMs: { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null };
  /** Tasks completed per minute over the last hour. */
  readonly throughputPerMin: number;
}

export interface RunFigures {
  readonly byStatus: Readonly<Record<string, number>>;
  readonly completedDay: number;
  readonly failedDay: number;
  readonly averageMs: number | null;
  readonly perMinute: number;
  /** What models cost, in USD, over the last day, week and month; prices that are not known count nothing. */
  readonly cost: { readonly day: number; readonly week: number; readonly month: number };
  readonly tokensDay: number;
}

/** What is used of a budget, in the fullest of its accounts whose window is not over. */
export interface BudgetFigure {
  readonly tenantId: string;
  readonly id: string;
  readonly dimension: string;
  /** With its top-ups. */
  readonly limit: number;
  readonly committed: number;
  readonly reserved: number;
  readonly overdrawn: number;
}

export interface Figures {
  /** The fullest budgets of all tenants, at most 500. */
  budgets(): Promise<readonly BudgetFigure[]>;
  /** @param tenantId undefined: of all tenants */
  tasks(tenantId: string | undefined): Promise<TaskFigures>;
  runs(tenantId: string | undefined): Promise<RunFigures>;
  /** Approvals by status, and how many of the open ones have been escalated. */
  approvals(tenantId: string | undefined): Promise<Readonly<Record<string, number>>>;
  jobs(tenantId: string | undefined): Promise<Readonly<Record<string, number>>>;
  /** The agents at work: by how many runs name each and have not ended. */
  agentsAtWork(tenantId: string): Promise<Readonly<Record<string, number>>>;
}

type Count = { name: string; count: string };

export function createFigures({
  database,
  clock,
}: {
  database: Pick<Database, 'db' | 'tenant'>;
  clock: Clock;
}): Figures {
  const scopeOf = (tenantId: string | undefined) => (tenantId === undefined ? database.db : database.tenant(tenantId));
  const ago = (ms: number) => new Date(clock.now() - ms);
  const ofTenant = (tenantId: string | undefined) =>
    tenantId === undefined ? sql`true` : sql`tenant_id = ${tenantId}`;

  async function countBy(table: 'runs' | 'approvals' | 'jobs', tenantId: string | undefined) {
    const { rows } = await sql<Count>`
      select status as name, count(*) as count from ${sql.table(`aos.${table}`)}
       where ${ofTenant(tenantId)} group by status`.execute(scopeOf(tenantId));
    return counts(rows);
  }

  return {
    async tasks(tenantId) {
      const now = new Date(clock.now());
      const [groups, latency] = await Promise.all([
        sql<{ status: string; type: string; rank: number; due: boolean; count: string; retries: string; late: string }>`
          select status, task_type as type, rank, due_at <= ${now} as due, count(*) as count,
                 coalesce(sum(retry_count), 0) as retries,
                 count(*) filter (where last_error::text like '%"timed_out"%') as late
            from aos.tasks where ${ofTenant(tenantId)} group by 1, 2, 3, 4`.execute(scopeOf(tenantId)),
        sql<{ p: (number | null)[] | null; count: string }>`
          select percentile_cont(array[0.5, 0.95, 0.99]) within group
                   (order by extract(epoch from completed_at - created_at)::float8 * 1000) as p,
                 count(*) as count
            from aos.tasks
           where ${ofTenant(tenantId)} and status = 'completed' and completed_at > ${ago(HOUR_MS)}`.execute(
          scopeOf(tenantId),
        ),
      ]);
      const { rows } = groups;
      const waiting = rows.filter(({ status }) => status === 'pending' || status === 'retrying');
      const [p50 = null, p95 = null, p99 = null] = latency.rows[0]?.p ?? [];
      return {
        byStatus: sums(rows, ({ status }) => status),
        byType: sums(rows, ({ type }) => type),
        dueByRank: [0, 1, 2, 3, 4].map((rank) => total(waiting.filter((row) => row.due && row.rank === rank))),
        scheduled: total(waiting.filter(({ due }) => !due)),
        retries: rows.reduce((sum, row) => sum + Number(row.retries), 0),
        timeouts: rows.reduce((sum, row) => sum + Number(row.late), 0),
        latencyMs: { p50, p95, p99 },
        throughputPerMin: Number(latency.rows[0]?.count ?? 0) / 60,
      };
    },

    async runs(tenantId) {
      const [byStatus, ended, spent] = await Promise.all([
        countBy('runs', tenantId),
        sql<{ completed: string; failed: string; ms: number | null; hour: string }>`
          select count(*) filter (where status = 'completed') as completed,
                 count(*) filter (where status in ('failed', 'timed_out')) as failed,
                 avg(extract(epoch from completed_at - created_at)::float8 * 1000)
                   filter (where status = 'completed') as ms,
                 count(*) filter (where completed_at > ${ago(HOUR_MS)}) as hour
            from aos.runs
           where ${ofTenant(tenantId)} and kind <> 'task' and completed_at > ${ago(DAY_MS)}`.execute(scopeOf(tenantId)),
        // A result may hold U+0000, which the functions that look into JSON refuse.
        sql<{ day: number; week: number; month: number; tokens: string }>`
          with spent as (
            select completed_at, case when result::text like '%\\u0000%' then null else result->'usage' end as usage
              from aos.runs
             where ${ofTenant(tenantId)} and parent_id is null and result is not null
               and completed_at > ${ago(30 * DAY_MS)})
          select coalesce(sum((usage->>'cost_usd')::float8) filter (where completed_at > ${ago(DAY_MS)}), 0) as day,
                 coalesce(sum((usage->>'cost_usd')::float8) filter (where completed_at > ${ago(7 * DAY_MS)}), 0) as week,
                 coalesce(sum((usage->>'cost_usd')::float8), 0) as month,
                 coalesce(sum((usage->>'tokens_input')::float8 + (usage->>'tokens_output')::float8)
                   filter (where completed_at > ${ago(DAY_MS)}), 0) as tokens
            from spent`.execute(scopeOf(tenantId)),
      ]);
      const [end] = ended.rows;
      const [cost] = spent.rows;
      return {
        byStatus,
        completedDay: Number(end?.completed ?? 0),
        failedDay: Number(end?.failed ?? 0),
        averageMs: end?.ms ?? null,
        perMinute: Number(end?.hour ?? 0) / 60,
        cost: { day: cost?.day ?? 0, week: cost?.week ?? 0, month: cost?.month ?? 0 },
        tokensDay: Number(cost?.tokens ?? 0),
      };
    },

    async budgets() {
      const now = new Date(clock.now());
      const { rows } = await sql<Record<'tenant_id' | 'id' | 'dimension' | 'cap' | 'c' | 'r' | 'o', string>>`
        select f.tenant_id, f.id, f.dimension, f.cap, f.c, f.r, f.o from (
          select distinct on (b.tenant_id, b.id) b.tenant_id, b.id, b.dimension, b.cap + coalesce(a.raised, 0) as cap,
              coalesce(a.committed, 0) as c, coalesce(a.reserved, 0) as r, coalesce(a.overdrawn, 0) as o
            from aos.budgets b left join aos.budget_accounts a on a.tenant_id = b.tenant_id and a.budget_id = b.id
              and (a.ends_at > ${now} or (a.ends_at is null and exists (
                select from aos.runs x where x.tenant_id = a.tenant_id and x.id = split_part(a.account, '/', 1) and x.completed_at is null)))
           order by b.tenant_id, b.id, (a.committed + a.reserved + a.overdrawn) / nullif(b.cap + a.raised, 0) desc nulls last
        ) f order by (f.c + f.r + f.o) / nullif(f.cap, 0) desc nulls last limit 500`.execute(database.db);
      return rows.map(({ tenant_id: tenantId, id, dimension, cap, c, r, o }) => ({
        tenantId,
        id,
        dimension,
        limit: Number(cap),
        committed: Number(c),
        reserved: Number(r),
        overdrawn: Number(o),
      }));
    },

    approvals: (tenantId) => countBy('approvals', tenantId),
    jobs: (tenantId) => countBy('jobs', tenantId),

    async agentsAtWork(tenantId) {
      const { rows } = await sql<Count>`
        with work as (
          select case when request::text like '%\\u0000%' then null else request end as request
            from aos.runs where tenant_id = ${tenantId} and completed_at is null)
        select agent.name, count(*) as count
          from work, json_array_elements_text(
            case when json_typeof(request->'agent_ids') = 'array' then request->'agent_ids' else '[]' end) as agent(name)
         group by agent.name`.execute(scopeOf(tenantId));
      return counts(rows);
    },
  };
}

function counts(rows: readonly Count[]): Record<string, number> {
  return Object.fromEntries(rows.map(({ name, count }) => [name, Number(count)]));
}

function sums<Row extends { readonly count: string }>(
  rows: readonly Row[],
  nameOf: (row: Row) => string,
): Record<string, number> {
  const found: Record<string, number> = {};
  for (const row of rows) found[nameOf(row)] = (found[nameOf(row)] ?? 0) + Number(row.count);
  return found;
}

function total(rows: readonly { readonly count: string }[]): number {
  return rows.reduce((sum, { count }) => sum + Number(count), 0);
}
