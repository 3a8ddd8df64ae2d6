/**
 * What the engine writes of the runs it executes, each act one statement of the database. Acts of an execution carry its
 * hold on the run; when another process (or a later execution) has the run now, they change nothing and throw RunLost.
 */
import { sql } from 'kysely';
import { type Clock, isoTime } from '../core/clock.ts';
import { newUuid } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { type Aftermath, type AftermathRow, type Told, toAftermath } from '../runs/aftermath.ts';
import { type ActPerformer, type DurableAct, performDirectly } from '../runs/durable-act.ts';
import type { KeyedEvent } from '../runs/event.ts';
import { encodeEvents, traceIdOf } from '../runs/event-encoding.ts';
import type { EventLog } from '../runs/event-log.ts';
import {
  isTerminal,
  partsOfKey,
  type Run,
  type RunFailure,
  type RunKey,
  type RunKind,
  type RunStatus,
  runKey,
} from '../runs/run.ts';
import { type RunRow, toRun } from '../runs/run-record.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { NewSignal, StepEffect, Wait } from './engine.ts';
import type { StepOutcome } from './step.ts';

/** Thrown through an execution when another one has the run now. */
export class RunLost extends Error {
  override readonly name = 'RunLost';
}

/** A run as one execution has it. */
export interface Hold {
  readonly run: RunKey;
  readonly epoch: number;
  readonly traceId: string | undefined;
}

export interface Claimed {
  readonly run: Run;
  readonly hold: Hold;
  /** How often it was taken up since it last waited or made a checkpoint. */
  readonly executions: number;
  readonly steps: ReadonlyMap<string, StepOutcome>;
  readonly checkpoint: JsonObject | undefined;
}

export interface StoredStep {
  readonly name: string;
  readonly outcome: StepOutcome;
  readonly effect: StepEffect;
  /** ISO-8601 UTC. */
  readonly startedAt: string;
  readonly events: readonly KeyedEvent[];
  /** What was set aside under this name is settled with it; `used` is null when all of it is given back. */
  readonly settled?: { readonly name: string; readonly used: Readonly<Record<string, number>> | null } | undefined;
}

/** What became of the waits of an execution. */
export type WaitVerdict =
  | { readonly state: 'open' | 'cancelled' }
  | { readonly state: 'ended'; readonly ended: readonly { readonly name: string; readonly outcome: StepOutcome }[] }
  /** `wakeAt`: epoch milliseconds; undefined when no time ends it. */
  | { readonly state: 'parked'; readonly wakeAt: number | undefined };

export interface Ending {
  readonly status: Extract<RunStatus, 'completed' | 'failed' | 'cancelled' | 'timed_out'>;
  readonly event: KeyedEvent;
  readonly result?: JsonObject;
  readonly error?: RunFailure;
}

/** A run that has ended, or that had ended before (`moved` is false). */
export interface Ended extends Aftermath {
  readonly run: Run;
  readonly moved: boolean;
}

export interface DueRun {
  readonly run: RunKey;
  readonly kind: RunKind;
}

export interface RunLedger {
  /** Takes the run for this process. @returns undefined when it is not to be executed (now) */
  claim(key: RunKey, tasksToo: boolean): Promise<Claimed | undefined>;
  storeStep(hold: Hold, step: StoredStep): Promise<void>;
  append(hold: Hold, event: KeyedEvent): Promise<void>;
  /** @param park whether to let the run go when none of them is over */
  wait(hold: Hold, waits: readonly Wait[], park: boolean): Promise<WaitVerdict>;
  poll(hold: Hold, step: string, signalName: string): Promise<StepOutcome>;
  checkpoint(hold: Hold, state: JsonObject): Promise<void>;
  end(hold: Hold, ending: Ending): Promise<Ended>;
  /** @returns undefined when the run has ended or there is none */
  signal(key: RunKey, signal: NewSignal, within?: StoreScope): Promise<Told | undefined>;
  /** The processes that have runs. */
  executors(): Promise<readonly string[]>;
  /** Takes everything from a process. @returns how many runs */
  release(executor: string): Promise<number>;
  /** Runs that somebody should execute now, the most urgent first; of the queued ones those admitted by `queuedBefore`. */
  due(queuedBefore: number, limit: number): Promise<readonly DueRun[]>;
  /** When the next wait ends by itself, epoch milliseconds. */
  nextWake(): Promise<number | undefined>;
  /** The runs a run has started that have not ended. */
  children(of: RunKey): Promise<readonly Run[]>;
}

export interface LedgerParts {
  readonly database: Database;
  readonly events: Pick<EventLog, 'announce'>;
  readonly clock: Clock;
  readonly executorId: string;
  readonly perform?: ActPerformer;
}

