/**
 * What a run does, by its kind and workflow. The program is executed again from the start when a run is resumed; its
 * steps give back what they gave before, so everything between them must depend on the request, the definition the run
 * is pinned to, and those only.
 */
import { type Context, SpanKind } from '@opentelemetry/api';
import type { Agent } from '../agents/agent.ts';
import type { AgentSet, AgentStock } from '../agents/catalogue.ts';
import type { Model } from '../agents/model.ts';
import { modelFor } from '../agents/model-choice.ts';
import { createProgress } from '../agents/progress.ts';
import type { SessionMemory } from '../agents/session.ts';
import type { ToolSet } from '../agents/tool.ts';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { RunProgram, RunScope } from '../engine/engine.ts';
import type { ApprovalDesk } from '../governance/approval-desk.ts';
import type { Budgets } from '../governance/budget/budgets.ts';
import type { Governor } from '../governance/governor.ts';
import { passEntrance } from '../governance/run-entrance.ts';
import type { DataGuard } from '../governance/screening/data-guard.ts';
import type { EventLog } from '../runs/event-log.ts';
import type { Run } from '../runs/run.ts';
import type { Log } from '../telemetry/log.ts';
import { baggageKey, genAi, runAttribute, scopeName, spanName } from '../telemetry/names.ts';
import { inSpan } from '../telemetry/span.ts';
import { extractContext, withBaggage } from '../telemetry/tracing.ts';
import { assignmentOf } from './assignment.ts';
import { chatAgentOf, chatPlanEvent, runChat } from './chat.ts';
import { buildOf, CHAT_WORKFLOW, type Definition, definitionOf, missingIn } from './definition.ts';
import type { DefinitionStore } from './definition-store.ts';
import { checkDepth, limitsOf } from './limits.ts';
import { createLoopGuard } from './loop-guard.ts';
import { type OrchestrationSetting, patternKey } from './pattern.ts';
import { agentIdsOf, membersOf, patternFor, patterns, workflowOf } from './patterns.ts';
import { configOf, planEvent, yesOrNo } from './plan.ts';
import { createRunMeter } from './run-meter.ts';

export interface ProgramParts {
  readonly catalogue: AgentStock;
  readonly model: Model;
  /** Answers in simulated runs. */
  readonly simulatedModel?: Model;
  readonly memory: SessionMemory;
  readonly clock: Clock;
  /** Whether spans may hold what people and models wrote; false when left out. */
  readonly captureContent?: boolean;
  /** What runs are pinned to; without it, and for runs that are pinned to nothing, what there is today holds. */
  readonly definitions?: Pick<DefinitionStore, 'find'>;
  /** For a message that was handed to another run of its session. */
  readonly events?: Pick<EventLog, 'read'>;
  readonly tools?: ToolSet;
  readonly approvals?: ApprovalDesk;
  readonly governor: Governor;
  readonly budgets?: Budgets;
  /** What of personal data may leave; everything when left out. */
  readonly egress?: DataGuard['egress'];
  readonly log?: Log;
}

export function createRunProgram(parts: ProgramParts): RunProgram {
  return (scope) =>
    inSpan(
      workflowSpan(scope.run, modelFor(parts, scope.run)),
      traceContextOf(scope.run),
      async (_span, traceContext) => {
        await passEntrance(parts.governor, scope);
        const definition = await definitionOfRun(parts, scope);
        return scope.run.kind === 'chat'
          ? chat(parts, scope, definition, traceContext)
          : orchestrate(parts, scope, definition, traceContext);
      },
    );
}

/**
 * What the run is pinned to, once this build has all of it; until then the run waits. A signal `definition` makes it
 * look again, here or in a newer build.
 */
