/** The fabric API over contexts, planes, the routing table and actions. */
import type { z } from 'zod';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Engine } from '../engine/engine.ts';
import { type SettledOutcome, settlementPayload } from '../engine/settlement.ts';
import { actionPairs, actionType, actionTypes, targetSystem, targetSystems } from '../fabric/action.ts';
import type { ActionRecord } from '../fabric/action-record.ts';
import type { Fabric } from '../fabric/fabric.ts';
import {
  executionPaths,
  type PlaneKind,
  type PlaneName,
  planeIdOf,
  planeKinds,
  planeNamed,
  planeTitles,
  type Vendor,
  vendorsOf,
} from '../fabric/plane.ts';
import type { PlaneState } from '../fabric/plane-watch.ts';
import { type Preset, parsePreset, presetCards } from '../fabric/preset.ts';
import { type CellOverride, planesFor, routingTable } from '../fabric/routing-table.ts';
import type { StandingPlane } from '../fabric/standing-plane.ts';
import type { Audit, NewAuditEntry } from '../governance/audit/audit.ts';
import { type Caller, runKey } from '../runs/run.ts';
import type { TenantScopes } from '../store/tenant-scopes.ts';
import type { NewTask } from '../tasks/task.ts';
import { attemptRunId } from '../tasks/task.ts';
import type { TaskQueue } from '../tasks/task-queue.ts';
import { currentTraceparent } from '../telemetry/tracing.ts';
import {
  checkPlane,
  drillPlane,
  endDrill,
  getAction,
  getFabricContext,
  listActions,
  listPlanes,
  listRoutes,
  setPreset,
  setRoute,
  settleAction,
  submitAction,
} from './fabric-spec.ts';
import { type cellView, type planeView, viewAction, viewContext, viewDrill } from './fabric-view.ts';
import { type Operation, realize } from './operation.ts';

export interface FabricOperationParts {
  readonly fabric: Fabric;
  readonly queue: Pick<TaskQueue, 'submit'>;
  readonly engine: Pick<Engine, 'signal'>;
  readonly audit: Pick<Audit, 'write' | 'seal' | 'trail'>;
  readonly tenant: TenantScopes;
}

