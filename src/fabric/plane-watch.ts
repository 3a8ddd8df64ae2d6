/**
 * How the planes are: what health checks and circuits saw, and drills, in which a plane is taken down on purpose. It is
 * kept where every process sees it; a change is told once, and when a plane is back the runs that wait for one are woken.
 */
import type { Clock, Timer } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import type { Engine } from '../engine/engine.ts';
import type { Feed } from '../runs/feed.ts';
import { type Caller, runKey } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import type { ActionStore } from './action-store.ts';
import type { PlaneConnector } from './connector.ts';
import type { Fleet } from './fleet.ts';
import { type HealthStatus, type PlaneHealth, type PlaneName, planeIdOf } from './plane.ts';
import type { StandingPlane } from './standing-plane.ts';

export interface PlaneState {
  readonly status: HealthStatus;
  readonly detail: string | undefined;
  /** ISO-8601 UTC; undefined while nobody looked. */
  readonly checkedAt: string | undefined;
  readonly drill: Drill | undefined;
}

export interface Drill {
  readonly id: string;
  readonly plane: PlaneName;
  /** ISO-8601 UTC. */
  readonly startedAt: string;
  readonly until: string;
  readonly startedBy: string;
  readonly reason: string | undefined;
}

export interface PlaneWatch {
  /** The states of a tenant's planes; a plane nobody has looked at is not in it. */
  of(tenantId: string): Promise<ReadonlyMap<PlaneName, PlaneState>>;
  /** Notes how a plane is. Never rejects: what an action met must not depend on it. */
  saw(plane: StandingPlane, status: PlaneHealth['status'], detail?: string): Promise<void>;
  /** Asks the connector now. */
  check(plane: StandingPlane, signal: AbortSignal): Promise<PlaneHealth>;
  /** Takes a plane down; a drill of it that is on ends with the new one. */
  drill(caller: Caller, plane: StandingPlane, minutes: number, reason: string | undefined): Promise<Drill>;
  /** @returns false when there was none */
  endDrill(caller: Caller, plane: StandingPlane): Promise<boolean>;
  start(): void;
  stop(): Promise<void>;
}

export interface PlaneWatchParts {
  readonly database: Database;
  readonly feed: Feed;
  readonly fleet: Fleet;
  readonly actions: ActionStore;
  readonly signal: Engine['signal'];
  readonly clock: Clock;
  readonly log: Log;
}

/** How often it looks whether a check is due or a drill over. */
const PACE_MS = 1_000;
const CHECK_TIMEOUT_MS = 10_000;
/** While a plane is as it was, its row is written no more often than this. */
const WRITE_PACE_MS = 30_000;

