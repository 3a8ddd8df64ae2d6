/**
 * Collaborative: in round 1 all agents take a position at the same time; in each further round every agent sees its
 * peers' latest and revises its own; then the lead makes one result of all. An agent that fails in one round is asked
 * again in the next, and what it said before stands. The run succeeds when any agent answered; with an explicit
 * `continue_on_error: false` the first failure fails it.
 */

import type { Agent } from '../agents/agent.ts';
import type { Assignment, Brief, Contribution } from '../agents/brief.ts';
import type { JsonObject } from '../core/json.ts';
import { type Attempt, attemptTurn, settleAll } from './attempt.ts';
import type { OrchestrationSetting, Pattern } from './pattern.ts';
import {
  configOf,
  continuesOnError,
  type PlannedTurn,
  type RoundPlan,
  roundPlan,
  someOf,
  wholeNumber,
} from './plan.ts';
import { checkFailures, conclude, latestOf } from './synthesis.ts';

const DEFAULT_ROUNDS = 2;
const MAX_ROUNDS = 10;

export const collaborative: Pattern<RoundPlan> = { name: 'collaborative', version: 1, plan, run };

/** `config.max_turns` takes away later rounds first, then the synthesis, then the agents at the end of the list. */
function plan(request: JsonObject, all: readonly Agent[]): RoundPlan {
  const agents = someOf(all);
  const config = configOf(request);
  const asked = wholeNumber(config, 'rounds', MAX_ROUNDS) ?? DEFAULT_ROUNDS;
  const maxTurns = wholeNumber(config, 'max_turns') ?? Number.MAX_SAFE_INTEGER;
  const affordable = Math.floor((maxTurns - 1) / agents.length);
  const count = Math.max(1, Math.min(asked, affordable));
  const acting = agents.slice(0, maxTurns);
  return roundPlan({
    workflow: 'collaborative',
    agents,
    rounds: Array.from({ length: count }, (_, index) =>
      acting.map((agent) => ({ name: `round-${index + 1}/${agent.agent_id}`, agent, round: index + 1 })),
    ),
    roundCount: count,
    hasSynthesis: maxTurns > count * agents.length,
    continueOnError: continuesOnError(config, true),
  });
}

async function run(setting: OrchestrationSetting, plan: RoundPlan, assignment: Assignment): Promise<JsonObject> {
  const attempts: Attempt[] = [];
  for (const round of plan.rounds) {
    const said = latestOf(attempts);
    const phase = round.map((turn) => {
      const peers = said.filter(({ agent }) => agent !== turn.agent);
      const peerIds = turn.round === 1 ? [] : peers.map(({ agent }) => agent.agent_id);
      return attemptTurn(setting, turn, peerIds, () => roundBrief(turn, plan, assignment, said, peers));
    });
    attempts.push(...(await settleAll(phase)));
    checkFailures(attempts, plan.continueOnError);
  }
  return conclude({
    setting,
    plan,
    assignment,
    attempts,
    contributions: latestOf(attempts),
    unsynthesised: 'There was no turn left for a synthesis (max_turns).',
  });
}

function roundBrief(
  { agent, round }: PlannedTurn,
  { agents }: RoundPlan,
  assignment: Assignment,
  said: readonly Contribution[],
  peers: readonly Contribution[],
): Brief {
  if (round === 1) return { kind: 'position', agent, assignment, group: agents };
  const own = said.find((contribution) => contribution.agent === agent)?.text;
  return { kind: 'revision', agent, assignment, round, own, peers };
}
