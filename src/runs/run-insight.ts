/**
 * What is known of a run beside its own row: what it waits for, what it has used, and the newest of its events of some
 * kind. Read off the tables whenever somebody asks.
 */
import { type Kysely, sql } from 'kysely';
import type { JsonObject } from '../core/json.ts';
import type { Schema } from '../store/schema.ts';
import type { EventType, RunEvent, TurnUsage } from './event.ts';
import type { EventLog } from './event-log.ts';
import type { WaitReason } from './run.ts';

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

export interface RunInsight {
  /** Empty while the run does something beside waiting. */
  waits(runId: string): Promise<readonly OpenWait[]>;
  /** What its own turns have used so far; its sub-runs count their own. */
  usage(runId: string): Promise<TurnUsage>;
  latest<Type extends EventType>(
    runId: string,
    type: Type,
  ): Promise<Extract<RunEvent, { readonly type: Type }> | undefined>;
}

export function createRunInsight(parts: {
  readonly db: Kysely<Schema>;
  readonly events: Pick<EventLog, 'read'>;
}): RunInsight {
  const { db, events } = parts;

  const latest: RunInsight['latest'] = async (runId, type) => {
    const newest = await db
      .selectFrom('run_events')
      .select('seq')
      .where('run_id', '=', runId)
      .where('type', '=', type)
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (newest === undefined) return undefined;
    const [event] = await events.read(runId, newest.seq - 1, 1);
    return event as Extract<RunEvent, { readonly type: typeof type }> | undefined;
  };

  return {
    latest,
    async waits(runId) {
      const row = await db
        .selectFrom('runs')
        .select('waits')
        .where('id', '=', runId)
        .where('status', '=', 'waiting')
        .executeTakeFirst();
      if (row === undefined) return [];
      const signals = signalsIn(row.waits);
      const told = await latest(runId, 'run.waiting');
      return (told?.data.waits ?? []).map(({ name, reason, until = null, detail = {} }) => ({
        name,
        signal: signals.get(name) ?? name,
        reason,
        until,
        detail,
      }));
    },
    async usage(runId) {
      const { rows } = await sql<{ tokens_in: string; tokens_out: string; cost: number | null; unknown: boolean }>`
        select coalesce(sum((data->'usage'->>'tokens_input')::bigint), 0) tokens_in,
               coalesce(sum((data->'usage'->>'tokens_output')::bigint), 0) tokens_out,
               coalesce(sum((data->'usage'->>'cost_usd')::numeric), 0)::float8 cost,
               coalesce(bool_or(data->'usage'->>'cost_usd' is null), false) "unknown"
          from aos.run_events where run_id = ${runId} and type = 'turn.completed'`.execute(db);
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
