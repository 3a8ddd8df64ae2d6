/**
 * How a host stops (protocol §2.4): callbacks first, then no new work, then what is under way gets its time, then the
 * shutdown hook gets as much again.
 */
import { afterTurn, type Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { HostLog } from './host-log.ts';
import type { HttpListener } from './http-listener.ts';
import type { SocketEndpoint } from './websocket.ts';

export interface ShutdownPlan {
  readonly beforeShutdown: readonly (() => void)[];
  readonly listener: HttpListener | undefined;
  readonly sockets: SocketEndpoint | undefined;
  readonly hook: (() => void | Promise<void>) | undefined;
  /** For the work under way, and again for the hook; 0 ends at once and skips the hook. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly hostLog: HostLog;
}

/** How long what was cut may take to clean up after itself. */
const CLEAN_UP_MS = 1000;

/** Never rejects: a callback or hook that throws is logged, and the stop goes on. */
export async function shutDown(plan: ShutdownPlan, cause: string): Promise<void> {
  const { beforeShutdown, hook, timeoutMs, hostLog } = plan;
  hostLog.stopping(cause);
  for (const callback of beforeShutdown) {
    try {
      callback();
    } catch (thrown) {
      hostLog.hookFailed('pre-shutdown callback', asError(thrown));
    }
  }
  await drain(plan);
  if (timeoutMs > 0 && hook !== undefined) await runHook(hook, plan);
  hostLog.stopped();
}

async function drain({ listener, sockets, timeoutMs, clock, hostLog }: ShutdownPlan): Promise<void> {
  listener?.beginStop();
  sockets?.beginStop();
  const finished = Promise.all([listener?.whenEmpty(), sockets?.whenEmpty()]);
  if ((await within(clock, timeoutMs, finished)) === LATE && timeoutMs > 0) {
    hostLog.drainTimedOut(listener?.openCount ?? 0, sockets?.openCount ?? 0);
  }
  await sockets?.finishStop();
  listener?.finishStop();
  // What was cut cleans up after itself: sources of streams are closed, their last lines written.
  await within(clock, CLEAN_UP_MS, Promise.resolve(listener?.whenEmpty()));
  await new Promise<void>(afterTurn);
}

async function runHook(hook: () => void | Promise<void>, { timeoutMs, clock, hostLog }: ShutdownPlan): Promise<void> {
  try {
    const outcome = await within(clock, timeoutMs, Promise.resolve(hook()));
    if (outcome === LATE) hostLog.hookTimedOut(timeoutMs);
  } catch (thrown) {
    hostLog.hookFailed('shutdown hook', asError(thrown));
  }
}

const LATE: unique symbol = Symbol('late');

/** What `work` resolves to, or `LATE` after `ms` milliseconds. */
async function within<Result>(clock: Clock, ms: number, work: Promise<Result>): Promise<Result | typeof LATE> {
  const { promise: late, resolve } = Promise.withResolvers<typeof LATE>();
  const timer = clock.after(ms, () => resolve(LATE));
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.cancel();
  }
}
