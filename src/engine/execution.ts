/**
 * One execution of a run in this process: from its take-up until it has ended, waits, or is somebody else's. Gives the
 * program its scope and writes the run's end.
 *
 * An execution that must not go on (the run is put away, the process stops, another process has the run) is left
 * hanging: the promises of its scope never settle, so that nothing is stored as an outcome. Whoever takes the run up
 * next starts from the stored steps.
 */
import { type Clock, isoTime, type Timer } from '../core/clock.ts';
import { AosError, asError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { KeyedEvent } from '../runs/event.ts';
import { globalKey, isTerminal, type Run, type RunKey } from '../runs/run.ts';
import { persist } from '../store/persist.ts';
import type { Log } from '../telemetry/log.ts';
import { childStep } from './child-run.ts';
import { endingOf, failedEnding, interruptedEnding } from './ending.ts';
import type { ChildWork, RunProgram, RunScope, Signal, StepContext, StepOptions, Wait } from './engine.ts';
import { createHistory, type HistoryParts } from './history.ts';
import { type Claimed, type Ended, type Ending, type RunLedger, RunLost } from './run-ledger.ts';
import { attemptStep, callerError, type StepOutcome, unwrap } from './step.ts';
import { createWaitingRoom } from './waiting-room.ts';

/** A run that keeps taking its process down is given up after this many tries. */
const MAX_EXECUTIONS = 100;
/** Longest delay a timer takes (2^31 - 1 ms); longer ones fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

export interface ExecutionParts {
  readonly ledger: RunLedger;
  readonly program: RunProgram;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: HistoryParts['events'];
  /** Starts a run, once, and returns it as it is then. */
  readonly startChild: (parent: Run, id: string, work: ChildWork) => Promise<Run>;
  readonly load: (run: RunKey) => Promise<Run | undefined>;
}

/** How an execution left the process. */
export type Departure =
  | { readonly how: 'ended'; readonly ended: Ended }
  /** `wakeAt`: epoch milliseconds. */
  | { readonly how: 'waiting'; readonly wakeAt: number | undefined }
  | { readonly how: 'lost' | 'stopped' };

export interface Execution {
  readonly run: RunKey;
  /** Never rejects. */
  readonly departure: Promise<Departure>;
  /** Aborts the run's signal. */
  cancel(reason: string): void;
  /** A signal may have come. */
  news(): void;
  /** Begins no further step. @returns when those in flight are stored */
  stop(): Promise<void>;
  /** Lets go of what is still in flight; nothing of it is stored. */
  abandon(): void;
}

