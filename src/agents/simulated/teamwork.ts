/**
 * The simulated model where agents divide work, talk in turns, hand over or go in cycles. Who does what is decided by
 * what the agents are there for and by the words of the task; what they say comes from its figures.
 */
import { type Agent, titleOf } from '../agent.ts';
import type { Assignment, Contribution, TeamBrief } from '../brief.ts';
import { DONE_MARK, HANDOFF_MARK } from '../teamwork.ts';
import { dueDay } from './calendar.ts';
import { perspectiveOf } from './perspective.ts';
import { positionIn, shortened } from './position.ts';
import { closing, findings, numbered, paragraphs, position, proposals, subjectOf, viewOf } from './standpoint.ts';

type Brief<K extends TeamBrief['kind']> = Extract<TeamBrief, { kind: K }>;

export function simulatedTeamwork(brief: TeamBrief): string {
  switch (brief.kind) {
    case 'assign':
      return assignments(brief);
    case 'work':
      return work(brief);
    case 'discussion':
      return nextWord(brief);
    case 'selection':
      return nextSpeaker(brief);
    case 'delegation':
      return answerOrHandOver(brief);
    case 'cycle':
      return cycle(brief);
    case 'node':
      return node(brief);
  }
}

function assignments({ agent, assignment, workers }: Brief<'assign'>): string {
  const view = viewOf(assignment);
  const own = perspectiveOf(agent);
  const parts = workers.map((worker) => {
    const [first] = perspectiveOf(worker).propose(view);
    return [worker, `${first}; say what it needs and report by ${dueDay(view.data.period, view.today, 0.4)}`] as const;
  });
  return paragraphs(
    `${titleOf(agent)} leads the work on ${subjectOf(assignment)}. ${findings(own, view)}`,
    `The plan:\n${numbered([own.propose(view)[0], ...parts.map(([worker, part]) => `${titleOf(worker)}: ${part}`)])}`,
    `\`\`\`json\n${JSON.stringify({ assignments: Object.fromEntries(parts.map(([worker, part]) => [worker.agent_id, part])) }, null, 2)}\n\`\`\``,
  );
}

function work({ agent, assignment, lead, part }: Brief<'work'>): string {
  const view = viewOf(assignment);
  const own = perspectiveOf(agent);
  return paragraphs(
    `${titleOf(agent)}, on the part ${titleOf(lead)} gave me${part === undefined ? '' : `: “${shortened(part)}”`}. ${findings(own, view)}`,
    proposals(own.propose(view)),
    closing(own, view),
  );
}

/** Everybody says two things, then the discussion has nothing new. */
const WORDS_EACH = 2;

function nextWord(brief: Brief<'discussion'>): string {
  const { agent, assignment, group, transcript, left, messages } = brief;
  const said = transcript.filter((word) => word.agent.agent_id === agent.agent_id).length;
  const previous = transcript.findLast((word) => word.agent.agent_id !== agent.agent_id);
  if (previous === undefined) return paragraphs(position(agent, assignment), ...received(messages));
  const view = viewOf(assignment);
  const own = perspectiveOf(agent);
  const heard = positionIn(previous.text).proposals[0];
  const answer = `${titleOf(agent)}: ${titleOf(previous.agent)} says ${heard === undefined ? 'its word' : `“${shortened(heard)}”`}; ${own.responseTo(perspectiveOf(previous.agent).lens)}.`;
  const proposed = own.propose(view)[Math.min(said, 1)] ?? '';
  if (transcript.length + 1 < WORDS_EACH * group.length && left > 0) {
    return paragraphs(
      `${answer} ${findings(own, view)}`,
      ...received(messages),
      proposals([proposed]),
      closing(own, view),
    );
  }
  const agreed = firstProposals(transcript);
  return paragraphs(
    `${answer} Nothing new has come in the last words, so I conclude on ${subjectOf(assignment)}.`,
    ...received(messages),
    `Agreed:\n${numbered(agreed.length > 0 ? agreed : [proposed])}`,
    DONE_MARK,
  );
}

