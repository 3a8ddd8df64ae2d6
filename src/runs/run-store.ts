/**
 * Runs in PostgreSQL. Every change of status writes its event in the same transaction, so the run and its log never
 * disagree; whoever loses a race for a status changes nothing.
 */
import { type Selectable, sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { RunStepTable } from '../store/tables/run.ts';
import { type Aftermath, type AftermathRow, toAftermath } from './aftermath.ts';
import { type ActPerformer, performDirectly } from './durable-act.ts';
import type { KeyedEvent, NewRunEvent } from './event.ts';
import { encodeEvents, traceIdOf } from './event-encoding.ts';
import type { EventLog } from './event-log.ts';
import { type OnQuota, type QuotaRefusal, quotaExceeded } from './quota.ts';
import {
  type Caller,
  type ForkOrigin,
  hashRequest,
  isTerminal,
  partsOfKey,
  type Run,
  type RunFailure,
  type RunKey,
  type RunKind,
  type RunStatus,
  reaches,
  reachOf,
  runKey,
  sourcesOf,
  type WaitReason,
} from './run.ts';
import { type RunRow, toRun } from './run-record.ts';

export interface RunAdmission {
  readonly id: string;
  readonly kind: RunKind;
  readonly sessionId: string;
  readonly caller: Caller;
  readonly request: JsonObject;
  /** What the caller sent, when the request was made of something else: what "the same request" is told by. */
  readonly asked?: JsonObject | undefined;
  /** What its log says of it beside that it is queued. */
  readonly told?: KeyedEvent | undefined;
  readonly simulated: boolean;
  /** Whether it is to reach nothing outside; so does what a simulated run starts, whatever is said here. */
  readonly simulation?: boolean | undefined;
  /** Whether somebody has to agree before it begins. */
  readonly held?: boolean | undefined;
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

export interface CancelRequest extends Aftermath {
  readonly run: Run;
  /** Whether the request ended the run. */
  readonly ended: boolean;
}

export interface RunStore {
  /**
   * Writes a new run with its `run.queued` event, or joins the run that the same request made before.
   * @throws AosError `conflict` when the id belongs to another request or another caller; with the reason
   * `SESSION_BUSY` when the session policy refuses it; `rate_limited` (QUOTA_EXCEEDED) when a quota of the tenant does
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
  steps(run: Pick<Run, 'id' | 'caller'>): Promise<readonly RecordedStep[]>;
  /**
   * Deletes ended runs and all that belongs to them, and what the feed says of that time.
   * @param before ISO-8601 UTC: those that ended before it, with their whole family
   * @returns how many
   */
  prune(before: string): Promise<number>;
  /** The run of that key, whoever owns it. For the engine only. */
  load(run: RunKey): Promise<Run | undefined>;
  /**
   * Moves the run to a status and writes the event, when the transition table allows it from where the run is now.
   * @returns the run as it is afterwards, and whether this call moved it
   */
  move(run: RunKey, to: RunStatus, change: RunChange): Promise<{ readonly run: Run; readonly moved: boolean }>;
  /**
   * Notes that the caller wants the run to end, with a `run.cancel_requested` event. A run that nobody executes ends at
   * once; of another every process is told on the channel `aos_cancels`. An ended run, or one with an earlier request,
   * is left as it is.
   */
  requestCancel(id: string, reason: string, caller: Caller): Promise<CancelRequest | undefined>;
}

export interface RunStoreParts {
  readonly database: Database;
  readonly events: EventLog;
  readonly clock: Clock;
  /** Stands between the store and the database, for tests. */
  readonly perform?: ActPerformer;
  readonly onQuota?: OnQuota;
}

export function createRunStore(parts: RunStoreParts): RunStore {
  const { events, clock } = parts;
  const { db, tenant } = parts.database;
  const perform = parts.perform ?? performDirectly(parts.database);

  async function admit(admission: RunAdmission): Promise<Admitted> {
    const { tenantId } = admission.caller;
    const act = { run: runKey(tenantId, admission.id), name: '', tenantId };
    const { value } = await perform({ ...act, kind: 'admit' }, async (within) => {
      const row = await insert(within, admission, isoTime(clock.now()));
      return { value: row, written: row.outcome === 'created' ? [1] : [] };
    });
    const { outcome, refusal, ...row } = value;
    if (refusal !== null) {
      parts.onQuota?.(admission.caller, refusal);
      throw quotaExceeded(refusal, clock.now());
    }
    if (outcome === 'busy') throw busySession(admission);
    const run = toRun(row);
    if (outcome === 'created') {
      events.announce(act.run, run.lastEvent);
      if (admission.kind === 'chat' && admission.sessionPolicy === 'interrupt') await interruptOthers(run);
      return { run, outcome };
    }
    if (isSame(run.caller, admission.caller) && run.requestHash === hashRequest(admission.asked ?? admission.request)) {
      return { run, outcome: 'joined' };
    }
    throw taken(run.id);
  }

  async function interruptOthers({ id, caller, sessionId }: Run): Promise<void> {
    for (const other of await activeInSession(caller, sessionId)) {
      if (other.id !== id) await requestCancel(other.id, 'A newer message of the session took its place.', caller);
    }
  }

  /** @param within where the statement goes: to the system, or to what the tenant may see */
  async function loadFrom(within: StoreScope, tenantId: string, id: string): Promise<Run | undefined> {
    const row = await within
      .selectFrom('runs')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('id', '=', id)
      .executeTakeFirst();
    return row && toRun(row);
  }

  const loadFor = ({ tenantId }: Caller, id: string) => loadFrom(tenant(tenantId), tenantId, id);

  async function activeInSession(caller: Caller, sessionId: string): Promise<readonly Run[]> {
    const rows = await tenant(caller.tenantId)
      .selectFrom('runs')
      .selectAll()
      .where('tenant_id', '=', caller.tenantId)
      .where('user_id', '=', caller.userId)
      .where('session_id', '=', sessionId)
      .where('kind', '=', 'chat')
      .where('completed_at', 'is', null)
      .orderBy('number')
      .execute();
    return rows.map(toRun);
  }

  async function requestCancel(id: string, reason: string, caller: Caller): Promise<CancelRequest | undefined> {
    // Whose a run is never changes, so it may be read before.
    const { tenantId } = caller;
    const owner = caller.oversees ? (await loadFor(caller, id))?.caller : caller;
    if (owner === undefined) return undefined;
    const key = runKey(tenantId, id);
    const { value } = await perform({ kind: 'cancel', run: key, name: '', tenantId }, async (within) => {
      const at = isoTime(clock.now());
      const event: KeyedEvent = {
        key: 'run.cancel_requested',
        type: 'run.cancel_requested',
        data: { reason },
        actor: `user:${caller.userId}`,
      };
      const end: KeyedEvent = { key: 'run.cancelled', type: 'run.cancelled', data: { reason } };
      const { rows } = await sql<RunRow & AftermathRow & { seqs: number[]; ended: boolean }>`
        select (asked.run).*, asked.seqs, asked.ended, asked.next_run, asked.parent_woken, asked.parent_executor,
          asked.parent_kind from aos.request_cancel(${tenantId}, ${id}, ${owner.userId}, ${reason}, ${at},
          ${encodeEvents(id, [event], at)}, ${encodeEvents(id, [end], at)}) asked`.execute(within);
      return { value: rows[0], written: rows[0]?.seqs.filter((seq) => seq > 0) ?? [] };
    });
    if (value === undefined) return undefined;
    const run = toRun(value);
    if (value.seqs.length > 0) events.announce(key, run.lastEvent);
    return { run, ended: value.ended, ...toAftermath(run, value) };
  }

  return {
    admit,
    load(run) {
      const { tenantId, runId } = partsOfKey(run);
      return loadFrom(db, tenantId, runId);
    },
    activeInSession,
    requestCancel,
    async find(id, caller) {
      const run = await loadFor(caller, id);
      if (run === undefined) return undefined;
      return isSame(run.caller, caller) || (caller.oversees && reaches(caller, run.caller)) ? run : undefined;
    },
    async findInTenant(id, caller) {
      const run = await loadFor(caller, id);
      return run !== undefined && reaches(caller, run.caller) ? run : undefined;
    },
    list: (caller, filter) => listRuns(tenant(caller.tenantId), caller, filter),
    async steps({ id, caller }) {
      const rows = await tenant(caller.tenantId)
        .selectFrom('run_steps')
        .selectAll()
        .where('tenant_id', '=', caller.tenantId)
        .where('run_id', '=', id)
        .orderBy('ordinal')
        .execute();
      return rows.map(toStep);
    },
    async prune(before) {
      const ended = await db
        .deleteFrom('runs')
        .where(({ eb, refTuple, selectFrom }) =>
          eb(
            refTuple('tenant_id', 'root_id'),
            'in',
            selectFrom('runs')
              .select(['tenant_id', 'root_id'])
              .groupBy(['tenant_id', 'root_id'])
              // A family goes as a whole: a parent is never without its children, nor they without it.
              .having(sql<boolean>`bool_and(completed_at is not null) and max(completed_at) < ${before}`)
              .$asTuple('tenant_id', 'root_id'),
          ),
        )
        .executeTakeFirst();
      await db.deleteFrom('feed').where('at', '<', new Date(before)).execute();
      return Number(ended.numDeletedRows);
    },
    async move(key, to, change) {
      const { value } = await perform({ kind: 'move', run: key, name: to }, async (within) => {
        const moved = await moveRun(within, clock, key, to, change);
        return { value: moved, written: moved?.seqs.filter((seq) => seq > 0) ?? [] };
      });
      if (value === undefined) throw new Error(`run ${key} was to become ${to}, but does not exist`);
      const run = toRun(value);
      const moved = value.state === 'moved';
      if (moved) events.announce(key, run.lastEvent);
      return { run, moved };
    },
  };
}

async function insert(within: StoreScope, admission: RunAdmission, at: string) {
  const { id, kind, sessionId, caller, request, simulated, callId, forkOf, keepSteps, sessionPolicy } = admission;
  const {
    traceparent = null,
    deadlineAt = null,
    parentId = null,
    definition = null,
    priority = 3,
    simulation = false,
    held = false,
  } = admission;
  const actor = admission.actor ?? `user:${caller.userId}`;
  const events = encodeEvents(
    id,
    [
      { ...queuedEvent(admission), key: 'run.queued', actor },
      ...(admission.told === undefined ? [] : [admission.told]),
    ],
    at,
    traceIdOf(traceparent),
  );
  const { rows } = await sql<
    RunRow & { outcome: 'created' | 'existing' | 'busy' | 'quota'; refusal: QuotaRefusal | null }
  >`
    select (admitted.run).*, admitted.outcome, admitted.refusal
      from set_config('aos.run_simulation', ${simulation ? 'on' : 'off'}, true) as told,
        lateral aos.admit_run(
      ${caller.tenantId}, ${id}, ${kind}, ${sessionId}, ${caller.userId}, ${JSON.stringify(request)},
      ${hashRequest(admission.asked ?? request)}, ${traceparent}, ${callId}, ${simulated}, ${at}, ${deadlineAt}, ${parentId}, ${definition},
      ${forkOf === undefined ? null : JSON.stringify(forkOf)}, ${forkOf?.runId ?? null},
      ${keepSteps === undefined ? null : [...keepSteps]}, ${priority},
      -- Joined to what was told, so that it is told first.
      ${actor} || left(told, 0),
      ${kind === 'chat' && sessionPolicy === 'reject'}, ${held}, ${events}
    ) admitted`.execute(within);
  const [row] = rows;
  if (row === undefined) throw new Error(`run ${id} was neither made nor found`);
  return row;
}

async function moveRun(within: StoreScope, clock: Clock, run: RunKey, to: RunStatus, change: RunChange) {
  const { tenantId, runId } = partsOfKey(run);
  const at = isoTime(clock.now());
  const { event, waitingFor = null, result, error } = change;
  const events = event === undefined ? null : encodeEvents(runId, [{ ...event, key: change.key ?? event.type }], at);
  const { rows } = await sql<RunRow & { state: 'moved' | 'stayed'; seqs: number[] }>`
    select (moved.run).*, moved.state, moved.seqs from aos.move_run(
      ${tenantId}, ${runId}, null, null, ${[...sourcesOf(to)]}, ${to}, ${isTerminal(to)}, ${at}, ${waitingFor},
      ${result === undefined ? null : JSON.stringify(result)}, ${error === undefined ? null : JSON.stringify(error)},
      ${events}
    ) moved`.execute(within);
  return rows[0];
}

async function listRuns(db: StoreScope, caller: Caller, filter: RunFilter): Promise<RunPage> {
  const { status, kind, sessionId, parentId, since, limit, cursor } = filter;
  let query = db.selectFrom('runs').selectAll().where('tenant_id', '=', caller.tenantId);
  const user = reachOf(caller);
  if (user !== '') query = query.where('user_id', '=', user);
  if (status !== undefined) query = query.where('status', 'in', [status].flat());
  if (kind !== undefined) query = query.where('kind', '=', kind);
  if (sessionId !== undefined) query = query.where('session_id', '=', sessionId);
  if (parentId !== undefined) query = query.where('parent_id', '=', parentId);
  if (since !== undefined) query = query.where('created_at', '>=', new Date(since));
  if (cursor !== undefined) query = query.where('number', '<', checkCursor(cursor));
  const rows = await query
    .orderBy('number', 'desc')
    .limit(limit + 1)
    .execute();
  const items = rows.slice(0, limit);
  return { items: items.map(toRun), nextCursor: rows.length > limit ? (items.at(-1)?.number ?? null) : null };
}

/** Cursors are numbers of runs, so small enough for the database. */
function checkCursor(cursor: string): string {
  if (/^\d{1,18}$/.test(cursor)) return cursor;
  throw new AosError('invalid_request', `"${cursor}" is no cursor: use the next_cursor of the page before`);
}

function isSame(one: Caller, other: Caller): boolean {
  return one.tenantId === other.tenantId && one.userId === other.userId;
}

function taken(id: string): AosError {
  return new AosError(
    'conflict',
    `The id "${id}" already belongs to another request: repeat that request exactly to join its run, or use a new id.`,
  );
}

function busySession({ sessionId }: RunAdmission): AosError {
  return new AosError(
    'conflict',
    `A run of session "${sessionId}" is still under way: wait until it has ended, or cancel it.`,
    { reason: 'SESSION_BUSY' },
  );
}

function queuedEvent({ kind, request, simulated, simulation, forkOf }: RunAdmission): NewRunEvent {
  const { workflow, agent_ids: agentIds } = request;
  return {
    type: 'run.queued',
    data: {
      kind,
      ...(typeof workflow === 'string' && { workflow }),
      ...(Array.isArray(agentIds) && { agent_ids: agentIds.map(String) }),
      simulated,
      ...(simulation === true && { simulation }),
      ...(forkOf !== undefined && { fork_of: { run_id: forkOf.runId, step: forkOf.step } }),
    },
  };
}

function toStep(row: Selectable<RunStepTable>): RecordedStep {
  const { name, ordinal, effect, outcome, started_at: startedAt, completed_at: completedAt } = row;
  const times = { startedAt: startedAt.toISOString(), completedAt: completedAt.toISOString() };
  return { name, ordinal, effect, outcome, ...times } as RecordedStep;
}
