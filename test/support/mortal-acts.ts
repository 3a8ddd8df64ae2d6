/**
 * Has this process kill itself at a durable act. Acts are performed one at a time; at the one that is meant the process
 * is killed in the middle of what it was doing: `before` with the transaction still open, `after` once it is committed
 * and before anything else happens.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { ActPerformer, Done, DurableAct } from '../../src/runs/durable-act.ts';
import { partsOfKey } from '../../src/runs/run.ts';
import type { Database } from '../../src/store/database.ts';
import type { DeathList } from './death-list.ts';

/** Whether what is going on is an act, whose boundaries are told here. */
export const withinAct = new AsyncLocalStorage<true>();

/**
 * Which act is meant: the one that writes event `at` of a run, or the first whose name is not in the file `list` yet, or
 * the first that comes to a boundary which is not among `deaths` yet.
 */
export interface MortalPlan {
  readonly die: string | undefined;
  readonly at: number;
  readonly list: string | undefined;
  readonly deaths?: DeathList;
}

/** By what a boundary is known again in the next life of the same work, where events may have other numbers. */
function boundaryOf(act: DurableAct, { value, written }: Done<unknown>): string {
  const name = `${partsOfKey(act.run).runId} ${nameOfAct(act)}`;
  // How a text falls into pieces is different each time: of its pieces the numbers count.
  if (name.endsWith(':delta')) return `${name} ${written.join(' ')}`;
  if (act.kind !== 'claim') return `${name}${written.length > 0 ? ' told' : ''}`;
  const { executions, last_step: step } = Object(value ?? {}) as { executions?: number; last_step?: number };
  if (executions === undefined) return `${name} in vain`;
  return executions === 1 ? `${name} after step ${step}` : `${name} again`;
}

/** Where an act is done again under a name of its own, that part of the name does not count. */
export function nameOfAct({ kind, run, name }: DurableAct): string {
  const family = partsOfKey(run).runId.includes('.') ? 'child ' : '';
  return `${family}${kind} ${name.replace(/:delta:.*/, ':delta').replace(/^(resumed|waiting):.*/, '$1')}`;
}

export function mortalActs(
  { db, tenant }: Pick<Database, 'db' | 'tenant'>,
  { die, at, list, deaths }: MortalPlan,
): ActPerformer {
  let tail: Promise<unknown> = Promise.resolve();
  const oneAtATime = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = tail.then(work);
    tail = result.catch(() => {});
    return result;
  };
  const isMeant = (act: DurableAct, did: Done<unknown>): boolean => {
    if (deaths !== undefined) return deaths.isNew(boundaryOf(act, did));
    if (list === undefined) return did.written.includes(at);
    const name = nameOfAct(act);
    if (existsSync(list) && readFileSync(list, 'utf8').split('\n').includes(name)) return false;
    appendFileSync(list, `${name}\n`);
    return true;
  };
  return (act, work) =>
    oneAtATime(() =>
      withinAct.run(true, async () => {
        let meant = false;
        const scope = act.tenantId === undefined ? db : tenant(act.tenantId);
        const done = await scope.transaction().execute(async (trx) => {
          const did = await work(trx);
          meant = isMeant(act, did);
          if (meant && die === 'before') process.kill(process.pid, 'SIGKILL');
          return did;
        });
        if (meant && die === 'after') process.kill(process.pid, 'SIGKILL');
        return done;
      }),
    );
}
