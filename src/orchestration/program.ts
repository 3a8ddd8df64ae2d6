/**
 * What a run does, by its kind and workflow. The program is executed again from the start when a run is resumed; its
 * steps give back what they gave before, so everything between them must depend on the request and on those only.
 */
import { type Context, SpanKind } from '@opentelemetry/api';
import type { Agent } from '../agents/agent.ts';
import type { Assignment, Purpose } from '../agents/brief.ts';
import type { AgentCatalogue } from '../agents/catalogue.ts';
import type { Model } from '../agents/model.ts';
import { createProgress } from '../agents/progress.ts';
import type { SessionMemory } from '../agents/session.ts';
import type { TurnSetting } from '../agents/turn.ts';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { RunProgram, RunScope } from '../engine/engine.ts';
import type { Run } from '../runs/run.ts';
import { baggageKey, genAi, runAttribute, scopeName, spanName } from '../telemetry/names.ts';
import { inSpan } from '../telemetry/span.ts';
import { extractContext, withBaggage } from '../telemetry/tracing.ts';
import { CHAT_TURN, runChat } from './chat.ts';
import { patternFor, workflowOf } from './patterns.ts';
import { planEvent } from './plan.ts';

export interface ProgramParts {
  readonly catalogue: Pick<AgentCatalogue, 'find' | 'enabled'>;
  readonly model: Model;
  readonly memory: SessionMemory;
  readonly clock: Clock;
  /** Whether spans may hold what people and models wrote; false when left out. */
  readonly captureContent?: boolean;
}

/** Who answers a chat that names nobody: this agent, or the first there is. */
const CHAT_AGENT = 'ceo';

export function createRunProgram(parts: ProgramParts): RunProgram {
  return (scope) => {
    const { run } = scope;
    return inSpan(workflowSpan(run, parts.model), traceContextOf(run), async (_span, within) =>
      run.kind === 'chat' ? chat(parts, scope, within) : orchestrate(parts, scope, within),
    );
  };
}

async function orchestrate(parts: ProgramParts, scope: RunScope, traceContext: Context): Promise<JsonObject> {
  const { request } = scope.run;
  const agents = textList(request['agent_ids']).map((id) => agentOf(parts.catalogue, id));
  const pattern = patternFor(request);
  const plan = pattern.plan(request, agents);
  await scope.emit('started', { type: 'run.started', data: { plan: planEvent(plan) } });
  const setting = settingOf(parts, scope, traceContext, plan.plannedTurns);
  const agentOfRun = (id: string) => parts.catalogue.find(id);
  return pattern.run({ ...setting, request, agentOfRun }, plan, assignmentOf(scope.run));
}

async function chat(parts: ProgramParts, scope: RunScope, traceContext: Context): Promise<JsonObject> {
  const { request, createdAt } = scope.run;
  const agent = chatAgent(parts.catalogue, text(request['agent_id']));
  await scope.emit('started', {
    type: 'run.started',
    data: { plan: { agent_ids: [agent.agent_id], phases: [[CHAT_TURN]], planned_turns: 1 } },
  });
  const setting = settingOf(parts, scope, traceContext, 1);
  return runChat(setting, parts.memory, { agent, message: text(request['message']) ?? '', today: dayOf(createdAt) });
}

function settingOf(parts: ProgramParts, scope: RunScope, traceContext: Context, plannedTurns: number): TurnSetting {
  const { model, clock, captureContent = false } = parts;
  return { scope, model, clock, progress: createProgress(plannedTurns), traceContext, captureContent };
}

function agentOf(catalogue: ProgramParts['catalogue'], id: string): Agent {
  const agent = catalogue.find(id);
  if (agent !== undefined) return agent;
  // The gate let the run in, so the registry has changed since.
  const known = catalogue.enabled.map(({ agent_id }) => agent_id).join(', ');
  throw new AosError('invalid_request', `there is no agent "${id}" (there are: ${known})`);
}

function chatAgent(catalogue: ProgramParts['catalogue'], id: string | undefined): Agent {
  if (id !== undefined) return agentOf(catalogue, id);
  const agent = catalogue.find(CHAT_AGENT) ?? catalogue.enabled[0];
  if (agent === undefined) throw new AosError('invalid_request', 'the agent registry has no enabled agent to answer');
  return agent;
}

function assignmentOf({ request, createdAt }: Run): Assignment {
  return {
    task: object(request['task']),
    context: object(request['context']),
    purpose: purposeOf(request['purpose']),
    today: dayOf(createdAt),
  };
}

/** A bare text, or the object form with a scope. */
function purposeOf(value: JsonValue | undefined): Purpose | undefined {
  const stated = text(value) ?? text(object(value)['purpose']);
  if (stated === undefined) return undefined;
  return { purpose: stated, scope: text(object(value)['purpose_scope']) ?? 'General orchestration scope' };
}

/** The trace the caller was in, and the ids that every span of the run is found by. */
function traceContextOf(run: Run): Context {
  return withBaggage(extractContext(run.traceparent === null ? {} : { traceparent: run.traceparent }), {
    [baggageKey.invocationId]: run.id,
    [baggageKey.sessionId]: run.sessionId,
  });
}

function workflowSpan(run: Run, model: Model) {
  const name = run.kind === 'chat' ? 'chat' : workflowOf(run.request);
  return {
    scope: scopeName.runtime,
    name: `${spanName.invokeWorkflow} ${name}`,
    kind: SpanKind.INTERNAL,
    attributes: {
      [genAi.operationName]: spanName.invokeWorkflow,
      [genAi.workflowName]: name,
      [genAi.conversationId]: run.sessionId,
      [runAttribute.runId]: run.id,
      [runAttribute.simulated]: model.simulated,
    },
  };
}

function object(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function textList(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function dayOf(isoTime: string): string {
  return isoTime.slice(0, 10);
}
