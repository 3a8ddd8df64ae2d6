/**
 * What agents are asked when they divide work, talk in turns, hand over or go in cycles, and the words they are asked
 * in. The forms that an answer has to have (a block of assignments, a last line) are named here, next to the question;
 * reading the answer is the pattern's.
 */
import { type Agent, titleOf } from './agent.ts';
import type { Assignment, Contribution } from './brief.ts';

/** The line by which an agent ends a discussion. */
export const DONE_MARK = '[DONE]';
/** The line by which an agent hands the work over begins so; the agent's id and the reason follow. */
export const HANDOFF_MARK = 'HANDOFF:';

export type TeamBrief =
  /** The lead divides the work among the others. */
  | {
      readonly kind: 'assign';
      readonly agent: Agent;
      readonly assignment: Assignment;
      readonly workers: readonly Agent[];
    }
  /** A worker does its part. `part` is missing when the lead's plan names none for it: then the whole plan is the part. */
  | {
      readonly kind: 'work';
      readonly agent: Agent;
      readonly assignment: Assignment;
      readonly lead: Agent;
      readonly plan: string;
      readonly part: string | undefined;
    }
  /** The agent says its next word in a discussion. */
  | {
      readonly kind: 'discussion';
      readonly agent: Agent;
      readonly assignment: Assignment;
      readonly group: readonly Agent[];
      readonly transcript: readonly Contribution[];
      /** How many may speak after this one. */
      readonly left: number;
    }
  /** The lead names who speaks next. */
  | {
      readonly kind: 'selection';
      readonly agent: Agent;
      readonly assignment: Assignment;
      readonly candidates: readonly Agent[];
      readonly transcript: readonly Contribution[];
    }
  /** The agent answers the matter or hands it over to one of its delegates. */
  | {
      readonly kind: 'delegation';
      readonly agent: Agent;
      readonly assignment: Assignment;
      readonly delegates: readonly Agent[];
      readonly earlier: readonly Contribution[];
      /** Who handed over to this agent and why; missing for the first. */
      readonly received: { readonly from: Agent; readonly reason: string } | undefined;
      /** Whom the agent named a moment ago although it may not. */
      readonly refused: string | undefined;
    }
  /** The agent's turn in a cycle of work without an end. */
  | {
      readonly kind: 'cycle';
      readonly agent: Agent;
      readonly assignment: Assignment;
      /** From 1. */
      readonly cycle: number;
      /** The last words of every agent, its own included. */
      readonly latest: readonly Contribution[];
    };

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
        `This is cycle ${brief.cycle} of work that goes on until it is stopped. Say what has changed, what you do in this cycle for the purpose, and what the others should know.`,
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

function allowed(delegates: readonly Agent[]): string {
  return delegates.length === 0
    ? 'You may hand over to nobody.'
    : `Only to: ${delegates.map(({ agent_id }) => agent_id).join(', ')}.`;
}

function describe(agent: Agent): string {
  return `${agent.agent_id} (${titleOf(agent)}: ${agent.purpose.replace(/\.$/, '')})`;
}
