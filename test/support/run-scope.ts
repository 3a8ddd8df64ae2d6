/**
 * The engine's port in memory: a journal of steps, a log of events with keys, signals, and a process that can die. A run
 * outlives its executions: `execute` may be called again after a death or a wait, as the engine does.
 *
 * How waits end: by `onWait`, which may answer each at once; else the execution ends as `waiting`, the test calls `send`
 * or `pass`, and executes again.
 */
import { AosError, type ErrorCode } from '../../src/core/errors.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import type { ChildWork, RunProgram, RunScope, Signal, StepOptions, Wait } from '../../src/engine/engine.ts';
import type { KeyedEvent, NewRunEvent, RunEvent } from '../../src/runs/event.ts';
import { CHAIN_START, digestOf, linkHash } from '../../src/runs/event-chain.ts';
import type { Run } from '../../src/runs/run.ts';
import { testRun } from './run.ts';

/** A point at which the process dies: around the n-th write (from 1) of its kind in this execution. */
export interface Death {
  readonly at: 'before-emit' | 'after-emit' | 'before-step-stored' | 'after-step-stored';
  readonly nth: number;
}

export interface ExecuteOptions {
  readonly death?: Death;
  readonly signal?: AbortSignal;
}

type Outcome =
  | { readonly value: JsonValue }
  | { readonly error: { code: ErrorCode; message: string; reason?: string; facts?: JsonObject } };
type Body = Parameters<RunScope['step']>[1];
const MAX_ATTEMPTS = 4;

export class MemoryRun {
  readonly run: Run;
  readonly events: RunEvent[] = [];
  /** Names of the steps in the order in which they were first started. */
  readonly stepOrder: string[] = [];
  /** What the steps were started with. */
  readonly stepOptions = new Map<string, StepOptions<JsonValue>>();
  /** The waits that were under way when an execution ended as `waiting`. */
  waits: readonly Wait[] = [];
  /** The children that were started. */
  readonly children: (ChildWork & { readonly id: string })[] = [];
  checkpoints: JsonObject[] = [];
  /** Answers a wait at once: a signal's payload (or the signal), `timeout`, or undefined to leave it waiting. */
  onWait: (wait: Wait) => JsonObject | Signal | 'timeout' | undefined = () => undefined;
  /** What becomes of a child; by default it completes with an empty result. */
  onChild: (work: ChildWork & { readonly id: string }) => Promise<Run> | Run = (work) => this.childRun(work);
  readonly #keys = new Set<string>();
  readonly #journal = new Map<string, Outcome>();
  #signals: Signal[] = [];
  readonly #takenIds = new Set<string>();

  constructor(request: JsonObject, change: Partial<Run> = {}) {
    this.run = testRun({ request, ...change });
  }

  /** Executes the program once. @returns its result, or `died` when the process died on the way @throws Error when it waits */
  async execute(program: RunProgram, options: ExecuteOptions = {}): Promise<JsonObject | 'died'> {
    const outcome = await this.go(program, options);
    if (outcome === 'waiting') throw new Error(`the run waits: ${this.waits.map(({ name }) => name).join(', ')}`);
    return outcome;
  }

