/**
 * Has this process kill itself at a durable act. Acts are performed one at a time; at the one that is meant the process
 * is killed in the middle of what it was doing: `before` with the transaction still open, `after` once it is committed
 * and before anything else happens.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { ActPerformer, DurableAct } from '../../src/runs/durable-act.ts';
import type { Database } from '../../src/store/database.ts';

/** Which act is meant: the one that writes event `at` of a run, or the first whose name is not in the file `list` yet. */
export interface MortalPlan {
  readonly die: string | undefined;
  readonly at: number;
  readonly list: string | undefined;
}

/** Where an act is done again under a name of its own, that part of the name does not count. */
export function nameOfAct({ kind, runId, name }: DurableAct): string {
  const family = runId.includes('.') ? 'child ' : '';
  return `${family}${kind} ${name.replace(/:delta:.*/, ':delta').replace(/^(resumed|waiting):.*/, '$1')}`;
}

export function mortalActs({ db }: Pick<Database, 'db'>, { die, at, list }: MortalPlan): ActPerformer {
  let tail: Promise<unknown> = Promise.resolve();
  const oneAtATime = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = tail.then(work);
    tail = result.catch(() => {});
    return result;
  };
  const isMeant = (act: DurableAct, written: readonly number[]): boolean => {
    if (list === undefined) return written.includes(at);
    const name = nameOfAct(act);
    if (existsSync(list) && readFileSync(list, 'utf8').split('\n').includes(name)) return false;
    appendFileSync(list, `${name}\n`);
    return true;
  };
  return (act, work) =>
    oneAtATime(async () => {
      let meant = false;
      const done = await db.transaction().execute(async (trx) => {
        const did = await work(trx);
        meant = isMeant(act, did.written);
        if (meant && die === 'before') process.kill(process.pid, 'SIGKILL');
        return did;
      });
      if (meant && die === 'after') process.kill(process.pid, 'SIGKILL');
      return done;
    });
}