export function createFabricOperations(parts: FabricOperationParts): readonly Operation[] {
  const { fabric, queue, engine, audit, tenant } = parts;
  const { contexts, fleet, watch, actions } = fabric;

  async function planes(caller: Caller): Promise<z.input<typeof planeView>[]> {
    const { tenantId } = caller;
    const [{ preset }, states, figures] = await Promise.all([
      contexts.of(tenantId),
      watch.of(tenantId),
      actions.figures(tenantId),
    ]);
    const standing = fleet.of(tenantId);
    const kinds: readonly PlaneName[] = planeKinds.filter((kind) => kind !== 'custom');
    const custom = standing.filter(({ kind }) => kind === 'custom').map(({ name }) => name);
    return [...kinds, ...custom].map((name) =>
      viewPlane({
        name,
        tenantId,
        preset,
        plane: standing.find((one) => one.name === name),
        state: states.get(name),
        figures: figures.get(name),
      }),
    );
  }

  async function onePlane(caller: Caller, plane: StandingPlane): Promise<z.input<typeof planeView>> {
    const view = (await planes(caller)).find(({ plane_id: id }) => id === plane.id);
    if (view === undefined) throw new Error(`the plane ${plane.id} is not among those of its tenant`);
    return view;
  }

  /** @throws AosError not_found for one that is not configured */
  function standingPlane(id: string, { tenantId }: Caller): StandingPlane {
    const name = planeNamed(id, tenantId);
    const plane = name === undefined ? undefined : fleet.find(tenantId, name);
    if (plane !== undefined) return plane;
    const known = fleet.of(tenantId).map((one) => one.id);
    throw new AosError('not_found', `Plane ${id} not found (configured: ${known.join(', ') || 'none'})`, {
      reason: 'PLANE_NOT_FOUND',
    });
  }

  async function find(id: string, caller: Caller): Promise<ActionRecord> {
    const record = await actions.load(id, caller);
    if (record !== undefined) return record;
    throw new AosError('not_found', `Action ${id} not found`, { reason: 'ACTION_NOT_FOUND' });
  }

  const cellOf = (
    caller: Caller,
    { preset, target, type }: Omit<CellOverride, 'planes'>,
    overrides: readonly CellOverride[],
  ): z.input<typeof cellView> => {
    const order = planesFor(preset, target, type, overrides);
    const isOwn = overrides.some((cell) => cell.preset === preset && cell.target === target && cell.type === type);
    const able = order.filter((name) => fleet.find(caller.tenantId, name)?.bindingFor(target, type) !== undefined);
    return {
      fabric_preset: preset,
      target_system: target,
      action_type: type,
      planes: [...order],
      overridden: isOwn,
      capable: able,
    };
  };

  return [
    realize(getFabricContext, async (_input, { caller }) => viewContext(await contexts.of(caller.tenantId))),
    realize(setPreset, async ({ preset, fabric_preset: other, reason, force }, { caller }) => {
      const named = preset ?? other;
      if (named === undefined) throw new AosError('invalid_request', 'the request cannot be used: "preset" is missing');
      const change = { preset: parsePreset(named), reason: reason ?? undefined, force };
      const { previous, context } = await contexts.change(caller, change);
      await audit.seal(caller.tenantId);
      const [told] = await audit.trail.find(caller.tenantId, { action: 'PRESET_CHANGE', limit: 1 });
      return {
        previous_preset: previous,
        fabric_preset: context.preset,
        primary_plane_id: context.primaryPlaneId,
        is_direct_allowed: context.isDirectAllowed,
        changed_at: context.changedAt ?? null,
        audit_seq: told?.seq ?? null,
      };
    }),
    realize(listPlanes, async (_input, { caller }) => {
      const items = await planes(caller);
      return { items, total: items.length, next_cursor: null };
    }),
    realize(checkPlane, async ({ plane_id: id }, { caller, signal }) => {
      const plane = standingPlane(id, caller);
      await watch.check(plane, signal);
      return onePlane(caller, plane);
    }),
    realize(drillPlane, async ({ plane_id: id, minutes, reason }, { caller }) => {
      const plane = standingPlane(id, caller);
      return viewDrill(await watch.drill(caller, plane, minutes, reason ?? undefined), plane.id);
    }),
    realize(endDrill, async ({ plane_id: id }, { caller }) => {
      const plane = standingPlane(id, caller);
      if (await watch.endDrill(caller, plane)) return onePlane(caller, plane);
      throw new AosError('not_found', `There is no drill of ${plane.id}`, { reason: 'DRILL_NOT_FOUND' });
    }),
    realize(listRoutes, async ({ preset: named, target_system, action_type }, { caller }) => {
      const preset = named === undefined ? (await contexts.of(caller.tenantId)).preset : parsePreset(named);
      const overrides = await contexts.overrides(caller.tenantId);
      const items = targetSystems
        .filter((target) => target_system === undefined || target === target_system)
        .flatMap((target) =>
          actionTypes
            .filter((type) => action_type === undefined || type === action_type)
            .map((type) => cellOf(caller, { preset, target, type }, overrides)),
        );
      return { items, total: items.length, next_cursor: null };
    }),
    realize(setRoute, async ({ preset: named, target_system, action_type, planes: order }, { caller }) => {
      const cell = { preset: parsePreset(named), target: targetSystem(target_system), type: actionType(action_type) };
      if (order === null) await contexts.reset(caller, cell);
      else await contexts.override(caller, { ...cell, planes: order.map((text) => planeOf(text, caller)) });
      return cellOf(caller, cell, await contexts.overrides(caller.tenantId));
    }),
    realize(submitAction, async (asked, { caller, callId }) => {
      const target = targetSystem(asked.target_system);
      const type = actionType(asked.action_type);
      if (asked.plane != null) planeOf(asked.plane, caller);
      const { preset, primaryPlaneId } = await contexts.of(caller.tenantId);
      const task = await queue.submit(taskOf(asked, target, type), caller, {
        id: asked.action_id ?? undefined,
        callId,
        traceparent: currentTraceparent(),
      });
      const { payload } = task.submission;
      const record = await actions.admit(
        {
          id: task.id,
          taskId: task.id,
          caller,
          runId: attemptRunId(task),
          agentId: asked.agent_id ?? '',
          correlationId: asked.correlation_id ?? task.id,
          target,
          type,
          entityId: asked.entity_id == null ? undefined : String(asked.entity_id),
          entityType: asked.entity_type ?? undefined,
          data: (payload['data'] ?? {}) as JsonObject,
          metadata: (payload['metadata'] ?? {}) as JsonObject,
          preset,
          primaryPlaneId,
          simulated: task.submission.simulation,
        },
        'pending',
      );
      return viewAction(record);
    }),
    realize(listActions, async ({ status, target_system: target, action_type: type, limit, cursor }, { caller }) => {
      const { items, nextCursor } = await actions.list(caller, { status, target, type, limit, cursor });
      return { items: items.map(viewAction), next_cursor: nextCursor };
    }),
    realize(getAction, async ({ action_id: id }, { caller }) => viewAction(await find(id, caller))),
    realize(settleAction, async ({ action_id: id, outcome, note, external_id: externalId }, { caller }) => {
      const record = await find(id, caller);
      if (record.inFlight === undefined || (record.status !== 'unknown' && record.status !== 'timeout')) {
        throw new AosError('conflict', `The outcome of the action ${id} is not unknown: it is ${record.status}`, {
          reason: 'OUTCOME_KNOWN',
          facts: { status: record.status },
        });
      }
      const actor = `user:${caller.userId === '' ? 'operator' : caller.userId}`;
      const settlement = { outcome, note: note ?? undefined, externalId: externalId ?? undefined };
      const payload = settlementPayload(settlement);
      const { wait, runId } = record;
      const isTold =
        wait !== undefined &&
        (await tenant(caller.tenantId)
          .transaction()
          .execute(async (trx) => {
            const signal = { id: wait, name: wait, payload, actor };
            if (!(await engine.signal(runKey(caller.tenantId, runId), signal, trx))) return false;
            await audit.write(trx, settledEntry(record, outcome, caller));
            return true;
          }));
      // Its run is over: what is said counts all the same.
      if (!isTold) {
        const { plane } = record.inFlight;
        const path = executionPaths[fleet.find(caller.tenantId, plane)?.kind ?? 'custom'];
        await actions.settle({ tenantId: caller.tenantId, id }, path, {
          ...settlement,
          by: actor.slice('user:'.length),
        });
      }
      return viewAction(await find(id, caller));
    }),
  ];
}

