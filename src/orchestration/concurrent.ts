/**
 * Concurrent: all agents work on the task at the same time, each by itself. The result is their answers side by side;
 * with `config.synthesis` the lead makes one of them in a last turn. A branch that fails is reported in its place; the
 * run succeeds when any agent answered, with an explicit `continue_on_error: false` the first failure fails it.
 */
import type { Agent } from '../agents/agent.ts';
import type { Assignment } from '../agents/brief.ts';
import type { JsonObject } from '../core/json.ts';
import { attemptTurn, settleAll } from './attempt.ts';
import type { OrchestrationSetting, Pattern } from './pattern.ts';
import { configOf, continuesOnError, type RoundPlan, roundPlan, someOf, wholeNumber, yesOrNo } from './plan.ts';
import { checkFailures, conclude, latestOf } from './synthesis.ts';

export const concurrent: Pattern<RoundPlan> = { name: 'concurrent', version: 1, plan, run };

/** `config.max_turns` takes away the synthesis first, then the agents at the end of the list. */
function plan(request: JsonObject, all: readonly Agent[]): RoundPlan {
  const agents = someOf(all);
  const config = configOf(request);
  const maxTurns = wholeNumber(config, 'max_turns') ?? Number.MAX_SAFE_INTEGER;
  const acting = agents.slice(0, maxTurns);
  return roundPlan({
    workflow: 'concurrent',
    agents,
    rounds: [acting.map((agent) => ({ name: `branch/${agent.agent_id}`, agent, round: 1 }))],
    hasSynthesis: (yesOrNo(config, 'synthesis') ?? false) && maxTurns > agents.length,
    continueOnError: continuesOnError(config, true),
  });
}

async function run(setting: OrchestrationSetting, plan: RoundPlan, assignment: Assignment): Promise<JsonObject> {
  const attempts = await settleAll(
    plan.rounds
      .flat()
      .map((turn) =>
        attemptTurn(setting, turn, [], () => ({ kind: 'position', agent: turn.agent, assignment, group: plan.agents })),
      ),
  );
  checkFailures(attempts, plan.continueOnError);
  const contributions = latestOf(attempts);
  const unsynthesised = `${contributions.length} of ${plan.agents.length} agents answered.`;
  return conclude({ setting, plan, assignment, attempts, contributions, unsynthesised });
}
