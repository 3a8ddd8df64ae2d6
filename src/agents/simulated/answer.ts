/**
 * The simulated model's answers in an orchestration: a position, its revision after hearing the others, a handover in
 * a line, and the synthesis. They are composed by rules from the figures of the task and from what was said before.
 */
import { type Agent, titleOf } from '../agent.ts';
import type { Assignment, Brief, Contribution } from '../brief.ts';
import { daysIn, dueDay, positionIn } from './calendar.ts';
import { readTaskData, written } from './figure.ts';
import { insightsOf, measureIn } from './insight.ts';
import { measureName, type Perspective, perspectiveOf, type View } from './perspective.ts';
import { type Position, positionIn as positionInText, shortened } from './position.ts';

type GroupBrief = Exclude<Brief, { kind: 'chat' }>;

/** How many findings an answer mentions; more is a report, not a position. */
const FINDINGS = 3;

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
  }
}

function position(agent: Agent, assignment: Assignment): string {
  const view = viewOf(assignment);
  const perspective = perspectiveOf(agent);
  return paragraphs(
    `${titleOf(agent)} on ${subjectOf(assignment)}. ${findings(perspective, view)}`,
    proposals(perspective.propose(view)),
    closing(perspective, view),
  );
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

function viewOf(assignment: Assignment): View {
  const data = readTaskData(assignment.task, assignment.context);
  return { data, insights: insightsOf(data), today: assignment.today };
}

/** What the task is about, in its own words: its type and its purpose where it has them. */
function subjectOf({ task, purpose }: Assignment): string {
  const type = typeof task['type'] === 'string' ? task['type'].replaceAll('_', ' ') : undefined;
  const text = ['description', 'goal', 'question', 'prompt', 'message', 'title']
    .map((key) => task[key])
    .find((value) => typeof value === 'string');
  const subject = type ?? (typeof text === 'string' ? `“${shortened(text)}”` : 'the task');
  return purpose === undefined
    ? `the ${subject}`.replace('the the', 'the').replace('the “', '“')
    : `the ${subject} (serving: ${shortened(purpose.purpose)})`;
}

function findings(perspective: Perspective, view: View): string {
  const { data, insights } = view;
  const ranked = perspective.topics.flatMap((topic) => insights.filter((insight) => insight.topic === topic));
  const time = data.period === undefined ? [] : [`${capital(positionIn(data.period, view.today))}.`];
  if (ranked.length > 0) {
    return [
      ...ranked.slice(0, FINDINGS).map(({ text }) => `${capital(text)}.`),
      ...time.slice(0, ranked.length < FINDINGS ? 1 : 0),
    ].join(' ');
  }
  if (data.figures.length > 0) {
    const listed = data.figures.slice(0, FINDINGS).map((figure) => `${figure.name} ${written(figure)}`);
    return [`The task gives ${listed.join(', ')}; nothing in it to compare these with.`, ...time].join(' ');
  }
  const named = data.facts
    .filter((fact) => fact.name !== 'type')
    .slice(0, FINDINGS)
    .map((fact) => `${fact.name} “${fact.text}”`);
  const dated = data.dates.slice(0, FINDINGS).map((fact) => `${fact.name} ${fact.text}`);
  const known = [...named, ...dated];
  return [
    `The task carries no figures${known.length === 0 ? '' : `; it names ${known.join(', ')}`}${data.period === undefined ? ', so I propose how to get to some.' : '; I work with its dates.'}`,
    ...time,
    ...(data.period === undefined
      ? []
      : [`A third of it is ${Math.round(daysIn(data.period) / 21)} weeks: enough to see one change take effect.`]),
  ].join(' ');
}

function closing(perspective: Perspective, view: View): string {
  const missing = perspective.needs
    .filter((measure) => measureIn(view.data, measure) === undefined)
    .map((measure) => measureName[measure]);
  return `Risk: ${perspective.risk(view)}.${missing.length === 0 ? '' : `\nMissing: ${missing.join(', ')}.`}`;
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

function proposals(items: readonly string[]): string {
  return `I propose:\n${numbered(items)}`;
}

function numbered(items: readonly string[]): string {
  return items.map((item, index) => `${index + 1}. ${item}.`).join('\n');
}

function paragraphs(...parts: readonly string[]): string {
  return parts.map((part) => part.trim()).join('\n\n');
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
