/**
 * Takes up runs that nobody executes: those admitted but never begun, and those of processes that are gone. A process
 * holds a lock named after its executor id for as long as it lives, so whoever can take that lock knows it is dead.
 */
import type { Clock } from '../core/clock.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Locks } from '../store/standing-connection.ts';
import type { Log } from '../telemetry/log.ts';

/** A run without executor is left alone this long: the process that admitted it is about to begin it. */
const ADMISSION_GRACE_MS = 5_000;

const LOST = { code: 'internal_error', message: 'The execution of the run ended without a result.' } as const;

/** What the workflow library knows of a run. */
export interface WorkflowRecord {
  readonly id: string;
  /** `active`: some process is executing it or died over it · `enqueued`: it waits to be taken up · `ended` */
  readonly state: 'active' | 'enqueued' | 'ended';
  readonly executor: string | undefined;
}

export interface Workflows {
  find(runIds: readonly string[]): Promise<readonly WorkflowRecord[]>;
  /** Has the workflows taken up again by any process, from their stored steps. */
  resume(runIds: readonly string[]): Promise<void>;
}

export interface RecoveryParts {
  readonly runs: RunStore;
  readonly workflows: Workflows;
  readonly locks: Locks;
  readonly clock: Clock;
  readonly log: Log;
  readonly executorId: string;
}

export function executorLock(executorId: string): string {
  return `executor:${executorId}`;
}

/**
 * Resumes the runs of dead processes, and ends those whose execution ended without their knowing.
 * @param startup also take up runs that were admitted just now
 * @returns ids of runs that have no workflow yet and must be begun
 */
export async function recoverRuns(parts: RecoveryParts, startup: boolean): Promise<readonly string[]> {
  const { runs, workflows, locks, clock, log, executorId } = parts;
  const newest = startup ? Number.POSITIVE_INFINITY : clock.now() - ADMISSION_GRACE_MS;
  const others = (await runs.unfinished()).filter(({ executor, createdAt }) =>
    executor === null ? Date.parse(createdAt) <= newest : executor !== executorId,
  );
  if (others.length === 0) return [];

  const dead = new Map<string, () => Promise<void>>();
  const judged = new Set<string>([executorId]);
  const isDead = async (executor: string): Promise<boolean> => {
    if (!judged.has(executor)) {
      judged.add(executor);
      const release = await locks.tryHold(executorLock(executor));
      if (release !== undefined) dead.set(executor, release);
    }
    return dead.has(executor);
  };

  try {
    const candidates: string[] = [];
    for (const { id, executor } of others) if (executor === null || (await isDead(executor))) candidates.push(id);
    if (candidates.length === 0) return [];
    // Looked up only now, with the locks held: what another process resumed meanwhile is no longer `active` under
    // the dead one's id.
    const records = new Map((await workflows.find(candidates)).map((record) => [record.id, record]));
    const orphans: string[] = [];
    for (const { state, executor, id } of records.values()) {
      if (state === 'active' && executor !== undefined && (await isDead(executor))) orphans.push(id);
      if (state === 'ended')
        await runs.move(id, 'failed', { event: { type: 'run.failed', data: { error: LOST } }, error: LOST });
    }
    if (orphans.length > 0) {
      log.info('taking up runs of a process that is gone', { runs: orphans.length });
      await workflows.resume(orphans);
    }
    return candidates.filter((id) => !records.has(id));
  } finally {
    for (const release of dead.values()) await release();
  }
}
