/**
 * Results that are to be sent somewhere when an orchestration has ended. Where to is written down before the run is,
 * and taken off the list in the transaction that puts the message into the outbox: however processes come and go, each
 * address gets each result, once.
 */
import type { Clock } from '../core/clock.ts';
import { asError } from '../core/errors.ts';
import type { Outbox } from '../egress/outbox.ts';
import type { EventLog } from '../runs/event-log.ts';
import { type Caller, keyOfRun, type Run, reachOf, runKey } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Database } from '../store/database.ts';
import type { Log } from '../telemetry/log.ts';
import { hasEnded, viewResult } from './orchestration-view.ts';
import type { PartialResults } from './partial-result.ts';

/** How late a result may be sent whose process died: this often all ended runs are looked for. */
const LOOK_MS = 5_000;
const PAGE = 100;

export interface Callbacks {
  start(): void;
  stop(): Promise<void>;
  /** Notes the address, before the run is admitted or while it is there. */
  note(runId: string, url: string, caller: Caller): Promise<void>;
  /** Takes an address back whose run was refused. */
  forget(runId: string, url: string, caller: Caller): Promise<void>;
  /** Sends what is noted for the run as soon as it has ended. */
  watch(run: Run): void;
}

export interface CallbackParts {
  readonly database: Database;
  readonly outbox: Pick<Outbox, 'enqueue'>;
  readonly runs: Pick<RunStore, 'load'>;
  readonly events: Pick<EventLog, 'follow'>;
  readonly partialResults: PartialResults;
  readonly clock: Clock;
  readonly log: Log;
}

export function createCallbacks(parts: CallbackParts): Callbacks {
  const { outbox, runs, events, partialResults, clock, log } = parts;
  const { db, tenant } = parts.database;
  const stopping = new AbortController();
  const underWay = new Set<Promise<void>>();
  let looking: { cancel(): void } | undefined;

  async function send(run: Run): Promise<void> {
    if (!hasEnded(run)) return;
    const result = viewResult(run, run.result === null ? await partialResults(run) : {});
    await db.transaction().execute(async (trx) => {
      const due = await trx
        .deleteFrom('run_callbacks')
        .where('tenant_id', '=', run.caller.tenantId)
        .where('run_id', '=', run.id)
        .returningAll()
        .execute();
      for (const { url, tenant_id: tenantId, user_id: userId } of due) {
        if (!mayHear(run.caller, { tenantId, userId })) continue;
        await outbox.enqueue(trx, {
          ...run.caller,
          kind: 'callback',
          subject: run.id,
          url,
          headers: { 'x-aos-message-type': 'orchestration_result' },
          body: JSON.stringify(result),
          dedupeKey: `callback ${run.id} ${url}`,
        });
      }
    });
  }

  async function followToEnd(run: Run): Promise<void> {
    for await (const _event of events.follow(keyOfRun(run), run.lastEvent, stopping.signal));
    const last = stopping.signal.aborted ? undefined : await runs.load(keyOfRun(run));
    if (last !== undefined) await send(last);
  }

  /** What other processes have left behind. */
  async function look(): Promise<void> {
    const due = await db
      .selectFrom('run_callbacks')
      .innerJoin('runs', (join) =>
        join.onRef('runs.tenant_id', '=', 'run_callbacks.tenant_id').onRef('runs.id', '=', 'run_callbacks.run_id'),
      )
      .select(['runs.tenant_id', 'runs.id'])
      .distinct()
      .where('runs.completed_at', 'is not', null)
      .limit(PAGE)
      .execute();
    for (const { tenant_id: tenantId, id } of due) {
      const run = await runs.load(runKey(tenantId, id));
      if (run !== undefined) await send(run);
    }
  }

  function track(work: Promise<void>): void {
    const tracked = work
      .catch((failure: unknown) => {
        if (!stopping.signal.aborted)
          log.warn('a result could not be put into the outbox yet', { error: asError(failure) });
      })
      .finally(() => underWay.delete(tracked));
    underWay.add(tracked);
  }

  return {
    start() {
      track(look());
      looking = clock.every(LOOK_MS, () => track(look()));
    },
    async stop() {
      looking?.cancel();
      stopping.abort();
      await Promise.all(underWay);
    },
    async note(runId, url, caller) {
      const { tenantId } = caller;
      await tenant(tenantId)
        .insertInto('run_callbacks')
        .values({ run_id: runId, url, tenant_id: tenantId, user_id: reachOf(caller) })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'run_id', 'url', 'user_id']).doNothing())
        .execute();
    },
    async forget(runId, url, caller) {
      const { tenantId } = caller;
      await tenant(tenantId)
        .deleteFrom('run_callbacks')
        .where('run_id', '=', runId)
        .where('url', '=', url)
        .where('tenant_id', '=', tenantId)
        .where('user_id', '=', reachOf(caller))
        .execute();
    },
    watch(run) {
      track(followToEnd(run));
    },
  };
}

/** The run's own caller, or the operator of its tenant. */
function mayHear(owner: Caller, listener: Caller): boolean {
  return owner.tenantId === listener.tenantId && (listener.userId === '' || owner.userId === listener.userId);
}
