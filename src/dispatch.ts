/**
 * The gate: every door's work comes through here, and nothing else starts a run. A work request is checked against
 * what exists, pinned to it, admitted once however often it is sent, and handed to the engine.
 */
import { context, trace } from '@opentelemetry/api';
import type { Agent } from './agents/agent.ts';
import type { AgentCatalogue } from './agents/catalogue.ts';
import { unknownTool } from './agents/tool.ts';
import { type Clock, isoTime } from './core/clock.ts';
import { closest } from './core/closest.ts';
import { AosError } from './core/errors.ts';
import { isJsonObject, type JsonObject } from './core/json.ts';
import type { Engine } from './engine/engine.ts';
import { chatAgentOf, STEER_SIGNAL } from './orchestration/chat.ts';
import { CHAT_WORKFLOW, definitionOf } from './orchestration/definition.ts';
import type { DefinitionStore } from './orchestration/definition-store.ts';
import { checkDepth, limitsOf } from './orchestration/limits.ts';
import { type Pattern, patternKey } from './orchestration/pattern.ts';
import { agentIdsOf, membersOf, patternFor } from './orchestration/patterns.ts';
import { configOf } from './orchestration/plan.ts';
import type { EventLog } from './runs/event-log.ts';
import { type Caller, type ForkOrigin, isTerminal, type Run, type RunKind } from './runs/run.ts';
import type { Admitted, RunStore } from './runs/run-store.ts';

/**
 * What becomes of a message while an earlier one of its session is being answered: it is refused · answered afterwards ·
 * answered in its place · handed to the run that is answering, which answers both.
 */
export const secondMessagePolicies = ['reject', 'enqueue', 'interrupt', 'steer'] as const;
export type SecondMessagePolicy = (typeof secondMessagePolicies)[number];

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
}

export interface GateParts {
  readonly catalogue: Pick<AgentCatalogue, 'find' | 'enabled'>;
  readonly runs: Pick<RunStore, 'admit' | 'load' | 'activeInSession'>;
  readonly engine: Pick<Engine, 'begin' | 'backlog' | 'signal'>;
  readonly events: Pick<EventLog, 'append'>;
  readonly definitions: Pick<DefinitionStore, 'store'>;
  readonly clock: Clock;
  /** Whether the agents' model is the simulated one. */
  readonly simulated: boolean;
  /** Versions of the tools there are, by name; none when left out. */
  readonly toolVersions?: Readonly<Record<string, string>>;
  /** Whether an id that is not in the catalogue gets an agent of general purpose; refused when left out. */
  readonly allowUnregisteredAgents?: boolean;
}

/** Who has waited so long for a place is told to come back; work that was admitted is never refused. */
const OVERLOADED_AFTER_MS = 10_000;

