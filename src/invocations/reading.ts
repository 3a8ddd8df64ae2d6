/**
 * How long an answer goes on reading a run: until its client leaves, or for a while after the server begins to stop.
 */
import type { Clock } from '../core/clock.ts';

export interface Reading {
  /** Fires when there is nobody left to answer. */
  readonly signal: AbortSignal;
  /** Ends the reading; harmless when it has ended. */
  leave(): void;
}

/**
 * @param clientGone fires when the client has left
 * @param interrupted fires when the client has left or the server begins to stop
 * @param drainMs how long the reading may go on once the server begins to stop
 */
export function startReading(
  clientGone: AbortSignal,
  interrupted: AbortSignal,
  clock: Clock,
  drainMs: number,
): Reading {
  const controller = new AbortController();
  const leave = () => controller.abort();
  const drain = () => {
    const timer = clock.after(clientGone.aborted ? 0 : drainMs, leave);
    controller.signal.addEventListener('abort', () => timer.cancel(), { once: true });
  };
  const whileReading = { once: true, signal: controller.signal };
  clientGone.addEventListener('abort', leave, whileReading);
  interrupted.addEventListener('abort', drain, whileReading);
  if (clientGone.aborted) leave();
  else if (interrupted.aborted) drain();
  return { signal: controller.signal, leave };
}
