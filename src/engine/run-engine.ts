/**
 * The engine on PostgreSQL: who executes which run, and when. The tables are the truth; notifications and timers only
 * make things happen sooner. A sweep every two seconds finds whatever they missed: runs of dead processes, waits whose
 * time has come, runs that were admitted and never begun.
 *
 * A claim gives a run to one process and raises its epoch; whatever an earlier execution still tries to store is refused
 * (`run-ledger.ts`). So any process may try to take up any run at any time.
 */
import type { Clock, Timer } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { Aftermath, Told } from '../runs/aftermath.ts';
import type { ActPerformer } from '../runs/durable-act.ts';
import type { EventLog } from '../runs/event-log.ts';
import { isTerminal, keyOfRun, type Run, type RunKey, toRunKey } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Database } from '../store/database.ts';
import { persist } from '../store/persist.ts';
import type { Log } from '../telemetry/log.ts';
import type { ChildWork, Engine, RunProgram } from './engine.ts';
import { type Departure, type Execution, startExecution } from './execution.ts';
import { createPlaces } from './places.ts';
import { executorLock, releaseTheDead } from './recovery.ts';
import { createRunLedger } from './run-ledger.ts';
import { announceTold, createWakes } from './wake.ts';

const SWEEP_MS = 2_000;
/** A queued run is left to the process that admitted it for this long. */
const ADMISSION_GRACE_MS = 5_000;
const DEFAULT_MAX_RUNS = 64;
/** Runs that are looked up beyond the free places, so that not every end of a run asks the database. */
const READ_AHEAD = 16;
const DEFAULT_STOP_GRACE_MS = 5_000;

export interface EngineParts {
  readonly database: Database;
  readonly runs: RunStore;
  readonly events: EventLog;
  readonly program: RunProgram;
  readonly clock: Clock;
  readonly log: Log;
  /** How many runs this process executes at a time; tasks, whose workers have a limit of their own, are not counted. */
  readonly maxRuns?: number;
  /** How long `stop` waits for steps in flight to be stored; they are repeated by the next process otherwise. */
  readonly stopGraceMs?: number;
  /** Stands between the engine and the database, for tests. */
  readonly perform?: ActPerformer;
}