async function definitionOfRun(parts: ProgramParts, scope: RunScope): Promise<Definition> {
  const { run } = scope;
  if (run.definition === null || parts.definitions === undefined) return definitionOfToday(parts, run);
  for (let nth = 1; ; nth++) {
    const definition = await parts.definitions.find(run.definition);
    const missing =
      definition === undefined
        ? [`the definition ${run.definition}`]
        : missingIn(definition, buildOf(Object.keys(patterns), parts.tools?.versions));
    if (definition !== undefined && missing.length === 0) return definition;
    const wait = `definition/${nth}`;
    await scope.emit(wait, { type: 'run.definition_missing', data: { wait, definition: run.definition, missing } });
    await scope.wait({ name: wait, signal: 'definition', reason: 'definition', detail: { missing } });
  }
}

function definitionOfToday({ catalogue, tools }: ProgramParts, { kind, request, caller }: Run): Definition {
  const stock = catalogue.of(caller.tenantId);
  if (kind === 'chat') return definitionOf(CHAT_WORKFLOW, [chatAgentOf(stock, request)], tools?.versions);
  const pattern = patternFor(request);
  const agents = agentIdsOf(pattern, request).map((id) => agentOf(stock, id));
  return definitionOf(patternKey(pattern), agents, tools?.versions, undefined, pattern.toolNames?.(request));
}

async function orchestrate(
  parts: ProgramParts,
  scope: RunScope,
  definition: Definition,
  traceContext: Context,
): Promise<JsonObject> {
  const { run } = scope;
  const { request } = run;
  const pattern = patterns[definition.workflow];
  if (pattern === undefined) throw new Error(`${definition.workflow} was there a moment ago`);
  const agentOfRun = (id: string) => definition.agents.find((agent) => agent.agent_id === id);
  const plan = pattern.plan(request, membersOf(pattern, request, definition.agents));
  await scope.emit('started', { type: 'run.started', data: { plan: planEvent(plan) } });
  const setting = settingOf(parts, scope, traceContext, plan.plannedTurns);
  return pattern.run({ ...setting, request, agentOfRun }, plan, assignmentOf(run));
}

async function chat(
  parts: ProgramParts,
  scope: RunScope,
  { agents: [agent] }: Definition,
  traceContext: Context,
): Promise<JsonObject> {
  if (agent === undefined) throw new Error(`the chat ${scope.run.id} is pinned to no agent`);
  await scope.emit('started', { type: 'run.started', data: { plan: chatPlanEvent(agent) } });
  const { memory, events } = parts;
  const setting = settingOf(parts, scope, traceContext, 1);
  return runChat(setting, events === undefined ? { memory } : { memory, events }, agent);
}

type RunSetting = Omit<OrchestrationSetting, 'request' | 'agentOfRun'>;

function settingOf(parts: ProgramParts, scope: RunScope, traceContext: Context, plannedTurns: number): RunSetting {
  const { clock, tools, approvals, governor, budgets, egress, log, captureContent = false } = parts;
  const config = configOf(scope.run.request);
  const limits = limitsOf(config, plannedTurns);
  checkDepth(scope.run.depth, limits);
  const guard = yesOrNo(config, 'loop_guard') === false ? undefined : createLoopGuard();
  return {
    scope,
    model: modelFor(parts, scope.run),
    clock,
    governor,
    traceContext,
    captureContent,
    progress: createProgress(plannedTurns),
    meter: createRunMeter({ scope, clock, limits, guard, restored: scope.checkpointed?.['meter'] }),
    ...(tools === undefined ? {} : { tools }),
    ...(approvals === undefined ? {} : { approvals }),
    ...(budgets === undefined ? {} : { budgets }),
    ...(egress === undefined ? {} : { egress }),
    ...(log === undefined ? {} : { log }),
  };
}

function agentOf(stock: AgentSet, id: string): Agent {
  const agent = stock.find(id);
  if (agent !== undefined) return agent;
  // The gate let the run in, so the registry has changed since.
  const known = stock.enabled.map(({ agent_id }) => agent_id).join(', ');
  throw new AosError('invalid_request', `there is no agent "${id}" (there are: ${known})`);
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
