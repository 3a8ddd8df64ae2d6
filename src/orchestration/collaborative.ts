/**
 * Collaborative: in round 1 all agents take a position at the same time; in each further round every agent sees its
 * peers' latest and revises its own; then the lead makes one result of all. An agent that fails in one round is asked
 * again in the next, and what it said before stands. The run succeeds when any agent answered; with an explicit
 * `continue_on_error: false` the first failure fails it.
 */

import type { Agent } from '../agents/agent.ts';
import { titleOf } from '../agents/agent.ts';
import type { Assignment, Brief, Contribution } from '../agents/brief.ts';
import type { JsonObject } from '../core/json.ts';
import { type Attempt, attemptTurn, runFailureOf, settleAll } from './attempt.ts';
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
import { resultOf } from './result.ts';

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
    const said = latest(attempts);
    const phase = round.map((turn) => {
      const peers = said.filter(({ agent }) => agent !== turn.agent);
      const peerIds = turn.round === 1 ? [] : peers.map(({ agent }) => agent.agent_id);
      return attemptTurn(setting, turn, peerIds, () => roundBrief(turn, plan, assignment, said, peers));
    });
    attempts.push(...(await settleAll(phase)));
    const failed = attempts.find((attempt) => attempt.status === 'failed');
    const nobodyAnswered = latest(attempts).length === 0;
    if (failed !== undefined && (nobodyAnswered || !plan.continueOnError))
      throw runFailureOf(failed.turn, failed.error);
  }
  const contributions = latest(attempts);
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
  const { model } = setting;
  return resultOf({
    plan,
    attempts,
    synthesis,
    summary: synthesis?.status === 'completed' ? synthesis.outcome.output : withoutSynthesis(contributions, synthesis),
    model: model.name,
    simulated: model.simulated,
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

/** The last words of every agent that has said any, in the order of the request. */
function latest(attempts: readonly Attempt[]): Contribution[] {
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

/** The positions side by side, when nobody could or should make one of them. */
function withoutSynthesis(contributions: readonly Contribution[], synthesis: Attempt | undefined): string {
  const why =
    synthesis === undefined
      ? 'There was no turn left for a synthesis (max_turns).'
      : `The synthesis by ${titleOf(synthesis.turn.agent)} failed.`;
  const positions = contributions.map(({ agent, text }) => `${titleOf(agent)}:\n${text}`);
  return [`${why} The positions as they stand:`, ...positions].join('\n\n');
}
