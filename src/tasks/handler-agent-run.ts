/** `agent_run`: one agent answers `payload.input`, with its tools, without memory of any session. */
import type { Agent } from '../agents/agent.ts';
import type { AgentSet, AgentStock } from '../agents/catalogue.ts';
import type { Model } from '../agents/model.ts';
import { modelFor } from '../agents/model-choice.ts';
import { createProgress } from '../agents/progress.ts';
import type { TurnOutcome, TurnSetting } from '../agents/turn.ts';
import { runTurn } from '../agents/turn-loop.ts';
import { closest } from '../core/closest.ts';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { limitsOf } from '../orchestration/limits.ts';
import { createLoopGuard } from '../orchestration/loop-guard.ts';
import { createRunMeter } from '../orchestration/run-meter.ts';
import type { TaskHandler, TaskSetting } from './task-handler.ts';

/** What turns need that does not depend on the run. */
export type AgentParts = Pick<
  TurnSetting,
  'model' | 'clock' | 'captureContent' | 'tools' | 'governor' | 'budgets' | 'egress' | 'log'
> & {
  readonly catalogue: AgentStock;
  /** Answers in simulated runs. */
  readonly simulatedModel?: Model;
};

const DEFAULT_MAX_STEPS = 20;
const DEFAULT_MAX_COST_USD = 1;
const TURN = 'agent-run';

export function createAgentRunHandler(parts: AgentParts): TaskHandler {
  return async ({ agentId = '', payload }, setting) => {
    const agent = agentOf(parts.catalogue.of(setting.scope.run.caller.tenantId), agentId);
    const { input, context } = payload;
    const outcome = await answer(parts, setting, { turn: TURN, agent, input: input ?? '', context, payload });
    return { run_id: setting.scope.run.id, ...outcomeView(outcome), error: null };
  };
}

export interface Question {
  /** Unique in the run. */
  readonly turn: string;
  readonly agent: Agent;
  readonly input: JsonValue;
  readonly context?: JsonValue | undefined;
  /** May bound the work: `max_steps` (tool calls), `max_cost_usd`, `max_tokens`. */
  readonly payload: JsonObject;
}

/** Has an agent answer, within the bounds of the payload. */
export function answer(
  parts: AgentParts,
  { scope, traceContext }: TaskSetting,
  { turn, agent, input, context, payload }: Question,
): Promise<TurnOutcome> {
  const { clock, captureContent, tools, governor, budgets, egress, log } = parts;
  const bounds = {
    max_tool_calls: payload['max_steps'] ?? DEFAULT_MAX_STEPS,
    max_cost_usd: payload['max_cost_usd'] ?? DEFAULT_MAX_COST_USD,
    max_tokens: payload['max_tokens'] ?? null,
  };
  const limits = limitsOf(bounds, 1);
  const setting: TurnSetting = {
    scope,
    model: modelFor(parts, scope.run),
    clock,
    governor,
    traceContext,
    captureContent,
    progress: createProgress(1),
    meter: createRunMeter({ scope, clock, limits, guard: createLoopGuard() }),
    ...(tools === undefined ? {} : { tools }),
    ...(budgets === undefined ? {} : { budgets }),
    ...(egress === undefined ? {} : { egress }),
    ...(log === undefined ? {} : { log }),
  };
  return runTurn(setting, { name: turn, agent, round: 1 }, () => ({
    kind: 'chat',
    agent,
    messages: [{ role: 'user', content: questionText(input, context) }],
    today: scope.run.createdAt.slice(0, 10),
  }));
}

/** An outcome with the names of the wire. */
export function outcomeView({ output, usage, tool_calls, model, simulated }: TurnOutcome): JsonObject {
  return {
    output,
    tokens_input: usage.tokens_input,
    tokens_output: usage.tokens_output,
    cost_usd: usage.cost_usd,
    // The answer itself, and every tool on the way to it.
    steps_executed: tool_calls + 1,
    model,
    simulated,
  };
}

/** @throws AosError invalid_request when there is no such agent */
export function agentOf(stock: AgentSet, id: string): Agent {
  const agent = stock.find(id);
  if (agent !== undefined) return agent;
  const known = stock.enabled.map(({ agent_id }) => agent_id);
  throw new AosError(
    'invalid_request',
    `there is no agent "${id}"${closest(id, known, ', did you mean "%s"?')} (there are: ${known.join(', ')})`,
  );
}

function questionText(input: JsonValue, context: JsonValue | undefined): string {
  const question = typeof input === 'string' ? input : block(input);
  const isEmpty =
    context === undefined || context === null || (isJsonObject(context) && Object.keys(context).length === 0);
  return isEmpty ? question : `${question}\n\nContext:\n${typeof context === 'string' ? context : block(context)}`;
}

function block(value: JsonValue): string {
  return `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
}
