/**
 * The engine: executes runs durably. What a run *does* is a program handed in at composition; the engine gives it a
 * scope and sees to it that the run reaches an end exactly once, in whichever process survives.
 *
 * A program is executed again from its start whenever its run is taken up: after a crash, and after each wait. What its
 * steps and waits gave before they give again at once, so everything between them must depend on the run and on those
 * only. Whatever a program awaits must be a method of its scope or finish promptly by itself (in-process work belongs
 * into a step): a run of which only waits are under way is put away until one of them is over.
 */
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { KeyedEvent, NewRunEvent, RunEvent } from '../runs/event.ts';
import type { Caller, Run, RunKey, RunKind, WaitReason } from '../runs/run.ts';
import type { StoreScope } from '../store/database.ts';

/** What a step does to the world: nothing · something here (our own records) · something that others see. */
export type StepEffect = 'read' | 'write' | 'external';

export interface StepContext {
  /** Fires when the run is cancelled or its deadline passes; its reason is an AosError `cancelled` or `timed_out`. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt in this process; the engine repeats a step only for errors whose retry is `later`. */
  readonly attempt: number;
  /** The same for every attempt and every execution of this step: what an effect outside is to be keyed with. */
  readonly idempotencyKey: string;
}

export interface StepRetry {
  /** Attempts in all, in one execution; 1 never repeats. By default 4. */
  readonly attempts: number;
  /** Milliseconds before attempt 2; each later pause is three times as long. By default 500. */
  readonly firstPauseMs?: number;
}

export interface StepOptions<T extends JsonValue> {
  /** By default `read`. */
  readonly effect?: StepEffect;
  /** What is written to the log in the transaction that stores the result; not called for a failure. */
  readonly event?: (value: T) => KeyedEvent | readonly KeyedEvent[];
  readonly retry?: StepRetry;
  /** What was set aside for the step, settled in the transaction that stores its result; a failed step gives it back. */
  readonly settle?: StepSettlement<T>;
}

export interface StepSettlement<T extends JsonValue> {
  /** The name it was set aside under, when that is not the step's own. */
  readonly of?: string;
  /** What was used of it, by dimension: `tokens`, `cost_usd` … */
  readonly used: (value: T) => Readonly<Record<string, number>>;
}

export interface Wait {
  /** Unique among the steps and waits of the run; a signal of this name ends the wait. */
  readonly name: string;
  /** The name of the signals it takes, when that is not its own: several waits in turn may take signals of one name. */
  readonly signal?: string;
  readonly reason: WaitReason;
  /** ISO-8601 UTC: when it ends without a signal. */
  readonly until?: string;
  /** What people should know of it, e.g. the id of an approval. */
  readonly detail?: JsonObject;
}

/** A message to a run. */
export type Signal = {
  /** The same id is taken once by a run. */
  id: string;
  name: string;
  payload: JsonObject;
  /** Who sent it: `user:<id>`, `run:<id>`, `system`. */
  actor: string;
  /** ISO-8601 UTC. */
  at: string;
};

/** A run that another run starts; what is left out is as in that run. */
export interface ChildWork {
  /** By default the parent's id, a dot and the name of the child. */
  readonly id?: string;
  readonly kind?: RunKind;
  readonly request: JsonObject;
  readonly sessionId?: string;
  readonly definition?: string;
  /** ISO-8601 UTC; never later than the parent's. */
  readonly deadlineAt?: string;
  readonly priority?: number;
}

