/**
 * The gate: every door's work comes through here, and nothing else starts a run. A work request is checked against
 * what exists, pinned to it, admitted once however often it is sent, and handed to the engine.
 */
import { type Clock, isoTime } from './core/clock.ts';
import { AosError } from './core/errors.ts';
import { isJsonObject, type JsonObject } from './core/json.ts';
import { type Order, type Stock, understand } from './dispatch/order.ts';
import { admitMessage, answeringRun, policyOf, type SecondMessagePolicy, steer } from './dispatch/second-message.ts';
import type { Engine } from './engine/engine.ts';
import { definitionOf } from './orchestration/definition.ts';
import type { DefinitionStore } from './orchestration/definition-store.ts';
import { checkDepth } from './orchestration/limits.ts';
import { configOf } from './orchestration/plan.ts';
import type { EventLog } from './runs/event-log.ts';
import { type Caller, type ForkOrigin, isTerminal, type RunKind } from './runs/run.ts';
import type { Admitted, RunStore } from './runs/run-store.ts';
import { currentTraceparent } from './telemetry/tracing.ts';

/** Work as a door asks for it. */
export interface WorkRequest {
  /** The caller's name for the run: the same id and the same body join the run that exists. */
  readonly id: string;
  readonly kind: RunKind;
  readonly sessionId: string;
  readonly caller: Caller;
  /** The validated body: what to do, without how to answer. */
  readonly body: JsonObject;
  /** The platform's id of the call that asked; '' when it has none. */
  readonly callId: string;
  /** The run that asks for this one. */
  readonly parentId?: string;
  /** For a chat; what the body says with `second_message`, else the agent's `config.second_message`, when left out. */
  readonly sessionPolicy?: SecondMessagePolicy;
  /** 1 (most urgent) to 5. */
  readonly priority?: number;
  /** Who asks, when it is not the caller: `agent:<id>`, `system`. */
  readonly actor?: string;
  /** What it begins with, when it is the fork of another run. */
  readonly fork?: {
    readonly of: ForkOrigin;
    /** Names of the steps of that run whose results it begins with. */
    readonly keepSteps: readonly string[];
    /** What that run is pinned to, when the fork is to be as well. */
    readonly definition?: string;
  };
}

export interface Gate {
  /**
   * Admits the work and starts it.
   * @throws AosError invalid_request (an agent or workflow that does not exist), conflict (the id names other work, or
   * the session is busy: `SESSION_BUSY`), limit_exceeded (sub-runs nested too deep), overloaded
   */
  submit(work: WorkRequest): Promise<Admitted>;
  /**
   * Checks an orchestration and pins what it works with, for a run that another will start as its child.
   * @throws AosError invalid_request
   */
  prepare(body: JsonObject): Promise<PreparedWork>;
}

export interface PreparedWork {
  readonly request: JsonObject;
  /** Hash of what it is pinned to. */
  readonly definition: string;
}

export interface GateParts extends Stock {
  readonly runs: Pick<RunStore, 'admit' | 'load' | 'activeInSession'>;
  readonly engine: Pick<Engine, 'begin' | 'backlog' | 'signal'>;
  readonly events: Pick<EventLog, 'append'>;
  readonly definitions: Pick<DefinitionStore, 'store'>;
  readonly clock: Clock;
  /** Whether the agents' model is the simulated one. */
  readonly simulated: boolean;
  /** Versions of the tools there are, by name; none when left out. */
  readonly toolVersions?: Readonly<Record<string, string>>;
}

/** Who has waited so long for a place is told to come back; work that was admitted is never refused. */
const OVERLOADED_AFTER_MS = 10_000;

export function createGate(parts: GateParts): Gate {
  const { runs, engine, clock, simulated } = parts;

  return {
    async prepare(body) {
      const order = understand('orchestration', body, parts);
      return { request: body, definition: await pin(parts, order, body) };
    },
    async submit(work) {
      const { body, caller, sessionId } = work;
      checkRoom(engine, work);
      const order = understand(work.kind, body, parts);
      await checkNesting(runs, work, order);
      // Governance has its place here: between what exists and what is admitted.
      const definition = work.fork?.definition ?? (await pin(parts, order, body));
      const policy = work.kind === 'chat' ? (work.sessionPolicy ?? policyOf(body, order.agents[0])) : undefined;
      // Whoever is answering now, before this run is there itself.
      const answering = policy === 'steer' ? await answeringRun(runs, work) : undefined;
      const admitted = await admitMessage(runs, {
        id: work.id,
        kind: work.kind,
        sessionId,
        caller,
        request: body,
        simulated,
        traceparent: currentTraceparent(),
        callId: work.callId,
        deadlineAt: deadlineOf(body, clock),
        parentId: work.parentId,
        definition,
        priority: work.priority,
        actor: work.actor,
        forkOf: work.fork?.of,
        keepSteps: work.fork?.keepSteps,
        sessionPolicy: policy === 'steer' ? 'enqueue' : policy,
      });
      // Joined or not: should the first attempt have died between admission and start, this one starts the run.
      if (isTerminal(admitted.run.status)) return admitted;
      if (answering !== undefined) await steer(parts, admitted.run, answering);
      await engine.begin(admitted.run.id);
      return admitted;
    },
  };
}

function checkRoom(engine: GateParts['engine'], { parentId }: WorkRequest): void {
  if (parentId !== undefined) return;
  const { queued, oldestWaitMs } = engine.backlog();
  if (oldestWaitMs <= OVERLOADED_AFTER_MS) return;
  throw new AosError(
    'overloaded',
    `${queued} runs wait for a place, the first for ${Math.round(oldestWaitMs / 1000)} s: send this again later`,
    { facts: { queued, oldest_wait_ms: Math.round(oldestWaitMs) } },
  );
}

function pin({ definitions, toolVersions }: GateParts, order: Order, { graph }: JsonObject): Promise<string> {
  const { workflow, agents, ownTools } = order;
  return definitions.store(
    definitionOf(workflow, agents, toolVersions, isJsonObject(graph) ? graph : undefined, ownTools),
  );
}

async function checkNesting(runs: GateParts['runs'], { parentId }: WorkRequest, { limits }: Order): Promise<void> {
  if (parentId === undefined) return;
  const parent = await runs.load(parentId);
  if (parent === undefined) throw new AosError('not_found', `There is no run "${parentId}" to start a run under.`);
  checkDepth(parent.depth + 1, limits);
}

/** When the run times out: `config.timeout_seconds` from now. */
function deadlineOf(body: JsonObject, clock: Clock): string | undefined {
  const seconds = configOf(body)['timeout_seconds'];
  return typeof seconds === 'number' ? isoTime(clock.now() + seconds * 1000) : undefined;
}
