/**
 * One flush for many callers. Every request asks for a flush when it ends, because the process may be frozen the moment
 * its response is out; a thousand requests a second must not become a thousand exports. So at most one flush is under
 * way and one waits for it, and under load flushes start no more often than the spacing allows: a lone request is
 * flushed at once, a busy process ten times a second.
 */
import { afterTurn, type Clock } from '../core/clock.ts';

export interface FlushOptions {
  /** Does the work; resolves when everything recorded before its start is sent or given up. */
  readonly run: () => Promise<unknown>;
  readonly clock: Clock;
  /** Least time from the start of one flush to the start of the next, milliseconds. */
  readonly spacingMs: number;
  /** Most time a caller waits, milliseconds. */
  readonly limitMs: number;
}

/** @returns a function that asks for a flush; its promise never rejects and is shared by all who ask meanwhile. */
export function createFlush(options: FlushOptions): () => Promise<void> {
  const { run, clock, spacingMs, limitMs } = options;
  let pending: Promise<void> | undefined;
  let running: Promise<void> | undefined;
  let lastStart = Number.NEGATIVE_INFINITY;

  const ask = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const limit = clock.after(limitMs, resolve);
    const start = () => {
      pending = undefined;
      running = promise;
      lastStart = clock.monotonic();
      const finish = () => {
        limit.cancel();
        resolve();
      };
      run().then(finish, finish);
    };
    const startWhenDue = () => {
      running = undefined;
      const wait = lastStart + spacingMs - clock.monotonic();
      if (wait > 0) clock.after(wait, start);
      else afterTurn(start);
    };
    if (running === undefined) startWhenDue();
    else void running.then(startWhenDue);
    return promise;
  };

  return () => {
    pending ??= ask();
    return pending;
  };
}
