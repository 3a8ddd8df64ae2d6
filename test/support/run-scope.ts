/**
 * The engine's port in memory: a journal of steps, a log of events with keys, and a process that can die. A run
 * outlives its executions: `execute` may be called again after a death, as the engine does.
 */
import { AosError, type ErrorCode } from '../../src/core/errors.ts';
import type { JsonObject, JsonValue } from '../../src/core/json.ts';
import type { RunProgram, RunScope } from '../../src/engine/engine.ts';
import type { NewRunEvent, RunEvent } from '../../src/runs/event.ts';
import { hashRequest, type Run } from '../../src/runs/run.ts';

/** A point at which the process dies: around the n-th write (from 1) of its kind in this execution. */
export interface Death {
  readonly at: 'before-emit' | 'after-emit' | 'before-step-stored' | 'after-step-stored';
  readonly nth: number;
}

type Outcome = { readonly value: JsonValue } | { readonly error: { code: ErrorCode; message: string } };
const MAX_ATTEMPTS = 4;

export class MemoryRun {
  readonly run: Run;
  readonly events: RunEvent[] = [];
  /** Names of the steps in the order in which the first execution started them. */
  readonly stepOrder: string[] = [];
  readonly #keys = new Set<string>();
  readonly #journal = new Map<string, Outcome>();

  constructor(request: JsonObject, change: Partial<Run> = {}) {
    this.run = {
      id: 'run-1',
      kind: 'message' in request ? 'chat' : 'orchestration',
      sessionId: 'session-1',
      caller: { userId: '' },
      request,
      requestHash: hashRequest(request),
      status: 'running',
      waitingFor: null,
      result: null,
      error: null,
      cancelReason: null,
      traceparent: null,
      callId: '',
      simulated: true,
      createdAt: '2026-02-01T10:00:00.000Z',
      startedAt: '2026-02-01T10:00:00.000Z',
      completedAt: null,
      deadlineAt: null,
      lastEvent: 0,
      ...change,
    };
  }

  /** Executes the program once. @returns its result, or `died` when the process died on the way */
  async execute(
    program: RunProgram,
    { death, signal = new AbortController().signal }: { death?: Death; signal?: AbortSignal } = {},
  ): Promise<JsonObject | 'died'> {
    const dying = Promise.withResolvers<'died'>();
    const running = program(this.#scope(signal, death, () => dying.resolve('died')));
    running.catch(() => {}); // an execution that is dead may still fail; nobody is there to see it
    return Promise.race([dying.promise, running]);
  }

  get types(): string[] {
    return this.events.map((event) => event.type);
  }

  #scope(signal: AbortSignal, death: Death | undefined, die: () => void): RunScope {
    const counts = { emit: 0, step: 0 };
    let started = 0;
    let dead = false;
    /** Dies here when this is the point; a dead process never comes back from a call. */
    const reach = async (at: Death['at'] | 'start', nth: number) => {
      if (!dead && death?.at === at && death.nth === nth) {
        dead = true;
        die();
      }
      if (dead) await new Promise(() => {});
    };
    const checkOrder = (name: string) => {
      const expected = this.stepOrder[started];
      if (expected !== undefined && expected !== name) {
        throw new Error(`step ${started + 1} was ${expected} at first and is ${name} now`);
      }
      if (expected === undefined) this.stepOrder.push(name);
      started += 1;
    };
    return {
      run: this.run,
      signal,
      step: <T extends JsonValue>(name: string, body: Parameters<RunScope['step']>[1]) => {
        checkOrder(name);
        return (async () => {
          await reach('start', 0);
          const outcome = this.#journal.get(name) ?? (await this.#attempt(body, signal));
          counts.step += 1;
          const nth = counts.step;
          await reach('before-step-stored', nth);
          this.#journal.set(name, JSON.parse(JSON.stringify(outcome)));
          await reach('after-step-stored', nth);
          if ('error' in outcome) throw new AosError(outcome.error.code, outcome.error.message);
          return outcome.value as T;
        })();
      },
      emit: async (key: string, event: NewRunEvent) => {
        counts.emit += 1;
        const nth = counts.emit;
        await reach('before-emit', nth);
        this.#append(key, event);
        await reach('after-emit', nth);
      },
      history: async () => {
        if (dead) await new Promise(() => {});
        return [...this.events];
      },
    };
  }

  #append(key: string, event: NewRunEvent): void {
    if (this.#keys.has(key)) return;
    this.#keys.add(key);
    const stored = JSON.parse(JSON.stringify(event)) as NewRunEvent;
    const at = new Date(Date.UTC(2026, 1, 1, 10) + this.events.length).toISOString();
    this.events.push({ ...stored, runId: this.run.id, seq: this.events.length + 1, at });
  }

  async #attempt(body: Parameters<RunScope['step']>[1], signal: AbortSignal): Promise<Outcome> {
    for (let attempt = 1; ; attempt++) {
      try {
        return { value: await body({ signal, attempt }) };
      } catch (thrown) {
        const isAos = thrown instanceof AosError;
        if (signal.aborted || !isAos) throw thrown;
        if (thrown.retry === 'never' || attempt === MAX_ATTEMPTS) {
          return { error: { code: thrown.code, message: thrown.message } };
        }
      }
    }
  }
}
