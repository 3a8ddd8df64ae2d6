/**
 * One process's executions of runs: takes a run up, gives the program its scope, and writes the run's end. Knows
 * nothing of the workflow library; that lends it `DurableSteps`.
 *
 * An execution that must not go on without the run having ended (the process stops, another process owns the run now)
 * is left hanging: its promises never settle, so that nothing is stored as an outcome. Whoever takes the run up next
 * starts from the stored steps.
 */
import type { Clock, Timer } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { RunEvent } from '../runs/event.ts';
import type { EventLog } from '../runs/event-log.ts';
import { isTerminal, type Run, type RunFailure } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import { persist } from '../store/persist.ts';
import type { Log } from '../telemetry/log.ts';
import type { RunProgram, RunScope, StepContext } from './engine.ts';
import { attemptStep, callerError, type StepOutcome, unwrap } from './step.ts';

/** A run that keeps taking its process down is given up after this many tries. */
const MAX_EXECUTIONS = 100;
/** Longest delay a timer takes (2^31 - 1 ms); longer ones fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

/** Runs `work` unless its outcome is stored already, and stores it. Rejects only when storing is impossible. */
export type DurableStep = (name: string, work: () => Promise<StepOutcome>) => Promise<StepOutcome>;

/** Thrown through an execution when another process owns the run now; `cause` is the workflow library's own error. */
export class RunLost extends Error {
  override readonly name = 'RunLost';
}

export interface ExecutionParts {
  readonly runs: RunStore;
  readonly events: EventLog;
  readonly program: RunProgram;
  readonly clock: Clock;
  readonly log: Log;
  readonly executorId: string;
}

export interface Executions {
  /** Takes the run up and brings it to its end. @throws RunLost */
  execute(runId: string, durable: DurableStep): Promise<void>;
  /** Aborts the run's signal, if it is executing here. */
  cancel(runId: string, reason: string): void;
  /** Ids of the runs executing here. */
  active(): readonly string[];
  /** Begins no further step, gives those in flight `graceMs` to be stored, then leaves every execution hanging. */
  stop(graceMs: number): Promise<void>;
}

interface Execution {
  readonly runId: string;
  readonly abort: AbortController;
}

/** What became of a program. */
type Ending =
  | { readonly status: 'completed'; readonly result: JsonObject }
  | { readonly status: 'failed' | 'timed_out'; readonly error: RunFailure }
  | { readonly status: 'cancelled'; readonly reason: string };