export function createPlaneWatch({ database, feed, fleet, actions, signal, clock, log }: PlaneWatchParts): PlaneWatch {
  const { db, tenant } = database;
  const checkedAt = new Map<PlaneConnector, number>();
  const written = new Map<string, { readonly status: string; readonly at: number }>();
  const stopping = new AbortController();
  let timer: Timer | undefined;
  let busy: Promise<void> | undefined;

  async function of(tenantId: string): Promise<ReadonlyMap<PlaneName, PlaneState>> {
    const [rows, drills] = await Promise.all([
      tenant(tenantId).selectFrom('fabric_planes').selectAll().where('tenant_id', '=', tenantId).execute(),
      openDrills(tenant(tenantId), tenantId),
    ]);
    const states = new Map<PlaneName, PlaneState>();
    for (const { name } of fleet.of(tenantId)) {
      const row = rows.find(({ plane }) => plane === name);
      const drill = drills.find(({ plane }) => plane === name);
      if (row === undefined && drill === undefined) continue;
      const status =
        row?.status === 'healthy' || row?.status === 'degraded' || row?.status === 'down' ? row.status : 'unknown';
      states.set(name, {
        status: drill === undefined ? status : 'down',
        detail: drill === undefined ? (row?.detail ?? undefined) : 'DRILL',
        checkedAt: row?.checked_at.toISOString(),
        drill,
      });
    }
    return states;
  }

  async function openDrills(scope: StoreScope, tenantId: string): Promise<readonly Drill[]> {
    const rows = await scope
      .selectFrom('fabric_drills')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('ended_at', 'is', null)
      .where('until', '>', new Date(clock.now()))
      .execute();
    return rows.map((row) => ({
      id: row.id,
      plane: row.plane as PlaneName,
      startedAt: row.started_at.toISOString(),
      until: row.until.toISOString(),
      startedBy: row.started_by,
      reason: row.reason ?? undefined,
    }));
  }

  /** Writes how a plane is; whichever process changes it tells it. */
  async function note(plane: StandingPlane, status: PlaneHealth['status'], detail: string | undefined): Promise<void> {
    const { tenantId, name, id } = plane;
    const last = written.get(id);
    if (last?.status === status && clock.monotonic() - last.at < WRITE_PACE_MS) return;
    const now = new Date(clock.now());
    const isBack = await db.transaction().execute(async (trx) => {
      const before = await trx
        .selectFrom('fabric_planes')
        .select('status')
        .where('tenant_id', '=', tenantId)
        .where('plane', '=', name)
        .forUpdate()
        .executeTakeFirst();
      const values = { status, detail: detail ?? null, checked_at: now };
      const changed = before?.status === status ? {} : { changed_at: now };
      await trx
        .insertInto('fabric_planes')
        .values({ tenant_id: tenantId, plane: name, changed_at: now, ...values })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'plane']).doUpdateSet({ ...values, ...changed }))
        .execute();
      const wasDown = before?.status === 'down';
      if (wasDown === (status === 'down')) return false;
      if (status === 'down') await tell(trx, plane, 'plane.down', { detail: detail ?? null, cause: 'health' });
      else await tell(trx, plane, 'plane.up', { cause: 'health' });
      return wasDown;
    });
    written.set(id, { status, at: clock.monotonic() });
    if (isBack) await wake(tenantId);
  }

  async function saw(plane: StandingPlane, status: PlaneHealth['status'], detail?: string): Promise<void> {
    try {
      await note(plane, status, detail);
    } catch (thrown) {
      log.warn('how a plane is could not be kept', { plane: plane.id, reason: asError(thrown).message });
    }
  }

  async function check(plane: StandingPlane, aborted: AbortSignal): Promise<PlaneHealth> {
    const late = new AbortController();
    const limit = clock.after(CHECK_TIMEOUT_MS, () => late.abort());
    try {
      const health = await plane.connector.health(AbortSignal.any([aborted, late.signal]));
      checkedAt.set(plane.connector, clock.monotonic());
      // A circuit knows more than a look from outside.
      const circuit = plane.breaker.circuit();
      const status = health.status !== 'down' && circuit === 'open' ? 'down' : health.status;
      written.delete(plane.id);
      await saw(plane, status, health.detail ?? (circuit === 'open' ? 'CIRCUIT_OPEN' : undefined));
      return { ...health, status };
    } finally {
      limit.cancel();
    }
  }

  async function wake(tenantId: string): Promise<void> {
    for (const { runId, wait } of await actions.waitingForPlane(tenantId)) {
      await signal(runKey(tenantId, runId), { name: wait, payload: { woken: 'plane.up' }, actor: 'system' });
    }
  }

  function tell(
    trx: StoreScope,
    plane: Pick<StandingPlane, 'tenantId' | 'name' | 'id'>,
    type: string,
    data: JsonObject,
  ) {
    return feed.write(trx, { tenantId: plane.tenantId, type, subject: plane.id, data: { plane: plane.name, ...data } });
  }

  /** Ends what is over, each drill by one process. */
  async function endDueDrills(): Promise<void> {
    const now = new Date(clock.now());
    const tenants = new Set<string>();
    await db.transaction().execute(async (trx) => {
      const over = await trx
        .updateTable('fabric_drills')
        .set({ ended_at: now })
        .where('ended_at', 'is', null)
        .where('until', '<=', now)
        .returning(['tenant_id', 'plane', 'id'])
        .execute();
      for (const { tenant_id: tenantId, plane, id } of over) {
        const name = plane as PlaneName;
        await tell(trx, { tenantId, name, id: planeIdOf(name, tenantId) }, 'plane.up', {
          cause: 'drill',
          drill_id: id,
        });
        tenants.add(tenantId);
      }
    });
    for (const tenantId of tenants) await wake(tenantId);
  }

  async function checkDue(): Promise<void> {
    const planes = fleet.standing();
    const due = new Map<PlaneConnector, StandingPlane[]>();
    for (const plane of planes) {
      // One that is down is looked at again as soon as its circuit would let a call through.
      const pace = written.get(plane.id)?.status === 'down' ? plane.config.breaker.openMs : plane.config.healthCheckMs;
      const last = checkedAt.get(plane.connector);
      if (last === undefined || clock.monotonic() - last >= Math.min(pace, plane.config.healthCheckMs)) {
        due.set(plane.connector, [...(due.get(plane.connector) ?? []), plane]);
      }
    }
    for (const [connector, sharing] of due) {
      checkedAt.set(connector, clock.monotonic());
      for (const plane of sharing) await check(plane, stopping.signal);
    }
  }

  async function look(): Promise<void> {
    try {
      await endDueDrills();
      await checkDue();
    } catch (thrown) {
      if (!stopping.signal.aborted) log.warn('the planes could not be looked at', { reason: asError(thrown).message });
    }
  }

  return {
    of,
    saw,
    check,
    async drill(caller, plane, minutes, reason) {
      const id = `drill-${newUuid()}`;
      const now = clock.now();
      const until = new Date(now + minutes * 60_000);
      const startedBy = caller.userId === '' ? 'operator' : caller.userId;
      await tenant(plane.tenantId)
        .transaction()
        .execute(async (trx) => {
          await closeDrills(trx, plane, new Date(now));
          await trx
            .insertInto('fabric_drills')
            .values({
              id,
              tenant_id: plane.tenantId,
              plane: plane.name,
              started_at: new Date(now),
              until,
              ended_at: null,
              started_by: startedBy,
              reason: reason ?? null,
            })
            .execute();
          await tell(trx, plane, 'plane.down', {
            cause: 'drill',
            drill_id: id,
            until: until.toISOString(),
            started_by: startedBy,
            reason: reason ?? null,
          });
        });
      const startedAt = new Date(now).toISOString();
      return { id, plane: plane.name, startedAt, until: until.toISOString(), startedBy, reason };
    },
    async endDrill(caller, plane) {
      const ended = await tenant(plane.tenantId)
        .transaction()
        .execute(async (trx) => {
          const count = await closeDrills(trx, plane, new Date(clock.now()));
          if (count === 0) return false;
          const by = caller.userId === '' ? 'operator' : caller.userId;
          await tell(trx, plane, 'plane.up', { cause: 'drill', ended_by: by });
          return true;
        });
      if (ended) await wake(plane.tenantId);
      return ended;
    },
    start() {
      timer = clock.every(PACE_MS, () => {
        busy ??= look().finally(() => {
          busy = undefined;
        });
      });
    },
    async stop() {
      timer?.cancel();
      stopping.abort();
      await busy;
    },
  };
}

async function closeDrills(trx: StoreScope, { tenantId, name }: StandingPlane, at: Date): Promise<number> {
  const { numUpdatedRows } = await trx
    .updateTable('fabric_drills')
    .set({ ended_at: at })
    .where('tenant_id', '=', tenantId)
    .where('plane', '=', name)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}