/** What each speaker proposed first, with its name. */
function firstProposals(transcript: readonly Contribution[]): string[] {
  const seen = new Set<string>();
  return transcript.flatMap(({ agent, text }) => {
    const [first] = positionIn(text).proposals;
    if (first === undefined || seen.has(agent.agent_id)) return [];
    seen.add(agent.agent_id);
    return [`${shortened(first)} — ${titleOf(agent)}`];
  });
}

/** Whoever has spoken least; among those the one whose field the task names most. */
function nextSpeaker({ assignment, candidates, transcript }: Brief<'selection'>): string {
  const spoken = (agent: Agent) => transcript.filter((word) => word.agent.agent_id === agent.agent_id).length;
  const [next] = [...candidates].sort(
    (one, other) => spoken(one) - spoken(other) || closeness(other, assignment) - closeness(one, assignment),
  );
  return next?.agent_id ?? '';
}

function answerOrHandOver(brief: Brief<'delegation'>): string {
  const { agent, assignment, delegates, earlier, received, refused } = brief;
  const done = new Set(earlier.map((word) => word.agent.agent_id));
  const better = delegates
    .filter(
      (delegate) => !done.has(delegate.agent_id) && closeness(delegate, assignment) > closeness(agent, assignment),
    )
    .sort((one, other) => closeness(other, assignment) - closeness(one, assignment))[0];
  const taken = received === undefined ? '' : ` I took it over from ${titleOf(received.from)}: ${received.reason}.`;
  if (better !== undefined && refused === undefined) {
    const view = viewOf(assignment);
    return paragraphs(
      `${titleOf(agent)} on ${subjectOf(assignment)}.${taken} ${findings(perspectiveOf(agent), view)}`,
      `${HANDOFF_MARK} ${better.agent_id} the matter lies with ${titleOf(better)}, whose field it names`,
    );
  }
  return paragraphs(...(taken === '' ? [] : [taken]), position(agent, assignment));
}

function cycle({ agent, assignment, cycle: number, latest, messages }: Brief<'cycle'>): string {
  const view = viewOf(assignment);
  const own = perspectiveOf(agent);
  const peers = latest.filter((word) => word.agent.agent_id !== agent.agent_id);
  const heard = firstProposals(peers);
  const steps = own.propose(view);
  return paragraphs(
    `${titleOf(agent)}, cycle ${number}, for ${subjectOf(assignment)}. ${findings(own, view)}`,
    heard.length === 0 ? 'Nobody has reported yet.' : `I heard: ${heard.join('; ')}.`,
    ...received(messages),
    proposals([steps[(number - 1) % steps.length] ?? steps[0]]),
    closing(own, view),
  );
}

function node({ agent, assignment, instructions, given, format }: Brief<'node'>): string {
  const view = viewOf(assignment);
  const own = perspectiveOf(agent);
  const steps = own.propose(view);
  if (format === 'json') {
    return JSON.stringify({
      agent: agent.agent_id,
      approved: true,
      findings: findings(own, view),
      proposals: [...steps],
    });
  }
  return paragraphs(
    `${titleOf(agent)} on ${subjectOf(assignment)}${instructions === undefined ? '' : `, asked: “${shortened(instructions)}”`}. ${findings(own, view)}`,
    ...(given.length === 0 ? [] : [`I build on ${given.map(({ from }) => from).join(', ')}.`]),
    proposals(steps),
    closing(own, view),
  );
}

function received(messages: readonly string[] = []): string[] {
  return messages.map((message) => `I was told: “${shortened(message)}”, and take it into account.`);
}

/** How many words of the task an agent's purpose and capabilities share, by their beginnings (`invoice`, `invoices`). */
function closeness(agent: Agent, { task, context }: Assignment): number {
  const asked = stems(JSON.stringify([task, context]));
  const own = stems([agent.adapter_name, agent.purpose, ...agent.capabilities].join(' '));
  return [...own].filter((word) => asked.has(word)).length;
}

const STEM_LENGTH = 6;

function stems(text: string): Set<string> {
  return new Set((text.toLowerCase().match(/\p{L}{4,}/gu) ?? []).map((word) => word.slice(0, STEM_LENGTH)));
}