  /** The same for programs that wait: `waiting` when only waits were left under way. */
  async go(
    program: RunProgram,
    { death, signal = new AbortController().signal }: ExecuteOptions = {},
  ): Promise<JsonObject | 'died' | 'waiting'> {
    const leaving = Promise.withResolvers<'died' | 'waiting'>();
    this.waits = [];
    const running = program(this.#scope(signal, death, leaving.resolve));
    running.catch(() => {}); // an execution that is dead may still fail; nobody is there to see it
    return Promise.race([leaving.promise, running]);
  }

  /** A signal for the run, as somebody outside sends it. */
  send(name: string, payload: JsonObject = {}, change: Partial<Signal> = {}): void {
    const id = change.id ?? `signal-${this.#takenIds.size + 1}`;
    if (this.#takenIds.has(id)) return;
    this.#takenIds.add(id);
    this.#signals.push({ id, name, payload, actor: 'user:someone', at: this.#now(), ...change });
  }

  /** Lets the time of a wait pass. */
  pass(name: string): void {
    this.#journal.set(name, { value: null });
  }

  /** The stored result of a step. */
  recorded(name: string): JsonValue | undefined {
    const outcome = this.#journal.get(name);
    return outcome !== undefined && 'value' in outcome ? outcome.value : undefined;
  }

  /** A child of this run that has ended. */
  childRun(work: ChildWork & { readonly id: string }, change: Partial<Run> = {}): Run {
    const { id, request, kind = this.run.kind, sessionId = this.run.sessionId } = work;
    const above = { parentId: this.run.id, rootId: this.run.rootId, depth: this.run.depth + 1 };
    return testRun({ id, request, kind, sessionId, ...above, status: 'completed', result: {}, ...change });
  }

  get types(): string[] {
    return this.events.map((event) => event.type);
  }

  #scope(signal: AbortSignal, death: Death | undefined, leave: (how: 'died' | 'waiting') => void): RunScope {
    const counts = { emit: 0, step: 0 };
    const pending = new Map<string, { wait: Wait; resolve: (signal: Signal | undefined) => void }>();
    let busy = 0;
    let gone = false;
    const hang = <T>() => new Promise<T>(() => {});
    /** Dies here when this is the point; a dead process never comes back from a call. */
    const reach = async (at: Death['at'] | 'start', nth: number) => {
      if (!gone && death?.at === at && death.nth === nth) {
        gone = true;
        leave('died');
      }
      if (gone) await hang();
    };
    /** Only waits under way: the run is put away. */
    const settle = () =>
      setImmediate(() => {
        if (busy > 0 || pending.size === 0 || gone || signal.aborted) return;
        gone = true;
        this.waits = [...pending.values()].map(({ wait }) => wait);
        leave('waiting');
      });
    const under = async <T>(work: () => Promise<T>): Promise<T> => {
      busy += 1;
      try {
        return await work();
      } finally {
        busy -= 1;
        settle();
      }
    };
    const step = <T extends JsonValue>(name: string, body: Body, options: StepOptions<T> = {}): Promise<T> => {
      if (!this.stepOrder.includes(name)) this.stepOrder.push(name);
      this.stepOptions.set(name, options as StepOptions<JsonValue>);
      return under(async () => {
        await reach('start', 0);
        const stored = this.#journal.get(name);
        if (stored === undefined) signal.throwIfAborted();
        const outcome = stored ?? (await this.#attempt(name, body, options, signal));
        counts.step += 1;
        const nth = counts.step;
        await reach('before-step-stored', nth);
        if (stored === undefined && 'value' in outcome) {
          const told = options.event?.(outcome.value as T) ?? [];
          for (const event of [told].flat() as KeyedEvent[]) this.#append(event.key, event);
        }
        this.#journal.set(name, JSON.parse(JSON.stringify(outcome)));
        await reach('after-step-stored', nth);
        return unwrap(outcome) as T;
      });
    };
    const wait = async (asked: Wait): Promise<Signal | undefined> => {
      if (gone) await hang();
      const stored = this.#journal.get(asked.name);
      if (stored !== undefined) return (unwrap(stored) ?? undefined) as Signal | undefined;
      signal.throwIfAborted();
      const answer = this.#answer(asked);
      if (answer !== undefined) return answer === 'timeout' ? undefined : answer;
      return new Promise((resolve, reject) => {
        pending.set(asked.name, { wait: asked, resolve });
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        settle();
      });
    };
    return {
      run: this.run,
      signal,
      checkpointed: this.checkpoints.at(-1),
      step,
      emit: (key: string, event: NewRunEvent) =>
        under(async () => {
          counts.emit += 1;
          const nth = counts.emit;
          await reach('before-emit', nth);
          this.#append(key, event);
          await reach('after-emit', nth);
        }),
      history: async (filter) => {
        if (gone) await hang();
        return this.events.filter(({ key }) => filter === undefined || key.startsWith(`${filter.turn}:`));
      },
      recorded: (name) => this.recorded(name),
      aside: (work) => under(work),
      isSettled: (name) => this.#journal.has(name),
      wait,
      sleepUntil: async (name, at) => {
        await wait({ name, reason: 'timer', until: at });
      },
      poll: (stepName, signalName) =>
        step(stepName, async () => {
          const taken = this.#signals.filter(({ name }) => name === signalName);
          this.#signals = this.#signals.filter(({ name }) => name !== signalName);
          return taken as JsonValue;
        }) as unknown as Promise<Signal[]>,
      child: (name, asked) => {
        const id = asked.id ?? `${this.run.id}.${name.replaceAll(/[^A-Za-z0-9\-_.:]/g, '-')}`;
        return step(name, async () => {
          const work = { ...asked, id };
          this.children.push(work);
          return (await this.onChild(work)) as unknown as JsonValue;
        }) as unknown as Promise<Run>;
      },
      checkpoint: (state) =>
        under(async () => {
          await reach('start', 0);
          this.checkpoints.push(JSON.parse(JSON.stringify(state)));
          this.#journal.clear();
        }),
    };
  }

  #answer(asked: Wait): Signal | 'timeout' | undefined {
    const name = asked.signal ?? asked.name;
    const index = this.#signals.findIndex((signal) => signal.name === name);
    let answer: Signal | 'timeout' | undefined = this.#signals[index];
    if (index >= 0) this.#signals.splice(index, 1);
    else {
      const told = this.onWait(asked);
      if (told === undefined || told === 'timeout') answer = told;
      else if (isSignal(told)) answer = told;
      else answer = { id: `answer:${asked.name}`, name, payload: told, actor: 'user:someone', at: this.#now() };
    }
    if (answer !== undefined) this.#journal.set(asked.name, { value: answer === 'timeout' ? null : answer });
    return answer;
  }

  #append(key: string, event: NewRunEvent): void {
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    const { type, data } = JSON.parse(JSON.stringify(event)) as NewRunEvent;
    const seq = this.events.length + 1;
    const prevHash = this.events.at(-1)?.hash ?? CHAIN_START;
    const log = { runId: this.run.id, key, at: this.#now(), actor: event.actor ?? 'system', traceId: null };
    const hash = linkHash(prevHash, seq, digestOf({ ...log, type, data: data as JsonObject }));
    this.events.push({ ...log, seq, prevHash, hash, type, data } as RunEvent);
  }

  #now(): string {
    return new Date(Date.UTC(2026, 1, 1, 10) + this.events.length).toISOString();
  }

  async #attempt<T extends JsonValue>(
    name: string,
    body: Body,
    { retry }: StepOptions<T>,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const attempts = retry?.attempts ?? MAX_ATTEMPTS;
    for (let attempt = 1; ; attempt++) {
      try {
        return { value: await body({ signal, attempt, idempotencyKey: `${this.run.id}/${name}` }) };
      } catch (thrown) {
        const isAos = thrown instanceof AosError;
        if (signal.aborted || !isAos) throw thrown;
        if (thrown.retry === 'never' || attempt === attempts) {
          const { code, message, reason, facts } = thrown;
          return { error: { code, message, ...(reason === undefined ? {} : { reason }), facts } };
        }
      }
    }
  }
}

function unwrap(outcome: Outcome): JsonValue {
  if ('value' in outcome) return outcome.value;
  const { code, message, reason, facts } = outcome.error;
  throw new AosError(code, message, {
    ...(reason === undefined ? {} : { reason }),
    ...(facts === undefined ? {} : { facts }),
  });
}

function isSignal(value: JsonObject | Signal): value is Signal {
  return 'payload' in value && 'actor' in value && 'at' in value;
}
