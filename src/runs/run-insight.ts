/**
 * What is known of a run beside its own row: what it waits for, what it has used, and the newest of its events of some
 * kind. Read off the tables whenever somebody asks.
 */
import { sql } from 'kysely';
import type { JsonObject } from '../core/json.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import type { EventType, RunEvent, TurnUsage } from './event.ts';
import type { EventLog } from './event-log.ts';
import { keyOfRun, type Run, type WaitReason } from './run.ts';

/** A wait of a run that is waiting. */
export interface OpenWait {
  readonly name: string;
  /** The name of the signal that ends it. */
  readonly signal: string;
  readonly reason: WaitReason;
  /** ISO-8601 UTC; null when it has no end of its own. */
  readonly until: string | null;
  readonly detail: JsonObject;
}

/** Which run, and so whose. */
type OwnedRun = Pick<Run, 'id' | 'caller'>;

export interface RunInsight {
  /** Empty while the run does something beside waiting. */
  waits(run: OwnedRun): Promise<readonly OpenWait[]>;
  /** What its own turns have used so far; its sub-runs count their own. */
  usage(run: OwnedRun): Promise<TurnUsage>;
  latest<Type extends EventType>(
    run: OwnedRun,
    type: Type,
  ): Promise<Extract<RunEvent, { readonly type: Type }> | undefined>;
}

export function createRunInsight(parts: {
  readonly tenant: TenantScopes;
  readonly events: Pick<EventLog, 'of'>;
}): RunInsight {
  const { tenant, events } = parts;

  const latest: RunInsight['latest'] = async (run, type) => {
    const { id: runId, caller } = run;
    const newest = await tenant(caller.tenantId)
      .selectFrom('run_events')
      .select('seq')
      .where('tenant_id', '=', caller.tenantId)
      .where('run_id', '=', runId)
      .where('type', '=', type)
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (newest === undefined) return undefined;
    const [event] = await events.of(caller.tenantId).read(keyOfRun(run), newest.seq - 1, 1);
    return event as Extract<RunEvent, { readonly type: typeof type }> | undefined;
  };

  return {
    latest,
    async waits(run) {
      const { id: runId, caller } = run;
      const row = await tenant(caller.tenantId)
        .selectFrom('runs')
        .select('waits')
        .where('tenant_id', '=', caller.tenantId)
        .where('id', '=', runId)
        .where('status', '=', 'waiting')
        .executeTakeFirst();
      if (row === undefined) return [];
      const signals = signalsIn(row.waits);
      const told = await latest(run, 'run.waiting');
      return (told?.data.waits ?? []).map(({ name, reason, until = null, detail = {} }) => ({
        name,
        signal: signals.get(name) ?? name,
        reason,
        until,
        detail,
      }));
    },
    async usage({ id: runId, caller }) {
      const { rows } = await sql<{ tokens_in: string; tokens_out: string; cost: number | null; unknown: boolean }>`
        select coalesce(sum((data->'usage'->>'tokens_input')::bigint), 0) tokens_in,
               coalesce(sum((data->'usage'->>'tokens_output')::bigint), 0) tokens_out,
               coalesce(sum((data->'usage'->>'cost_usd')::numeric), 0)::float8 cost,
               coalesce(bool_or(data->'usage'->>'cost_usd' is null), false) "unknown"
          from aos.run_events
         where tenant_id = ${caller.tenantId} and run_id = ${runId} and type = 'turn.completed'`.execute(
        tenant(caller.tenantId),
      );
      const [row] = rows;
      return {
        tokens_input: Number(row?.tokens_in ?? 0),
        tokens_output: Number(row?.tokens_out ?? 0),
        cost_usd: row?.unknown === true ? null : (row?.cost ?? 0),
      };
    },
  };
}

/** The engine keeps `[{name, signal, until}]` with a run that waits. */
function signalsIn(waits: unknown): ReadonlyMap<string, string> {
  const list = Array.isArray(waits) ? (waits as { name?: unknown; signal?: unknown }[]) : [];
  return new Map(list.map(({ name, signal }) => [String(name), String(signal ?? name)]));
}
