/**
 * Writes that must happen: repeated while the database cannot be reached. Only for statements that may run twice.
 */
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { Log } from '../telemetry/log.ts';

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 2_000;

/** Whether a database failure means "not reached" rather than "refused": the same statement may succeed later. */
export function isConnectionFailure(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
  return (
    // Classes 08 (connection) and 57P (server stops or starts), and too many connections.
    /^(08|57P)|^53300$/.test(code) ||
    /^E(CONNREFUSED|CONNRESET|PIPE|TIMEDOUT|NOENT|HOSTUNREACH|NETUNREACH|AI_AGAIN)$/.test(code) ||
    /connection terminated|timeout exceeded when trying to connect/i.test(thrown.message)
  );
}

/** Runs `write` until it reaches the database. Rejects with any other failure, or with the failure when `signal` fired. */
export async function persist<T>(
  write: () => Promise<T>,
  { clock, log, signal }: { clock: Clock; log: Log; signal: AbortSignal },
): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
    try {
      return await write();
    } catch (failure) {
      if (signal.aborted || !isConnectionFailure(failure)) throw failure;
      log.warn('the database cannot be reached; trying again', { reason: asError(failure).message, pause_ms: pause });
      await clock.sleep(pause, signal).catch(() => {});
    }
  }
}
