/**
 * The gate: every door's work comes through here, and nothing else starts a run. A work request is checked against
 * what exists, judged, pinned to what it works with, admitted once however often it is sent, and handed to the engine.
 */
import { type Clock, isoTime } from './core/clock.ts';
import { AosError } from './core/errors.ts';
import { isJsonObject, type JsonObject } from './core/json.ts';
import { type Order, type Stock, understand } from './dispatch/order.ts';
import { admitMessage, answeringRun, policyOf, type SecondMessagePolicy, steer } from './dispatch/second-message.ts';
import type { Engine } from './engine/engine.ts';
import { admit } from './governance/admission.ts';
import type { Admission, RunBudgets } from './governance/budget/admission.ts';
import type { Governor } from './governance/governor.ts';
import { entranceOf } from './governance/run-entrance.ts';
import { refusalOf } from './governance/verdict.ts';
import { definitionOf } from './orchestration/definition.ts';
import type { DefinitionStore } from './orchestration/definition-store.ts';
import { checkDepth } from './orchestration/limits.ts';
import { workflowOfRun } from './orchestration/patterns.ts';
import { configOf } from './orchestration/plan.ts';
import type { EventLog } from './runs/event-log.ts';
import { type Caller, type ForkOrigin, isTerminal, keyOfRun, type RunKind, runKey } from './runs/run.ts';
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
  /** Whether nothing of it may reach anything outside; also when the body says so (`simulation`, in it or its `config`). */
  readonly simulation?: boolean;
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
   * the session is busy: `SESSION_BUSY`), limit_exceeded (sub-runs nested too deep), overloaded, rate_limited (a quota),
   * or what governance refuses it with
   */
  submit(work: WorkRequest): Promise<Admitted>;
  /**
   * Checks an orchestration and pins what it works with, for a run that another will start as its child.
   * @throws AosError invalid_request
   */
  prepare(body: JsonObject, caller: Caller): Promise<PreparedWork>;
  /**
   * Has a run end, as `Engine.cancel` does.
   * @throws AosError what governance refuses it with
   */
  cancel: Engine['cancel'];
}

export interface PreparedWork {
  readonly request: JsonObject;
  /** Hash of what it is pinned to. */
  readonly definition: string;
}

export interface GateParts extends Stock {
  readonly runs: Pick<RunStore, 'admit' | 'load' | 'activeInSession'>;
  readonly engine: Pick<Engine, 'begin' | 'backlog' | 'signal' | 'cancel'>;
  /** Judges what comes in. */
  readonly governor: Governor;
  readonly events: Pick<EventLog, 'append'>;
  readonly definitions: Pick<DefinitionStore, 'store'>;
  readonly clock: Clock;
  /** Whether the agents' model is the simulated one. */
  readonly simulated: boolean;
  /** Sets aside what runs cost; nothing does when left out. */
  readonly budgets?: RunBudgets;
  /** Whether all work here is simulated, whatever it says; not when left out. */
  readonly simulation?: boolean;
  /** Versions of the tools there are, by name; none when left out. */
  readonly toolVersions?: Readonly<Record<string, string>>;
}

/** Who has waited so long for a place is told to come back; work that was admitted is never refused. */
const OVERLOADED_AFTER_MS = 10_000;

