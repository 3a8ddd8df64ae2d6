/**
 * The actions as the database keeps them. What must never be lost stands here before anything leaves: an attempt is
 * marked `in flight` before it is sent and until its outcome is known, so that no process repeats what another one may
 * have done. Facts of the feed are written with the changes they tell.
 */
import { type Selectable, sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { Settlement } from '../engine/settlement.ts';
import type { Feed } from '../runs/feed.ts';
import { type Caller, reachOf } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { FabricActionTable } from '../store/tables/fabric.ts';
import { type Action, actionType, targetSystem } from './action.ts';
import {
  type ActionFailure,
  type ActionRecord,
  type ActionStatus,
  actionStatuses,
  type InFlight,
  isOver,
} from './action-record.ts';
import type { ConnectorResult, Fault } from './connector.ts';
import { isPlaneName, type PlaneName, planeIdOf } from './plane.ts';
import { type Preset, presetNamed, SCRAPPY } from './preset.ts';

/** Which action, among those of all tenants. That of a task has the task's id, which its tenant chooses. */
export interface ActionKey {
  readonly tenantId: string;
  readonly id: string;
}

export interface NewAction extends Action {
  readonly id: string;
  readonly caller: Caller;
  readonly runId: string;
  readonly taskId: string | undefined;
  readonly agentId: string;
  readonly correlationId: string;
  readonly preset: Preset;
  readonly primaryPlaneId: string;
  readonly simulated: boolean;
}

export interface ActionFilter {
  readonly status?: ActionStatus | undefined;
  readonly target?: string | undefined;
  readonly type?: string | undefined;
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

/** What an attempt may do: go; nothing, because it is over; nothing, because another one may have done it. */
export type Begin =
  | { readonly kind: 'go' }
  | { readonly kind: 'over' }
  | { readonly kind: 'unknown'; plane: PlaneName };

export type ActionStore = ReturnType<typeof createActionStore>;

export function createActionStore({ database, feed, clock }: { database: Database; feed: Feed; clock: Clock }) {
  const { db, tenant } = database;
  const now = () => new Date(clock.now());

  /** Changes an action and tells it, in one transaction. */
  async function change(
    key: ActionKey,
    values: (row: ActionRecord) => Partial<Record<keyof FabricActionTable, unknown>> | undefined,
    fact?: (record: ActionRecord) => { readonly type: string; readonly data: JsonObject } | undefined,
  ): Promise<ActionRecord> {
    return db.transaction().execute(async (trx) => {
      const before = await locked(trx, key);
      const changes = values(before);
      if (changes === undefined) return before;
      const row = await trx
        .updateTable('fabric_actions')
        .set(changes as Partial<Selectable<FabricActionTable>> as object)
        .where('tenant_id', '=', key.tenantId)
        .where('id', '=', key.id)
        .returningAll()
        .executeTakeFirstOrThrow();
      const after = toRecord(row);
      const told = fact?.(after);
      if (told !== undefined) await tell(trx, after, told.type, told.data);
      return after;
    });
  }

  async function locked(trx: StoreScope, { tenantId, id }: ActionKey): Promise<ActionRecord> {
    const row = await trx
      .selectFrom('fabric_actions')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (row === undefined) throw new Error(`there is no action ${id}`);
    return toRecord(row);
  }

  function tell(trx: StoreScope, record: ActionRecord, type: string, data: JsonObject): Promise<void> {
    const { caller, id, target, type: action, preset, primaryPlaneId, agentId, runId, correlationId } = record;
    return feed.write(trx, {
      ...caller,
      type,
      subject: id,
      data: {
        run_id: runId,
        agent_id: agentId === '' ? null : agentId,
        target_system: target,
        action_type: action,
        fabric_preset: preset,
        Primary_Plane_ID: primaryPlaneId,
        correlation_id: correlationId,
        simulation: record.simulated,
        ...data,
      },
    });
  }

  return {
    /** Keeps an action; one of that id that is there stays as it is. @returns the action as it is */
    async admit(action: NewAction, status: 'pending' | 'routing' = 'routing'): Promise<ActionRecord> {
      const { caller, entityId, entityType, data, metadata } = action;
      await db
        .insertInto('fabric_actions')
        .values({
          id: action.id,
          tenant_id: caller.tenantId,
          user_id: caller.userId,
          run_id: action.runId,
          task_id: action.taskId ?? null,
          agent_id: action.agentId,
          correlation_id: action.correlationId,
          target: action.target,
          action_type: action.type,
          payload: JSON.stringify({ entity_id: entityId ?? null, entity_type: entityType ?? null, data, metadata }),
          status,
          status_message: null,
          primary_plane_id: action.primaryPlaneId,
          preset: action.preset,
          routed_plane: null,
          execution_path: null,
          wait: null,
          simulated: action.simulated,
          created_at: now(),
          routed_at: null,
          completed_at: null,
        })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'id']).doNothing())
        .execute();
      // The next attempt at a task is another run; the action, and its key on the wire, are the same.
      return change({ tenantId: caller.tenantId, id: action.id }, ({ runId, status: now }) => {
        if (runId === action.runId || status === 'pending') return undefined;
        const mine = { run_id: action.runId, wait: null };
        if (now === 'completed' || now === 'accepted') return mine;
        return { ...mine, status: 'routing', status_message: null, error: null, completed_at: null, fallback_from: [] };
      });
    },

    async load(id: string, caller: Caller): Promise<ActionRecord | undefined> {
      const row = await owned(tenant(caller.tenantId), caller).where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : toRecord(row);
    },

    /** Newest first. */
    async list(
      caller: Caller,
      { status, target, type, limit, cursor }: ActionFilter,
    ): Promise<{ readonly items: readonly ActionRecord[]; readonly nextCursor: string | null }> {
      if (cursor !== undefined && !/^\d{1,18}$/.test(cursor)) {
        throw new AosError('invalid_request', `"${cursor}" is no cursor: use next_cursor of the page before`);
      }
      let query = owned(tenant(caller.tenantId), caller);
      if (status !== undefined) query = query.where('status', '=', status);
      if (target !== undefined) query = query.where('target', '=', target);
      if (type !== undefined) query = query.where('action_type', '=', type);
      if (cursor !== undefined) query = query.where('number', '<', cursor);
      const rows = await query
        .orderBy('number', 'desc')
        .limit(limit + 1)
        .execute();
      const items = rows.slice(0, limit).map(toRecord);
      return { items, nextCursor: rows.length > limit ? (items.at(-1)?.number ?? null) : null };
    },

    /** It is routed by this preset from now on. */
    routing: (key: ActionKey, preset: Preset) =>
      change(key, ({ status }) =>
        isOver(status)
          ? undefined
          : { preset, status: 'routing', wait: null, status_message: null, completed_at: null },
      ),

    /**
     * Marks that an attempt is about to reach for the wire, unless one before it may have done the action.
     * @param repeatable whether doing it twice on this plane is doing it once
     */
    async begin(key: ActionKey, plane: PlaneName, repeatable: boolean): Promise<Begin> {
      let begun: Begin = { kind: 'go' };
      await change(key, ({ status, inFlight, attempts, routedAt }) => {
        if (isOver(status)) {
          begun = { kind: 'over' };
          return undefined;
        }
        if (inFlight !== undefined && !(inFlight.plane === plane && repeatable)) {
          begun = { kind: 'unknown', plane: inFlight.plane };
          return undefined;
        }
        const at = now();
        return {
          status: 'executing',
          routed_plane: plane,
          routed_at: routedAt === undefined ? at : new Date(routedAt),
          attempts: attempts + 1,
          in_flight: JSON.stringify({ plane, at: at.toISOString() } satisfies InFlight),
        };
      });
      return begun;
    },

    /** The attempt is over and did nothing. */
    notDone: (key: ActionKey) => change(key, ({ status }) => (isOver(status) ? undefined : { in_flight: null })),

    /** A plane could not; another one is asked. Says nothing about an attempt of which the outcome is unknown. */
    passed: (key: ActionKey, plane: PlaneName, fault: Fault, detail: string) =>
      change(
        key,
        ({ status, fallbackFrom, caller }) => {
          const planeId = planeIdOf(plane, caller.tenantId);
          if (isOver(status) || fallbackFrom.at(-1) === planeId) return undefined;
          const others = fallbackFrom.filter((id) => id !== planeId);
          return { status: 'routing', routed_plane: null, fallback_from: [...others, planeId] };
        },
        ({ caller }) => ({
          type: 'route.fallback',
          data: { from_plane_id: planeIdOf(plane, caller.tenantId), fault, detail },
        }),
      ),

    /** A plane took it, or did it. */
    done: (
      key: ActionKey,
      plane: PlaneName,
      executionPath: string,
      { kind, ...rest }: ConnectorResult,
      vendor: string,
    ) =>
      change(
        key,
        ({ status }) => {
          if (isOver(status)) return undefined;
          const result: JsonObject = {
            routed_via: plane,
            provider: vendor,
            outcome: kind,
            external_id: rest.externalId ?? null,
            deduplicated: rest.deduplicated ?? false,
            vendor_request_id: rest.vendorRequestId ?? null,
            response: storable(rest.data),
          };
          return {
            status: kind,
            status_message: null,
            in_flight: null,
            wait: null,
            routed_plane: plane,
            execution_path: executionPath,
            result: JSON.stringify(result),
            error: null,
            completed_at: now(),
          };
        },
        ({ caller, fallbackFrom, attempts }) => ({
          type: 'route.routed',
          data: {
            plane_id: planeIdOf(plane, caller.tenantId),
            provider: vendor,
            execution_path: executionPath,
            outcome: kind,
            external_id: rest.externalId ?? null,
            fallback_from: [...fallbackFrom],
            attempts,
          },
        }),
      ),

    /** It ended without being done; `blocked` may be tried again later. */
    ended: (key: ActionKey, status: 'failed' | 'blocked' | 'timeout', failure: ActionFailure) =>
      change(
        key,
        (record) =>
          isOver(record.status)
            ? undefined
            : {
                status,
                status_message: failure.message,
                error: JSON.stringify(failure),
                wait: null,
                completed_at: now(),
              },
        ({ fallbackFrom, inFlight }) => ({
          type: status === 'blocked' ? 'route.blocked' : 'route.failed',
          data: {
            code: failure.code,
            message: failure.message,
            fallback_from: [...fallbackFrom],
            outcome_unknown: inFlight !== undefined,
          },
        }),
      ),

    /** Its run waits, under this name, for a plane or for somebody who knows what became of it. */
    waits: (key: ActionKey, status: 'waiting' | 'unknown', wait: string, message: string) =>
      change(
        key,
        (record) => (isOver(record.status) ? undefined : { status, wait, status_message: message }),
        ({ inFlight, caller }) => ({
          type: status === 'unknown' ? 'route.unknown' : 'route.waiting',
          data: {
            message,
            wait,
            ...(inFlight !== undefined && { plane_id: planeIdOf(inFlight.plane, caller.tenantId) }),
          },
        }),
      ),

    /** What somebody says about an attempt whose run is over. */
    async settle(key: ActionKey, executionPath: string, { outcome, by, note, externalId }: Settlement): Promise<void> {
      const said = { settled_by: by, note: note ?? null };
      await change(
        key,
        ({ inFlight }) => {
          if (inFlight === undefined) return undefined;
          const over = { in_flight: null, wait: null, completed_at: now() };
          switch (outcome) {
            case 'completed':
              return {
                ...over,
                status: 'completed',
                status_message: null,
                execution_path: executionPath,
                error: null,
                result: JSON.stringify({ routed_via: inFlight.plane, external_id: externalId ?? null, response: said }),
              };
            case 'failed':
              return {
                ...over,
                ...failing('failed', { code: 'SETTLED_FAILED', message: `settled as failed by ${by}` }),
              };
            case 'not_done': {
              const message = `settled as not done by ${by}: it can be tried again`;
              return { ...over, ...failing('blocked', { code: 'SETTLED_NOT_DONE', message }) };
            }
          }
        },
        () => ({ type: 'route.settled', data: { outcome, ...said, external_id: externalId ?? null } }),
      );
    },

    /** The waits of a tenant's actions that wait for a plane. */
    async waitingForPlane(tenantId: string): Promise<readonly { readonly runId: string; readonly wait: string }[]> {
      const rows = await tenant(tenantId)
        .selectFrom('fabric_actions')
        .select(['run_id', 'wait'])
        .where('tenant_id', '=', tenantId)
        .where('status', '=', 'waiting')
        .where('wait', 'is not', null)
        .execute();
      return rows.flatMap(({ run_id: runId, wait }) => (wait === null ? [] : [{ runId, wait }]));
    },

    /** How many actions each plane of a tenant did and failed, over all processes. */
    async figures(
      tenantId: string,
    ): Promise<
      ReadonlyMap<string, { readonly actions: number; readonly failed: number; readonly p95Ms: number | null }>
    > {
      const { rows } = await sql<{ plane: string; actions: string; failed: string; p95: number | null }>`
        select routed_plane as plane, count(*) as actions, count(*) filter (where status in ('failed', 'timeout')) as failed,
               percentile_cont(0.95) within group (order by extract(epoch from completed_at - routed_at) * 1000)
                 filter (where status in ('completed', 'accepted')) as p95
          from aos.fabric_actions where tenant_id = ${tenantId} and routed_plane is not null group by routed_plane`.execute(
        tenant(tenantId),
      );
      return new Map(
        rows.map(({ plane, actions, failed, p95 }) => [
          plane,
          { actions: Number(actions), failed: Number(failed), p95Ms: p95 === null ? null : Math.round(Number(p95)) },
        ]),
      );
    },
  };
}

