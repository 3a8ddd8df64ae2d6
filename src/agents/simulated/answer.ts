/**
 * The simulated model's answers in an orchestration: a position, its revision after hearing the others, a handover in
 * a line, and the synthesis. They are composed by rules from the figures of the task and from what was said before.
 */
import { type Agent, titleOf } from '../agent.ts';
import type { Brief, Contribution } from '../brief.ts';
import { dueDay, positionIn } from './calendar.ts';
import { type Perspective, perspectiveOf, type View } from './perspective.ts';
import { type Position, positionIn as positionInText, shortened } from './position.ts';
import {
  closing,
  count,
  findings,
  numbered,
  paragraphs,
  position,
  proposals,
  subjectOf,
  viewOf,
} from './standpoint.ts';
import { simulatedTeamwork } from './teamwork.ts';

type GroupBrief = Exclude<Brief, { kind: 'chat' }>;

export function simulatedAnswer(brief: GroupBrief): string {
  switch (brief.kind) {
    case 'position':
      return position(brief.agent, brief.assignment);
    case 'handover':
      return handover(brief);
    case 'revision':
      return revision(brief);
    case 'synthesis':
      return synthesis(brief);
    default:
      return simulatedTeamwork(brief);
  }
}

function handover({ agent, assignment, earlier, last }: Extract<GroupBrief, { kind: 'handover' }>): string {
  const previous = earlier.at(-1);
  if (previous === undefined) return position(agent, assignment);
  const view = viewOf(assignment);
  const perspective = perspectiveOf(agent);
  const taken = earlier.flatMap(({ agent: author, text }) => {
    const first = positionInText(text).proposals[0];
    return first === undefined ? [] : [`From ${titleOf(author)} I take: ${shortened(first)}.`];
  });
  const plan = last
    ? [
        ...new Set([
          ...earlier.flatMap(({ text }) => positionInText(text).proposals.slice(0, 1)),
          perspective.propose(view)[0],
        ]),
      ]
    : perspective.propose(view);
  return paragraphs(
    `${titleOf(agent)}, after ${earlier.map((one) => titleOf(one.agent)).join(', ')}. ${taken.join(' ')}`,
    `${findings(perspective, view)} On what ${titleOf(previous.agent)} hands over: ${perspective.responseTo(perspectiveOf(previous.agent).lens)}.`,
    proposals(plan),
    closing(perspective, view),
  );
}

function revision(brief: Extract<GroupBrief, { kind: 'revision' }>): string {
  const view = viewOf(brief.assignment);
  const perspective = perspectiveOf(brief.agent);
  const responses = brief.peers.map(({ agent, text }) => {
    const first = positionInText(text).proposals[0];
    const heard = first === undefined ? 'its position' : `“${shortened(first)}”`;
    return `${titleOf(agent)} says ${heard}: ${perspective.responseTo(perspectiveOf(agent).lens)}.`;
  });
  const own = brief.own === undefined ? [] : positionInText(brief.own).proposals;
  const mine = own.length > 0 ? own : perspective.propose(view);
  const ally = brief.peers.find(({ agent }) => perspectiveOf(agent).lens === allyOf(perspective)) ?? brief.peers[0];
  const joint =
    ally === undefined
      ? []
      : [`Together with ${titleOf(ally.agent)}: one page ${sharedStep(view)} that ties both proposals to one number`];
  return paragraphs(
    `${titleOf(brief.agent)}, round ${brief.round}. ${responses.length === 0 ? 'No peer has answered; my position stands.' : responses.join(' ')}`,
    proposals([...mine.slice(0, 2), ...joint]),
    closing(perspective, view),
  );
}

function synthesis(brief: Extract<GroupBrief, { kind: 'synthesis' }>): string {
  const view = viewOf(brief.assignment);
  const positions = brief.contributions.map((one) => ({ ...one, position: positionInText(one.text) }));
  const weighed = [...positions].sort((a, b) => supportFor(b.agent, positions) - supportFor(a.agent, positions));
  const decisions = weighed.flatMap(({ agent, position: { proposals: proposed } }) =>
    proposed[0] === undefined ? [] : [`${proposed[0]} — owner: ${titleOf(agent)}`],
  );
  const risks = positions.flatMap(({ agent, position: { risk } }) =>
    risk === undefined ? [] : [`${risk} (${titleOf(agent)})`],
  );
  const missing = [...new Set(positions.flatMap(({ position: { missing: named } }) => named))];
  const first = weighed[0];
  return paragraphs(
    `${titleOf(brief.agent)} on ${subjectOf(brief.assignment)}, from ${count(positions.length, 'position')}: ${positions.map((one) => titleOf(one.agent)).join(', ')}. ${agreement(view)}`,
    decisions.length === 0
      ? 'Decided: nothing yet; no position contained a proposal.'
      : `Decided, in this order${first === undefined || positions.length < 2 ? '' : ` (${titleOf(first.agent)} first, because the others build on it)`}:\n${numbered(decisions)}`,
    `Open questions: ${risks.length === 0 ? 'none was raised' : risks.join('; ')}.`,
    `Missing data: ${missing.length === 0 ? 'none that was asked for' : missing.join(', ')}. Next review: ${reviewDay(view)}.`,
    'This is the simulated model: it computes by rules from the data of the task and judges nothing.',
  );
}

function agreement(view: View): string {
  const [strongest] = view.insights;
  if (strongest !== undefined) return `Common ground is the arithmetic: ${strongest.text}.`;
  return view.data.period === undefined
    ? 'There are no figures to agree on; common ground is that they have to be gathered first.'
    : `There are no figures to agree on; common ground is the calendar: ${positionIn(view.data.period, view.today)}.`;
}

/** How many of the others refer to this agent in what they said. */
function supportFor(agent: Agent, positions: readonly (Contribution & { readonly position: Position })[]): number {
  return positions.filter(
    (other) => other.agent.agent_id !== agent.agent_id && other.text.includes(`Together with ${titleOf(agent)}`),
  ).length;
}

/** Whom a role would rather work with first: the one whose proposal most often decides about its own. */
function allyOf(perspective: Perspective): Perspective['lens'] {
  return perspective.lens === 'finance' ? 'leadership' : 'finance';
}

function sharedStep(view: View): string {
  return `by ${dueDay(view.data.period, view.today, 0.3)}`;
}

function reviewDay(view: View): string {
  return dueDay(view.data.period, view.today, 0.5);
}
