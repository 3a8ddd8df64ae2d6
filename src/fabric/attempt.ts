/**
 * One attempt at an action on one plane: its place in the traffic, its circuit, the mark that it is under way, the wire,
 * and what came of it. Runs as the body of a step; only what is safe to do again is thrown as worth another attempt.
 */

import type { Context } from '@opentelemetry/api';
import { SpanKind } from '@opentelemetry/api';
import { untilAborted } from '../core/abort.ts';
import type { Clock } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import type { StepContext } from '../engine/engine.ts';
import type { DataGuard } from '../governance/screening/data-guard.ts';
import { globalKey } from '../runs/run.ts';
import type { Log } from '../telemetry/log.ts';
import { scopeName } from '../telemetry/names.ts';
import { inSpan } from '../telemetry/span.ts';
import { isReading } from './action.ts';
import type { ActionStore } from './action-store.ts';
import { screenAnswer } from './answer-screen.ts';
import {
  ConnectorError,
  type ConnectorResult,
  countsAgainstPlane,
  type Fault,
  mayRepeat,
  type RoutedAction,
} from './connector.ts';
import { executionPaths, type PlaneName } from './plane.ts';
import type { PlaneWatch } from './plane-watch.ts';
import type { StandingPlane } from './standing-plane.ts';

/** As a step stores it. */
export type AttemptResult =
  | { kind: 'done' }
  /** Nothing was done; another plane may. */
  | { kind: 'passed'; fault: Fault; detail: string; retryAfterMs: number }
  | { kind: 'refused'; fault: Fault; message: string }
  | { kind: 'unknown'; plane: PlaneName };

export interface AttemptParts {
  readonly actions: ActionStore;
  readonly watch: Pick<PlaneWatch, 'saw'>;
  /** What of personal data may be kept of answers; everything when left out. */
  readonly egress?: DataGuard['egress'] | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** A plane that asks for a longer pause than this is passed over instead. */
const MAX_PAUSE_MS = 5_000;
/** A connector that does not keep its own deadline is left this much later. */
const GRACE_MS = 1_000;

export async function attemptAction(
  parts: AttemptParts,
  plane: StandingPlane,
  action: RoutedAction,
  step: StepContext,
  { traceContext, simulate }: { readonly traceContext: Context; readonly simulate: boolean },
): Promise<AttemptResult> {
  const { actions, clock, log } = parts;
  const { config } = plane;
  const connector = simulate ? plane.simulator : plane.connector;
  const repeatable = connector.dedupes || isReading(action.type);
  const named = { plane: plane.id, tenant_id: action.tenantId, action_id: action.id };

  const leave = await plane.traffic.enter(config.timeoutMs, step.signal);
  if (leave === undefined) return pass('throttled', 'TOO_MUCH_TRAFFIC', 1_000);
  try {
    if (!plane.breaker.admit()) return await pass('not_sent', 'CIRCUIT_OPEN', plane.breaker.opensInMs());
    const begun = await actions.begin(action, plane.name, repeatable).catch((thrown: unknown) => {
      plane.breaker.abstained();
      throw thrown;
    });
    if (begun.kind !== 'go') {
      plane.breaker.abstained();
      return begun.kind === 'over' ? { kind: 'done' } : begun;
    }
    const began = clock.monotonic();
    try {
      const result = await onWire();
      plane.breaker.succeeded();
      plane.count('done', clock.monotonic() - began);
      // What a simulator does says nothing about the plane.
      if (!simulate) await parts.watch.saw(plane, 'healthy');
      const kept = await screenAnswer(parts.egress, action.tenantId, result);
      await actions.done(action, plane.name, executionPaths[plane.kind], kept, connector.vendor);
      return { kind: 'done' };
    } catch (thrown) {
      if (!(thrown instanceof ConnectorError)) {
        plane.breaker.abstained();
        // A connector gives back the signal's reason only when nothing was sent.
        if (step.signal.aborted && thrown === step.signal.reason) await actions.notDone(action);
        throw thrown;
      }
      plane.count('failed', clock.monotonic() - began);
      return await failed(thrown);
    }
  } finally {
    leave();
  }

  /** The connector's attempt, which ends whether the connector keeps its deadline or not. */
  async function onWire(): Promise<ConnectorResult> {
    const cut = new AbortController();
    const late = new ConnectorError('ambiguous', 'the plane did not answer in time', { vendorCode: 'timed_out' });
    const timer = clock.after(config.timeoutMs + GRACE_MS, () => cut.abort(late));
    const call = {
      idempotencyKey: globalKey(action.tenantId, action.id),
      attempt: step.attempt,
      deadline: clock.now() + config.timeoutMs,
      signal: AbortSignal.any([step.signal, cut.signal]),
    };
    try {
      return await inSpan(spanOf(plane, action, step.attempt), traceContext, () =>
        untilAborted(connector.run(action, call), cut.signal),
      );
    } catch (thrown) {
      if (thrown instanceof ConnectorError || (step.signal.aborted && thrown === step.signal.reason)) throw thrown;
      // Not foreseen by the connector: nobody knows how far it came.
      log.error('a connector failed unexpectedly', { ...named, error: asError(thrown) });
      throw new ConnectorError('ambiguous', 'the connector failed unexpectedly', { vendorCode: 'UNEXPECTED' });
    } finally {
      timer.cancel();
    }
  }

  async function failed(error: ConnectorError): Promise<AttemptResult> {
    const { fault, vendorCode = fault, retryAfterMs = 0 } = error;
    judge(fault);
    if (plane.breaker.circuit() === 'open') await parts.watch.saw(plane, 'down', vendorCode);
    const fields = { ...named, attempt: step.attempt, fault, code: vendorCode };
    log.warn('an action did not pass a plane', { ...fields, reason: error.message });
    const again =
      step.attempt < config.attempts && retryAfterMs <= MAX_PAUSE_MS && plane.breaker.circuit() === 'closed';
    if (again && mayRepeat(fault, repeatable)) {
      if (fault !== 'ambiguous') await actions.notDone(action);
      throw new AosError('unreachable', `${plane.id}: ${error.message}`, { retry: 'later', retryAfterMs });
    }
    // To look twice does no harm, here or elsewhere.
    if (fault === 'ambiguous' && !isReading(action.type)) return { kind: 'unknown', plane: plane.name };
    await actions.notDone(action);
    switch (fault) {
      case 'ambiguous':
      case 'not_sent':
      case 'throttled':
      case 'unavailable':
        return pass(fault, vendorCode, retryAfterMs);
      case 'rejected':
      case 'auth':
      case 'invalid':
      case 'too_large':
        return { kind: 'refused', fault, message: error.message };
    }
  }

  function judge(fault: Fault): void {
    if (countsAgainstPlane(fault)) plane.breaker.failed();
    else if (fault === 'throttled') plane.breaker.abstained();
    // A refusal is an answer: the plane works.
    else plane.breaker.succeeded();
  }

  async function pass(fault: Fault, detail: string, retryAfterMs: number): Promise<AttemptResult> {
    return { kind: 'passed', fault, detail, retryAfterMs };
  }
}

function spanOf(plane: StandingPlane, action: RoutedAction, attempt: number) {
  return {
    scope: scopeName.runtime,
    name: `route_action ${plane.kind}`,
    kind: SpanKind.CLIENT,
    attributes: {
      'aos.fabric.plane_id': plane.id,
      'aos.fabric.vendor': plane.connector.vendor,
      'aos.fabric.action_id': action.id,
      'aos.fabric.target': action.target,
      'aos.fabric.action': action.type,
      'aos.fabric.attempt': attempt,
    },
  };
}
