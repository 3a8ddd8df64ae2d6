/**
 * How far runs are and when something last happened to them, read off their logs.
 */
import { sql } from 'kysely';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { Run } from '../runs/run.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import type { Pulse } from './orchestration-view.ts';

export interface RunPulse {
  of(run: Run): Promise<Pulse>;
  /** Of runs of one tenant. */
  ofAll(tenantId: string, runs: readonly Run[]): Promise<readonly Pulse[]>;
}

export function createRunPulse({ tenant }: { tenant: TenantScopes }): RunPulse {
  async function ofAll(tenantId: string, runs: readonly Run[]): Promise<readonly Pulse[]> {
    if (runs.length === 0) return [];
    const { rows } = await sql<{ id: string; at: Date | null; data: JsonObject | null }>`
      select r.id, newest.at, told.data
        from aos.runs r
        left join aos.run_events newest on newest.tenant_id = r.tenant_id and newest.run_id = r.id and newest.seq = r.last_event
        left join lateral (
          select e.data from aos.run_events e
           where e.tenant_id = r.tenant_id and e.run_id = r.id and e.type in ('run.progress', 'turn.completed')
           order by e.seq desc limit 1
        ) told on true
       where r.tenant_id = ${tenantId} and r.id in (${sql.join(runs.map(({ id }) => id))})`.execute(tenant(tenantId));
    const byId = new Map(rows.map((row) => [row.id, row]));
    return runs.map((run) => {
      const row = byId.get(run.id);
      return { progress: progressIn(row?.data), updatedAt: row?.at?.toISOString() ?? run.createdAt };
    });
  }
  return {
    ofAll,
    async of(run) {
      const [pulse] = await ofAll(run.caller.tenantId, [run]);
      return pulse ?? { progress: 0, updatedAt: run.createdAt };
    },
  };
}

function progressIn(data: JsonObject | null | undefined): number {
  const progress = isJsonObject(data) ? data['progress'] : undefined;
  return typeof progress === 'number' ? Math.min(1, Math.max(0, progress)) : 0;
}
