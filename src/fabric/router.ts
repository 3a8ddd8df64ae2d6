/**
 * The router: brings an action through a plane as steps of a run. The preset is the one valid when the action runs; of
 * its planes the first that is configured, carries the action and works does it; who could not is written down. An
 * attempt of which nobody knows the outcome is never made again unless its target does our key once: the run waits for
 * somebody who knows.
 */

import type { Context } from '@opentelemetry/api';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { RunScope } from '../engine/engine.ts';
import { settlementOf } from '../engine/settlement.ts';
import type { Governor } from '../governance/governor.ts';
import type { DataGuard } from '../governance/screening/data-guard.ts';
import { globalKey } from '../runs/run.ts';
import type { Log } from '../telemetry/log.ts';
import { type Action, pairOf } from './action.ts';
import { type ActionRecord, isOver, showRecord } from './action-record.ts';
import type { ActionKey, ActionStore } from './action-store.ts';
import { screenAnswer } from './answer-screen.ts';
import { type AttemptResult, attemptAction } from './attempt.ts';
import type { ConnectorResult, RoutedAction } from './connector.ts';
import type { FabricContexts } from './fabric-context.ts';
import type { Fleet } from './fleet.ts';
import { permitOrder, type Settling } from './permission.ts';
import { executionPaths, type PlaneName, planeIdOf } from './plane.ts';
import type { PlaneWatch } from './plane-watch.ts';
import type { Preset } from './preset.ts';
import type { StandingPlane } from './standing-plane.ts';
import { readWays } from './way.ts';

/** An action for the router. */
export interface ActionOrder extends Action {
  /** Also its idempotency key: the same for everything that is the same action. */
  readonly id: string;
  readonly taskId?: string | undefined;
  readonly agentId: string;
  readonly correlationId: string;
  /** The plane it is to take; one of its cell. Any of them when left out. */
  readonly plane?: PlaneName | undefined;
  /** Whether nothing is to leave: the plane's simulator does it. */
  readonly simulate?: boolean | undefined;
  /** When no plane can: `fail` so that it is tried again later, or `wait` in the run. */
  readonly onUnavailable: 'fail' | 'wait';
  /** How long its run waits for a plane, or for somebody who knows, at most; milliseconds. */
  readonly waitMs: number;
}

export interface Router {
  /**
   * @param name unique in the run; the names of its steps and waits begin with it
   * @returns the action when a plane has done or taken it
   * @throws AosError `NO_ROUTE`, `DIRECT_FORBIDDEN`, `PLANE_UNAVAILABLE` (to be tried again), `PLANE_REFUSED`,
   *   `UNKNOWN_OUTCOME` (not to be tried again)
   */
  route(scope: RunScope, name: string, order: ActionOrder, traceContext: Context): Promise<JsonObject>;
}

export interface RouterParts {
  readonly contexts: FabricContexts;
  readonly fleet: Fleet;
  readonly watch: PlaneWatch;
  readonly actions: ActionStore;
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 to below 1, for the jitter of pauses. */
  readonly random: () => number;
  /** Judges every action before it is on its way. */
  readonly governor: Governor;
  /** Whether the planes themselves are simulated: they are used as any, and the action says that it was not real. */
  readonly simulation?: boolean | undefined;
  /** What of personal data may be kept of answers; everything when left out. */
  readonly egress?: DataGuard['egress'] | undefined;
}

/** An order, and whose action it is. */
type OwnedOrder = ActionOrder & ActionKey;

/** An order that was judged, with what budgets have set aside for it. */
type PermittedOrder = OwnedOrder & { readonly settling: Settling };

/** Where an action goes, as a step stores it. */
type Plan =
  | { kind: 'over' }
  | { kind: 'go'; preset: Preset; planes: PlaneName[] }
  | { kind: 'refused'; status: 'failed' | 'blocked'; code: 'NO_ROUTE' | 'DIRECT_FORBIDDEN'; message: string }
  /** `drills`: until when, ISO-8601 UTC, those of them are down on purpose that are. */
  | { kind: 'unavailable'; preset: Preset; down: string[]; drills?: Record<string, string> };

/** A run that waits for a plane looks again at least this often, should nobody wake it. */
const LOOK_AGAIN_MS = 60_000;
/** Longest first pause between two attempts on one plane. */
const FIRST_PAUSE_MS = 300;

