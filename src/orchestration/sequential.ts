/**
 * Sequential: the agents work in the order of the request, each seeing the task and everything the agents before it
 * produced. A failed agent fails the run, unless `continue_on_error`: then its place in the line stays empty, and the
 * run succeeds when any agent answered. The summary is what the last one delivered.
 */

import type { Agent } from '../agents/agent.ts';
import type { Assignment, Contribution } from '../agents/brief.ts';
import type { JsonObject } from '../core/json.ts';
import { type Attempt, attemptTurn, runFailureOf } from './attempt.ts';
import type { OrchestrationSetting, Pattern } from './pattern.ts';
import { configOf, continuesOnError, type RoundPlan, roundPlan, someOf, wholeNumber } from './plan.ts';
import { resultOf } from './result.ts';

export const sequential: Pattern<RoundPlan> = { name: 'sequential', version: 1, plan, run };

/** `config.max_turns` takes away the agents at the end of the line. */
function plan(request: JsonObject, all: readonly Agent[]): RoundPlan {
  const agents = someOf(all);
  const config = configOf(request);
  const acting = agents.slice(0, wholeNumber(config, 'max_turns'));
  return roundPlan({
    workflow: 'sequential',
    agents,
    rounds: acting.map((agent, index) => [{ name: `step-${index + 1}/${agent.agent_id}`, agent, round: 1 }]),
    hasSynthesis: false,
    continueOnError: continuesOnError(config, false),
  });
}

async function run(setting: OrchestrationSetting, plan: RoundPlan, assignment: Assignment): Promise<JsonObject> {
  const attempts: Attempt[] = [];
  const line = plan.rounds.flat();
  for (const [index, turn] of line.entries()) {
    const earlier: Contribution[] = attempts.flatMap((attempt) =>
      attempt.status === 'completed' ? [{ agent: attempt.turn.agent, text: attempt.outcome.output }] : [],
    );
    const last = index === line.length - 1;
    const attempt = await attemptTurn(
      setting,
      turn,
      earlier.map(({ agent }) => agent.agent_id),
      () => ({ kind: 'handover', agent: turn.agent, assignment, earlier, last }),
    );
    attempts.push(attempt);
    if (attempt.status === 'failed' && !plan.continueOnError) throw runFailureOf(turn, attempt.error);
  }
  const delivered = attempts.findLast((attempt) => attempt.status === 'completed');
  const [first] = attempts;
  if (delivered === undefined && first?.status === 'failed') throw runFailureOf(first.turn, first.error);
  return resultOf({ setting, plan, attempts, summary: delivered?.outcome.output ?? '' });
}
