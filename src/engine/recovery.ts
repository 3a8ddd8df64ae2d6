/**
 * Takes the runs from processes that are gone. A process holds a lock named after its executor id for as long as it
 * lives, so whoever can take that lock knows it is dead; what it had is free from then on, for whoever has room.
 */
import type { Locks } from '../store/standing-connection.ts';
import type { Log } from '../telemetry/log.ts';
import type { RunLedger } from './run-ledger.ts';

export interface RecoveryParts {
  readonly ledger: Pick<RunLedger, 'executors' | 'release'>;
  readonly locks: Locks;
  readonly log: Log;
  readonly executorId: string;
}

export function executorLock(executorId: string): string {
  return `executor:${executorId}`;
}

/** @returns how many runs are free now that were not */
export async function releaseTheDead({ ledger, locks, log, executorId }: RecoveryParts): Promise<number> {
  let freed = 0;
  for (const executor of await ledger.executors()) {
    if (executor === executorId) continue;
    const unlock = await locks.tryHold(executorLock(executor));
    if (unlock === undefined) continue;
    // With its lock in hand: nobody of that name can begin anything meanwhile.
    const runs = await ledger.release(executor).finally(unlock);
    if (runs > 0) log.info('taking up runs of a process that is gone', { runs });
    freed += runs;
  }
  return freed;
}
