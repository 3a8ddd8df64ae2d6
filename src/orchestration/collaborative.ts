/**
 * Collaborative: in round 1 all agents take a position at the same time; in each further round every agent sees its
 * peers' latest and revises its own; then the lead makes one result of all. An agent that fails in one round is asked
 * again in the next, and what it said before stands. The run succeeds when any agent answered; with an explicit
 * `continue_on_error: false` the first failure fails it.
 */
import { titleOf } from '../agents/agent.ts';
import type { Assignment, Brief, Contribution } from '../agents/brief.ts';
import type { TurnSetting } from '../agents/turn.ts';
import type { JsonObject } from '../core/json.ts';
import { type Attempt, attemptTurn, runFailureOf, settleAll } from './attempt.ts';
import type { Plan, PlannedTurn } from './plan.ts';
import { resultOf } from './result.ts';

export async function runCollaborative(setting: TurnSetting, plan: Plan, assignment: Assignment): Promise<JsonObject> {
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
  { agents }: Plan,
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
