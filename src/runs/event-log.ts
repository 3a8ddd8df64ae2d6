/**
 * The numbered log of every run: the one thing all doors show. Events are appended once per key; the database numbers
 * them without gaps and links each to the one before it, under the run's row lock. Followers replay from the table and are
 * woken directly in this process and by NOTIFY in others; the table is the truth, a lost notification costs only time.
 */
import { type Kysely, type Selectable, sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import type { JsonValue } from '../core/json.ts';
import type { Database } from '../store/database.ts';
import { isConnectionFailure } from '../store/persist.ts';
import type { Schema } from '../store/schema.ts';
import type { RunEventTable } from '../store/tables/run.ts';
import { type ActPerformer, performDirectly } from './durable-act.ts';
import { isTerminalEvent, type NewRunEvent, type RunEvent } from './event.ts';
import { encodeEvents } from './event-encoding.ts';
import { partsOfKey, type RunKey, toRunKey } from './run.ts';

const PAGE_SIZE = 500;
/** How long a follower trusts silence before it looks at the table by itself. */
const SAFETY_POLL_MS = 5_000;
/** How soon a follower tries again when the database could not be reached. */
const LOOK_AGAIN_MS = 200;

export interface Appended {
  /** The event's number; null when the log had ended and nothing was written. */
  readonly seq: number | null;
  /** False when the key was in the log already, or the log had ended. */
  readonly appended: boolean;
}

/** The logs as they are read. */
export interface EventReader {
  /** Up to `limit` events with numbers above `after`, in order. */
  read(run: RunKey, after: number, limit?: number): Promise<readonly RunEvent[]>;
  /** A value that was too large for its event, which says `{"$payload": {sha256, bytes}}` in its place. */
  payload(run: RunKey, sha256: string): Promise<JsonValue | undefined>;
  /**
   * All events above `after`, then each new one as it is written; ends after the last event of an ended run, when
   * there is no such run, or when the signal fires. Between events it holds no database connection.
   */
  follow(run: RunKey, after: number, signal?: AbortSignal): AsyncIterable<RunEvent>;
}

/** What is read of it by itself is for the system; for a caller it is read as the caller's tenant. */
export interface EventLog extends EventReader {
  /** The logs as a tenant sees them: those of its own runs, and no others. */
  of(tenantId: string): EventReader;
  /**
   * Appends an event once per `key` of the run. After the run's end nothing is appended any more.
   * @throws Error when there is no such run
   */
  append(run: RunKey, key: string, event: NewRunEvent): Promise<Appended>;
  /** The same as part of a transaction; whoever commits it calls `announce` afterwards. */
  appendWithin(transaction: Kysely<Schema>, run: RunKey, key: string, event: NewRunEvent): Promise<Appended>;
  /** Wakes the followers of a run, here and in other processes: there is an event of that number now. */
  announce(run: RunKey, seq: number): void;
  /** The events whose key begins with the name of the turn and a colon, in order. */
  readTurn(run: RunKey, turn: string): Promise<readonly RunEvent[]>;
}

export interface EventLogParts {
  readonly database: Database;
  readonly clock: Clock;
  /** Stands between the log and the database, for tests. */
  readonly perform?: ActPerformer;
}

export function createEventLog({ database, clock, perform = performDirectly(database) }: EventLogParts): EventLog {
  const { db, tenant, notifications } = database;
  /** Followers of one run that are equally far, and of one tenant, read together. */
  const reading = new Map<string, Promise<readonly RunEvent[]>>();
  const followers = new Map<RunKey, Set<Follower>>();
  let listening: Promise<unknown> | undefined;

  function wake(run: RunKey, seq: number): void {
    for (const follower of followers.get(run) ?? []) follower.announce(seq);
  }

  function listen(): Promise<unknown> {
    listening ??= notifications.listen('aos_events', {
      heard(payload) {
        const space = payload.indexOf(' ');
        wake(toRunKey(payload.slice(space + 1)), Number(payload.slice(0, space)));
      },
      missed() {
        for (const set of followers.values()) for (const follower of set) follower.announce(Number.POSITIVE_INFINITY);
      },
    });
    return listening;
  }

  /** Where somebody's statements go: those of a tenant, or of the system. */
  const scopeOf = (tenantId: string | undefined) => (tenantId === undefined ? db : tenant(tenantId));

  async function read(
    tenantId: string | undefined,
    run: RunKey,
    after: number,
    limit = PAGE_SIZE,
  ): Promise<readonly RunEvent[]> {
    const { tenantId: owner, runId } = partsOfKey(run);
    const rows = await scopeOf(tenantId)
      .selectFrom('run_events')
      .select(eventColumns)
      .where('tenant_id', '=', owner)
      .where('run_id', '=', runId)
      .where('seq', '>', after)
      .orderBy('seq')
      .limit(limit)
      .execute();
    return rows.map(toEvent);
  }

  function readTogether(tenantId: string | undefined, run: RunKey, after: number): Promise<readonly RunEvent[]> {
    const place = JSON.stringify([tenantId, run, after]);
    let page = reading.get(place);
    if (page === undefined) {
      page = read(tenantId, run, after).finally(() => reading.delete(place));
      reading.set(place, page);
    }
    return page;
  }

  /** Whether no event above `after` will ever come. */
  async function isOver(tenantId: string | undefined, run: RunKey, after: number): Promise<boolean> {
    const { tenantId: owner, runId } = partsOfKey(run);
    const row = await scopeOf(tenantId)
      .selectFrom('runs')
      .select(['completed_at', 'last_event'])
      .where('tenant_id', '=', owner)
      .where('id', '=', runId)
      .executeTakeFirst();
    return row === undefined || (row.completed_at !== null && row.last_event <= after);
  }

  /** The next events, and if there are none, whether there ever will be. A database that is away for a moment ends nothing. */
  async function lookUp(tenantId: string | undefined, run: RunKey, after: number) {
    try {
      const events = await readTogether(tenantId, run, after);
      return { events, over: events.length === 0 && (await isOver(tenantId, run, after)) };
    } catch (failure) {
      if (isConnectionFailure(failure)) return 'unreachable';
      throw failure;
    }
  }

  async function* follow(
    tenantId: string | undefined,
    run: RunKey,
    after: number,
    signal?: AbortSignal,
  ): AsyncGenerator<RunEvent, void> {
    const follower = createFollower(clock, after, signal);
    const stopped = () => signal?.aborted === true;
    const set = followers.get(run) ?? new Set();
    followers.set(run, set.add(follower));
    try {
      // Listening comes before the first read, so that nothing falls between the two.
      await listen();
      while (!stopped()) {
        const page = await lookUp(tenantId, run, follower.last);
        if (page === 'unreachable') {
          await clock.sleep(LOOK_AGAIN_MS, signal).catch(() => {});
          continue;
        }
        for (const event of page.events) {
          follower.last = event.seq;
          yield event;
          if (isTerminalEvent(event)) return;
          if (stopped()) return;
        }
        if (page.events.length > 0) continue;
        if (page.over) return;
        await follower.news();
      }
    } finally {
      set.delete(follower);
      if (set.size === 0 && followers.get(run) === set) followers.delete(run);
    }
  }

  function announce(run: RunKey, seq: number): void {
    wake(run, seq);
    notifications.announce('aos_events', run, `${seq} ${run}`);
  }

  async function appendWithin(within: Kysely<Schema>, run: RunKey, key: string, event: NewRunEvent): Promise<Appended> {
    const at = isoTime(clock.now());
    const { tenantId, runId } = partsOfKey(run);
    const events = encodeEvents(runId, [{ ...event, key }], at);
    const { rows } = await sql<{ seqs: number[] }>`
      select seqs from aos.append_events(${tenantId}, ${runId}, null, null, ${at}, ${events})`.execute(within);
    const seq = rows[0]?.seqs[0];
    if (seq === undefined) throw new Error(`an event ${event.type} was appended to run ${runId}, which does not exist`);
    return seq === 0 ? { seq: null, appended: false } : { seq: Math.abs(seq), appended: seq > 0 };
  }

  const readerOf = (tenantId: string | undefined): EventReader => ({
    read: (run, after, limit) => read(tenantId, run, after, limit),
    follow: (run, after, signal) => follow(tenantId, run, after, signal),
    async payload(run, sha256) {
      const { tenantId: owner, runId } = partsOfKey(run);
      const row = await scopeOf(tenantId)
        .selectFrom('run_payloads')
        .select('body')
        .where('tenant_id', '=', owner)
        .where('run_id', '=', runId)
        .where('digest', '=', sha256)
        .executeTakeFirst();
      return row?.body;
    },
  });

  return {
    ...readerOf(undefined),
    of: readerOf,
    async append(run, key, event) {
      const { value } = await perform({ kind: 'append', run, name: key }, async (within) => {
        const appended = await appendWithin(within, run, key, event);
        return { value: appended, written: appended.appended && appended.seq !== null ? [appended.seq] : [] };
      });
      if (value.appended && value.seq !== null) announce(run, value.seq);
      return value;
    },
    appendWithin,
    announce,
    async readTurn(run, turn) {
      const { tenantId, runId } = partsOfKey(run);
      const rows = await db
        .selectFrom('run_events')
        .select(eventColumns)
        .where('tenant_id', '=', tenantId)
        .where('run_id', '=', runId)
        // A range of the index: ";" is the character after ":".
        .where('key', '>=', `${turn}:`)
        .where('key', '<', `${turn};`)
        .orderBy('seq')
        .execute();
      return rows.map(toEvent);
    },
  };
}

/** One reader of one run: remembers how far it is and sleeps until there is more. */
interface Follower {
  /** Number of the last event it has. */
  last: number;
  /** There is an event of that number now. */
  announce(seq: number): void;
  /** Resolves at once when something was announced that it does not have, else on news, signal or safety poll. */
  news(): Promise<void>;
}

function createFollower(clock: Clock, after: number, signal: AbortSignal | undefined): Follower {
  let announced = after;
  let resolve: (() => void) | undefined;
  const wake = () => resolve?.();
  const follower: Follower = {
    last: after,
    announce(seq) {
      if (seq <= announced) return;
      announced = seq;
      wake();
    },
    async news() {
      if (announced > follower.last) {
        // Trusted once: should the event never show, the next turn waits.
        announced = follower.last;
        return;
      }
      const timer = clock.after(SAFETY_POLL_MS, wake);
      signal?.addEventListener('abort', wake, { once: true });
      await new Promise<void>((done) => {
        resolve = done;
        if (signal?.aborted === true) done();
      });
      resolve = undefined;
      timer.cancel();
      signal?.removeEventListener('abort', wake);
    },
  };
  return follower;
}

export const eventColumns = [
  'run_id',
  'seq',
  'key',
  'type',
  'at',
  'data',
  'actor',
  'trace_id',
  'hash',
  'prev_hash',
] as const satisfies (keyof RunEventTable)[];

export function toEvent(row: Pick<Selectable<RunEventTable>, (typeof eventColumns)[number]>): RunEvent {
  const { run_id: runId, seq, key, type, at, data, actor, trace_id: traceId, hash, prev_hash: prevHash } = row;
  // Only the log writes this table, and it takes a NewRunEvent: type and data belong together.
  return { runId, seq, key, at: at.toISOString(), type, data, actor, traceId, hash, prevHash } as RunEvent;
}