export function createExecutions(parts: ExecutionParts): Executions {
  const { runs, events, program, clock, log } = parts;
  const executing = new Set<Execution>();
  const stepsInFlight = new Set<Promise<unknown>>();
  const stopping = new AbortController();
  const hang = <T>() => new Promise<T>(() => {});

  /** A write that is repeated until it happened; once the process stops, a failed one is the next process's to do. */
  function surely<T>(write: () => Promise<T>): Promise<T> {
    return persist(write, { clock, log, signal: stopping.signal }).catch((failure: unknown) => {
      if (stopping.signal.aborted) return hang<T>();
      throw failure;
    });
  }

  async function execute(runId: string, durable: DurableStep): Promise<void> {
    if (stopping.signal.aborted) return hang();
    const claimed = await surely(() => runs.claim(runId, parts.executorId));
    if (claimed === undefined) return;
    const { run, executions } = claimed;
    const execution: Execution = { runId, abort: new AbortController() };
    executing.add(execution);
    const deadline = armDeadline(run, execution.abort);
    try {
      if (run.cancelReason !== null) execution.abort.abort(cancelled(run.cancelReason));
      const ending =
        executions > MAX_EXECUTIONS
          ? failed(
              new AosError('internal_error', `The run was given up after ${MAX_EXECUTIONS} interrupted executions.`),
            )
          : await perform(run, execution, durable);
      await finish(runId, ending).catch(async (failure: unknown) => {
        const error = callerError(failure, log, { run_id: runId });
        await finish(runId, failed(new AosError(error.code, 'The outcome of the run could not be stored.')));
      });
    } finally {
      deadline?.cancel();
      executing.delete(execution);
      execution.abort.abort(new AosError('cancelled', 'The run has ended.'));
    }
  }

  async function perform(run: Run, { abort }: Execution, durable: DurableStep): Promise<Ending> {
    const { signal } = abort;
    const lost = Promise.withResolvers<never>();
    lost.promise.catch(() => {});
    try {
      if (!signal.aborted) {
        const result = await Promise.race([program(createScope(run, signal, durable, lost.reject)), lost.promise]);
        if (!signal.aborted) return { status: 'completed', result };
      }
    } catch (thrown) {
      if (stopping.signal.aborted) return hang();
      if (thrown instanceof RunLost) throw thrown;
      if (!signal.aborted) return failed(callerError(thrown, log, { run_id: run.id }));
    }
    return interrupted(signal);
  }

  function createScope(
    run: Run,
    signal: AbortSignal,
    durable: DurableStep,
    loseRun: (cause: unknown) => void,
  ): RunScope {
    return {
      run,
      signal,
      checkpointed: undefined,
      recorded: notYet,
      wait: notYet,
      sleepUntil: notYet,
      poll: notYet,
      child: notYet,
      checkpoint: notYet,
      async step<T extends JsonValue>(name: string, body: (step: StepContext) => Promise<T>): Promise<T> {
        if (stopping.signal.aborted) return hang();
        signal.throwIfAborted();
        // Called before anything is awaited: the library numbers steps in the order of these calls.
        const stored = durable(name, async () => {
          const outcome = await attemptStep(body, {
            key: `${run.id}/${name}`,
            signal,
            clock,
            log,
            fields: { run_id: run.id, step: name },
          });
          return stopping.signal.aborted && signal.aborted ? hang() : outcome;
        });
        stepsInFlight.add(stored);
        try {
          const outcome = await stored;
          // What was stored under this name is what a body of this type gave.
          return unwrap(outcome) as T;
        } catch (thrown) {
          if (thrown instanceof AosError) throw thrown;
          if (!stopping.signal.aborted) loseRun(thrown);
          return hang();
        } finally {
          stepsInFlight.delete(stored);
        }
      },
      async emit(key, event) {
        await surely(() => events.append(run.id, key, event));
      },
      history: () => surely(() => readAll(run.id)),
    };
  }

  async function readAll(runId: string): Promise<readonly RunEvent[]> {
    const all: RunEvent[] = [];
    for (;;) {
      const page = await events.read(runId, all.length);
      if (page.length === 0) return all;
      all.push(...page);
    }
  }

  /** Writes the end, unless somebody was quicker. */
  async function finish(runId: string, ending: Ending): Promise<void> {
    const { run, moved } = await surely(() => runs.move(runId, ending.status, changeFor(ending)));
    if (!moved && !isTerminal(run.status)) log.error('a run could not be ended', { run_id: runId, status: run.status });
  }

  function armDeadline(run: Run, abort: AbortController): Timer | undefined {
    if (run.deadlineAt === null) return undefined;
    const at = Date.parse(run.deadlineAt);
    let timer: Timer | undefined;
    const arm = () => {
      const left = at - clock.now();
      if (left <= 0)
        abort.abort(new AosError('timed_out', `The run did not end before its deadline ${run.deadlineAt}.`));
      else timer = clock.after(Math.min(left, MAX_TIMER_MS), arm);
    };
    arm();
    return { cancel: () => timer?.cancel() };
  }

  return {
    execute,
    cancel(runId, reason) {
      for (const execution of executing) if (execution.runId === runId) execution.abort.abort(cancelled(reason));
    },
    active: () => [...executing].map(({ runId }) => runId),
    async stop(graceMs) {
      stopping.abort();
      const grace = new AbortController();
      const settled = Promise.allSettled(stepsInFlight).finally(() => grace.abort());
      await Promise.race([settled, clock.sleep(graceMs, grace.signal).catch(() => {})]);
      // Bodies still in flight let go of what they hold; their outcomes are not stored.
      for (const { abort } of executing) abort.abort(new AosError('shutting_down', 'The process is stopping.'));
    },
  };
}

function cancelled(reason: string): AosError {
  return new AosError('cancelled', reason);
}

function failed({ code, message }: AosError): Ending {
  return { status: 'failed', error: { code, message } };
}

function interrupted({ reason }: AbortSignal): Ending {
  const { code, message } = reason instanceof AosError ? reason : cancelled('The run was cancelled.');
  return code === 'timed_out'
    ? { status: 'timed_out', error: { code, message } }
    : { status: 'cancelled', reason: message };
}

function changeFor(ending: Ending): Parameters<RunStore['move']>[2] {
  switch (ending.status) {
    case 'completed':
      return { event: { type: 'run.completed', data: { result: ending.result } }, result: ending.result };
    case 'failed':
      return { event: { type: 'run.failed', data: { error: ending.error } }, error: ending.error };
    case 'timed_out':
      return { event: { type: 'run.timed_out', data: { error: ending.error } }, error: ending.error };
    case 'cancelled':
      return { event: { type: 'run.cancelled', data: { reason: ending.reason } } };
  }
}

function notYet(): never {
  throw new AosError('not_implemented', 'The engine cannot do this yet.');
}