export function createGate(parts: GateParts): Gate {
  const { runs, engine, governor, simulated, simulation = false } = parts;

  /** What is let in of the work, and what is to be told of it. */
  function permit({ id, kind, caller, body: request, fork }: WorkRequest) {
    const isThere = async () => (await runs.load(runKey(caller.tenantId, id))) !== undefined;
    const asked = entranceOf({ id, kind, request, forkOf: fork?.of ?? null });
    return admit(governor, { caller, becomes: id, isThere, canWait: true }, asked);
  }

  return {
    async cancel(id, reason, caller) {
      const what = {
        kind: 'run',
        type: 'cancel',
        target: null,
        actionClass: null,
        effect: 'write',
        entityId: id,
      } as const;
      const asked = { name: `cancel ${id}`, what, agentId: null, args: { reason } };
      const verdict = await governor.allow({ caller }, asked);
      if (verdict.kind !== 'allow') throw refusalOf(verdict);
      // What somebody writes as the reason may have been changed.
      const { reason: said = reason } = verdict.args;
      return engine.cancel(id, String(said), caller);
    },
    async prepare(body, { tenantId }) {
      const order = understand('orchestration', body, parts, tenantId);
      return { request: body, definition: await pin(parts, order, body) };
    },
    async submit(work) {
      const { caller, sessionId } = work;
      checkRoom(engine, work);
      const asked = understand(work.kind, work.body, parts, caller.tenantId);
      await checkNesting(runs, work, asked);
      const { args: body, event: told, held } = await permit(work);
      // A check may have changed what it works on.
      const order = body === work.body ? asked : understand(work.kind, body, parts, caller.tenantId);
      const definition = work.fork?.definition ?? (await pin(parts, order, body));
      const policy = work.kind === 'chat' ? (work.sessionPolicy ?? policyOf(body, order.agents[0])) : undefined;
      // Whoever is answering now, before this run is there itself.
      const answering = policy === 'steer' ? await answeringRun(runs, work) : undefined;
      const admission = await admissionOf(parts, work);
      const admitted = await admitMessage(runs, {
        id: work.id,
        kind: work.kind,
        sessionId,
        caller,
        request: body,
        asked: work.body,
        told,
        held,
        simulated,
        simulation: simulation || asksSimulation(work),
        traceparent: currentTraceparent(),
        callId: work.callId,
        deadlineAt: admission.deadlineAt,
        parentId: work.parentId,
        definition,
        priority: work.priority,
        actor: work.actor,
        forkOf: work.fork?.of,
        keepSteps: work.fork?.keepSteps,
        sessionPolicy: policy === 'steer' ? 'enqueue' : policy,
      }).catch(async (refused: unknown) => {
        await admission.giveBack();
        throw refused;
      });
      // Joined or not: should the first attempt have died between admission and start, this one starts the run.
      if (isTerminal(admitted.run.status)) return admitted;
      if (answering !== undefined) await steer(parts, admitted.run, answering);
      await engine.begin(keyOfRun(admitted.run));
      return admitted;
    },
  };
}

function asksSimulation({ simulation, body }: WorkRequest): boolean {
  return simulation === true || body['simulation'] === true || configOf(body)['simulation'] === true;
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

/** What the run as a whole costs is set aside; a run under another is part of that one's. */
async function admissionOf({ budgets, clock }: GateParts, work: WorkRequest): Promise<Admission> {
  const { id: runId, kind, caller, body: request, parentId } = work;
  const deadlineAt = deadlineOf(request, clock);
  if (budgets === undefined || parentId !== undefined) return { deadlineAt, giveBack: async () => {} };
  return budgets.admit({ runId, caller, workflow: workflowOfRun({ kind, request }), deadlineAt });
}

function pin({ definitions, toolVersions }: GateParts, order: Order, { graph }: JsonObject): Promise<string> {
  const { workflow, agents, ownTools } = order;
  return definitions.store(
    definitionOf(workflow, agents, toolVersions, isJsonObject(graph) ? graph : undefined, ownTools),
  );
}

async function checkNesting(
  runs: GateParts['runs'],
  { parentId, caller }: WorkRequest,
  { limits }: Order,
): Promise<void> {
  if (parentId === undefined) return;
  const parent = await runs.load(runKey(caller.tenantId, parentId));
  if (parent === undefined) throw new AosError('not_found', `There is no run "${parentId}" to start a run under.`);
  checkDepth(parent.depth + 1, limits);
}

/** When the run times out: `config.timeout_seconds` from now. */
function deadlineOf(body: JsonObject, clock: Clock): string | undefined {
  const seconds = configOf(body)['timeout_seconds'];
  return typeof seconds === 'number' ? isoTime(clock.now() + seconds * 1000) : undefined;
}
