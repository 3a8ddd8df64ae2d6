/**
 * A run: one durable execution, whatever door asked for it. Its statuses and the moves between them are written down
 * here and nowhere else; storing them is `run-store.ts`, executing them is the engine.
 *
 * queued → running ⇄ waiting, and from each of these to one of the four ends. An end never changes.
 */
import { createHash } from 'node:crypto';
import type { ErrorCode } from '../core/errors.ts';
import { canonicalJson, type JsonObject } from '../core/json.ts';

export const runStatuses = ['queued', 'running', 'waiting', 'completed', 'failed', 'cancelled', 'timed_out'] as const;
export type RunStatus = (typeof runStatuses)[number];

export const terminalStatuses = [
  'completed',
  'failed',
  'cancelled',
  'timed_out',
] as const satisfies readonly RunStatus[];
export type TerminalStatus = (typeof terminalStatuses)[number];

export const runKinds = ['orchestration', 'chat', 'task'] as const;
/** `task`: an attempt at a task; executed only by a worker that takes it, never by the engine on its own. */
export type RunKind = (typeof runKinds)[number];

/** What a waiting run waits for. */
export const waitReasons = [
  'approval',
  'input',
  'timer',
  'run',
  'limit',
  'definition',
  'budget',
  'plane',
  'unknown_outcome',
] as const;
export type WaitReason = (typeof waitReasons)[number];

/** The tenant of whoever names none. */
export const DEFAULT_TENANT = 'default';

/**
 * Who asked. `userId` is '' when the platform names no user (local runs, or the operator of a tenant while nobody has
 * to prove who he is); another caller's run is *not found*.
 */
export interface Caller {
  readonly tenantId: string;
  readonly userId: string;
  /**
   * An administrator reaches what belongs to other users of the tenant too; what is made and done stays in the name of
   * `userId`. Only the entrance of the doors says so, and no stored caller has it.
   */
  readonly oversees?: true;
}

/** Whose things the caller reaches: those of this user, or with '' those of the whole tenant. */
export function reachOf({ userId, oversees }: Caller): string {
  return oversees ? '' : userId;
}

/** Whether the caller reaches what belongs to `owner`. */
export function reaches(caller: Caller, owner: Caller): boolean {
  const user = reachOf(caller);
  return owner.tenantId === caller.tenantId && (user === '' || owner.userId === user);
}

/** In whose name somebody's run is ended: the administrator's who asks for it, else its owner's. */
export function enderOf(owner: Caller, caller: Caller): Caller {
  return caller.oversees ? caller : owner;
}

/** What a fact about somebody's thing says of the administrator who did it; its owner goes without saying. */
export function doneBy(owner: Caller, caller: Caller): { readonly changed_by?: string } {
  return caller.oversees && owner.userId !== caller.userId ? { changed_by: caller.userId } : {};
}

/** The first step that a fork does again, and the run it was forked from. */
export type ForkOrigin = { readonly runId: string; readonly step: string };

/** Why a run did not complete; written for the caller (never exception text). */
export type RunFailure = { readonly code: ErrorCode; readonly message: string };

declare const isRunKey: unique symbol;

/**
 * Which run, among those of all tenants: `<tenant>/<id>`. Ids are chosen by callers, and each tenant has its own; what is
 * shown to a caller is the id alone.
 */
export type RunKey = string & { readonly [isRunKey]: true };

export function runKey(tenantId: string, runId: string): RunKey {
  return `${tenantId}/${runId}` as RunKey;
}

export function keyOfRun({ id, caller }: Pick<Run, 'id' | 'caller'>): RunKey {
  return runKey(caller.tenantId, id);
}

/** What the key was made of: names of tenants have no slash. */
export function partsOfKey(key: RunKey): { readonly tenantId: string; readonly runId: string } {
  const slash = key.indexOf('/');
  return { tenantId: key.slice(0, slash), runId: key.slice(slash + 1) };
}

/** A key as it came back from the database's notifications, which carry nothing else. */
export function toRunKey(text: string): RunKey {
  return text as RunKey;
}

/**
 * A key that stands for one thing where nobody knows our tenants: to the receivers of effects, and in ids that are made
 * of a run's. Of the tenant of whoever names none it is what it was made of. (No step is called `/…`, so that nothing
 * else reads like it.)
 */
export function globalKey(tenantId: string, key: string): string {
  return tenantId === DEFAULT_TENANT ? key : `${tenantId}//${key}`;
}

export interface Run {
  /** Unique within its tenant. */
  readonly id: string;
  readonly kind: RunKind;
  readonly sessionId: string;
  readonly caller: Caller;
  /** The validated body of the work request. */
  readonly request: JsonObject;
  /** SHA-256 of the request's canonical JSON, hex: what "the same request" means. */
  readonly requestHash: string;
  readonly status: RunStatus;
  /** What a waiting run waits for (the first of its waits), else null. */
  readonly waitingFor: WaitReason | null;
  /** When a waiting run goes on at the latest; null when only a signal or a cancellation ends its waits. */
  readonly wakeAt: string | null;
  /** The run that started this one and waits for it. */
  readonly parentId: string | null;
  /** The run at the top of its family; a run without parent is its own. */
  readonly rootId: string;
  /** How many runs are above it: 0 for one without parent. */
  readonly depth: number;
  /** Hash of the definition it is pinned to. */
  readonly definition: string | null;
  readonly forkOf: ForkOrigin | null;
  /** Who made it: `user:<id>`, `run:<id>` for a child, `job:<id>`, `task:<id>` … */
  readonly actor: string;
  /** Of those that wait to begin the smallest number is first: 1 (most urgent) to 5, by default 3. */
  readonly priority: number;
  readonly result: JsonObject | null;
  readonly error: RunFailure | null;
  /** Set as soon as somebody asked to cancel, which may be some time before the status says so. */
  readonly cancelReason: string | null;
  readonly traceparent: string | null;
  readonly callId: string;
  /** Whether its models are the simulated one. */
  readonly simulated: boolean;
  /** Whether it reaches nothing outside: models, planes, tools and callbacks are simulated; the rest is as ever. */
  readonly simulation: boolean;
  /** Whether it came in on condition that somebody agrees, before it begins. */
  readonly held: boolean;
  /** All times ISO-8601 UTC. */
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly completedAt: string | null;
  readonly deadlineAt: string | null;
  /** Number of the newest event in its log; events are numbered 1, 2, 3 … without gaps. */
  readonly lastEvent: number;
  /** Hash of that event. */
  readonly lastHash: string;
}

/** From each status, where a run may go next. */
export const runMoves: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  queued: ['running', 'failed', 'cancelled', 'timed_out'],
  running: ['waiting', 'completed', 'failed', 'cancelled', 'timed_out'],
  waiting: ['running', 'failed', 'cancelled', 'timed_out'],
  completed: [],
  failed: [],
  cancelled: [],
  timed_out: [],
};

export function canMove(from: RunStatus, to: RunStatus): boolean {
  return runMoves[from].includes(to);
}

export function isTerminal(status: RunStatus): status is TerminalStatus {
  return runMoves[status].length === 0;
}

/** The statuses a run may come from when it moves to `to`. */
export function sourcesOf(to: RunStatus): readonly RunStatus[] {
  return runStatuses.filter((from) => canMove(from, to));
}

/** SHA-256 of the request's canonical JSON, in hex: equal requests hash equal whatever the order of their members. */
export function hashRequest(request: JsonObject): string {
  return createHash('sha256').update(canonicalJson(request)).digest('hex');
}
