/**
 * A bounded queue between whoever records and one slow receiver. Adding is cheap, never waits and never sends: items
 * leave later, in batches, one batch at a time, from a turn of the event loop of their own. When the receiver does not
 * keep up, new items are dropped, so that a dead receiver costs a fixed amount of memory and no time.
 */
import type { Clock, Timer } from '../core/clock.ts';

export interface BatchOptions<Item> {
  /** Sends one batch; a rejection means the batch is lost. */
  readonly send: (items: Item[]) => Promise<void>;
  /** Told after each batch: how many items were sent, or lost together with the reason. */
  readonly onSent: (count: number) => void;
  readonly onLost: (count: number, reason: unknown) => void;
  readonly clock: Clock;
  readonly limits: BatchLimits;
}

export interface BatchLimits {
  /** Items that may wait; more are dropped. */
  readonly queue: number;
  /** Items that leave together; a full batch leaves at once. */
  readonly batch: number;
  /** How long an item may wait for its batch to fill, milliseconds. */
  readonly delayMs: number;
}

export interface Batch<Item> {
  add(item: Item): void;
  /** Sends everything added so far; resolves when it has been sent or lost. Never rejects. */
  drain(): Promise<void>;
  /** Drops what waits, and everything added from now on; lets every drain go. */
  close(): void;
}

export function createBatch<Item>(options: BatchOptions<Item>): Batch<Item> {
  const { send, onSent, onLost, clock, limits } = options;
  const queue: Item[] = [];
  /** Running counts of items added and items sent or lost: a drain is done when the second reaches its mark. */
  let added = 0;
  let settled = 0;
  /** Items up to this count leave even in a batch that is not full. */
  let mark = 0;
  let drains: { upTo: number; resolve: () => void }[] = [];
  let dropped = 0;
  let sending = false;
  let closed = false;
  let timer: Timer | undefined;
  let timerIsForFullBatch = false;

  const sendAll = async () => {
    sending = true;
    while (queue.length >= limits.batch || (queue.length > 0 && settled < mark)) {
      const items = queue.splice(0, limits.batch);
      try {
        await send(items);
        onSent(items.length);
        if (dropped > 0) onLost(dropped, new Error('more came than could be sent'));
      } catch (reason) {
        onLost(items.length + dropped, reason);
      }
      dropped = 0;
      settled += items.length;
      settleDrains();
    }
    sending = false;
    if (queue.length > 0) arm(limits.delayMs);
  };
  const settleDrains = () => {
    if (drains.length === 0) return;
    for (const drain of drains) if (drain.upTo <= settled) drain.resolve();
    drains = drains.filter((drain) => drain.upTo > settled);
  };
  const arm = (delayMs: number) => {
    timer = clock.after(delayMs, () => {
      timer = undefined;
      timerIsForFullBatch = false;
      mark = added;
      if (!sending) void sendAll();
    });
  };

  return {
    add(item) {
      if (closed) return;
      if (queue.length >= limits.queue) {
        dropped += 1;
        return;
      }
      queue.push(item);
      added += 1;
      if (sending) return;
      if (timer === undefined) {
        timerIsForFullBatch = queue.length >= limits.batch;
        arm(timerIsForFullBatch ? 0 : limits.delayMs);
      } else if (!timerIsForFullBatch && queue.length >= limits.batch) {
        timer.cancel();
        timerIsForFullBatch = true;
        arm(0);
      }
    },
    drain() {
      if (closed || settled === added) return Promise.resolve();
      mark = added;
      const { promise, resolve } = Promise.withResolvers<void>();
      drains.push({ upTo: added, resolve });
      if (!sending) {
        timer?.cancel();
        timer = undefined;
        timerIsForFullBatch = false;
        void sendAll();
      }
      return promise;
    },
    close() {
      closed = true;
      timer?.cancel();
      timer = undefined;
      queue.length = 0;
      for (const drain of drains) drain.resolve();
      drains = [];
    },
  };
}