export function createRouter(parts: RouterParts): Router {
  const { contexts, fleet, actions, clock, random, simulation } = parts;

  async function plan(order: OwnedOrder): Promise<Plan> {
    const { tenantId } = order;
    const record = await actions.load(order.id, { tenantId, userId: '' });
    if (record !== undefined && isOver(record.status)) return { kind: 'over' };
    const ways = await readWays(parts, tenantId);
    const { preset } = ways;
    await actions.routing(order, preset);
    const way = ways.of(order);
    if (way.kind === 'none') {
      const { code, message } = way;
      return { kind: 'refused', status: code === 'DIRECT_FORBIDDEN' ? 'blocked' : 'failed', code, message };
    }
    for (const { plane, state, isUp } of way.planes) {
      if (isUp) break;
      const detail = state?.drill === undefined ? (state?.detail ?? 'DOWN') : 'DRILL';
      await actions.passed(order, plane.name, 'not_sent', detail);
    }
    const up = way.planes.filter(({ isUp }) => isUp);
    if (up.length > 0) return { kind: 'go', preset, planes: up.map(({ plane }) => plane.name) };
    const drilled = way.planes.flatMap(({ plane, state }) =>
      state?.drill === undefined ? [] : [[plane.id, state.drill.until] as const],
    );
    return {
      kind: 'unavailable',
      preset,
      down: way.planes.map(({ plane }) => plane.id),
      drills: Object.fromEntries(drilled),
    };
  }

  async function route(scope: RunScope, name: string, given: ActionOrder, traceContext: Context): Promise<JsonObject> {
    const { caller } = scope.run;
    // A simulated run simulates all it does.
    const asked = { ...given, simulate: simulation !== true && (given.simulate === true || scope.run.simulation) };
    const { tenantId } = caller;
    const giveUpAt = isoTime(Date.parse(await admit(scope, name, asked)) + asked.waitMs);
    const hasBegun = scope.recorded(`${name}/route-1`) !== undefined;
    const permission = await permitOrder(parts.governor, scope, name, asked, hasBegun);
    const { settling } = permission;
    if ('refusal' in permission) {
      const { message, reason = 'DENIED' } = permission.refusal;
      await end(scope, `${name}/end-0`, { ...asked, tenantId, settling }, 'blocked', { code: reason, message });
      throw permission.refusal;
    }
    const { event } = permission;
    const order: PermittedOrder = { ...permission.order, tenantId, settling };
    const judged = event === undefined ? {} : { event: () => event };
    for (let round = 1; ; round++) {
      const step = (what: string) => `${name}/${what}-${round}`;
      const planned = await scope.step<Plan>(step('route'), () => plan(order), { effect: 'write', ...judged });
      if (planned.kind === 'over') return finished(scope, step('result'), order);
      if (planned.kind === 'refused') {
        const { status, code, message } = planned;
        await end(scope, step('end'), order, status, { code, message });
        throw new AosError(code === 'DIRECT_FORBIDDEN' ? 'forbidden' : 'unprocessable', message, { reason: code });
      }
      if (planned.kind === 'go') {
        const outcome = await tryPlanes(scope, step, order, planned, traceContext);
        if (outcome.kind === 'done') return finished(scope, step('result'), order);
        if (outcome.kind === 'refused') {
          const failure = { code: 'PLANE_REFUSED', message: outcome.message, fault: outcome.fault };
          await end(scope, step('end'), order, 'failed', failure);
          throw new AosError('unprocessable', outcome.message, {
            reason: 'PLANE_REFUSED',
            facts: { fault: outcome.fault, action_id: order.id },
          });
        }
        if (outcome.kind === 'unknown') {
          const settled = await settle(scope, step, order, outcome.plane, giveUpAt);
          if (settled === 'done') return finished(scope, step('result'), order);
          continue;
        }
      }
      // No plane is left.
      const message = `no plane can carry ${pairOf(order.target, order.type)} now: ${downOf(planned)}`;
      if (order.onUnavailable === 'fail') throw await unavailable(scope, step('end'), order, message);
      const wait = step('plane');
      await scope.step(
        step('waits'),
        async () => {
          await actions.waits(order, 'waiting', wait, message);
          return null;
        },
        { effect: 'write' },
      );
      const lookAt = await scope.step(step('look-at'), async () =>
        isoTime(Math.min(clock.now() + LOOK_AGAIN_MS, Date.parse(giveUpAt))),
      );
      const detail = { action_id: order.id, message, planes: missed(planned), gives_up_at: giveUpAt };
      await scope.wait({ name: wait, reason: 'plane', until: lookAt, detail });
      const isLate = await scope.step(step('late'), async () => clock.now() >= Date.parse(giveUpAt));
      if (isLate) throw await unavailable(scope, step('end'), order, message);
    }

    function downOf(planned: Plan): string {
      const ids = missed(planned).map(({ plane_id: id }) => id);
      return `${ids.join(', ')} ${planned.kind === 'unavailable' ? 'are down' : 'could not'}`;
    }

    /** The planes that it waits for, as the wait shows them. */
    function missed(planned: Plan): { plane_id: string; drill_until: string | null }[] {
      const shown = (id: string, until: string | null = null) => ({ plane_id: id, drill_until: until });
      if (planned.kind === 'unavailable') return planned.down.map((id) => shown(id, planned.drills?.[id]));
      return planned.kind === 'go' ? planned.planes.map((plane) => shown(planeIdOf(plane, tenantId))) : [];
    }
  }

  /** Keeps the action before anything happens to it. @returns when it was asked for, ISO-8601 UTC */
  function admit(scope: RunScope, name: string, order: ActionOrder): Promise<string> {
    const { run } = scope;
    return scope.step(
      `${name}/admit`,
      async () => {
        const { preset, primaryPlaneId } = await contexts.of(run.caller.tenantId);
        const record = await actions.admit({
          ...order,
          taskId: order.taskId,
          caller: run.caller,
          runId: run.id,
          preset,
          primaryPlaneId,
          simulated: simulation === true || order.simulate === true,
        });
        return isOver(record.status) ? record.createdAt : isoTime(clock.now());
      },
      { effect: 'write' },
    );
  }

  /** Tries the planes in their order until one of them does it, refuses it, or leaves it open. */
  async function tryPlanes(
    scope: RunScope,
    step: (what: string) => string,
    order: OwnedOrder,
    { preset, planes }: Extract<Plan, { kind: 'go' }>,
    traceContext: Context,
  ): Promise<AttemptResult> {
    const { tenantId } = scope.run.caller;
    let last: AttemptResult = { kind: 'passed', fault: 'not_sent', detail: 'NO_PLANE', retryAfterMs: 0 };
    for (const name of planes) {
      const plane = fleet.find(tenantId, name);
      const attempts = plane?.config.attempts ?? 1;
      last = await scope.step<AttemptResult>(
        step(name),
        async (context) => {
          const action = plane === undefined ? undefined : routed(scope, order, preset, plane);
          // The operator took it away while the run was on its way.
          if (plane === undefined || action === undefined) {
            return { kind: 'passed', fault: 'not_sent', detail: 'UNCONFIGURED', retryAfterMs: 0 };
          }
          return attemptAction(parts, plane, action, context, { traceContext, simulate: order.simulate ?? false });
        },
        { effect: 'external', retry: { attempts, firstPauseMs: 50 + random() * FIRST_PAUSE_MS } },
      );
      if (last.kind !== 'passed') return last;
      const { fault, detail } = last;
      await scope.step(
        step(`${name}/passed`),
        async () => {
          await actions.passed(order, name, fault, detail);
          return null;
        },
        { effect: 'write' },
      );
    }
    return last;
  }

  function routed(scope: RunScope, order: ActionOrder, preset: Preset, plane: StandingPlane): RoutedAction | undefined {
    const { target, type, entityId, entityType, data, metadata, id, agentId, correlationId } = order;
    const binding = plane.bindingFor(target, type);
    if (binding === undefined) return undefined;
    return {
      id,
      tenantId: scope.run.caller.tenantId,
      agentId,
      correlationId,
      target,
      type,
      entityId,
      entityType,
      data,
      metadata,
      preset,
      plane: plane.name,
      planeId: plane.id,
      binding,
      createdAt: scope.run.createdAt,
    };
  }

  /**
   * Nobody knows whether the plane did it: asks the plane where it can be asked, else waits for a person.
   * @returns `again` when it is certain that nothing was done
   */
  async function settle(
    scope: RunScope,
    step: (what: string) => string,
    order: PermittedOrder,
    name: PlaneName,
    giveUpAt: string,
  ): Promise<'done' | 'again'> {
    const { tenantId } = scope.run.caller;
    const plane = fleet.find(tenantId, name);
    const asked = await scope.step<'done' | 'again' | 'unknown'>(
      step('outcome'),
      async ({ signal, attempt }) => {
        const record = await actions.load(order.id, { tenantId, userId: '' });
        const action =
          plane === undefined ? undefined : routed(scope, order, record?.preset ?? 'preset_6_scrappy', plane);
        const connector = order.simulate ? plane?.simulator : plane?.connector;
        if (plane === undefined || connector?.outcome === undefined || action === undefined) return 'unknown';
        const call = {
          idempotencyKey: globalKey(tenantId, order.id),
          attempt,
          deadline: clock.now() + plane.config.timeoutMs,
          signal,
        };
        const outcome = await connector.outcome(action, call).catch(() => ({ kind: 'unknown' as const }));
        if (outcome.kind === 'completed' || outcome.kind === 'accepted') {
          await done(order, plane, await screenAnswer(parts.egress, scope.run.caller.tenantId, outcome));
          return 'done';
        }
        if (outcome.kind === 'unknown') return 'unknown';
        await actions.notDone(order);
        return 'again';
      },
      { effect: 'write' },
    );
    if (asked !== 'unknown') return asked;
    const wait = step('settle');
    const planeId = planeIdOf(name, tenantId);
    const message = `${planeId} was called and it is not known whether it did ${pairOf(order.target, order.type)}`;
    await scope.step(
      step('unknown'),
      async () => {
        await actions.waits(order, 'unknown', wait, message);
        return null;
      },
      { effect: 'write' },
    );
    const word = await scope.wait({
      name: wait,
      reason: 'unknown_outcome',
      until: giveUpAt,
      detail: { action_id: order.id, plane_id: planeId, message },
    });
    const settlement = word === undefined ? undefined : settlementOf(word);
    if (settlement === undefined || settlement.outcome === 'failed') {
      const code = settlement === undefined ? 'UNKNOWN_OUTCOME' : 'SETTLED_FAILED';
      const said =
        settlement === undefined ? `${message}, and nobody settled it` : `settled as failed by ${settlement.by}`;
      if (settlement !== undefined) await scope.step(step('over'), () => cleared(order), { effect: 'write' });
      await end(scope, step('end'), order, settlement === undefined ? 'timeout' : 'failed', { code, message: said });
      throw new AosError('unprocessable', said, { reason: code, facts: { action_id: order.id } });
    }
    return scope.step<'done' | 'again'>(
      step('settled'),
      async () => {
        if (settlement.outcome === 'not_done') {
          await actions.notDone(order);
          return 'again';
        }
        const { by, note, externalId } = settlement;
        await actions.done(
          order,
          name,
          executionPaths[plane?.kind ?? 'custom'],
          {
            kind: 'completed',
            data: { settled_by: by, note: note ?? null },
            ...(externalId !== undefined && { externalId }),
          },
          plane?.connector.vendor ?? 'http',
        );
        return 'done';
      },
      { effect: 'write' },
    );
  }

  async function cleared(key: ActionKey): Promise<null> {
    await actions.notDone(key);
    return null;
  }

  function done(key: ActionKey, plane: StandingPlane, result: ConnectorResult): Promise<ActionRecord> {
    return actions.done(key, plane.name, executionPaths[plane.kind], result, plane.connector.vendor);
  }

  async function unavailable(scope: RunScope, step: string, order: PermittedOrder, message: string): Promise<AosError> {
    await end(scope, step, order, 'blocked', { code: 'PLANE_UNAVAILABLE', message });
    return new AosError('unreachable', message, { reason: 'PLANE_UNAVAILABLE', facts: { action_id: order.id } });
  }

  async function end(
    scope: RunScope,
    step: string,
    order: PermittedOrder,
    status: 'failed' | 'blocked' | 'timeout',
    failure: { readonly code: string; readonly message: string },
  ): Promise<void> {
    await scope.step(
      step,
      async () => {
        await actions.ended(order, status, failure);
        return null;
      },
      { effect: 'write', ...order.settling.failed },
    );
  }

  /** The action as it ended: what is a result of the run. */
  function finished(scope: RunScope, step: string, order: PermittedOrder): Promise<JsonObject> {
    return scope.step<JsonObject>(
      step,
      async () => {
        const record = await actions.load(order.id, { ...scope.run.caller, userId: '' });
        if (record === undefined) throw new Error(`there is no action ${order.id}`);
        if (record.status === 'failed' || record.status === 'timeout') {
          const { code = 'FAILED', message = 'the action failed before' } = record.error ?? {};
          throw new AosError('unprocessable', message, { reason: code, facts: { action_id: order.id } });
        }
        return showRecord(record);
      },
      order.settling.done,
    );
  }

  return { route };
}
