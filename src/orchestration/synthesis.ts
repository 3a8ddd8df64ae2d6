/**
 * How a group comes to one result: the last words of everybody, the turn that makes one text of them where the plan
 * has one, and what stands in its place where it has none or that turn failed.
 */
import { titleOf } from '../agents/agent.ts';
import type { Assignment, Contribution } from '../agents/brief.ts';
import type { JsonObject } from '../core/json.ts';
import { type Attempt, attemptTurn, runFailureOf } from './attempt.ts';
import type { OrchestrationSetting } from './pattern.ts';
import type { RoundPlan } from './plan.ts';
import { resultOf } from './result.ts';

export interface Conclusion {
  readonly setting: OrchestrationSetting;
  readonly plan: RoundPlan;
  readonly assignment: Assignment;
  /** Everything that was attempted, in order. */
  readonly attempts: readonly Attempt[];
  /** What the result is made of. */
  readonly contributions: readonly Contribution[];
  /** Said above the contributions when the plan has no synthesis. */
  readonly unsynthesised: string;
  /** Further members of the result. */
  readonly extra?: JsonObject;
}

/** The last words of every agent that has said any, in the order in which they were first asked. */
export function latestOf(attempts: readonly Attempt[]): Contribution[] {
  const texts = new Map<string, Contribution>();
  for (const attempt of attempts) {
    if (attempt.status !== 'completed') continue;
    const { agent } = attempt.turn;
    texts.set(agent.agent_id, { agent, text: attempt.outcome.output });
  }
  // By agent, not by time: an agent that answers for the first time in round 2 keeps its place.
  const order = [...new Set(attempts.map((attempt) => attempt.turn.agent.agent_id))];
  return order.flatMap((id) => texts.get(id) ?? []);
}

/**
 * The policy on failures after a phase: any failure ends the run unless it goes on after errors, and so does it when
 * nobody has answered.
 * @throws AosError
 */
export function checkFailures(attempts: readonly Attempt[], continueOnError: boolean): void {
  const failed = attempts.find((attempt) => attempt.status === 'failed');
  if (failed === undefined) return;
  const answered = attempts.some((attempt) => attempt.status === 'completed');
  if (!answered || !continueOnError) throw runFailureOf(failed.turn, failed.error);
}

/** The synthesis, where the plan has one, and the result of the run. */
export async function conclude(conclusion: Conclusion): Promise<JsonObject> {
  const { setting, plan, assignment, attempts, contributions, unsynthesised, extra } = conclusion;
  const { synthesis: turn } = plan;
  const synthesis =
    turn === undefined
      ? undefined
      : await attemptTurn(
          setting,
          turn,
          contributions.map(({ agent }) => agent.agent_id),
          () => ({ kind: 'synthesis', agent: turn.agent, assignment, contributions }),
        );
  if (synthesis?.status === 'failed' && !plan.continueOnError) throw runFailureOf(synthesis.turn, synthesis.error);
  const summary =
    synthesis?.status === 'completed'
      ? synthesis.outcome.output
      : sideBySide(
          contributions,
          synthesis === undefined ? unsynthesised : `The synthesis by ${titleOf(synthesis.turn.agent)} failed.`,
        );
  return resultOf({ setting, plan, attempts, synthesis, summary, ...(extra === undefined ? {} : { extra }) });
}

/** The positions side by side, when nobody could or should make one of them. */
function sideBySide(contributions: readonly Contribution[], why: string): string {
  const [only, ...others] = contributions;
  if (only !== undefined && others.length === 0) return only.text;
  const positions = contributions.map(({ agent, text }) => `${titleOf(agent)}:\n${text}`);
  return [`${why} The positions as they stand:`, ...positions].join('\n\n');
}
