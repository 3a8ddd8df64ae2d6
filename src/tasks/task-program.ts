/**
 * What the run of an attempt does: finds the handler of the task's type and lets it work. A failure is the run's; where
 * trying again is judged otherwise than its code says, that is stored beside it.
 */
import { type Context, SpanKind } from '@opentelemetry/api';
import { AosError, catalogue } from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { RunProgram, RunScope } from '../engine/engine.ts';
import type { Router } from '../fabric/router.ts';
import type { ProposedAction } from '../governance/action.ts';
import { passEntrance } from '../governance/run-entrance.ts';
import type { Caller, Run } from '../runs/run.ts';
import { baggageKey, genAi, runAttribute, scopeName, spanName } from '../telemetry/names.ts';
import { inSpan } from '../telemetry/span.ts';
import { extractContext, withBaggage } from '../telemetry/tracing.ts';
import { RETRY_STEP } from './attempt.ts';
import { type AgentParts, createAgentRunHandler } from './handler-agent-run.ts';
import { createEvaluationHandler, type EvaluationParts } from './handler-evaluation.ts';
import { createFabricActionHandler } from './handler-fabric-action.ts';
import { createOrchestrationHandler, type PrepareOrchestration } from './handler-orchestration.ts';
import { createScheduledJobHandler } from './handler-scheduled-job.ts';
import { agentOfTask, type TaskType, taskIdOf, taskTypes } from './task.ts';
import { entranceOfTask } from './task-entrance.ts';
import type { TaskHandler, TaskSetting, TaskWork } from './task-handler.ts';

export interface TaskProgramParts {
  readonly agents: AgentParts;
  readonly evaluation: EvaluationParts;
  readonly prepareOrchestration: PrepareOrchestration;
  /** The health of this process, as the health operation tells it. */
  readonly health: (caller: Caller) => Promise<JsonObject>;
  /** Brings actions to enterprise systems. */
  readonly router: Router;
}

/** The types of task this runtime has a handler for. */
export const handledTypes: readonly TaskType[] = taskTypes;

export function createTaskProgram(parts: TaskProgramParts): RunProgram {
  const handlers: Record<TaskType, TaskHandler> = {
    agent_run: createAgentRunHandler(parts.agents),
    orchestration: createOrchestrationHandler(parts.prepareOrchestration, parts.agents.governor),
    scheduled_job: createScheduledJobHandler((type) => handlers[type]),
    evaluation: createEvaluationHandler(parts.agents, parts.evaluation),
    health_check: (_work, { scope }) => scope.step('health', () => parts.health(scope.run.caller)),
    fabric_action: createFabricActionHandler(parts.router),
  };
  return (scope) => {
    const work = workOf(scope.run);
    return inSpan(taskSpan(scope.run, work), traceContextOf(scope.run), async (_span, traceContext) => {
      const plan = { task_type: work.type, ...(work.agentId !== undefined && { agent_ids: [work.agentId] }) };
      await scope.emit('started', { type: 'run.started', data: { plan } });
      await passEntrance(parts.agents.governor, scope, askedIn(scope.run));
      await parts.agents.budgets?.begin(scope);
      return attempt(handlers[work.type], work, { scope, traceContext });
    });
  };
}

async function attempt(handler: TaskHandler, work: TaskWork, setting: TaskSetting): Promise<JsonObject> {
  const { scope } = setting;
  try {
    return await handler(work, setting);
  } catch (thrown) {
    await keepRetry(scope, thrown);
    throw thrown;
  }
}

async function keepRetry(scope: RunScope, thrown: unknown): Promise<void> {
  if (!(thrown instanceof AosError) || scope.signal.aborted || thrown.retry === catalogue[thrown.code].retry) return;
  await scope.step(RETRY_STEP, async () => thrown.retry);
}

/** What those are asked who have to agree to the task of the attempt. */
function askedIn({ id, request: { submission } }: Run): ProposedAction {
  return entranceOfTask(taskIdOf(id), isJsonObject(submission) ? submission : {});
}

/** The request of an attempt's run, as `attempt.ts` made it. */
function workOf({ request }: Run): TaskWork {
  const type = taskTypes.find((known) => known === request['task_type']);
  if (type === undefined) throw new Error(`an attempt was admitted for a task of type ${String(request['task_type'])}`);
  const payload = isJsonObject(request['payload']) ? request['payload'] : {};
  const named = request['agent_id'];
  return { type, payload, agentId: agentOfTask({ agent_id: typeof named === 'string' ? named : null, payload }) };
}

function traceContextOf(run: Run): Context {
  return withBaggage(extractContext(run.traceparent === null ? {} : { traceparent: run.traceparent }), {
    [baggageKey.invocationId]: run.id,
    [baggageKey.sessionId]: run.sessionId,
  });
}

function taskSpan(run: Run, { type }: TaskWork) {
  return {
    scope: scopeName.runtime,
    name: `${spanName.invokeWorkflow} ${type}`,
    kind: SpanKind.INTERNAL,
    attributes: {
      [genAi.operationName]: spanName.invokeWorkflow,
      [genAi.workflowName]: type,
      [genAi.conversationId]: run.sessionId,
      [runAttribute.runId]: run.id,
      [runAttribute.simulated]: run.simulated,
    },
  };
}
