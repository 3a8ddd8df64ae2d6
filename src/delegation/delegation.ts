/**
 * A delegation: work that one agent hands to another. An agent of this server does it as a task, whose run is a child of
 * the run that handed it on; another one finds it in its inbox, says whether it takes it, and brings the result.
 *
 * pending → accepted → in_progress, and from each of these to an end; rejected is one that never began.
 */
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Caller } from '../runs/run.ts';

export const delegationStatuses = [
  'pending',
  'accepted',
  'rejected',
  'in_progress',
  'completed',
  'failed',
  'cancelled',
  'timeout',
] as const;
export type DelegationStatus = (typeof delegationStatuses)[number];

export const openStatuses = ['pending', 'accepted', 'in_progress'] as const satisfies readonly DelegationStatus[];

/** How the delegator goes on meanwhile. `async`: its run may end before this does; the others end with it. */
export const delegationKinds = ['full', 'partial', 'async', 'parallel'] as const;
export type DelegationKind = (typeof delegationKinds)[number];

/** Why a delegation is refused before it begins. */
export const rejectionCodes = [
  'SELF_DELEGATION',
  'DELEGATION_CYCLE',
  'DELEGATION_DEPTH',
  'NOT_DELEGABLE',
  'DELEGATEE_BUSY',
  'CROSS_TENANT',
  'BUDGET_EXCEEDED',
] as const;
export type RejectionCode = (typeof rejectionCodes)[number];

/** 10 is the most urgent: the opposite of tasks. */
export const delegationPriority = { min: 1, max: 10, default: 5 } as const;
/** Seconds. */
export const delegationTimeout = { min: 30, max: 3600, default: 300 } as const;
export const MAX_INPUT_CHARACTERS = 50_000;
/** What may be spent when nobody says. */
export const usualBudget = { steps: 20, costUsd: 1 } as const;

export interface Budget {
  readonly steps: number;
  readonly costUsd: number;
}

/** What a delegation cost, as far as somebody said. */
export interface Effort {
  readonly tokens: number | null;
  readonly costUsd: number | null;
  readonly steps: number | null;
}

export interface DelegationFailure {
  readonly code: string;
  readonly message: string;
}

/** Which delegation, among those of all tenants. */
export type DelegationKey = Pick<Delegation, 'id'> & { readonly caller: Pick<Caller, 'tenantId'> };

/** A key as one word, for whoever listens for what happens to it. */
export function delegationName({ id, caller }: DelegationKey): string {
  return `delegation ${caller.tenantId}/${id}`;
}

export interface Delegation extends Effort {
  readonly id: string;
  /** Order of asking. */
  readonly number: string;
  readonly caller: Caller;
  readonly from: string;
  readonly to: string;
  readonly capability: string;
  readonly kind: DelegationKind;
  readonly priority: number;
  readonly status: DelegationStatus;
  readonly input: JsonValue;
  /** What the delegator knows about it. */
  readonly context: JsonObject;
  readonly reason: string | null;
  readonly sharedState: JsonObject;
  /** The agents that handed it on, from the first to `from`. */
  readonly chain: readonly string[];
  readonly budget: Budget;
  readonly timeoutSeconds: number;
  readonly correlationId: string;
  /** The message that asked for it. */
  readonly messageId: string;
  readonly parentId: string | null;
  readonly parentRunId: string | null;
  readonly taskId: string | null;
  /** The run that does it, once there is one. */
  readonly runId: string | null;
  readonly fabric: JsonObject;
  readonly scan: JsonObject | null;
  /** All times ISO-8601 UTC. */
  readonly createdAt: string;
  /** Nobody may accept it later. */
  readonly acceptBy: string;
  readonly deadlineAt: string;
  readonly acceptedAt: string | null;
  readonly completedAt: string | null;
  readonly result: JsonValue;
  readonly outputContext: JsonObject | null;
  readonly failure: DelegationFailure | null;
}

export function isOpen(status: DelegationStatus): boolean {
  return openStatuses.some((open) => open === status);
}

/** How long it took from the acceptance to the end, in milliseconds; null while it is open. */
export function durationOf({ acceptedAt, createdAt, completedAt }: Delegation): number | null {
  return completedAt === null ? null : Date.parse(completedAt) - Date.parse(acceptedAt ?? createdAt);
}

/** The signal that a run gets when what it handed on has ended. */
export function endSignal(delegationId: string): string {
  return `delegation/${delegationId}`;
}