/** What a program sees of its run. */
export interface RunScope {
  readonly run: Run;
  /** Fires when the run is cancelled or its deadline passes; its reason is an AosError `cancelled` or `timed_out`. */
  readonly signal: AbortSignal;
  /** State of the last checkpoint, if there was one: where an endless program goes on. */
  readonly checkpointed: JsonObject | undefined;
  /**
   * Runs `body` once for the life of the run: its result, or its failure, is stored together with its events, and a
   * resumed run gets the stored one back. After a crash in the middle the body runs again, so effects outside need the
   * step's idempotency key. Steps may be started in any order, also in parallel.
   * @param name unique within the run (or since its last checkpoint), e.g. `round-1/ceo`
   * @throws AosError the failure of the body; the scope's reason when the run is to end
   */
  step<T extends JsonValue>(
    name: string,
    body: (step: StepContext) => Promise<T>,
    options?: StepOptions<T>,
  ): Promise<T>;
  /**
   * Appends an event to the run's log, once per `key` however often the program is executed, and never after the end.
   * @param key unique within the run, e.g. `round-1/ceo:delta:120`
   */
  emit(key: string, event: NewRunEvent): Promise<void>;
  /**
   * The events of the run so far, in order, with their payloads. What it returns differs between executions.
   * @param filter.turn only events whose key begins with this and a colon; costs nothing when there can be none
   */
  history(filter?: { readonly turn: string }): Promise<readonly RunEvent[]>;
  /** The stored result of a step or wait, without running it; undefined when there is none or it failed. */
  recorded(name: string): JsonValue | undefined;
  /** Whether a step or wait of this name is over, also one that failed. */
  isSettled(name: string): boolean;
  /**
   * Does something that is not stored: every execution does it again, so it must be harmless to repeat, and what
   * follows from it must not depend on more than the steps that it leads to. Counts as under way: the run is not put
   * away meanwhile.
   */
  aside<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Waits for a signal; several may be waited for at once. The run holds nothing meanwhile: see the head of this file.
   * @returns the signal, or undefined when `until` passed first
   */
  wait(wait: Wait): Promise<Signal | undefined>;
  /** Waits until a time (ISO-8601 UTC): a wait of that name for the reason `timer`. */
  sleepUntil(name: string, at: string): Promise<void>;
  /** Takes the signals of a name that are there now, oldest first, without waiting. A step of the name `stepName`. */
  poll(stepName: string, signalName: string): Promise<readonly Signal[]>;
  /** Starts a run once and waits for its end. The ended run is returned whatever its status. */
  child(name: string, work: ChildWork): Promise<Run>;
  /**
   * Stores the state of an endless program and forgets all steps so far, in one transaction; their names are free
   * again. To be called while no other call of the scope is under way.
   */
  checkpoint(state: JsonObject): Promise<void>;
}

/**
 * What a run does. Returns the run's result. An AosError thrown fails the run with its code and message; anything else
 * thrown is logged and fails it as `internal_error`. Once the scope's signal has fired the outcome is `cancelled` or
 * `timed_out`, whatever the program does then.
 */
export type RunProgram = (scope: RunScope) => Promise<JsonObject>;

export interface NewSignal {
  /** Of several signals of one id the run takes the first. A new one by default. */
  readonly id?: string;
  readonly name: string;
  readonly payload: JsonObject;
  readonly actor: string;
}

/** What waits to be executed by this process. */
export interface Backlog {
  readonly executing: number;
  readonly queued: number;
  /** How long the oldest of them has waited, in milliseconds. */
  readonly oldestWaitMs: number;
}

export interface Engine {
  start(): Promise<void>;
  /** Lets go of the runs: those that have not ended go on at the next start, here or elsewhere. */
  stop(): Promise<void>;
  /** Starts executing an admitted run as soon as there is room; harmless when it is executing already, here or elsewhere. */
  begin(run: RunKey): Promise<void>;
  /**
   * Asks for the end of a run and of the runs it started. The executing process aborts its signal at once and the run
   * ends as `cancelled`; one that is queued or waiting ends at once.
   * @returns the run as it is right after the request (an ended run is left as it is); undefined when the caller has none of that id
   */
  cancel(runId: string, reason: string, caller: Caller): Promise<Run | undefined>;
  /**
   * Sends a signal; durable, and wakes the run wherever it is.
   * @param within a transaction of the caller's; the run is woken when it is committed
   * @returns false when the run has ended or there is none
   */
  signal(run: RunKey, signal: NewSignal, within?: StoreScope): Promise<boolean>;
  /**
   * Executes the run here and now, whatever the limit; for the workers of tasks.
   * @returns the run when it has ended or waits; as it is when it is not to be executed (another process does, or nothing it waits for has come)
   */
  perform(run: RunKey): Promise<Run>;
  backlog(): Backlog;
}
