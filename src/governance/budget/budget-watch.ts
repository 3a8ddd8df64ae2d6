/**
 * Looks after budgets: wakes the runs that wait for room as soon as there is some, whoever made it (a top-up, a higher
 * limit, what others gave back, a budget that was removed), and gives back what was set aside for what never came about.
 * Several processes may; everything here is harmless when it is done twice.
 */

import { sql } from 'kysely';
import { type Clock, isoTime } from '../../core/clock.ts';
import { asError } from '../../core/errors.ts';
import { createRounds } from '../../core/rounds.ts';
import type { Engine } from '../../engine/engine.ts';
import { runKey } from '../../runs/run.ts';
import type { Database } from '../../store/database.ts';
import type { Log } from '../../telemetry/log.ts';
import { BUDGET_CHANNEL, type BudgetBook } from './budget-book.ts';

/** How late a run is woken at the latest when nobody said that there is room. */
const LOOK_MS = 5_000;
/** What was set aside for a run that is not admitted after so long belongs to nobody. */
const ADMISSION_MS = 10 * 60_000;

export interface BudgetWatch {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** One round, as `start` makes them. */
  look(): Promise<void>;
}

export interface BudgetWatchParts {
  readonly database: Database;
  readonly book: Pick<BudgetBook, 'isEmpty'>;
  readonly signal: Engine['signal'];
  readonly clock: Clock;
  readonly log: Log;
}

export function createBudgetWatch({ database, book, signal, clock, log }: BudgetWatchParts): BudgetWatch {
  const { db, notifications } = database;
  let stopListening: (() => void) | undefined;
  /** Whether runs may wait for budgets that are gone by now. */
  let hadBudgets = true;
  const rounds = createRounds({
    clock,
    work: async () => {
      await round();
      return undefined;
    },
    longestMs: LOOK_MS,
    failed: (thrown) => log.warn('budgets could not be looked after', { reason: asError(thrown).message }),
  });

  async function round(): Promise<void> {
    const isEmpty = book.isEmpty;
    if (isEmpty && !hadBudgets) return;
    hadBudgets = !isEmpty;
    await wakeWaiting();
    await giveBackLeft();
  }

  /** Who came first to an account is first; as many as there is room for. */
  async function wakeWaiting(): Promise<void> {
    const { rows } = await sql<{ tenant_id: string; run_id: string; signal: string }>`
      select line.tenant_id, line.run_id, line.signal from (
        select w.tenant_id, w.run_id, w.signal, b.cap + c.raised - c.committed - c.reserved - c.overdrawn as room,
            sum(w.amount) over (partition by w.tenant_id, w.budget_id, w.account order by w.since, w.run_id, w.signal)
              as needed
          from aos.budget_waits w
          left join aos.budgets b on b.tenant_id = w.tenant_id and b.id = w.budget_id
          left join aos.budget_accounts c
            on c.tenant_id = w.tenant_id and c.budget_id = w.budget_id and c.account = w.account
      ) line where line.room is null or line.needed <= line.room`.execute(db);
    for (const { tenant_id: tenantId, run_id: runId, signal: name } of rows) {
      const id = `room/${name}`;
      await signal(runKey(tenantId, runId), { id, name, payload: { told: 'needless' }, actor: 'system' });
      await db
        .deleteFrom('budget_waits')
        .where('tenant_id', '=', tenantId)
        .where('run_id', '=', runId)
        .where('signal', '=', name)
        .execute();
    }
    await sql`
      delete from aos.budget_waits w using aos.runs r
       where r.tenant_id = w.tenant_id and r.id = w.run_id and r.completed_at is not null`.execute(db);
  }

  async function giveBackLeft(): Promise<void> {
    const now = clock.now();
    await sql`
      select aos.settle_budget(left_over.tenant_id, left_over.run_id, left_over.step, null, ${isoTime(now)}) from (
        select distinct v.tenant_id, v.run_id, v.step from aos.budget_reservations v
          left join aos.runs r on r.tenant_id = v.tenant_id and r.id = v.run_id
         where r.completed_at is not null or (r.id is null and v.at < ${isoTime(now - ADMISSION_MS)})
         limit 100) left_over`.execute(db);
  }

  return {
    async start() {
      const look = () => rounds.due();
      stopListening = await notifications.listen(BUDGET_CHANNEL, {
        heard: () => {
          hadBudgets = true;
          look();
        },
        missed: look,
      });
      rounds.start();
    },
    async stop() {
      stopListening?.();
      await rounds.stop();
    },
    look: round,
  };
}
