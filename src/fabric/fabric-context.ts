/**
 * The fabric of a tenant: its preset, who chose it, and the cells of the routing table that it orders differently. What
 * is read here is what counts at this moment: an action is routed by it when it runs.
 */
import { sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Feed } from '../runs/feed.ts';
import type { Caller } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import { actionType, targetSystem } from './action.ts';
import { type FabricConfig, planesOfTenant, presetOfTenant } from './fabric-file.ts';
import { isPlaneName, type PlaneKind, planeIdOf, planeTitles } from './plane.ts';
import { allowsDirect, type Preset, presetCards, presetNamed, presets, SCRAPPY } from './preset.ts';
import { type CellOverride, checkOverride, directForbidden } from './routing-table.ts';

export interface FabricContext {
  readonly tenantId: string;
  readonly preset: Preset;
  readonly primaryPlaneId: string;
  readonly planeName: string;
  readonly isDirectAllowed: boolean;
  /** ISO-8601 UTC; undefined while nobody chose. */
  readonly changedAt: string | undefined;
  readonly changedBy: string | undefined;
}

export interface PresetChange {
  readonly preset: Preset;
  readonly reason: string | undefined;
  /** Also when planes are missing. */
  readonly force: boolean;
}

export interface FabricContexts {
  of(tenantId: string): Promise<FabricContext>;
  /**
   * @throws AosError conflict (`PLANES_MISSING`) naming the planes, forbidden (`DIRECT_FORBIDDEN`) for preset 6 where it
   *   may not be
   */
  change(caller: Caller, change: PresetChange): Promise<{ readonly previous: Preset; readonly context: FabricContext }>;
  overrides(tenantId: string): Promise<readonly CellOverride[]>;
  /** @throws AosError as `checkOverride` */
  override(caller: Caller, cell: CellOverride): Promise<void>;
  /** Takes an override away. @returns false when there was none */
  reset(caller: Caller, cell: Omit<CellOverride, 'planes'>): Promise<boolean>;
}

export interface FabricContextParts {
  readonly database: Database;
  readonly feed: Feed;
  readonly config: FabricConfig;
  readonly clock: Clock;
  /** Whether preset 6, and with it direct calls of systems, may be used here at all. */
  readonly allowScrappy: boolean;
}