function failing(status: ActionStatus, failure: ActionFailure) {
  return { status, status_message: failure.message, error: JSON.stringify(failure) };
}

function owned(db: StoreScope, caller: Caller) {
  const { tenantId } = caller;
  const userId = reachOf(caller);
  const ofTenant = db.selectFrom('fabric_actions').selectAll().where('tenant_id', '=', tenantId);
  return userId === '' ? ofTenant : ofTenant.where('user_id', 'in', [userId, '']);
}

function toRecord(row: Selectable<FabricActionTable>): ActionRecord {
  const { payload } = row;
  const text = (member: JsonValue | undefined) => (typeof member === 'string' ? member : undefined);
  const object = (member: JsonValue | undefined) => (isJsonObject(member) ? member : {});
  return {
    id: row.id,
    number: row.number,
    caller: { tenantId: row.tenant_id, userId: row.user_id },
    runId: row.run_id,
    taskId: row.task_id ?? undefined,
    agentId: row.agent_id,
    correlationId: row.correlation_id,
    target: targetSystem(row.target),
    type: actionType(row.action_type),
    entityId: text(payload['entity_id']),
    entityType: text(payload['entity_type']),
    data: object(payload['data']),
    metadata: object(payload['metadata']),
    status: actionStatuses.find((status) => status === row.status) ?? 'failed',
    statusMessage: row.status_message ?? undefined,
    primaryPlaneId: row.primary_plane_id,
    preset: presetNamed(row.preset) ?? SCRAPPY,
    routedPlane: row.routed_plane !== null && isPlaneName(row.routed_plane) ? row.routed_plane : undefined,
    executionPath: row.execution_path ?? undefined,
    fallbackFrom: row.fallback_from,
    attempts: row.attempts,
    inFlight: (row.in_flight as InFlight | null) ?? undefined,
    result: row.result ?? undefined,
    error: (row.error as ActionFailure | null) ?? undefined,
    wait: row.wait ?? undefined,
    simulated: row.simulated,
    createdAt: row.created_at.toISOString(),
    routedAt: row.routed_at?.toISOString(),
    completedAt: row.completed_at?.toISOString(),
  };
}

const MAX_RESPONSE = 100_000;

/** An answer as it is kept: large ones are cut. */
function storable(data: JsonValue | undefined): JsonValue {
  if (data === undefined) return null;
  const text = JSON.stringify(data);
  return text.length <= MAX_RESPONSE ? data : { truncated: true, text: text.slice(0, MAX_RESPONSE) };
}
