/**
 * The engine: executes runs durably. What a run *does* is a program handed in at composition; the engine gives it a
 * scope and sees to it that the run reaches an end exactly once, in whichever process survives.
 */
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { NewRunEvent, RunEvent } from '../runs/event.ts';
import type { Caller, Run } from '../runs/run.ts';

export interface StepContext {
  /** Fires when the run is cancelled or its deadline passes; its reason is an AosError `cancelled` or `timed_out`. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt in this process; the engine repeats a step only for errors whose retry is `later`. */
  readonly attempt: number;
}

/** What a program sees of its run. */
export interface RunScope {
  readonly run: Run;
  /** Fires when the run is cancelled or its deadline passes; its reason is an AosError `cancelled` or `timed_out`. */
  readonly signal: AbortSignal;
  /**
   * Runs `body` once for the life of the run: its result is stored, and a resumed run gets the stored result back.
   * After a crash in the middle the body runs again, so its effects need keys of their own (`emit` has one).
   * Steps must be started in an order that depends only on the request and on the results of earlier steps: start all
   * parallel steps of a phase synchronously, await them all, and only then start the next phase.
   * @param name stable and unique within the run, e.g. `round-1/ceo`
   */
  step<T extends JsonValue>(name: string, body: (step: StepContext) => Promise<T>): Promise<T>;
  /**
   * Appends an event to the run's log, once per `key` however often the program is executed, and never after the end.
   * @param key unique within the run, e.g. `round-1/ceo:delta:120`
   */
  emit(key: string, event: NewRunEvent): Promise<void>;
  /** Every event of the run so far, in order. For use inside a step: what it returns differs between executions. */
  history(): Promise<readonly RunEvent[]>;
}

/**
 * What a run does. Returns the run's result. An AosError thrown fails the run with its code and message; anything else
 * thrown is logged and fails it as `internal_error`. Once the scope's signal has fired the outcome is `cancelled` or
 * `timed_out`, whatever the program does then.
 */
export type RunProgram = (scope: RunScope) => Promise<JsonObject>;

export interface Engine {
  start(): Promise<void>;
  /** Lets go of the runs: those that have not ended go on at the next start, here or elsewhere. */
  stop(): Promise<void>;
  /** Starts executing an admitted run; harmless when it is already executing, in this process or another. */
  begin(runId: string): Promise<void>;
  /**
   * Asks for the run's end. The executing process aborts its signal at once and the run ends as `cancelled`.
   * @returns the run as it is right after the request (an ended run is left as it is); undefined when the caller has none of that id
   */
  cancel(runId: string, reason: string, caller: Caller): Promise<Run | undefined>;
}
