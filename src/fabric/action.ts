/**
 * What agents do to enterprise systems: a *target* (which kind of system) and an *action type* (what is done to it).
 * Routing looks at the action's class; what the target calls it is the business of a route's binding.
 */
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';

export const targetSystems = [
  'crm',
  'erp',
  'hris',
  'finance',
  'inventory',
  'ticketing',
  'analytics',
  'data_warehouse',
  'marketing',
  'support',
  'custom',
] as const;
export type TargetSystem = (typeof targetSystems)[number];

export const actionTypes = [
  'create',
  'read',
  'update',
  'delete',
  'query',
  'execute',
  'notify',
  'sync',
  'ingest',
] as const;
export type ActionType = (typeof actionTypes)[number];

/** Actions that are routed alike: `change` creates, updates or deletes. */
export const actionClasses = ['read', 'query', 'change', 'execute', 'notify', 'sync', 'ingest'] as const;
export type ActionClass = (typeof actionClasses)[number];

/** A target and an action type as one text, e.g. `crm:update`. */
export type ActionPair = `${TargetSystem}:${ActionType}`;

/** What somebody wants done, before it is known which plane does it. */
export interface Action {
  readonly target: TargetSystem;
  readonly type: ActionType;
  /** The system's id of what it is done to; undefined for a create or a query. */
  readonly entityId: string | undefined;
  /** `customer`, `invoice` …; undefined when nobody said. */
  readonly entityType: string | undefined;
  readonly data: JsonObject;
  readonly metadata: JsonObject;
}

export function classOf(type: ActionType): ActionClass {
  return type === 'create' || type === 'update' || type === 'delete' ? 'change' : type;
}

export function pairOf(target: TargetSystem, type: ActionType): ActionPair {
  return `${target}:${type}`;
}

/** Every pair there is, targets first. */
export const actionPairs: readonly ActionPair[] = targetSystems.flatMap((target) =>
  actionTypes.map((type) => pairOf(target, type)),
);

/** Whether the action only looks: doing it twice is doing it once. */
export function isReading(type: ActionType): boolean {
  return type === 'read' || type === 'query';
}

/** The HTTP method of an action, for planes that speak HTTP and bindings that name none. */
export function methodOf(type: ActionType): 'GET' | 'POST' | 'PATCH' | 'DELETE' {
  if (type === 'read') return 'GET';
  if (type === 'update') return 'PATCH';
  return type === 'delete' ? 'DELETE' : 'POST';
}

/** @throws AosError unprocessable for a word that is no target (domain reference §5.7, rule 10) */
export function targetSystem(word: string): TargetSystem {
  const found = targetSystems.find((target) => target === word.toLowerCase());
  if (found !== undefined) return found;
  throw new AosError('unprocessable', `"${word}" is no target system: expected one of ${targetSystems.join(', ')}`, {
    reason: 'UNKNOWN_TARGET',
  });
}

/** @throws AosError unprocessable for a word that is no action type (domain reference §5.7, rule 10) */
export function actionType(word: string): ActionType {
  const found = actionTypes.find((type) => type === word.toLowerCase());
  if (found !== undefined) return found;
  throw new AosError('unprocessable', `"${word}" is no action: expected one of ${actionTypes.join(', ')}`, {
    reason: 'UNKNOWN_ACTION',
  });
}
