/**
 * The events of a run: numbered facts, named noun.verb. Every door's stream, poll and replay is a view of these; a
 * member added here is visible to all of them. `turn` is the stable name of the step, e.g. `round-1/ceo`,
 * `synthesis/ceo`, `chat/1`.
 */
import type { JsonObject } from '../core/json.ts';
import type { RunFailure, RunKind, WaitReason } from './run.ts';

/** `cost_usd`: 0 for a model that costs nothing, null when its price is not known. */
export type TurnUsage = { tokens_input: number; tokens_output: number; cost_usd: number | null };

/** The data of each type of event. */
export type EventData = {
  'run.queued': { kind: RunKind; workflow?: string; agent_ids?: string[]; simulated: boolean };
  /** `plan` says what is going to happen (rounds, turns, `planned_turns`); its exact shape is the orchestration's. */
  'run.started': { plan: JsonObject };
  'turn.started': {
    turn: string;
    agent_id: string;
    round: number;
    model: string;
    simulated: boolean;
    peers?: string[];
  };
  /** `offset` is the number of UTF-16 units of the turn's text before `text`. */
  'turn.delta': { turn: string; agent_id: string; offset: number; text: string };
  'turn.completed': {
    turn: string;
    agent_id: string;
    round: number;
    output: string;
    usage: TurnUsage;
    model: string;
    simulated: boolean;
    duration_ms: number;
    /** Share of the run that is done, 0..1. */
    progress?: number;
  };
  'turn.failed': { turn: string; agent_id: string; round: number; error: RunFailure; progress?: number };
  /** The text so far is void: the turn was run again and said something else. Deltas begin at offset 0 again. */
  'turn.restarted': { turn: string; agent_id: string };
  /** Nothing of the run is under way: it is out of memory until one of the waits is over. `until` is ISO-8601 UTC. */
  'run.waiting': {
    reason: WaitReason;
    waits: { name: string; reason: WaitReason; until?: string; detail?: JsonObject }[];
  };
  'run.resumed': { waited_for: WaitReason };
  'run.progress': { progress: number };
  /** The run waits at a limit; a signal of the name `wait` with `{decision: 'continue' | 'stop', raise?}` answers. */
  'run.limit_reached': { wait: string; limit: string; used: number; max: number; what?: string; until: string };
  /** What the run is pinned to is not in this build; it waits for it under the name `wait`. */
  'run.definition_missing': { wait: string; definition: string; missing: string[] };
  'agent.handed_off': { turn: string; from: string; to: string; reason: string };
  /** The message of this run is handed to the run `into`, which is answering in the same session. */
  'run.steering': { into: string };
  /** This run took the message of another run of its session and answers it too. */
  'run.steered': { by: string; turn: string };
  'run.stopped': { reason: string };
  'run.cancel_requested': { reason: string };
  'run.completed': { result: JsonObject };
  'run.failed': { error: RunFailure };
  'run.cancelled': { reason: string };
  'run.timed_out': { error: RunFailure };
};

export type EventType = keyof EventData;

/** Type and data of an event, as they belong together. */
type EventContent = { [T in EventType]: { readonly type: T; readonly data: EventData[T] } }[EventType];

/** An event before it is written: the log adds run, number, time and its place in the chain. */
export type NewRunEvent = EventContent & {
  /** Who did it: `system`, `user:<id>`, `agent:<id>`; by default the agent its data names, else the system. */
  readonly actor?: string;
};

/** An event with the key under which it is written once. */
export type KeyedEvent = NewRunEvent & { readonly key: string };

/** An event of a run's log. */
export type RunEvent = EventContent & {
  readonly runId: string;
  /** Counts 1, 2, 3 … without gaps. */
  readonly seq: number;
  /** Unique within the run. */
  readonly key: string;
  /** ISO-8601 UTC. */
  readonly at: string;
  readonly actor: string;
  /** The W3C trace it happened in. */
  readonly traceId: string | null;
  /** Its place in the chain: see `event-chain.ts`. */
  readonly hash: string;
  readonly prevHash: string;
};

/** The last event of a log: after it nothing is ever appended. */
export const terminalEvents = ['run.completed', 'run.failed', 'run.cancelled', 'run.timed_out'] as const;
export type TerminalEvent = Extract<RunEvent, { type: (typeof terminalEvents)[number] }>;

export function isTerminalEvent(event: RunEvent): event is TerminalEvent {
  return terminalEvents.some((type) => type === event.type);
}
