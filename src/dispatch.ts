/**
 * The gate: every door's work comes through here, and nothing else starts a run. A work request is checked against
 * what exists, admitted once however often it is sent, and handed to the engine.
 */
import { context, trace } from '@opentelemetry/api';
import type { Agent } from './agents/agent.ts';
import type { AgentCatalogue } from './agents/catalogue.ts';
import { type Clock, isoTime } from './core/clock.ts';
import { closest } from './core/closest.ts';
import { AosError } from './core/errors.ts';
import { isJsonObject, type JsonObject } from './core/json.ts';
import type { Engine } from './engine/engine.ts';
import { patternFor } from './orchestration/patterns.ts';
import { type Caller, isTerminal, type RunKind } from './runs/run.ts';
import type { Admitted, RunStore } from './runs/run-store.ts';

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
}

export interface Gate {
  /**
   * Admits the work and starts it.
   * @throws AosError invalid_request (an agent or workflow that does not exist), conflict (the id names other work)
   */
  submit(work: WorkRequest): Promise<Admitted>;
}

export interface GateParts {
  readonly catalogue: Pick<AgentCatalogue, 'find' | 'enabled'>;
  readonly runs: Pick<RunStore, 'admit'>;
  readonly engine: Pick<Engine, 'begin'>;
  readonly clock: Clock;
  /** Whether the agents' model is the simulated one. */
  readonly simulated: boolean;
}

export function createGate(parts: GateParts): Gate {
  const { catalogue, runs, engine, clock, simulated } = parts;
  return {
    async submit(work) {
      const pattern = work.kind === 'orchestration' ? patternFor(work.body) : undefined;
      const agents = findAgents(work.body, catalogue);
      // What cannot be planned is refused here, where the caller hears it, rather than in the run.
      pattern?.plan(work.body, agents);
      // Governance has its place here: between what exists and what is admitted.
      const admitted = await runs.admit({
        id: work.id,
        kind: work.kind,
        sessionId: work.sessionId,
        caller: work.caller,
        request: work.body,
        simulated,
        traceparent: currentTraceparent(),
        callId: work.callId,
        deadlineAt: deadlineOf(work.body, clock),
      });
      // Joined or not: should the first attempt have died between admission and start, this one starts the run.
      if (!isTerminal(admitted.run.status)) await engine.begin(admitted.run.id);
      return admitted;
    },
  };
}

function findAgents(body: JsonObject, catalogue: GateParts['catalogue']): readonly Agent[] {
  const named = [body['agent_id'] ?? [], body['agent_ids'] ?? []].flat().map(String);
  const unknown = named.filter((id) => catalogue.find(id) === undefined);
  const [first] = unknown;
  if (first === undefined) return named.flatMap((id) => catalogue.find(id) ?? []);
  const known = catalogue.enabled.map((agent) => agent.agent_id);
  const what =
    unknown.length === 1
      ? `is no agent "${first}"${closest(first, known, ', did you mean "%s"?')}`
      : `are no agents ${unknown.map((id) => `"${id}"`).join(', ')}`;
  throw new AosError('invalid_request', `there ${what} (there are: ${known.join(', ')})`);
}

function configOf({ config }: JsonObject): JsonObject {
  return isJsonObject(config) ? config : {};
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
