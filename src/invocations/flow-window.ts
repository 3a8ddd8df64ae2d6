/**
 * Back-pressure for one run on a shared connection: at most so many events beyond the last one its client has
 * acknowledged. A slow reader of one run thus never holds up the others.
 */
export interface FlowWindow {
  /** The client has dealt with everything up to this event. */
  acknowledge(seq: number): void;
  /** Resolves when event `seq` may be sent; rejects with the signal's reason when it fires first. */
  room(seq: number, signal: AbortSignal): Promise<void>;
}

/** @param size undefined: no limit of its own */
export function createFlowWindow(size: number | undefined, after: number): FlowWindow {
  let acknowledged = after;
  let news = Promise.withResolvers<void>();
  return {
    acknowledge(seq) {
      if (seq <= acknowledged) return;
      acknowledged = seq;
      news.resolve();
      news = Promise.withResolvers();
    },
    async room(seq, signal) {
      while (size !== undefined && seq - acknowledged > size) {
        signal.throwIfAborted();
        const { promise, reject } = Promise.withResolvers<never>();
        const onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        await Promise.race([news.promise, promise]).finally(() => signal.removeEventListener('abort', onAbort));
      }
    },
  };
}
