/**
 * The result of an orchestration: what each agent produced and used, and the summary. Usage is counted where it arose,
 * once per turn; an agent's is the sum of its turns (the lead's includes the synthesis), the run's the sum of all.
 */
import type { Agent } from '../agents/agent.ts';
import { sumOfCosts } from '../agents/price.ts';
import type { JsonObject } from '../core/json.ts';
import type { TurnUsage } from '../runs/event.ts';
import type { Attempt } from './attempt.ts';
import { idsOf, type Plan } from './plan.ts';

export interface ResultParts {
  readonly plan: Plan;
  /** Everything that was attempted, in order, the synthesis not included. */
  readonly attempts: readonly Attempt[];
  readonly synthesis: Attempt | undefined;
  readonly summary: string;
  readonly model: string;
  readonly simulated: boolean;
}

export function resultOf({ plan, attempts, synthesis, summary, model, simulated }: ResultParts): JsonObject {
  const all = synthesis === undefined ? attempts : [...attempts, synthesis];
  return {
    workflow: plan.workflow,
    agent_ids: idsOf(plan.agents),
    results: Object.fromEntries(plan.agents.map((agent) => [agent.agent_id, agentResult(agent, attempts, synthesis)])),
    summary,
    ...(synthesis === undefined ? {} : { synthesis: synthesisResult(synthesis) }),
    turns: all.length,
    usage: totalUsage(all),
    progress: 1,
    model,
    simulated,
  };
}

/** Completed when the agent said anything in the end of its own; its last words are its output. */
function agentResult(agent: Agent, attempts: readonly Attempt[], synthesis: Attempt | undefined): JsonObject {
  const isOwn = ({ turn }: Attempt) => turn.agent.agent_id === agent.agent_id;
  const own = attempts.filter(isOwn);
  const last = own.findLast((attempt) => attempt.status === 'completed');
  const failed = own.findLast((attempt) => attempt.status === 'failed');
  const counted = synthesis !== undefined && isOwn(synthesis) ? [...own, synthesis] : own;
  const outcomes = counted.flatMap((attempt) => (attempt.status === 'completed' ? [attempt.outcome] : []));
  const startedAt = outcomes[0]?.started_at ?? null;
  const completedAt = outcomes.at(-1)?.completed_at ?? null;
  return {
    status: last !== undefined ? 'completed' : failed !== undefined ? 'failed' : 'skipped',
    output: last === undefined ? null : { position: last.outcome.output },
    error: last === undefined && failed !== undefined ? { ...failed.error } : null,
    turns: counted.length,
    started_at: startedAt,
    completed_at: completedAt,
    duration_seconds:
      startedAt === null || completedAt === null ? null : (Date.parse(completedAt) - Date.parse(startedAt)) / 1000,
    usage: totalUsage(counted),
  };
}

function synthesisResult(synthesis: Attempt): JsonObject {
  return {
    agent_id: synthesis.turn.agent.agent_id,
    status: synthesis.status,
    error: synthesis.status === 'failed' ? { ...synthesis.error } : null,
  };
}

function totalUsage(attempts: readonly Attempt[]): TurnUsage {
  const usages = attempts.flatMap((attempt) => (attempt.status === 'completed' ? [attempt.outcome.usage] : []));
  return {
    tokens_input: usages.reduce((sum, usage) => sum + usage.tokens_input, 0),
    tokens_output: usages.reduce((sum, usage) => sum + usage.tokens_output, 0),
    cost_usd: sumOfCosts(usages.map((usage) => usage.cost_usd)),
  };
}
