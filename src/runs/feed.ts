/**
 * The feed: everything that happens in a tenant in one order, for dashboards and listeners that watch more than one run.
 * It joins two tables: the events of runs (without `turn.delta`, which is text on its way and not a fact), and the facts
 * that belong to no run (`task.*`, `job.*`, `approval.*` …), written here.
 *
 * A position is `<transaction>.<number>`. Rows become visible only when every transaction before theirs has ended, so a
 * reader that goes on after the last position it saw skips nothing, however transactions overlap.
 */
import { sql } from 'kysely';
import type { Clock, Timer } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Database, StoreScope } from '../store/database.ts';
import { isConnectionFailure } from '../store/persist.ts';
import { type Caller, reachOf } from './run.ts';

const PAGE_SIZE = 500;
/** How long a follower trusts silence. Facts of other processes are not announced: this is how late they come. */
const POLL_MS = 250;
/** After news a follower looks again at these distances: what was announced may not be visible yet. */
const LOOK_AGAIN_MS = [5, 15, 45, 135];

export interface NewFeedItem {
  readonly tenantId: string;
  /** Whose it is; '' or left out for what concerns the whole tenant. */
  readonly userId?: string;
  /** `noun.verb`, e.g. `task.completed`. */
  readonly type: string;
  /** Id of what it happened to. */
  readonly subject: string;
  readonly data: JsonObject;
}

export interface FeedItem {
  /** Where to go on after it; opaque. */
  readonly position: string;
  readonly type: string;
  /** Id of what it happened to: a run's for the events of runs. */
  readonly subject: string;
  /** ISO-8601 UTC. */
  readonly at: string;
  readonly data: JsonObject;
  /** Of an event of a run: its number there. */
  readonly seq?: number;
}

export interface Feed {
  /** Writes a fact as part of a transaction, or on its own. */
  write(within: StoreScope, item: NewFeedItem): Promise<void>;
  /**
   * Up to `limit` items after a position, in order.
   * @param after '' for the beginning
   * @throws AosError invalid_request when `after` is no position
   */
  read(caller: Caller, after: string, limit: number): Promise<readonly FeedItem[]>;
  /** The position of now: what follows it is new. */
  newest(): Promise<string>;
  /** All items after a position, then each new one; ends when the signal fires. */
  follow(caller: Caller, after: string, signal: AbortSignal): AsyncIterable<FeedItem>;
}

export interface FeedParts {
  readonly database: Database;
  readonly clock: Clock;
  /** Whether all that happens here is simulated; its facts say so then. */
  readonly simulation?: boolean | undefined;
}

export function createFeed({ database, clock, simulation = false }: FeedParts): Feed {
  const { db, tenant, notifications } = database;
  const sleepers = new Set<() => void>();
  let listening: Promise<unknown> | undefined;
  const wakeAll = () => {
    for (const wake of sleepers) wake();
  };

  async function read(caller: Caller, after: string, limit: number): Promise<readonly FeedItem[]> {
    const { xid, pos } = parsePosition(after);
    const { tenantId } = caller;
    const userId = reachOf(caller);
    const { rows } = await sql<FeedRow>`
      (select e.xid, e.pos, e.type, e.run_id as subject, e.at, e.data, e.seq
        from aos.run_events e join aos.runs r on r.tenant_id = e.tenant_id and r.id = e.run_id
        where e.tenant_id = ${tenantId} and e.type <> 'turn.delta' and (e.xid, e.pos) > (${xid}::xid8, ${pos}::bigint)
          and e.xid < pg_snapshot_xmin(pg_current_snapshot()) and (${userId} = '' or r.user_id = ${userId})
        order by e.xid, e.pos limit ${limit})
      union all
      (select f.xid, f.pos, f.type, f.subject, f.at, f.data, null
        from aos.feed f
        where f.tenant_id = ${tenantId} and (f.xid, f.pos) > (${xid}::xid8, ${pos}::bigint)
          and f.xid < pg_snapshot_xmin(pg_current_snapshot())
          and (${userId} = '' or f.user_id = '' or f.user_id = ${userId})
        order by f.xid, f.pos limit ${limit})
      order by xid, pos limit ${limit}`.execute(tenant(tenantId));
    return rows.map(toItem);
  }

  /** A page; a database that is away for a moment is silence. */
  async function lookUp(caller: Caller, after: string): Promise<readonly FeedItem[]> {
    try {
      return await read(caller, after, PAGE_SIZE);
    } catch (failure) {
      if (isConnectionFailure(failure)) return [];
      throw failure;
    }
  }

  async function* follow(caller: Caller, after: string, signal: AbortSignal): AsyncGenerator<FeedItem, void> {
    listening ??= notifications.listen('aos_events', { heard: wakeAll, missed: wakeAll });
    const sleeper = createSleeper(clock, signal);
    sleepers.add(sleeper.wake);
    try {
      await listening;
      let position = after;
      while (!signal.aborted) {
        const items = await lookUp(caller, position);
        for (const item of items) {
          position = item.position;
          yield item;
          if (signal.aborted) return;
        }
        if (items.length === 0) await sleeper.sleep();
        else sleeper.wake();
      }
    } finally {
      sleepers.delete(sleeper.wake);
    }
  }

  return {
    async write(within, { tenantId, userId = '', type, subject, data }) {
      await within
        .insertInto('feed')
        .values({
          tenant_id: tenantId,
          user_id: userId,
          type,
          subject,
          at: new Date(clock.now()),
          data: JSON.stringify(simulation ? { ...data, simulation } : data),
        })
        .execute();
      wakeAll();
    },
    read,
    follow,
    async newest() {
      const { rows } = await sql<{ xmin: string }>`
        select pg_snapshot_xmin(pg_current_snapshot())::text as xmin`.execute(db);
      return `${rows[0]?.xmin ?? '0'}.0`;
    },
  };
}

interface FeedRow {
  xid: string;
  pos: string;
  type: string;
  subject: string;
  at: Date;
  data: JsonObject;
  seq: number | null;
}

function toItem({ xid, pos, type, subject, at, data, seq }: FeedRow): FeedItem {
  const item = { position: `${xid}.${pos}`, type, subject, at: at.toISOString(), data };
  return seq === null ? item : { ...item, seq };
}

function parsePosition(position: string): { xid: string; pos: string } {
  if (position === '') return { xid: '0', pos: '0' };
  const [, xid, pos] = /^(\d{1,19})\.(\d{1,18})$/.exec(position) ?? [];
  if (xid !== undefined && pos !== undefined) return { xid, pos };
  throw new AosError('invalid_request', `"${position}" is no position of the feed: use one that an item of it carried`);
}

/** Sleeps until there may be something new: soon and a few times after a wake-up, else at the pace of the poll. */
function createSleeper(clock: Clock, signal: AbortSignal): { wake(): void; sleep(): Promise<void> } {
  let looks = LOOK_AGAIN_MS.length;
  let isLong = false;
  let finish: (() => void) | undefined;
  signal.addEventListener('abort', () => finish?.(), { once: true });
  return {
    wake() {
      looks = 0;
      // The short sleeps are there because of news: only the long one is cut short by it.
      if (isLong) finish?.();
    },
    async sleep() {
      if (signal.aborted) return;
      const pause = LOOK_AGAIN_MS[looks];
      looks += 1;
      isLong = pause === undefined;
      let timer: Timer | undefined;
      await new Promise<void>((resolve) => {
        finish = resolve;
        timer = clock.after(pause ?? POLL_MS, resolve);
      });
      finish = undefined;
      timer?.cancel();
    },
  };
}
