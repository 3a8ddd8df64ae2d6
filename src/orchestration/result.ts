/**
 * The result of an orchestration: what each agent produced and used, and the summary. Usage is counted where it arose,
 * once per turn; an agent's is the sum of its turns (the lead's includes the synthesis), the run's the sum of all.
 */
import type { Agent } from '../agents/agent.ts';
import { sumOfUsages } from '../agents/price.ts';
import type { TurnSetting } from '../agents/turn.ts';
import type { JsonObject } from '../core/json.ts';
import type { TurnUsage } from '../runs/event.ts';
import type { Attempt } from './attempt.ts';
import { idsOf, type Plan } from './plan.ts';

export interface ResultParts {
  readonly setting: Pick<TurnSetting, 'model'>;
  readonly plan: Plan;
  /** Everything in which agents spoke for themselves, in order. */
  readonly attempts: readonly Attempt[];
  readonly synthesis?: Attempt | undefined;
  /** Turns that count but say nothing of an agent's own, such as choosing who speaks next. */
  readonly beside?: readonly Attempt[];
  readonly summary: string;
  /** Further members, of this pattern alone. */
  readonly extra?: JsonObject;
}

export function resultOf({ setting, plan, attempts, synthesis, beside = [], summary, extra }: ResultParts): JsonObject {
  const counted = [...beside, ...(synthesis === undefined ? [] : [synthesis])];
  const all = [...attempts, ...counted];
  const { name: model, simulated } = setting.model;
  return {
    workflow: plan.workflow,
    agent_ids: idsOf(plan.agents),
    results: Object.fromEntries(plan.agents.map((agent) => [agent.agent_id, agentResult(agent, attempts, counted)])),
    summary: summary.trim() === '' ? 'The agents answered with nothing.' : summary,
    ...(synthesis === undefined ? {} : { synthesis: synthesisResult(synthesis) }),
    ...extra,
    turns: all.length,
    usage: totalUsage(all),
    progress: 1,
    model,
    simulated,
  };
}

/** Completed when the agent said anything in the end of its own; its last words are its output. */
function agentResult(agent: Agent, attempts: readonly Attempt[], beside: readonly Attempt[]): JsonObject {
  const isOwn = ({ turn }: Attempt) => turn.agent.agent_id === agent.agent_id;
  const own = attempts.filter(isOwn);
  const last = own.findLast((attempt) => attempt.status === 'completed');
  const failed = own.findLast((attempt) => attempt.status === 'failed');
  const counted = [...own, ...beside.filter(isOwn)];
  const outcomes = counted.flatMap((attempt) => (attempt.status === 'completed' ? [attempt.outcome] : []));
  const startedAt = outcomes.map((outcome) => outcome.started_at).toSorted()[0] ?? null;
  const completedAt =
    outcomes
      .map((outcome) => outcome.completed_at)
      .toSorted()
      .at(-1) ?? null;
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
  return sumOfUsages(attempts.flatMap((attempt) => (attempt.status === 'completed' ? [attempt.outcome.usage] : [])));
}
