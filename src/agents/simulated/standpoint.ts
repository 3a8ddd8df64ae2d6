/**
 * What the simulated model's answers are made of: the subject in its own words, the findings a role puts first, its
 * proposals, its risk; and the position they make together.
 */
import { type Agent, titleOf } from '../agent.ts';
import type { Assignment } from '../brief.ts';
import { daysIn, positionIn } from './calendar.ts';
import { readTaskData, written } from './figure.ts';
import { insightsOf, measureIn } from './insight.ts';
import { measureName, type Perspective, perspectiveOf, type View } from './perspective.ts';
import { shortened } from './position.ts';

/** How many findings an answer mentions; more is a report, not a position. */
const FINDINGS = 3;

export function position(agent: Agent, assignment: Assignment): string {
  const view = viewOf(assignment);
  const perspective = perspectiveOf(agent);
  return paragraphs(
    `${titleOf(agent)} on ${subjectOf(assignment)}. ${findings(perspective, view)}`,
    proposals(perspective.propose(view)),
    closing(perspective, view),
  );
}

export function viewOf(assignment: Assignment): View {
  const data = readTaskData(assignment.task, assignment.context);
  return { data, insights: insightsOf(data), today: assignment.today };
}

/** What the task is about, in its own words: its type and its purpose where it has them. */
export function subjectOf({ task, purpose }: Assignment): string {
  const type = typeof task['type'] === 'string' ? task['type'].replaceAll('_', ' ') : undefined;
  const text = ['description', 'goal', 'question', 'prompt', 'message', 'title']
    .map((key) => task[key])
    .find((value) => typeof value === 'string');
  const nothingAsked = Object.keys(task).length === 0;
  if (nothingAsked && purpose !== undefined) return `“${shortened(purpose.purpose)}”`;
  const subject = type ?? (typeof text === 'string' ? `“${shortened(text)}”` : 'the task');
  return purpose === undefined
    ? `the ${subject}`.replace('the the', 'the').replace('the “', '“')
    : `the ${subject} (serving: ${shortened(purpose.purpose)})`;
}

export function findings(perspective: Perspective, view: View): string {
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

export function closing(perspective: Perspective, view: View): string {
  const missing = perspective.needs
    .filter((measure) => measureIn(view.data, measure) === undefined)
    .map((measure) => measureName[measure]);
  return `Risk: ${perspective.risk(view)}.${missing.length === 0 ? '' : `\nMissing: ${missing.join(', ')}.`}`;
}

export function proposals(items: readonly string[]): string {
  return `I propose:\n${numbered(items)}`;
}

export function numbered(items: readonly string[]): string {
  return items.map((item, index) => `${index + 1}. ${item}.`).join('\n');
}

export function paragraphs(...parts: readonly string[]): string {
  return parts.map((part) => part.trim()).join('\n\n');
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
