/**
 * Figures of the runtime over time, read off the tables of runs and tasks; and those that clients reported.
 */
import { sql } from 'kysely';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import { POINTS } from './dashboard-spec.ts';

/** One value per bucket; undefined when nothing is known under that name. */
export async function seriesOf(
  tenant: TenantScopes,
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
  const { rows } = await (query ?? reported).execute(tenant(tenantId));
  if (query === undefined && rows.length === 0) return undefined;
  const values = Array.from({ length: POINTS }, () => 0);
  for (const row of rows as { bucket: number; value: string | number }[]) values[row.bucket] = Number(row.value);
  return values;
}
