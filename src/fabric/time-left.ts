/** The time an attempt has, for connectors whose client library keeps none. */
import type { Clock } from '../core/clock.ts';
import { type ConnectorCall, ConnectorError } from './connector.ts';

/**
 * Does the work with a signal that fires when the call is called off and when its deadline comes.
 * @throws ConnectorError `not_sent` when the deadline has come already
 */
export async function withinTime<T>(
  clock: Clock,
  { deadline, signal }: Pick<ConnectorCall, 'deadline' | 'signal'>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const left = deadline - clock.now();
  if (left <= 0) throw new ConnectorError('not_sent', 'there is no time left to call the plane');
  const late = new AbortController();
  const timer = clock.after(left, () => late.abort(new ConnectorError('not_sent', 'the time for the call is over')));
  try {
    return await work(AbortSignal.any([signal, late.signal]));
  } finally {
    timer.cancel();
  }
}