export function createFabricContexts({
  database,
  feed,
  config,
  clock,
  allowScrappy,
}: FabricContextParts): FabricContexts {
  const { tenant } = database;

  function configured(tenantId: string): ReadonlySet<PlaneKind> {
    return new Set(planesOfTenant(config, tenantId).map(({ kind }) => kind));
  }

  /** What a tenant has that chose nothing: the operator's choice, else what the planes allow. */
  function defaultPreset(tenantId: string): Preset {
    const chosen = presetOfTenant(config, tenantId);
    if (chosen !== undefined) return chosen;
    const kinds = configured(tenantId);
    const possible = presets.find((preset) => presetCards[preset].required.every((kind) => kinds.has(kind)));
    if (possible !== undefined && (possible !== SCRAPPY || allowScrappy)) return possible;
    return allowScrappy ? SCRAPPY : 'preset_2_ipaas_first';
  }

  async function read(scope: StoreScope, tenantId: string): Promise<FabricContext> {
    const row = await scope
      .selectFrom('fabric_context')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .executeTakeFirst();
    const preset = (row === undefined ? undefined : presetNamed(row.preset)) ?? defaultPreset(tenantId);
    return {
      tenantId,
      preset,
      primaryPlaneId: planeIdOf(presetCards[preset].primary, tenantId),
      planeName: planeTitles[presetCards[preset].primary].name,
      isDirectAllowed: allowsDirect(preset) && allowScrappy,
      changedAt: row?.changed_at.toISOString(),
      changedBy: row?.changed_by,
    };
  }

  return {
    of: (tenantId) => read(tenant(tenantId), tenantId),
    async change(caller, { preset, reason, force }) {
      const { tenantId } = caller;
      if (allowsDirect(preset) && !allowScrappy) {
        throw new AosError('forbidden', `${preset} is for development: it may not be used here`, {
          reason: 'DIRECT_FORBIDDEN',
        });
      }
      const kinds = configured(tenantId);
      const missing = presetCards[preset].required.filter((kind) => !kinds.has(kind));
      if (missing.length > 0 && !force) {
        throw new AosError('conflict', 'Preset needs planes that are not configured', {
          reason: 'PLANES_MISSING',
          facts: { missing: [...missing] },
        });
      }
      return tenant(tenantId)
        .transaction()
        .execute(async (trx) => {
          await sql`select pg_advisory_xact_lock(4710011, hashtext(${tenantId}))`.execute(trx);
          const { preset: previous } = await read(trx, tenantId);
          const values = {
            preset,
            changed_by: caller.userId === '' ? 'operator' : caller.userId,
            changed_at: new Date(clock.now()),
            reason: reason ?? null,
          };
          await trx
            .insertInto('fabric_context')
            .values({ tenant_id: tenantId, ...values })
            .onConflict((conflict) => conflict.column('tenant_id').doUpdateSet(values))
            .execute();
          await tell(trx, caller, 'fabric.preset_changed', tenantId, {
            previous_preset: previous,
            fabric_preset: preset,
            reason: reason ?? null,
            forced: missing.length > 0,
            missing: [...missing],
          });
          return { previous, context: await read(trx, tenantId) };
        });
    },
    async overrides(tenantId) {
      const rows = await tenant(tenantId)
        .selectFrom('fabric_routes')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .execute();
      return rows.flatMap((row) => {
        const preset = presetNamed(row.preset);
        if (preset === undefined) return [];
        return [
          {
            preset,
            target: targetSystem(row.target),
            type: actionType(row.action_type),
            planes: row.planes.filter(isPlaneName),
          },
        ];
      });
    },
    async override(caller, cell) {
      checkOverride(cell);
      const unknown = cell.planes.filter(
        (plane) =>
          plane.startsWith('custom_') && !planesOfTenant(config, caller.tenantId).some(({ name }) => name === plane),
      );
      if (unknown.length > 0) {
        throw new AosError('unprocessable', `there is no plane ${unknown.join(', ')} in the fabric file`, {
          reason: 'UNKNOWN_PLANE',
        });
      }
      if (cell.planes.includes('direct') && !allowScrappy) throw directForbidden(cell.preset);
      const { preset, target, type, planes } = cell;
      await tenant(caller.tenantId)
        .transaction()
        .execute(async (trx) => {
          const values = {
            planes: [...planes],
            changed_by: caller.userId === '' ? 'operator' : caller.userId,
            changed_at: new Date(clock.now()),
          };
          await trx
            .insertInto('fabric_routes')
            .values({ tenant_id: caller.tenantId, preset, target, action_type: type, ...values })
            .onConflict((conflict) =>
              conflict.columns(['tenant_id', 'preset', 'target', 'action_type']).doUpdateSet(values),
            )
            .execute();
          const data = { fabric_preset: preset, target_system: target, action_type: type, planes: [...planes] };
          await tell(trx, caller, 'fabric.route_changed', `${preset}/${target}:${type}`, data);
        });
    },
    async reset(caller, { preset, target, type }) {
      return tenant(caller.tenantId)
        .transaction()
        .execute(async (trx) => {
          const gone = await trx
            .deleteFrom('fabric_routes')
            .where('tenant_id', '=', caller.tenantId)
            .where('preset', '=', preset)
            .where('target', '=', target)
            .where('action_type', '=', type)
            .executeTakeFirst();
          if (gone.numDeletedRows === 0n) return false;
          const data = { fabric_preset: preset, target_system: target, action_type: type, planes: null };
          await tell(trx, caller, 'fabric.route_changed', `${preset}/${target}:${type}`, data);
          return true;
        });
    },
  };

  /** Settings of a tenant concern everybody in it. */
  function tell(trx: StoreScope, caller: Caller, type: string, subject: string, data: JsonObject): Promise<void> {
    const by = caller.userId === '' ? 'operator' : caller.userId;
    const at = isoTime(clock.now());
    return feed.write(trx, {
      tenantId: caller.tenantId,
      type,
      subject,
      data: { ...data, changed_by: by, changed_at: at },
    });
  }
}

/** The context as resources carry it (domain reference §5.4). */
export function showContext(context: FabricContext): JsonObject {
  return {
    primary_plane_id: context.primaryPlaneId,
    Primary_Plane_ID: context.primaryPlaneId,
    fabric_preset: context.preset,
    is_direct_allowed: context.isDirectAllowed,
    tenant_id: context.tenantId,
    plane_name: context.planeName,
  };
}