export function startExecution(parts: ExecutionParts, claimed: Claimed): Execution {
  const { ledger, clock, log } = parts;
  const { run, hold, executions } = claimed;
  const runId = run.id;
  /** Which run it is, for the log. */
  const named = { tenant_id: run.caller.tenantId, run_id: runId };
  const steps = new Map(claimed.steps);
  const abort = new AbortController();
  const { signal } = abort;
  const stopping = new AbortController();
  const left = Promise.withResolvers<Departure>();
  /** Calls of the scope that are under way, waits not counted. */
  const underWay = new Set<Promise<unknown>>();
  const stepNames = new Set<string>();
  let gone = false;

  function leave(departure: Departure): void {
    gone = true;
    left.resolve(departure);
  }

  /** A write that is repeated until it happened; once the process stops, a failed one is the next process's to do. */
  async function surely<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await persist(write, { clock, log, signal: stopping.signal });
    } catch (failure) {
      if (stopping.signal.aborted) return hang();
      if (!(failure instanceof RunLost)) throw failure;
      leave({ how: 'lost' });
      return hang();
    }
  }

  /** Has the call counted as under way; a run that is gone never comes back from one. */
  async function under<T>(work: () => Promise<T>): Promise<T> {
    if (gone) return hang();
    const working = work();
    underWay.add(working);
    try {
      const value = await working;
      return gone ? hang<T>() : value;
    } finally {
      underWay.delete(working);
      room.consider();
    }
  }

  const room = createWaitingRoom({
    clock,
    log,
    steps,
    isBusy: () => underWay.size > 0,
    isOver: () => gone || signal.aborted || stopping.signal.aborted,
    look: (waits, park) => surely(() => ledger.wait(hold, waits, park)),
    onParked: (wakeAt) => leave({ how: 'waiting', wakeAt }),
    onCancelled: () => void heardCancel(),
  });
  signal.addEventListener('abort', () => {
    if (!gone && !stopping.signal.aborted) room.turnOut(signal.reason);
  });

  /** Somebody wants the run to end, and the word of it has not come here yet. */
  async function heardCancel(): Promise<void> {
    const now = await surely(() => parts.load(hold.run));
    if (now?.cancelReason != null) abort.abort(cancelled(now.cancelReason));
  }

  const history = createHistory({ events: parts.events, run: hold.run, isFresh: hold.epoch === 1 });

  async function store(name: string, outcome: StepOutcome, write: () => Promise<unknown>): Promise<JsonValue> {
    await surely(write);
    steps.set(name, outcome);
    return unwrap(outcome);
  }

  async function step<T extends JsonValue>(
    name: string,
    body: (step: StepContext) => Promise<T>,
    options: StepOptions<T> = {},
  ): Promise<T> {
    const stored = steps.get(name);
    if (gone || stopping.signal.aborted) return hang();
    // What was stored under this name is what a body of this type gave.
    if (stored !== undefined) return unwrap(stored) as T;
    signal.throwIfAborted();
    reserve(name);
    return under(async () => {
      const startedAt = isoTime(clock.now());
      const outcome = await attemptStep(body, {
        key: globalKey(run.caller.tenantId, `${runId}/${name}`),
        retry: options.retry,
        signal,
        clock,
        log,
        fields: { ...named, step: name },
      });
      if (stopping.signal.aborted && signal.aborted) return hang<T>();
      // The run is to end: that its steps ended with it is no outcome of theirs.
      if (signal.aborted && 'error' in outcome) throw signal.reason;
      const told = 'value' in outcome ? [options.event?.(outcome.value as T) ?? []].flat() : [];
      for (const { key } of told) history.note(key);
      const { effect = 'read', settle } = options;
      const settled = settle && {
        name: settle.of ?? name,
        used: 'value' in outcome ? settle.used(outcome.value as T) : null,
      };
      return (await store(name, outcome, () =>
        ledger.storeStep(hold, { name, outcome, effect, startedAt, settled, events: told as readonly KeyedEvent[] }),
      )) as T;
    });
  }

  /** A name stands for one step: two under way at once under one name would be one stored and one lost. */
  function reserve(name: string): void {
    if (stepNames.has(name)) throw new Error(`run ${runId} has two steps of the name "${name}"`);
    stepNames.add(name);
  }

  async function wait(asked: Wait): Promise<Signal | undefined> {
    if (gone || stopping.signal.aborted) return hang();
    const stored = steps.get(asked.name);
    if (stored === undefined) {
      signal.throwIfAborted();
      reserve(asked.name);
      await room.wait(asked);
    }
    if (gone) return hang();
    return (unwrap(steps.get(asked.name) ?? { value: null }) ?? undefined) as Signal | undefined;
  }

  const scope: RunScope = {
    run,
    signal,
    checkpointed: claimed.checkpoint,
    step,
    wait,
    emit: (key, event) =>
      under(async () => {
        history.note(key);
        await surely(() => ledger.append(hold, { ...event, key }));
      }),
    history: (filter) => under(() => surely(() => history.read(filter))),
    async aside(work) {
      if (stopping.signal.aborted) return hang();
      signal.throwIfAborted();
      return under(work);
    },
    recorded(name) {
      const outcome = steps.get(name);
      return outcome !== undefined && 'value' in outcome ? outcome.value : undefined;
    },
    isSettled: (name) => steps.has(name),
    async sleepUntil(name, at) {
      await wait({ name, reason: 'timer', until: at });
    },
    async poll(name, signalName) {
      const stored = steps.get(name);
      if (gone || stopping.signal.aborted) return hang();
      if (stored !== undefined) return unwrap(stored) as Signal[];
      signal.throwIfAborted();
      reserve(name);
      return under(async () => {
        const outcome = await surely(() => ledger.poll(hold, name, signalName));
        steps.set(name, outcome);
        return unwrap(outcome) as Signal[];
      });
    },
    child: (name, work) =>
      childStep(
        { run, step, wait, start: parts.startChild, load: (key) => under(() => surely(() => parts.load(key))) },
        name,
        work,
      ),
    checkpoint(state) {
      if (gone || stopping.signal.aborted) return hang();
      if (underWay.size > 0 || room.occupied)
        throw new Error(`run ${runId} makes a checkpoint while something is under way`);
      signal.throwIfAborted();
      return under(async () => {
        await surely(() => ledger.checkpoint(hold, state));
        steps.clear();
        stepNames.clear();
      });
    },
  };

  async function perform(): Promise<Ending> {
    if (executions > MAX_EXECUTIONS) {
      const message = `The run was given up after ${MAX_EXECUTIONS} interrupted executions.`;
      return failedEnding(new AosError('internal_error', message));
    }
    try {
      if (!signal.aborted) {
        const result = await parts.program(scope);
        if (!signal.aborted) return endingOf(result);
      }
    } catch (thrown) {
      if (stopping.signal.aborted || gone) return hang();
      if (!signal.aborted) return failedEnding(callerError(thrown, log, named));
    }
    return stopping.signal.aborted ? hang() : interruptedEnding(signal.reason);
  }

  async function execute(): Promise<void> {
    const ending = await perform();
    const write = (last: Ending) => surely(() => ledger.end(hold, last));
    const ended = await write(ending).catch((failure: unknown) => {
      const { code } = callerError(failure, log, named);
      return write(failedEnding(new AosError(code, 'The outcome of the run could not be stored.')));
    });
    if (!ended.moved && !isTerminal(ended.run.status)) {
      log.error('a run could not be ended', { ...named, status: ended.run.status });
    }
    leave({ how: 'ended', ended });
  }

  const deadline = armDeadline(run, clock, abort);
  if (run.cancelReason !== null) abort.abort(cancelled(run.cancelReason));
  execute().catch((failure: unknown) => {
    log.error('an execution broke off', { ...named, error: asError(failure) });
    leave({ how: 'lost' });
  });
  const departure = left.promise.finally(() => {
    deadline?.cancel();
    room.close();
    // Bodies that are left behind let go of what they hold.
    abort.abort(new AosError('cancelled', 'The run is not executed here any more.'));
  });

  return {
    run: hold.run,
    departure,
    cancel: (reason) => abort.abort(cancelled(reason)),
    news: () => room.news(),
    async stop() {
      stopping.abort();
      await Promise.allSettled(underWay);
    },
    abandon() {
      abort.abort(new AosError('shutting_down', 'The process is stopping.'));
      leave({ how: 'stopped' });
    },
  };
}

function hang<T>(): Promise<T> {
  return new Promise(() => {});
}

function cancelled(reason: string): AosError {
  return new AosError('cancelled', reason);
}

function armDeadline(run: Run, clock: Clock, abort: AbortController): Timer | undefined {
  if (run.deadlineAt === null) return undefined;
  const at = Date.parse(run.deadlineAt);
  let timer: Timer | undefined;
  const arm = () => {
    const left = at - clock.now();
    if (left <= 0) abort.abort(new AosError('timed_out', `The run did not end before its deadline ${run.deadlineAt}.`));
    else timer = clock.after(Math.min(left, MAX_TIMER_MS), arm);
  };
  arm();
  return { cancel: () => timer?.cancel() };
}
