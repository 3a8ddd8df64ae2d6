/**
 * What an agent is asked in one turn, and the words it is asked in. The brief is the whole input of a turn: two
 * executions of the same turn get the same brief, which is what makes repeating a turn after a crash sound.
 */
import type { JsonObject, JsonValue } from '../core/json.ts';
import { type Agent, instructionsOf, titleOf } from './agent.ts';
import { quoted, type TeamBrief, teamRequest } from './teamwork.ts';

/** Why the work is done at all: alignment for every agent, not itself a task. */
export interface Purpose {
  readonly purpose: string;
  readonly scope: string;
}

/** What another agent (or the same one earlier) said. */
export interface Contribution {
  readonly agent: Agent;
  readonly text: string;
}

/** What the whole group works on. */
export interface Assignment {
  readonly task: JsonObject;
  readonly context: JsonObject;
  readonly purpose: Purpose | undefined;
  /** The day the run was asked for, ISO date: models cannot know it, and a repeated turn must not see another. */
  readonly today: string;
}

export type ChatMessage = { readonly role: 'user' | 'assistant'; readonly content: string };

export type Brief =
  | TeamBrief
  /** The agent takes a position, by itself; `group` are all agents of the run. */
  | {
      readonly kind: 'position';
      readonly agent: Agent;
      readonly assignment: Assignment;
      readonly group: readonly Agent[];
    }
  /** The agent goes on from what the agents before it produced. */
  | {
      readonly kind: 'handover';
      readonly agent: Agent;
      readonly assignment: Assignment;
      readonly earlier: readonly Contribution[];
      readonly last: boolean;
    }
  /** The agent revises its own last output in the light of its peers'. `own` is missing when its last turn failed. */
  | {
      readonly kind: 'revision';
      readonly agent: Agent;
      readonly assignment: Assignment;
      readonly round: number;
      readonly own: string | undefined;
      readonly peers: readonly Contribution[];
    }
  /** The agent makes one result of everybody's last output. */
  | {
      readonly kind: 'synthesis';
      readonly agent: Agent;
      readonly assignment: Assignment;
      readonly contributions: readonly Contribution[];
    }
  /** The agent answers in a conversation; the last message is the user's. */
  | {
      readonly kind: 'chat';
      readonly agent: Agent;
      readonly messages: readonly ChatMessage[];
      /** As in an assignment. */
      readonly today: string;
    };

/** The words of a brief as a language model takes them. */
export interface Prompt {
  readonly instructions: string;
  readonly messages: readonly ChatMessage[];
}

/** The day the brief is for, ISO date. */
export function dayOf(brief: Brief): string {
  return brief.kind === 'chat' ? brief.today : brief.assignment.today;
}

export function promptOf(brief: Brief): Prompt {
  if (brief.kind === 'chat') {
    return {
      instructions: `${instructionsOf(brief.agent)}\n\nYou are in a conversation. Today is ${brief.today}. Answer the last message, briefly, using what was said before.`,
      messages: brief.messages,
    };
  }
  const { agent, assignment } = brief;
  return {
    instructions: [instructionsOf(agent), purposeText(assignment.purpose)].filter((part) => part !== '').join('\n\n'),
    messages: [{ role: 'user', content: [...assignmentText(assignment), ...requestOf(brief)].join('\n\n') }],
  };
}

function purposeText(purpose: Purpose | undefined): string {
  if (purpose === undefined) return '';
  return `The purpose everybody's work here must serve: ${purpose.purpose}\nIts scope: ${purpose.scope}`;
}

function assignmentText({ task, context, today }: Assignment): string[] {
  return [
    `Today is ${today}.`,
    ...(isEmpty(task) ? [] : [`The task:\n${block(task)}`]),
    ...(isEmpty(context) ? [] : [`Shared context:\n${block(context)}`]),
  ];
}

function requestOf(brief: Exclude<Brief, { kind: 'chat' }>): string[] {
  switch (brief.kind) {
    case 'position':
      return [
        `${groupText(brief.agent, brief.group)}Give your own position as ${titleOf(brief.agent)}: what you see, what you propose, what it needs, what could go wrong.`,
      ];
    case 'handover':
      return [
        ...quoted('What was produced before you, in order', brief.earlier),
        brief.last
          ? 'You are the last in line: deliver the finished result, complete in itself.'
          : `Do your part as ${titleOf(brief.agent)} and hand over: build on what is there, correct it where it is wrong, add what only you can add.`,
      ];
    case 'revision':
      return [
        ...(brief.own === undefined ? [] : [`Your position so far:\n\n${brief.own}`]),
        ...quoted("Your peers' latest positions", brief.peers),
        `This is round ${brief.round}. Give your revised position: what you take over and from whom, where you disagree and why, what you propose now.`,
      ];
    case 'synthesis':
      return [
        ...quoted('The positions', brief.contributions),
        'Make one result of them: where they agree, where they do not, what is decided, who does what by when, which questions stay open, and what information is missing.',
      ];
    default:
      return teamRequest(brief);
  }
}

function groupText(agent: Agent, group: readonly Agent[]): string {
  const others = group.filter((other) => other.agent_id !== agent.agent_id).map(titleOf);
  return others.length === 0 ? '' : `Also asked, at the same time: ${others.join(', ')}. `;
}

function block(value: JsonValue): string {
  return `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
}

function isEmpty(object: JsonObject): boolean {
  return Object.keys(object).length === 0;
}
