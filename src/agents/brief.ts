/**
 * What an agent is asked in one turn, and the words it is asked in. The brief is the whole input of a turn: two
 * executions of the same turn get the same brief, which is what makes repeating a turn after a crash sound.
 */
import type { JsonObject } from '../core/json.ts';
import type { Agent } from './agent.ts';

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

/** What agents are asked when they divide work, talk in turns, hand over or go in cycles. */
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
      /** What came for this agent from outside. */
      readonly messages?: readonly string[];
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
      /** What came for this agent from outside. */
      readonly messages?: readonly string[];
    }
  /** The agent's part in a graph of steps. */
  | {
      readonly kind: 'node';
      readonly agent: Agent;
      readonly assignment: Assignment;
      /** What is to be done here; the task as a whole when missing. */
      readonly instructions: string | undefined;
      /** What the steps before this one gave, by their names. */
      readonly given: readonly { readonly from: string; readonly text: string }[];
      readonly format: 'text' | 'json';
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