export function createRunLedger(parts: LedgerParts): RunLedger {
  const { database, events, clock, executorId } = parts;
  const { db } = database;
  const perform = parts.perform ?? performDirectly(database);
  const now = () => isoTime(clock.now());

  /** Performs an act that may write events, and tells the followers. */
  async function act<Row extends object>(
    about: DurableAct,
    work: (within: StoreScope) => Promise<{ rows: Row[] }>,
  ): Promise<Row | undefined> {
    const { value, written } = await perform(about, async (within) => {
      const [row] = (await work(within)).rows;
      const seqs = row !== undefined && 'seqs' in row && Array.isArray(row.seqs) ? row.seqs : [];
      return { value: row, written: seqs.filter((seq) => seq > 0) };
    });
    const newest = written.at(-1);
    if (newest !== undefined) events.announce(about.run, newest);
    return value;
  }

  function encoded({ run, traceId }: Hold, list: readonly KeyedEvent[], at: string): string | null {
    return list.length === 0 ? null : encodeEvents(partsOfKey(run).runId, list, at, traceId);
  }

  /** Which run, for the functions of the database. */
  const named = (run: RunKey) => {
    const { tenantId, runId } = partsOfKey(run);
    return sql`${tenantId}, ${runId}`;
  };

  return {
    async claim(key, tasksToo) {
      const at = now();
      const { runId } = partsOfKey(key);
      // Written only when the run was waiting; what it waited for is known by the event before.
      const resumed: KeyedEvent = { key: `resumed:${newUuid()}`, type: 'run.resumed', data: {} };
      const row = await act({ kind: 'claim', run: key, name: '' }, (within) =>
        sql<RunRow & { steps: { name: string; outcome: StepOutcome }[] | null }>`
          select (claimed.run).*, claimed.steps from aos.claim_run(
            ${named(key)}, ${executorId}, ${at}, ${tasksToo}, ${encodeEvents(runId, [resumed], at)}) claimed`.execute(
          within,
        ),
      );
      if (row === undefined) return undefined;
      const run = toRun(row);
      const steps = new Map(row.steps?.map(({ name, outcome }) => [name, outcome]));
      const hold = { run: key, epoch: row.epoch, traceId: traceIdOf(run.traceparent) };
      return { run, hold, steps, executions: row.executions, checkpoint: row.checkpoint ?? undefined };
    },

    async storeStep(hold, { name, outcome, effect, startedAt, settled, events: told }) {
      const at = now();
      const stored = sql`aos.store_step(${named(hold.run)}, ${executorId}, ${hold.epoch}, ${at}, ${name},
        ${JSON.stringify(outcome)}, ${effect}, ${startedAt}, ${encoded(hold, told, at)})`;
      const used = settled?.used == null ? null : JSON.stringify(settled.used);
      const whole =
        settled === undefined
          ? sql`select * from ${stored}`
          : sql`select s.lost, s.seqs, case when not s.lost then
              aos.settle_budget(${named(hold.run)}, ${settled.name}, ${used}, ${at}) is null end as settled from ${stored} s`;
      const row = await act({ kind: 'step', run: hold.run, name }, (within) =>
        sql<{ lost: boolean; seqs: number[] }>`${whole}`.execute(within),
      );
      if (row === undefined || row.lost) throw new RunLost();
    },

    async append(hold, event) {
      const at = now();
      const row = await act({ kind: 'append', run: hold.run, name: event.key }, (within) =>
        sql<{ lost: boolean; seqs: number[] }>`
          select * from aos.append_events(
            ${named(hold.run)}, ${executorId}, ${hold.epoch}, ${at}, ${encoded(hold, [event], at)})`.execute(within),
      );
      if (row === undefined || row.lost) throw new RunLost();
    },

    async wait(hold, waits, park) {
      const at = now();
      const reason = waits[0]?.reason ?? 'input';
      const told = waits.map(({ name, reason, until, detail }) => ({
        name,
        reason,
        ...(until !== undefined && { until }),
        ...(detail !== undefined && { detail }),
      }));
      const waiting: KeyedEvent = { key: `waiting:${hold.epoch}`, type: 'run.waiting', data: { reason, waits: told } };
      const asked = waits.map(({ name, signal = name, until = null }) => ({ name, signal, until }));
      const untils = waits.flatMap(({ until }) => (until === undefined ? [] : [Date.parse(until)]));
      const wake = untils.length === 0 ? null : isoTime(Math.min(...untils));
      const row = await act({ kind: 'wait', run: hold.run, name: waits[0]?.name ?? '' }, (within) =>
        sql<WaitRow>`
          select * from aos.wait_run(${named(hold.run)}, ${executorId}, ${hold.epoch}, ${at}, ${JSON.stringify(asked)},
            ${park}, ${reason}, ${wake}, ${encoded(hold, [waiting], at)})`.execute(within),
      );
      if (row === undefined || row.state === 'lost') throw new RunLost();
      const { state, ended } = row;
      if (state === 'ended') return { state, ended: ended ?? [] };
      return state === 'parked' ? { state, wakeAt: row.wake?.getTime() } : { state };
    },

    async poll(hold, step, signalName) {
      const row = await act({ kind: 'poll', run: hold.run, name: step }, (within) =>
        sql<{ lost: boolean; outcome: StepOutcome }>`
          select * from aos.poll_signals(
            ${named(hold.run)}, ${executorId}, ${hold.epoch}, ${now()}, ${step}, ${signalName})`.execute(within),
      );
      if (row === undefined || row.lost) throw new RunLost();
      return row.outcome;
    },

    async checkpoint(hold, state) {
      const row = await act({ kind: 'checkpoint', run: hold.run, name: '' }, (within) =>
        sql<{ kept: boolean }>`
          select aos.checkpoint_run(${named(hold.run)}, ${executorId}, ${hold.epoch}, ${JSON.stringify(state)}) kept`.execute(
          within,
        ),
      );
      if (row?.kept !== true) throw new RunLost();
    },

    async end({ run: key, epoch, traceId }, { status, event, result, error }) {
      const at = now();
      const row = await act({ kind: 'move', run: key, name: status }, (within) =>
        sql<RunRow & AftermathRow & { state: 'moved' | 'stayed' | 'lost'; seqs: number[] }>`
          select (moved.run).*, moved.state, moved.seqs, moved.next_run, moved.parent_woken, moved.parent_executor,
            moved.parent_kind from aos.move_run(${named(key)}, ${executorId}, ${epoch}, ${['running']}, ${status},
            ${isTerminal(status)}, ${at}, null, ${result === undefined ? null : JSON.stringify(result)},
            ${error === undefined ? null : JSON.stringify(error)},
            ${encodeEvents(partsOfKey(key).runId, [event], at, traceId)}) moved`.execute(within),
      );
      if (row === undefined || row.state === 'lost') throw new RunLost();
      const run = toRun(row);
      return { run, moved: row.state === 'moved', ...toAftermath(run, row) };
    },

    async signal(run, { id = newUuid(), name, payload, actor }, given) {
      const give = (within: StoreScope) =>
        sql<{ accepted: boolean; woken: boolean; executor: string | null; kind: RunKind }>`
          select * from aos.signal_run(${named(run)}, ${id}, ${name}, ${JSON.stringify(payload)}, ${actor}, ${now()})`.execute(
          within,
        );
      const row = given === undefined ? await act({ kind: 'signal', run, name }, give) : (await give(given)).rows[0];
      if (row?.accepted !== true) return undefined;
      return { run, woken: row.woken, executor: row.executor, kind: row.kind };
    },

    async executors() {
      const rows = await db
        .selectFrom('runs')
        .select('executor')
        .distinct()
        .where('status', '=', 'running')
        .where('executor', 'is not', null)
        .execute();
      return rows.flatMap(({ executor }) => executor ?? []);
    },

    async release(executor) {
      const { numUpdatedRows } = await db
        .updateTable('runs')
        .set({ executor: null })
        .where('status', '=', 'running')
        .where('executor', '=', executor)
        .executeTakeFirst();
      return Number(numUpdatedRows);
    },

    async due(queuedBefore, limit) {
      const { rows } = await sql<{ tenant_id: string; id: string; kind: RunKind }>`
        select tenant_id, id, kind from aos.due_runs(${now()}, ${isoTime(queuedBefore)}, ${limit})`.execute(db);
      return rows.map(({ tenant_id, id, kind }) => ({ run: runKey(tenant_id, id), kind }));
    },

    async nextWake() {
      const row = await db
        .selectFrom('runs')
        .select(({ fn }) => fn.min('wake_at').as('at'))
        .where('status', '=', 'waiting')
        .executeTakeFirst();
      return row?.at?.getTime();
    },

    async children(of) {
      const { tenantId, runId } = partsOfKey(of);
      const rows = await db
        .selectFrom('runs')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .where('parent_id', '=', runId)
        .where('completed_at', 'is', null)
        .execute();
      return rows.map(toRun);
    },
  };
}

interface WaitRow {
  state: 'open' | 'cancelled' | 'ended' | 'parked' | 'lost';
  ended: { name: string; outcome: StepOutcome }[] | null;
  wake: Date | null;
  seqs: number[];
}
