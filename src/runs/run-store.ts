/**
 * Runs in PostgreSQL. Every change of status writes its event in the same transaction, so the run and its log never
 * disagree; whoever loses a race for a status changes nothing.
 */
import { type Kysely, type Selectable, sql } from 'kysely';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Database } from '../store/database.ts';
import type { Schema } from '../store/schema.ts';
import type { RunTable } from '../store/tables/run.ts';
import type { NewRunEvent } from './event.ts';
import type { EventLog } from './event-log.ts';
import {
  type Caller,
  canMove,
  DEFAULT_TENANT,
  type ForkOrigin,
  hashRequest,
  isTerminal,
  type Run,
  type RunFailure,
  type RunKind,
  type RunStatus,
  type WaitReason,
} from './run.ts';

export interface RunAdmission {
  readonly id: string;
  readonly kind: RunKind;
  readonly sessionId: string;
  readonly caller: Caller;
  readonly request: JsonObject;
  readonly simulated: boolean;
  readonly callId: string;
  readonly traceparent?: string | undefined;
  /** ISO-8601 UTC. */
  readonly deadlineAt?: string | undefined;
  /** The run that starts it; `rootId` and `depth` follow from it. */
  readonly parentId?: string | undefined;
  /** Hash of the definition it is pinned to. */
  readonly definition?: string | undefined;
  readonly forkOf?: ForkOrigin | undefined;
  /** Names of the steps of `forkOf.runId` whose stored results the new run begins with. */
  readonly keepSteps?: readonly string[] | undefined;
  /** 1 (most urgent) to 5; by default 3. */
  readonly priority?: number | undefined;
  /** Who makes it; by default `user:<user of the caller>`. */
  readonly actor?: string | undefined;
  readonly sessionPolicy?: SessionPolicy | undefined;
}

/**
 * What happens to a chat run while an earlier one of its session has not ended: it is refused · it waits its turn · it
 * cancels the others and comes next. By default `enqueue`.
 */
export type SessionPolicy = 'reject' | 'enqueue' | 'interrupt';

