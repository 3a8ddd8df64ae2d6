/**
 * The words in which agents are asked to divide work, talk in turns, hand over or go in cycles. The forms that an
 * answer has to have (a block of assignments, a last line) are named here, next to the question; reading the answer is
 * the pattern's.
 */
import { type Agent, titleOf } from './agent.ts';
import type { Contribution, TeamBrief } from './brief.ts';

/** The line by which an agent ends a discussion. */
export const DONE_MARK = '[DONE]';
/** The line by which an agent hands the work over begins so; the agent's id and the reason follow. */
export const HANDOFF_MARK = 'HANDOFF:';

export function teamRequest(brief: TeamBrief): string[] {
  switch (brief.kind) {
    case 'assign':
      return [
        `You lead this work. Your people: ${brief.workers.map(describe).join('; ')}.`,
        'Make a short plan and give each of them their part. End with the parts as one JSON block, by agent id:\n' +
          `\`\`\`json\n{"assignments": {${brief.workers.map(({ agent_id }) => `"${agent_id}": "…"`).join(', ')}}}\n\`\`\``,
      ];
    case 'work':
      return [
        ...quoted('The plan of your lead', [{ agent: brief.lead, text: brief.plan }]),
        brief.part === undefined
          ? `Do your part of it as ${titleOf(brief.agent)}.`
          : `Your part, as ${titleOf(brief.agent)}: ${brief.part}\n\nDo it: what you found, what you propose, what it needs, what could go wrong.`,
      ];
    case 'discussion':
      return [
        `You are in a discussion of ${brief.group.map(titleOf).join(', ')}.`,
        ...quoted('What was said so far', brief.transcript),
        ...fromOutside(brief.messages),
        `Say your next word as ${titleOf(brief.agent)}, briefly: answer the others, do not repeat. ${
          brief.left === 0
            ? 'Nobody speaks after you: conclude.'
            : `When all is said, conclude, and end with a line that says ${DONE_MARK} alone.`
        }`,
      ];
    case 'selection':
      return [
        ...quoted('What was said so far', brief.transcript),
        `Who should speak next: ${brief.candidates.map(describe).join('; ')}? Answer with the agent id alone.`,
      ];
    case 'delegation':
      return [
        ...quoted('Who worked on it before you, in order', brief.earlier),
        ...(brief.received === undefined
          ? []
          : [`${titleOf(brief.received.from)} hands it over to you. The reason: ${brief.received.reason}`]),
        ...(brief.refused === undefined
          ? []
          : [`You wanted to hand over to "${brief.refused}", which you may not. ${allowed(brief.delegates)}`]),
        brief.delegates.length === 0
          ? 'Answer it yourself, completely: you have nobody to hand it over to.'
          : `Answer it completely if it is yours. If another is better placed, say briefly what you did, and end with one line\n${HANDOFF_MARK} <agent id> <reason>\nYou may hand over to: ${brief.delegates.map(describe).join('; ')}.`,
      ];
    case 'cycle':
      return [
        ...quoted('The last words of everybody', brief.latest),
        ...fromOutside(brief.messages),
        `This is cycle ${brief.cycle} of work that goes on until it is stopped. Say what has changed, what you do in this cycle for the purpose, and what the others should know.`,
      ];
    case 'node':
      return [
        ...(brief.given.length === 0 ? [] : ['What the steps before this one gave:']),
        ...brief.given.map(({ from, text }) => `--- ${from} ---\n${text}`),
        brief.instructions ?? `Do your part of the task as ${titleOf(brief.agent)}.`,
        ...(brief.format === 'text' ? [] : ['Answer with one JSON value and nothing else.']),
      ];
  }
}

export function quoted(heading: string, contributions: readonly Contribution[]): string[] {
  if (contributions.length === 0) return [];
  return [
    `${heading}:`,
    ...contributions.map(({ agent, text }) => `--- ${titleOf(agent)} (${agent.agent_id}) ---\n${text}`),
  ];
}

function fromOutside(messages: readonly string[] = []): string[] {
  return messages.length === 0
    ? []
    : [`Messages for you from outside, to be answered or taken into account:\n${messages.join('\n---\n')}`];
}

function allowed(delegates: readonly Agent[]): string {
  return delegates.length === 0
    ? 'You may hand over to nobody.'
    : `Only to: ${delegates.map(({ agent_id }) => agent_id).join(', ')}.`;
}

function describe(agent: Agent): string {
  return `${agent.agent_id} (${titleOf(agent)}: ${agent.purpose.replace(/\.$/, '')})`;
}
