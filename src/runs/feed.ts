/**
 * The feed: everything that happens in a tenant in one order, for dashboards and listeners that watch more than one run.
 * It joins two tables: the events of runs (without `turn.delta`, which is text on its way and not a fact), and the facts
 * that belong to no run (`task.*`, `job.*`, `approval.*` …), written here.
 *
 * A position is `<transaction>.<number>`. Rows become visible only when every transaction before theirs has ended, so a
 * reader that goes on after the last position it saw skips nothing, however transactions overlap.
 */
import type { JsonObject } from '../core/json.ts';
import type { StoreScope } from '../store/database.ts';
import type { Caller } from './run.ts';

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