export interface RunFilter {
  readonly status?: RunStatus | readonly RunStatus[] | undefined;
  readonly kind?: RunKind | undefined;
  readonly sessionId?: string | undefined;
  readonly parentId?: string | undefined;
  /** Created at this time or later, ISO-8601 UTC. */
  readonly since?: string | undefined;
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface RunPage {
  /** Newest first. */
  readonly items: readonly Run[];
  readonly nextCursor: string | null;
}

/** A step as it was stored. */
export interface RecordedStep {
  readonly name: string;
  /** Counts 1, 2, 3 … in the order in which steps were stored. */
  readonly ordinal: number;
  readonly effect: 'read' | 'write' | 'external' | 'wait';
  readonly outcome: { readonly value: JsonValue } | { readonly error: RunFailure };
  readonly startedAt: string;
  readonly completedAt: string;
}

export interface Admitted {
  readonly run: Run;
  /** `joined`: the same caller asked for the same before, under the same id. */
  readonly outcome: 'created' | 'joined';
}

export interface RunChange {
  readonly event?: NewRunEvent;
  /** Idempotency key of the event; by default its type. */
  readonly key?: string;
  readonly waitingFor?: WaitReason;
  readonly result?: JsonObject;
  readonly error?: RunFailure;
}

export interface RunStore {
  /**
   * Writes a new run with its `run.queued` event, or joins the run that the same request made before.
   * @throws AosError `conflict` when the id belongs to another request or another caller; with the reason
   * `SESSION_BUSY` when the session policy refuses it
   */
  admit(admission: RunAdmission): Promise<Admitted>;
  /** The run of that id, if it is exactly the caller's. */
  find(id: string, caller: Caller): Promise<Run | undefined>;
  /** The run of that id, if it is the caller's; a caller without user is the operator of its tenant and sees all of it. */
  findInTenant(id: string, caller: Caller): Promise<Run | undefined>;
  /** A page of the runs that `findInTenant` would find. */
  list(caller: Caller, filter: RunFilter): Promise<RunPage>;
  /** The chat runs of a session that have not ended, oldest first. */
  activeInSession(caller: Caller, sessionId: string): Promise<readonly Run[]>;
  /** The stored steps of a run, in the order in which they were stored. */
  steps(id: string): Promise<readonly RecordedStep[]>;
  /**
   * Deletes ended runs and all that belongs to them.
   * @param before ISO-8601 UTC: those that ended before it, with their whole family
   * @returns how many
   */
  prune(before: string): Promise<number>;
  /** The run of that id, whoever owns it. For the engine only. */
  load(id: string): Promise<Run | undefined>;
  /**
   * Moves the run to a status and writes the event, when the transition table allows it from where the run is now.
   * @returns the run as it is afterwards, and whether this call moved it
   */
  move(id: string, to: RunStatus, change: RunChange): Promise<{ readonly run: Run; readonly moved: boolean }>;
  /**
   * Notes that the caller wants the run to end, with a `run.cancel_requested` event, and tells every process on the
   * channel `aos_cancels`. An ended run, or one with an earlier request, is left as it is.
   */
  requestCancel(id: string, reason: string, caller: Caller): Promise<Run | undefined>;
  /**
   * Notes that an engine process takes the run up; a queued run is `running` from then on.
   * @returns undefined when there is no such run or it has ended
   */
  claim(id: string, executor: string): Promise<{ readonly run: Run; readonly executions: number } | undefined>;
  /** All runs that have not ended, oldest first. */
  unfinished(): Promise<readonly UnfinishedRun[]>;
}

export interface UnfinishedRun {
  readonly id: string;
  readonly status: RunStatus;
  readonly createdAt: string;
  /** The engine process that took it up last; null when none has yet. */
  readonly executor: string | null;
}

export function createRunStore(parts: { database: Database; events: EventLog; clock: Clock }): RunStore {
  const { events, clock } = parts;
  const { db } = parts.database;

  async function admit(admission: RunAdmission): Promise<Admitted> {
    const { id, kind, sessionId, caller, request, simulated, callId, traceparent = null } = admission;
    const requestHash = hashRequest(request);
    const admitted = await db.transaction().execute<Admitted>(async (trx) => {
      const created = await trx
        .insertInto('runs')
        .values({
          id,
          kind,
          session_id: sessionId,
          user_id: caller.userId,
          request: JSON.stringify(request),
          request_hash: requestHash,
          status: 'queued',
          traceparent,
          call_id: callId,
          simulated,
          created_at: new Date(clock.now()),
          deadline_at: admission.deadlineAt === undefined ? null : new Date(admission.deadlineAt),
        })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returningAll()
        .executeTakeFirst();
      if (created !== undefined) {
        const { seq } = await events.appendWithin(trx, id, 'run.queued', queuedEvent(admission));
        return { run: { ...toRun(created), lastEvent: seq ?? 0 }, outcome: 'created' };
      }
      const existing = await load(id, trx);
      if (existing?.caller.userId === caller.userId && existing.requestHash === requestHash) {
        return { run: existing, outcome: 'joined' };
      }
      throw new AosError(
        'conflict',
        `The id "${id}" already belongs to another request: repeat that request exactly to join its run, or use a new id.`,
      );
    });
    if (admitted.outcome === 'created') events.announce(id, admitted.run.lastEvent);
    return admitted;
  }

  async function load(id: string, within: Kysely<Schema> = db): Promise<Run | undefined> {
    const row = await within.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst();
    return row && toRun(row);
  }

  async function lock(id: string, trx: Kysely<Schema>): Promise<Run | undefined> {
    const row = await trx.selectFrom('runs').selectAll().where('id', '=', id).forNoKeyUpdate().executeTakeFirst();
    return row && toRun(row);
  }

  return {
    admit,
    load,
    async find(id, caller) {
      const run = await load(id);
      return run?.caller.userId === caller.userId ? run : undefined;
    },
    findInTenant: notYet,
    list: notYet,
    activeInSession: notYet,
    steps: notYet,
    prune: notYet,
    async move(id, to, change) {
      const outcome = await db.transaction().execute(async (trx) => {
        const run = await lock(id, trx);
        if (run === undefined) throw new Error(`run ${id} was to become ${to}, but does not exist`);
        if (!canMove(run.status, to)) return { run, moved: false };
        // The event first: once the run has ended its log takes nothing more.
        const { event } = change;
        if (event !== undefined) await events.appendWithin(trx, id, change.key ?? event.type, event);
        const now = new Date(clock.now());
        const row = await trx
          .updateTable('runs')
          .set({
            status: to,
            waiting_for: change.waitingFor ?? null,
            ...(change.result !== undefined && { result: JSON.stringify(change.result) }),
            ...(change.error !== undefined && { error: JSON.stringify(change.error) }),
            ...(to === 'running' && run.startedAt === null && { started_at: now }),
            ...(isTerminal(to) && { completed_at: now }),
          })
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirstOrThrow();
        return { run: toRun(row), moved: true };
      });
      if (outcome.moved) events.announce(id, outcome.run.lastEvent);
      return outcome;
    },
    async requestCancel(id, reason, caller) {
      const asked = await db.transaction().execute(async (trx) => {
        const run = await lock(id, trx);
        if (run === undefined || run.caller.userId !== caller.userId) return undefined;
        if (isTerminal(run.status) || run.cancelReason !== null) return run;
        await events.appendWithin(trx, id, 'run.cancel_requested', { type: 'run.cancel_requested', data: { reason } });
        const row = await trx
          .updateTable('runs')
          .set({ cancel_reason: reason })
          .where('id', '=', id)
          .returningAll()
          .executeTakeFirstOrThrow();
        await sql`select pg_notify('aos_cancels', ${id})`.execute(trx);
        return toRun(row);
      });
      if (asked !== undefined) events.announce(id, asked.lastEvent);
      return asked;
    },
    async claim(id, executor) {
      const row = await db
        .updateTable('runs')
        .set(({ eb, fn, ref, val }) => ({
          executor,
          executions: eb('executions', '+', 1),
          status: eb.case().when('status', '=', 'queued').then('running').else(ref('status')).end(),
          started_at: fn.coalesce('started_at', val(new Date(clock.now()))),
        }))
        .where('id', '=', id)
        .where('completed_at', 'is', null)
        .returningAll()
        .executeTakeFirst();
      return row && { run: toRun(row), executions: row.executions };
    },
    async unfinished() {
      const rows = await db
        .selectFrom('runs')
        .select(['id', 'status', 'created_at', 'executor'])
        .where('completed_at', 'is', null)
        .orderBy('created_at')
        .execute();
      return rows.map(({ id, status, created_at, executor }) => ({
        id,
        status: status as RunStatus,
        createdAt: created_at.toISOString(),
        executor,
      }));
    },
  };
}

function queuedEvent({ kind, request, simulated }: RunAdmission): NewRunEvent {
  const { workflow, agent_ids: agentIds } = request;
  return {
    type: 'run.queued',
    data: {
      kind,
      ...(typeof workflow === 'string' && { workflow }),
      ...(Array.isArray(agentIds) && { agent_ids: agentIds.map(String) }),
      simulated,
    },
  };
}

/** Status, kind and error are written only by this file, from the types they are read back as. */
function toRun(row: Selectable<RunTable>): Run {
  return {
    id: row.id,
    kind: row.kind as RunKind,
    sessionId: row.session_id,
    caller: { tenantId: DEFAULT_TENANT, userId: row.user_id },
    request: row.request,
    requestHash: row.request_hash,
    status: row.status as RunStatus,
    waitingFor: row.waiting_for as WaitReason | null,
    wakeAt: null,
    parentId: null,
    rootId: row.id,
    depth: 0,
    definition: null,
    forkOf: null,
    actor: `user:${row.user_id}`,
    priority: 3,
    result: row.result,
    error: row.error as RunFailure | null,
    cancelReason: row.cancel_reason,
    traceparent: row.traceparent,
    callId: row.call_id,
    simulated: row.simulated,
    createdAt: row.created_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    completedAt: row.completed_at?.toISOString() ?? null,
    deadlineAt: row.deadline_at?.toISOString() ?? null,
    lastEvent: row.last_event,
    lastHash: '',
  };
}

function notYet(): never {
  throw new AosError('not_implemented', 'The run store cannot do this yet.');
}
