/**
 * Tasks of pools that are gone. A pool holds a lock named after itself for as long as its process lives, so whoever can
 * take that lock knows that it is dead, and puts its tasks back in line with the attempts they had.
 */
import type { Locks } from '../store/standing-connection.ts';
import type { Log } from '../telemetry/log.ts';
import type { TaskClaims } from './task-claims.ts';

export function poolLock(poolId: string): string {
  return `tasks:${poolId}`;
}

/** @returns how many tasks are in line again */
export async function releaseOrphans(
  ownPool: string,
  { claims, locks, log }: { claims: Pick<TaskClaims, 'owners' | 'releaseAll'>; locks: Locks; log: Log },
): Promise<number> {
  let released = 0;
  for (const pool of await claims.owners()) {
    if (pool === ownPool) continue;
    const release = await locks.tryHold(poolLock(pool));
    if (release === undefined) continue;
    try {
      const tasks = await claims.releaseAll(pool);
      released += tasks;
      log.info('tasks of a worker pool that is gone are in line again', { pool_id: pool, tasks });
    } finally {
      await release();
    }
  }
  return released;
}