export function createEngine(parts: EngineParts): Engine {
  const { database, runs, clock, log, maxRuns = DEFAULT_MAX_RUNS } = parts;
  const { notifications } = database;
  const executorId = newUuid();
  const ledger = createRunLedger({ ...parts, executorId });
  const places = createPlaces(maxRuns, clock);
  const executions = new Map<RunKey, Execution>();
  /** Tasks that workers of this process perform. */
  const performing = new Map<RunKey, Promise<unknown>>();
  /** Runs to be looked at again as soon as they have left their place. */
  const again = new Set<RunKey>();
  /** Runs that are due and found no place yet, the most urgent first; only as many as are soon taken. */
  let ready: RunKey[] = [];
  const stopping = new AbortController();
  const timers: Timer[] = [];
  const unlisten: (() => void)[] = [];
  let sweeping: Promise<void> = Promise.resolve();
  let filling = false;
  let unlock: (() => Promise<void>) | undefined;

  const complain = (what: string) => (failure: unknown) => {
    if (!stopping.signal.aborted) log.error(what, { error: asError(failure) });
  };
  const wakes = createWakes(clock, () => {
    places.expectMore();
    fill();
  });

  const executionParts = { ...parts, ledger, load: runs.load, startChild };

  /** Executes the run in a place that is taken for it. @returns how it left; undefined when it is not to be executed here */
  async function execute(run: RunKey, tasksToo: boolean): Promise<Departure | undefined> {
    const claim = () => ledger.claim(run, tasksToo);
    const claimed = await persist(claim, { clock, log, signal: stopping.signal });
    if (claimed === undefined || stopping.signal.aborted) return undefined;
    const execution = startExecution(executionParts, claimed);
    executions.set(run, execution);
    const departure = await execution.departure;
    executions.delete(run);
    if (departure.how === 'waiting') wakes.expect(departure.wakeAt);
    if (departure.how === 'ended') await settle(departure.ended);
    return departure;
  }

  /** What follows from the end of a run: its family and its session hear of it. */
  async function settle({ run, nextRun, parent }: Aftermath & { readonly run: Run }): Promise<void> {
    if (parent !== undefined) hear(parent);
    if (nextRun !== null) offer(nextRun);
    if (run.status === 'completed') return;
    await cancelChildren(run, run.cancelReason ?? 'The run that started this one has ended.').catch(
      complain('the runs that a run has started could not be cancelled'),
    );
  }

  /** Takes the run up if there is room here. */
  function offer(run: RunKey): void {
    if (stopping.signal.aborted) return;
    // It may be just about to leave its place: what it was offered for must not be lost.
    if (places.has(run)) again.add(run);
    else if (places.free === 0) places.expectMore();
    else take(run);
  }

  function take(run: RunKey): void {
    places.take(run);
    execute(run, false)
      .catch(complain('a run could not be taken up'))
      .finally(() => {
        places.give(run);
        if (again.delete(run)) offer(run);
        fill();
      });
  }

  /** Fills free places from the queue in the database, if anything may be there. */
  function fill(): void {
    takeReady();
    if (filling || stopping.signal.aborted || !places.expectsMore || places.free === 0) return;
    filling = true;
    takeDue(clock.now())
      .catch(complain('the runs that are due could not be looked up'))
      .finally(() => {
        filling = false;
      });
  }

  function takeReady(): void {
    while (places.free > 0) {
      const run = ready.shift();
      if (run === undefined) return;
      if (!places.has(run)) take(run);
    }
  }

  async function takeDue(queuedBefore: number): Promise<void> {
    // Those that have a place here and are not claimed yet are due as well.
    const limit = maxRuns + READ_AHEAD;
    const due = await ledger.due(queuedBefore, limit);
    for (const { run, kind } of due) if (kind === 'task') notifications.announce('aos_tasks', run, run);
    const own = due.filter(({ run, kind }) => kind !== 'task' && !places.has(run)).map(({ run }) => run);
    ready = own.slice(0, places.free + READ_AHEAD);
    takeReady();
    const left = own.filter((run) => !places.has(run));
    places.settle(left, due.length < limit);
    wakes.expect(await ledger.nextWake());
  }

  async function sweep(queuedBefore: number): Promise<void> {
    await releaseTheDead({ ledger, locks: database.locks, log, executorId });
    if (places.free === 0) return places.expectMore();
    await takeDue(places.expectsMore ? clock.now() : queuedBefore);
  }

  function hear(told: Told): void {
    const isTask = told.kind === 'task';
    if (told.executor === executorId) executions.get(told.run)?.news();
    else if (told.woken && !isTask && places.free > 0) offer(told.run);
    else {
      if (told.woken && !isTask) places.expectMore();
      announceTold(notifications, told);
    }
  }

  async function heardCancel(run: RunKey): Promise<void> {
    const now = await runs.load(run);
    if (now === undefined || now.cancelReason === null || isTerminal(now.status)) return;
    executions.get(run)?.cancel(now.cancelReason);
  }

  async function cancelChildren(run: Run, reason: string): Promise<void> {
    for (const child of await ledger.children(keyOfRun(run))) await cancel(child.id, reason, child.caller);
  }

  const cancel: Engine['cancel'] = async (runId, reason, caller) => {
    const asked = await runs.requestCancel(runId, reason, caller);
    if (asked === undefined) return undefined;
    const { run } = asked;
    const key = keyOfRun(run);
    if (asked.ended) {
      if (run.kind === 'task') notifications.announce('aos_tasks', key, key);
      await settle(asked);
    } else if (run.cancelReason !== null && !isTerminal(run.status)) {
      // In this process without the way through the database; every other one is notified.
      executions.get(key)?.cancel(run.cancelReason);
      await cancelChildren(run, run.cancelReason);
    }
    return run;
  };

  async function startChild(parent: Run, id: string, work: ChildWork): Promise<Run> {
    const { kind = parent.kind, sessionId = parent.sessionId, request, priority = parent.priority, definition } = work;
    const { caller, simulated, simulation, callId, traceparent } = parent;
    const deadlines = [work.deadlineAt, parent.deadlineAt].filter((at) => typeof at === 'string').toSorted();
    const { run } = await runs.admit({
      id,
      kind,
      sessionId,
      caller,
      request,
      simulated,
      simulation,
      callId,
      traceparent: traceparent ?? undefined,
      deadlineAt: deadlines[0],
      parentId: parent.id,
      definition,
      priority,
      actor: `run:${parent.id}`,
    });
    if (!isTerminal(run.status)) await begin(keyOfRun(run));
    return run;
  }

  async function begin(run: RunKey): Promise<void> {
    // An admitted run is not lost by this: it is begun at the next start.
    if (stopping.signal.aborted) throw shuttingDown();
    if (places.has(run)) return;
    if (places.free > 0 && !places.expectsMore) {
      take(run);
      return;
    }
    // Others wait already: the database says whose turn it is.
    places.queue(run);
    fill();
  }

  function recheck(): void {
    for (const execution of executions.values()) {
      execution.news();
      heardCancel(execution.run).catch(complain('a cancellation could not be looked up'));
    }
    places.expectMore();
    fill();
  }

  return {
    begin,
    cancel,
    backlog: places.backlog,

    async start() {
      unlock = await database.locks.tryHold(executorLock(executorId));
      if (unlock === undefined) throw new Error('the database connection broke while the engine was starting');
      const heard: Record<string, (payload: string) => void> = {
        aos_cancels: (payload) =>
          void heardCancel(toRunKey(payload)).catch(complain('a cancellation could not be looked up')),
        aos_signals: (payload) => executions.get(toRunKey(payload))?.news(),
        aos_wakes: (payload) => {
          if (payload !== '') return offer(toRunKey(payload));
          places.expectMore();
          fill();
        },
      };
      for (const [channel, hearing] of Object.entries(heard)) {
        const missed = channel === 'aos_wakes' ? recheck : () => {};
        unlisten.push(await notifications.listen(channel, { heard: hearing, missed }));
      }
      await sweep(clock.now());
      timers.push(
        clock.every(SWEEP_MS, () => {
          sweeping = sweeping
            .then(() => sweep(clock.now() - ADMISSION_GRACE_MS))
            .catch(complain('runs that nobody executes could not be looked up'));
        }),
      );
    },

    async stop() {
      stopping.abort();
      for (const timer of timers) timer.cancel();
      wakes.stop();
      for (const stopHearing of unlisten) stopHearing();
      await sweeping;
      const grace = new AbortController();
      const settled = Promise.all([...executions.values()].map((execution) => execution.stop()));
      await Promise.race([
        settled.finally(() => grace.abort()),
        clock.sleep(parts.stopGraceMs ?? DEFAULT_STOP_GRACE_MS, grace.signal).catch(() => {}),
      ]);
      for (const execution of executions.values()) execution.abandon();
      // Others need not wait until they notice that we are gone.
      const freed = await ledger.release(executorId).catch(() => 0);
      if (freed > 0) notifications.announce('aos_wakes', '', '');
      await unlock?.();
    },

    async signal(run, signal, within) {
      const told = await ledger.signal(run, signal, within);
      if (told === undefined) return false;
      if (within === undefined) hear(told);
      else await announceTold(within, told);
      return true;
    },

    async perform(run) {
      if (stopping.signal.aborted) throw shuttingDown();
      // A process may claim again what it has (the answer may have been lost), so it does so for one at a time.
      for (let before = performing.get(run); before !== undefined; before = performing.get(run)) await before;
      const executing = execute(run, true);
      const over = executing.then(
        () => performing.delete(run),
        () => performing.delete(run),
      );
      performing.set(run, over);
      await executing;
      const performed = await runs.load(run);
      if (performed === undefined) throw new AosError('not_found', `There is no run "${run}".`);
      return performed;
    },
  };
}

function shuttingDown(): AosError {
  return new AosError('shutting_down', 'The server is stopping; the run goes on when it is back.');
}
