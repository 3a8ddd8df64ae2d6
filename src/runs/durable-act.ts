/**
 * A durable act: one statement that changes what is stored of a run, with the events that tell it. Every act of the
 * runtime goes through one performer, so that a test can end the process before or after the commit of any of them.
 */

import type { Database, StoreScope } from '../store/database.ts';
import type { RunKey } from './run.ts';

export interface DurableAct {
  readonly kind: 'admit' | 'claim' | 'append' | 'step' | 'wait' | 'poll' | 'checkpoint' | 'signal' | 'move' | 'cancel';
  readonly run: RunKey;
  /** What it is about: the key of the event, the name of the step, wait or signal, the status moved to; '' otherwise. */
  readonly name: string;
  /** For whom it is done, when a caller asked for it; left out for what the system does. */
  readonly tenantId?: string;
}

export interface Done<T> {
  readonly value: T;
  /** Numbers of the events that were written with it. */
  readonly written: readonly number[];
}

/** Performs an act, in a transaction of its own unless the work is one statement. */
export type ActPerformer = <T>(act: DurableAct, work: (within: StoreScope) => Promise<Done<T>>) => Promise<Done<T>>;

/** Each act as the one statement that it is. */
export function performDirectly({ db, tenant }: Pick<Database, 'db' | 'tenant'>): ActPerformer {
  return ({ tenantId }, work) => work(tenantId === undefined ? db : tenant(tenantId));
}
