/**
 * A plane of a tenant as it stands in this process: its connector, its circuit, how much goes to it, and what it did. A
 * plane that several tenants share has one connector and, for each of them, a circuit and a place of its own.
 */
import type { Clock } from '../core/clock.ts';
import type { ActionType, TargetSystem } from './action.ts';
import type { Binding } from './binding.ts';
import { type Breaker, createBreaker } from './breaker.ts';
import type { PlaneConnector } from './connector.ts';
import { bindingFor, type PlaneConfig } from './fabric-file.ts';
import { type PlaneKind, type PlaneName, planeIdOf } from './plane.ts';
import { createSimulated, simulatedSettings } from './simulated.ts';
import { createTraffic, type Traffic } from './traffic.ts';

/** What came of the actions that a plane was given, since the process began. */
export interface PlaneStats {
  readonly actions: number;
  readonly failed: number;
  /** Of the last actions; null before the first. */
  readonly p95Ms: number | null;
}

export interface StandingPlane {
  readonly name: PlaneName;
  readonly kind: PlaneKind;
  readonly tenantId: string;
  readonly id: string;
  readonly config: PlaneConfig;
  readonly connector: PlaneConnector;
  /** Stands in for the connector where an action is only simulated. */
  readonly simulator: PlaneConnector;
  readonly breaker: Breaker;
  readonly traffic: Traffic;
  bindingFor(target: TargetSystem, type: ActionType): Binding | undefined;
  /** Notes how an action went. */
  count(outcome: 'done' | 'failed', durationMs: number): void;
  stats(): PlaneStats;
}

/** How many durations the percentile is taken of. */
const SAMPLE = 200;

export function createStandingPlane(
  tenantId: string,
  config: PlaneConfig,
  connector: PlaneConnector,
  clock: Clock,
): StandingPlane {
  const durations: number[] = [];
  let actions = 0;
  let failed = 0;
  return {
    name: config.name,
    kind: config.kind,
    tenantId,
    id: planeIdOf(config.name, tenantId),
    config,
    connector,
    simulator: createSimulated(simulatedSettings, { clock }, config.kind),
    breaker: createBreaker(clock, config.breaker),
    traffic: createTraffic(clock, {
      perSecond: config.ratePerSecond,
      atOnce: config.maxConcurrent,
      inLine: config.maxWaiting,
    }),
    bindingFor: (target, type) => bindingFor(config, target, type),
    count(outcome, durationMs) {
      actions += 1;
      if (outcome === 'failed') failed += 1;
      durations.push(durationMs);
      if (durations.length > SAMPLE) durations.shift();
    },
    stats() {
      const sorted = durations.toSorted((one, other) => one - other);
      const p95 = sorted[Math.ceil(sorted.length * 0.95) - 1];
      return { actions, failed, p95Ms: p95 === undefined ? null : Math.round(p95) };
    },
  };
}