/** Who said what became of an action whose run goes on with it. */
function settledEntry(record: ActionRecord, outcome: SettledOutcome, { tenantId, userId }: Caller): NewAuditEntry {
  const { id, inFlight, target, type, runId, taskId, simulated } = record;
  return {
    tenantId,
    action: 'ROUTE_SETTLED',
    outcome: outcome === 'completed' ? 'success' : outcome === 'failed' ? 'failure' : 'cancelled',
    actor: { type: 'user', id: userId || 'anonymous' },
    agent_id: record.agentId === '' ? null : record.agentId,
    target_system: target,
    action_type: type,
    run_id: runId,
    task_id: taskId ?? null,
    simulation: simulated,
    details: {
      action_id: id,
      outcome,
      ...(inFlight !== undefined && { plane_id: planeIdOf(inFlight.plane, tenantId) }),
    },
    owner: record.caller.userId,
  };
}

interface PlaneFacts {
  readonly name: PlaneName;
  readonly tenantId: string;
  readonly preset: Preset;
  readonly plane: StandingPlane | undefined;
  readonly state: PlaneState | undefined;
  readonly figures: { readonly actions: number; readonly failed: number; readonly p95Ms: number | null } | undefined;
}

function viewPlane({ name, tenantId, preset, plane, state, figures }: PlaneFacts): z.input<typeof planeView> {
  const kind = name.startsWith('custom_') ? 'custom' : planeKinds.find((known) => known === name);
  if (kind === undefined) throw new Error(`there is no plane ${name}`);
  const id = planeIdOf(name, tenantId);
  const drill = state?.drill;
  return {
    plane_id: id,
    plane: kind,
    name: plane?.config.title ?? planeTitles[kind].name,
    purpose: planeTitles[kind].purpose,
    provider: plane === undefined ? null : vendorName(plane.connector.vendor),
    supported_systems: systemsBehind(kind),
    is_active: Object.values(routingTable[preset]).some((cell) => cell.includes(name)),
    is_primary: presetCards[preset].primary === name,
    configured: plane !== undefined,
    health_status: plane === undefined ? 'unconfigured' : (state?.status ?? 'unknown'),
    health_detail: state?.detail ?? null,
    last_health_check: state?.checkedAt ?? null,
    circuit: plane?.breaker.circuit() ?? 'closed',
    self_healing_enabled: plane !== undefined && kind !== 'direct',
    health_check_interval_seconds: (plane?.config.healthCheckMs ?? 60_000) / 1000,
    routes: plane === undefined ? 0 : countRoutes(plane),
    dedupes: plane?.connector.dedupes ?? null,
    stats: { actions: figures?.actions ?? 0, failed: figures?.failed ?? 0, p95_ms: figures?.p95Ms ?? null },
    drill: drill === undefined ? null : viewDrill(drill, id),
  };
}

