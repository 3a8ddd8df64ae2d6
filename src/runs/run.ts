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

export type RunKind = 'orchestration' | 'chat';

/** Who asked. `userId` is '' when the platform names no user (local runs); another caller's run is *not found*. */
export interface Caller {
  readonly userId: string;
}

/** Why a run did not complete; written for the caller (never exception text). */
export type RunFailure = { readonly code: ErrorCode; readonly message: string };

export interface Run {
  readonly id: string;
  readonly kind: RunKind;
  readonly sessionId: string;
  readonly caller: Caller;
  /** The validated body of the work request. */
  readonly request: JsonObject;
  /** SHA-256 of the request's canonical JSON, hex: what "the same request" means. */
  readonly requestHash: string;
  readonly status: RunStatus;
  /** What a waiting run waits for (`approval`, `input`, `timer`, `plane`, `budget`), else null. */
  readonly waitingFor: string | null;
  readonly result: JsonObject | null;
  readonly error: RunFailure | null;
  /** Set as soon as somebody asked to cancel, which may be some time before the status says so. */
  readonly cancelReason: string | null;
  readonly traceparent: string | null;
  readonly callId: string;
  /** Whether its models are the simulated one. */
  readonly simulated: boolean;
  /** All times ISO-8601 UTC. */
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly completedAt: string | null;
  readonly deadlineAt: string | null;
  /** Number of the newest event in its log; events are numbered 1, 2, 3 … without gaps. */
  readonly lastEvent: number;
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
