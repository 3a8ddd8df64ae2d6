/** Many jobs at once: which rows they are, and locking them for a change, always in the same order. */
import { type RawBuilder, sql } from 'kysely';
import type { StoreScope } from '../store/database.ts';
import { type Job, type JobKey, jobName, keyOfJob, toJob } from './job.ts';

/** Whether these columns, of tenant and job, are one of the keys. */
export function isAnyOf(tenant: string, job: string, keys: readonly JobKey[]): RawBuilder<boolean> {
  const tenants = keys.map(({ tenantId }) => tenantId);
  const ids = keys.map(({ jobId }) => jobId);
  return sql<boolean>`(${sql.ref(tenant)}, ${sql.ref(job)}) in (select * from unnest(${tenants}::text[], ${ids}::text[]))`;
}

/** @returns the jobs that there are, by name */
export async function lockJobs(trx: StoreScope, keys: readonly JobKey[]): Promise<Map<string, Job>> {
  const rows = await trx
    .selectFrom('jobs')
    .selectAll()
    .where(isAnyOf('tenant_id', 'id', keys))
    .orderBy('tenant_id')
    .orderBy('id')
    .forNoKeyUpdate()
    .execute();
  return new Map(rows.map(toJob).map((job) => [jobName(keyOfJob(job)), job]));
}
