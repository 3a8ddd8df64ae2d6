/**
 * What is judged before it happens: who wants what done, with what, in which run. A tool call, an action on an
 * enterprise system, a submission and a change of settings all come in this form, so that one set of rules judges all.
 */
import { createHash } from 'node:crypto';
import { canonicalJson, type JsonObject } from '../core/json.ts';
import type { StepEffect } from '../engine/engine.ts';
import type { Caller } from '../runs/run.ts';
import type { ApprovalQuestion } from './approval-desk.ts';

/** Where the server stands. Outside of development what changes something is denied unless a rule permits it. */
export const environments = ['development', 'test', 'staging', 'production'] as const;
export type Environment = (typeof environments)[number];

/** Kinds of things that are done, the first word of an action's name in RACI and policy. */
export const actionKinds = ['tool', 'fabric', 'task', 'job', 'run', 'a2a', 'screening', 'admin'] as const;
export type ActionKind = (typeof actionKinds)[number];

/** What is done: `tool` with the tool's name, `fabric` with a target and an action type, and so on. */
export interface ActedOn {
  readonly kind: ActionKind;
  /** The tool, or the verb: `calculator`, `update`, `submit`, `preset_change`. */
  readonly type: string;
  /** The system it is done to, e.g. `crm`; null when it is none. */
  readonly target: string | null;
  /** Actions that are routed alike, e.g. `change`; null when there are no such classes. */
  readonly actionClass: string | null;
  readonly effect: StepEffect;
  /** The system's id of what it is done to. */
  readonly entityId?: string | undefined;
}

/** An action as whoever wants it done describes it. */
export interface ProposedAction {
  /** Unique in its run and stable, e.g. the step's name: the same name is judged once. */
  readonly name: string;
  readonly what: ActedOn;
  /** The agent that wants it; null when no agent does. */
  readonly agentId: string | null;
  readonly args: JsonObject;
  /** What it costs at most, in US dollars, as far as somebody knows beforehand. */
  readonly costUsd?: number | undefined;
  /** Whether an execution of its run before this one went on with it: it goes on then as it did. */
  readonly hasBegun?: boolean | undefined;
  /** Where the action itself is made so that somebody has to agree, whatever the rules say. */
  readonly asksApproval?: boolean | undefined;
  /** For people who are to agree: what this is. */
  readonly title?: string | undefined;
  readonly description?: string | undefined;
  /** Answers an approver who asks back; durable. */
  readonly onQuestion?: ((question: ApprovalQuestion) => Promise<string>) | undefined;
}

/** The same, with what the governor knows of its place. */
export interface GovernedAction extends ProposedAction {
  /** null for what happens in no run. */
  readonly runId: string | null;
  readonly caller: Caller;
  readonly environment: Environment;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** The action as one text: `tool:calculator`, `fabric:crm:update`. Patterns of RACI rows match it. */
export function nameOfAction({ kind, type, target }: Pick<ActedOn, 'kind' | 'type' | 'target'>): string {
  return target === null ? `${kind}:${type}` : `${kind}:${target}:${type}`;
}

/** SHA-256 of the canonical JSON of the arguments, hex: what a decision is kept with in their place. */
export function argumentsHash(args: JsonObject): string {
  return createHash('sha256').update(canonicalJson(args)).digest('hex');
}
