/**
 * What people who are to allow an action on a plane should know: where it would go, and how the planes are. It is read
 * when they look, by the same rules that the router goes by when the action runs.
 */
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { actionTypes, pairOf, targetSystems } from '../fabric/action.ts';
import { type PlaneName, planeNamed } from '../fabric/plane.ts';
import { type PlaneOnTheWay, readWays, type Way, type Wayfarer, type WayParts, type Ways } from '../fabric/way.ts';
import { type Approval, isOpen } from '../governance/approval.ts';
import type { Run } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { ApprovalPlane } from './approval-plane-view.ts';
import { viewDrill } from './fabric-view.ts';

export interface ApprovalPlaneParts {
  /** The planes; without them no approval is about one. */
  readonly fabric?: WayParts | undefined;
  readonly runs: Pick<RunStore, 'findInTenant'>;
}

/** Where those go that are for a plane and open, by the approval's id. */
export type PlaneForecast = (approvals: readonly Approval[]) => Promise<ReadonlyMap<string, ApprovalPlane>>;

export function createPlaneForecast({ fabric, runs }: ApprovalPlaneParts): PlaneForecast {
  return async (approvals) => {
    const found = new Map<string, ApprovalPlane>();
    if (fabric === undefined) return found;
    const ways = new Map<string, Promise<Ways>>();
    for (const approval of approvals) {
      const cell = isOpen(approval) ? cellOf(approval.actionType) : undefined;
      if (cell === undefined) continue;
      const { tenantId, runId } = approval;
      const reading = ways.get(tenantId) ?? readWays(fabric, tenantId);
      ways.set(tenantId, reading);
      // Whoever may read the approval is not always he whose run it is; only where it goes is shown of that.
      const run = approval.taskId === null ? undefined : await runs.findInTenant(runId, { tenantId, userId: '' });
      const wish = run === undefined || !isOwnAction(approval) ? { waits: true } : wishOf(run);
      found.set(approval.id, forecastOf(await reading, { ...cell, plane: wish.plane }, wish.waits));
    }
    return found;
  };
}

/** `fabric:<target>:<type>`; undefined for what is not about a plane. */
function cellOf(actionType: string): Pick<Wayfarer, 'target' | 'type'> | undefined {
  const [kind, first, second] = actionType.split(':');
  const target = targetSystems.find((one) => one === first);
  const type = actionTypes.find((one) => one === second);
  return kind !== 'fabric' || target === undefined || type === undefined ? undefined : { target, type };
}

/** Whether it is the action that a task is, not one of an agent at work in it. */
function isOwnAction({ stepName }: Approval): boolean {
  return stepName === 'action' || stepName.startsWith('action/');
}

/** What a task says of how it goes. What agents want goes by any plane and waits for one. */
function wishOf({ request, caller }: Run): { readonly plane?: PlaneName | undefined; readonly waits: boolean } {
  const payload = payloadOf(request);
  const named = payload['plane'];
  return {
    plane: typeof named === 'string' ? planeNamed(named, caller.tenantId) : undefined,
    waits: payload['on_unavailable'] === 'wait',
  };
}

/** The payload of the action: a job's stands in the job's own. */
function payloadOf({ payload }: JsonObject): JsonObject {
  if (!isJsonObject(payload)) return {};
  return isJsonObject(payload['run']) ? payloadOf(payload['run']) : payload;
}

function forecastOf({ preset, of }: Ways, wayfarer: Wayfarer, waits: boolean): ApprovalPlane {
  const way = of(wayfarer);
  const onTheWay = way.kind === 'planes' ? way.planes : [];
  const taker = onTheWay.find(({ isUp }) => isUp);
  const outlook = taker !== undefined ? 'goes' : way.kind === 'planes' && waits ? 'waits' : 'fails';
  return {
    fabric_preset: preset,
    target_system: wayfarer.target,
    action_type: wayfarer.type,
    outlook,
    plane_id: taker?.plane.id ?? null,
    message: messageOf(way, taker, wayfarer, outlook),
    planes: onTheWay.map(({ plane, state, isUp }) => ({
      plane_id: plane.id,
      plane: plane.kind,
      available: isUp,
      health_status: state?.status ?? 'unknown',
      health_detail: state?.detail ?? null,
      last_health_check: state?.checkedAt ?? null,
      circuit: plane.breaker.circuit(),
      drill: state?.drill === undefined ? null : viewDrill(state.drill, plane.id),
    })),
  };
}

function messageOf(
  way: Way,
  taker: PlaneOnTheWay | undefined,
  { target, type }: Wayfarer,
  outlook: ApprovalPlane['outlook'],
): string {
  if (way.kind === 'none') return way.message;
  const at = taker === undefined ? way.planes.length : way.planes.indexOf(taker);
  const passed = way.planes.slice(0, at).map(downText);
  if (taker === undefined) {
    const end = outlook === 'waits' ? 'its run would wait for one' : 'it would fail, to be tried again later';
    return `no plane can carry ${pairOf(target, type)} now (${passed.join('; ')}): ${end}`;
  }
  const others = way.planes.slice(at + 1).filter(({ isUp }) => isUp);
  const past = passed.length === 0 ? '' : `, past ${passed.join('; ')}`;
  const next = others.length === 0 ? 'no other is left' : `then ${others.map(({ plane }) => plane.id).join(', ')}`;
  return `${taker.plane.id} would take it${past}; ${next}`;
}

/** A plane that is down, and why. */
function downText({ plane, state }: PlaneOnTheWay): string {
  if (state?.drill !== undefined) return `${plane.id} (drill of ${state.drill.startedBy} until ${state.drill.until})`;
  const why = plane.breaker.circuit() === 'open' ? 'circuit open' : (state?.detail ?? 'down');
  return `${plane.id} (${why})`;
}
