/**
 * What follows from the end of a run, for whoever ended it to act upon at once; a sweep of the engine would find it later.
 */
import { type Run, type RunKey, type RunKind, runKey } from './run.ts';

/** Where a run is that was given a signal. */
export interface Told {
  readonly run: RunKey;
  /** It waited for the signal, and is due. */
  readonly woken: boolean;
  /** The process that executes it. */
  readonly executor: string | null;
  readonly kind: RunKind;
}

/** What follows from the end of a run. */
export interface Aftermath {
  /** The chat run of its session whose turn it is now. */
  readonly nextRun: RunKey | null;
  /** The run that started it and was told, unless it has ended. */
  readonly parent: Told | undefined;
}

export interface AftermathRow {
  readonly next_run: string | null;
  readonly parent_woken: boolean;
  readonly parent_executor: string | null;
  readonly parent_kind: RunKind | null;
}

export function toAftermath({ parentId, caller }: Run, row: AftermathRow): Aftermath {
  const keyOf = (id: string) => runKey(caller.tenantId, id);
  const { next_run: nextRun, parent_woken: woken, parent_executor: executor, parent_kind: kind } = row;
  const parent = parentId === null || kind === null ? undefined : { run: keyOf(parentId), woken, executor, kind };
  return { nextRun: nextRun === null ? null : keyOf(nextRun), parent };
}