/** The systems that can stand behind a plane; plain HTTP is none. */
function systemsBehind(kind: PlaneKind): string[] {
  return vendorsOf[kind].filter((vendor) => vendor !== 'simulated' && vendor !== 'http').map(vendorName);
}

/** A vendor by the name that the seed systems know it under. */
function vendorName(vendor: Vendor): string {
  return vendor === 'tray' ? 'tray.io' : vendor;
}

function countRoutes(plane: StandingPlane): number {
  return actionPairs.filter((pair) => {
    const [target = '', type = ''] = pair.split(':');
    return plane.bindingFor(targetSystem(target), actionType(type)) !== undefined;
  }).length;
}

/** @throws AosError unprocessable for a text that names no plane */
function planeOf(text: string, { tenantId }: Caller): PlaneName {
  const plane = planeNamed(text, tenantId);
  if (plane !== undefined) return plane;
  throw new AosError(
    'unprocessable',
    `"${text.slice(0, 100)}" is no plane: expected ${planeKinds.join(', ')} or custom_<name>`,
    {
      reason: 'UNKNOWN_PLANE',
    },
  );
}

type AskedAction = z.output<typeof submitAction.input>;

function taskOf(asked: AskedAction, target: string, type: string): NewTask {
  const { entity_id, entity_type, data, metadata, correlation_id, plane, on_unavailable, wait_seconds } = asked;
  const payload = { entity_id, entity_type, data, metadata, correlation_id, plane, on_unavailable, wait_seconds };
  const options = {
    priority: asked.priority,
    timeout_seconds: asked.timeout_seconds,
    max_retries: asked.max_retries,
    agent_id: asked.agent_id,
    simulation: asked.simulation,
  };
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value != null));
  return {
    ...given,
    task_type: 'fabric_action',
    target_system: target,
    action_type: type,
    // What came as JSON is JSON.
    payload: Object.fromEntries(Object.entries(payload).filter(([, value]) => value != null)) as JsonObject,
  };
}