export function createGate(parts: GateParts): Gate {
  const { runs, engine, clock, simulated } = parts;

  async function steer(run: Run, into: Run, message: string): Promise<void> {
    // First what this run has to know of it: should the other take the message, this one must not answer again.
    const { appended } = await parts.events.append(run.id, 'steering', {
      type: 'run.steering',
      data: { into: into.id },
    });
    // Sent again: it was handed over before, perhaps to another run, and is not to be answered twice.
    if (!appended) return;
    const payload = { run_id: run.id, message };
    await engine.signal(into.id, { id: `steer/${run.id}`, name: STEER_SIGNAL, payload, actor: `run:${run.id}` });
  }

  return {
    async submit(work) {
      const { body, caller, sessionId } = work;
      checkRoom(engine, work);
      const pattern = work.kind === 'orchestration' ? patternFor(body) : undefined;
      const agents = pattern === undefined ? [chatAgent(body, parts)] : findAgents(pattern, body, parts);
      // What cannot be planned is refused here, where the caller hears it, rather than in the run.
      const plannedTurns = pattern?.plan(body, membersOf(pattern, body, agents)).plannedTurns ?? 1;
      await checkNesting(runs, work, plannedTurns);
      // Governance has its place here: between what exists and what is admitted.
      const definition = work.fork?.definition ?? (await pin(parts, pattern, agents, body));
      const policy = work.kind === 'chat' ? policyOf(work, agents[0]) : undefined;
      // Whoever is answering now, before this run is there itself.
      const answering = policy === 'steer' ? await answeringRun(runs, work) : undefined;
      const admitted = await admit(runs, work, {
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
      if (answering !== undefined) await steer(admitted.run, answering, String(body['message'] ?? ''));
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

async function checkNesting(runs: GateParts['runs'], work: WorkRequest, plannedTurns: number): Promise<void> {
  // Also where there is no parent: the limits of the request are checked on the way.
  const limits = limitsOf(configOf(work.body), plannedTurns);
  if (work.parentId === undefined) return;
  const parent = await runs.load(work.parentId);
  if (parent === undefined) throw new AosError('not_found', `There is no run "${work.parentId}" to start a run under.`);
  checkDepth(parent.depth + 1, limits);
}

function chatAgent(body: JsonObject, parts: GateParts): Agent {
  const { agent_id: id } = body;
  return typeof id === 'string' ? findAgent(id, parts) : chatAgentOf(parts.catalogue, body);
}

function findAgent(id: string, parts: GateParts): Agent {
  const [agent] = knownAgents([id], parts);
  if (agent === undefined) throw new Error(`the agent ${id} was neither found nor refused`);
  return agent;
}

function findAgents(pattern: Pattern, body: JsonObject, parts: GateParts): readonly Agent[] {
  return knownAgents(agentIdsOf(pattern, body), parts);
}

/** @throws AosError invalid_request naming those that do not exist */
function knownAgents(
  ids: readonly string[],
  { catalogue, allowUnregisteredAgents = false }: GateParts,
): readonly Agent[] {
  const unknown = ids.filter((id) => catalogue.find(id) === undefined);
  const [first] = unknown;
  if (first === undefined || allowUnregisteredAgents) return ids.map((id) => catalogue.find(id) ?? generalAgent(id));
  const known = catalogue.enabled.map((agent) => agent.agent_id);
  const what =
    unknown.length === 1
      ? `is no agent "${first}"${closest(first, known, ', did you mean "%s"?')}`
      : `are no agents ${unknown.map((id) => `"${id}"`).join(', ')}`;
  throw new AosError('invalid_request', `there ${what} (there are: ${known.join(', ')})`, {
    reason: 'UNKNOWN_AGENTS',
    facts: { unknown },
  });
}

/** Somebody nobody has registered: all that is known is the name. */
function generalAgent(id: string): Agent {
  return {
    agent_id: id,
    agent_type: 'GeneralAgent',
    purpose: `Contribute to the work as ${id}, as far as that name says what is expected.`,
    adapter_name: id,
    capabilities: [],
    config: {},
    enabled: true,
  };
}

function pin(
  { definitions, toolVersions = {} }: GateParts,
  pattern: Pattern | undefined,
  agents: readonly Agent[],
  body: JsonObject,
): Promise<string> {
  const workflow = pattern === undefined ? CHAT_WORKFLOW : patternKey(pattern);
  const tools = pattern?.toolNames?.(body) ?? [];
  const known = Object.keys(toolVersions);
  const missing = tools.find((name) => !known.includes(name));
  if (missing !== undefined)
    throw new AosError('invalid_request', `the graph names the ${unknownTool(missing, known)}`);
  const { graph } = body;
  return definitions.store(
    definitionOf(workflow, agents, toolVersions, isJsonObject(graph) ? graph : undefined, tools),
  );
}

function policyOf({ sessionPolicy, body }: WorkRequest, agent: Agent | undefined): SecondMessagePolicy {
  const asked = sessionPolicy ?? body['second_message'] ?? agent?.config['second_message'] ?? 'enqueue';
  const policy = secondMessagePolicies.find((known) => known === asked);
  if (policy !== undefined) return policy;
  throw new AosError(
    'invalid_request',
    `"second_message" must be one of ${secondMessagePolicies.join(', ')}, got ${JSON.stringify(asked)}`,
  );
}

/** The run that answers in the session now; undefined when that is nobody, or this very run, sent again. */
async function answeringRun(runs: GateParts['runs'], { id, caller, sessionId }: WorkRequest): Promise<Run | undefined> {
  const active = await runs.activeInSession(caller, sessionId);
  const before = active.some((run) => run.id === id)
    ? active.slice(
        0,
        active.findIndex((run) => run.id === id),
      )
    : active;
  // The oldest has the floor: the others wait for it.
  return before[0];
}

/** Names the run in the way when the session is busy. */
async function admit(
  runs: GateParts['runs'],
  { caller, sessionId }: WorkRequest,
  admission: Parameters<RunStore['admit']>[0],
): Promise<Admitted> {
  try {
    return await runs.admit(admission);
  } catch (thrown) {
    if (!(thrown instanceof AosError) || thrown.reason !== 'SESSION_BUSY') throw thrown;
    const [active] = await runs.activeInSession(caller, sessionId);
    throw new AosError('conflict', thrown.message, {
      reason: 'SESSION_BUSY',
      facts: { run_id: active?.id ?? null },
      cause: thrown,
    });
  }
}

/** When the run times out: `config.timeout_seconds` from now. */
function deadlineOf(body: JsonObject, clock: Clock): string | undefined {
  const seconds = configOf(body)['timeout_seconds'];
  return typeof seconds === 'number' ? isoTime(clock.now() + seconds * 1000) : undefined;
}

/** The trace the calling code works in, as a W3C `traceparent`: a resumed run goes on in it. */
function currentTraceparent(): string | undefined {
  const span = trace.getSpanContext(context.active());
  return span === undefined
    ? undefined
    : `00-${span.traceId}-${span.spanId}-${span.traceFlags.toString(16).padStart(2, '0')}`;
}
