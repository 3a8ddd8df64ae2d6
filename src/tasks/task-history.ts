/** What happened to a task: its own facts and the events of its attempts' runs, in the one order they were written in. */
import { sql } from 'kysely';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { StoreScope } from '../store/database.ts';
import type { Task } from './task.ts';

export interface TaskHappening {
  /** Where to go on after it: `<transaction>.<number>`. */
  readonly position: string;
  readonly type: string;
  /** The attempt's run it belongs to, with its number there; null for a fact of the task itself. */
  readonly runId: string | null;
  readonly seq: number | null;
  /** ISO-8601 UTC. */
  readonly at: string;
  readonly data: JsonObject;
}

/**
 * Up to `limit` happenings after a position, in order. Only what no transaction under way can still come before.
 * @param after '' for the beginning
 * @throws AosError invalid_request when `after` is no position
 */
export async function taskHistory(
  db: StoreScope,
  task: Task,
  { after, limit }: { after: string; limit: number },
): Promise<readonly TaskHappening[]> {
  const [, xid = '0', pos = '0'] = /^(\d{1,19})\.(\d{1,18})$/.exec(after) ?? [];
  if (after !== '' && xid === '0' && pos === '0') {
    throw new AosError('invalid_request', `"cursor" must be the next_cursor of the page before, got "${after}"`);
  }
  const runs = Array.from({ length: task.attempt }, (_, index) => `${task.id}.${index + 1}`);
  const { rows } = await sql<HappeningRow>`
    select happened.* from (
      select f.xid, f.pos, f.type, null as run_id, null::integer as seq, f.at, f.data
        from aos.feed f where f.tenant_id = ${task.caller.tenantId} and f.subject = ${task.id}
      union all
      select e.xid, e.pos, e.type, e.run_id, e.seq, e.at, e.data
        from aos.run_events e
       where e.tenant_id = ${task.caller.tenantId} and e.run_id = any(${runs}::text[]) and e.type <> 'turn.delta'
    ) happened
     where (xid, pos) > (${xid}::xid8, ${pos}::bigint) and xid < pg_snapshot_xmin(pg_current_snapshot())
     order by xid, pos limit ${limit}`.execute(db);
  return rows.map((row) => ({
    position: `${row.xid}.${row.pos}`,
    type: row.type,
    runId: row.run_id,
    seq: row.seq,
    at: row.at.toISOString(),
    data: row.data,
  }));
}

type HappeningRow = {
  xid: string;
  pos: string;
  type: string;
  run_id: string | null;
  seq: number | null;
  at: Date;
  data: JsonObject;
};
