/**
 * The events of a run: numbered facts, named noun.verb. Every door's stream, poll and replay is a view of these; a
 * member added here is visible to all of them. `turn` is the stable name of the step, e.g. `round-1/ceo`,
 * `synthesis/ceo`, `chat/1`.
 */
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { RunFailure, RunKind, WaitReason } from './run.ts';

/** `cost_usd`: 0 for a model that costs nothing, null when its price is not known. */
export type TurnUsage = { tokens_input: number; tokens_output: number; cost_usd: number | null };

/** `step` is the tool call's own within the run, `tool_call_id` the model's name for it. */
type ToolCallData = { turn: string; agent_id: string; step: string; tool_call_id: string; tool: string };

/** A verdict as it is kept. `action` is its name (`fabric:crm:update`); `policy` and `raci` are hashes of the documents. */
export type GovernanceDecision = {
  step: string;
  verdict: 'allow' | 'deny' | 'hold';
  outcome: boolean;
  rule: string;
  reason: string;
  accountable: string | null;
  responsible: string[];
  action: string;
  kind: string;
  type: string;
  target: string | null;
  action_class: string | null;
  effect: 'read' | 'write' | 'external';
  entity_id: string | null;
  agent_id: string | null;
  user_id: string;
  environment: string;
  args_hash: string;
  facts: JsonObject;
  cost_usd: number | null;
  checks: string[];
  policy: string | null;
  raci: string | null;
  demands?: { rule: string; parties: string[]; assignees: string[]; quorum: number }[];
  approved_by?: string[];
  edited?: boolean;
  shadow?: { kind: 'deny' | 'hold'; rule: string; reason: string };
};

/** The data of each type of event. */
export type EventData = {
  /** `fork_of`: the run it begins with the steps of, and the first step that is done again ('' for none in particular). */
  'run.queued': {
    kind: RunKind;
    workflow?: string;
    agent_ids?: string[];
    simulated: boolean;
    /** Whether nothing of it reaches anything outside. */
    simulation?: boolean;
    fork_of?: { run_id: string; step: string };
  };
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
    /** How many tools were called in it. */
    tool_calls?: number;
    duration_ms: number;
    /** Share of the run that is done, 0..1. */
    progress?: number;
  };
  'turn.failed': { turn: string; agent_id: string; round: number; error: RunFailure; progress?: number };
  /**
   * The text so far is void: the turn was run again, or went on after a tool, and said something else. Deltas begin at
   * offset 0 again.
   */
  'turn.restarted': { turn: string; agent_id: string };
  /** `arguments` is what the tool got, after an approval what was approved; the beginning of its text when it is long. */
  'tool.called': ToolCallData & { effect: 'read' | 'write' | 'external'; arguments: JsonValue };
  /** `result` is what the model was told; `settled_by` knew the outcome of a call that was cut off. */
  'tool.completed': ToolCallData & { result: JsonValue; duration_ms: number; settled_by?: string };
  /** The tool failed, or was not run at all; `message` is what the model was told. */
  'tool.failed': ToolCallData & {
    error: { code: string; message: string };
    duration_ms: number;
    settled_by?: string;
  };
  /**
   * What the governor said to an action, with what is needed to decide it again: of the arguments the hash, and the few
   * that the policy keeps (`facts`). `outcome`: the end of a hold, after people decided.
   */
  'governance.decided': GovernanceDecision;
  /**
   * Personal data was found in what came into the run or leaves it, and what was done about it: kinds and places, never
   * a value. `where` names the step or the turn.
   */
  'screening.found': {
    where: string;
    direction: 'in' | 'out';
    policy: 'WARN' | 'REDACT' | 'BLOCK' | 'ALLOW';
    taken: 'warned' | 'redacted' | 'blocked';
    types: string[];
    risk: string;
    count: number;
    paths: string[];
    agent_id?: string;
  };
  /** Nothing of the run is under way: it is out of memory until one of the waits is over. `until` is ISO-8601 UTC. */
  'run.waiting': {
    reason: WaitReason;
    waits: { name: string; reason: WaitReason; until?: string; detail?: JsonObject }[];
  };
  /** One of the waits is over. */
  'run.resumed': Record<string, never>;
  'run.progress': { progress: number };
  /** The run waits at a limit; a signal of the name `wait` with `{decision: 'continue' | 'stop', raise?}` answers. */
  'run.limit_reached': { wait: string; limit: string; used: number; max: number; what?: string; until: string };
  /**
   * A budget has too little for the step: `asked` is what it needs, `used` and `reserved` what others have of `there_is`
   * (the limit with its top-ups). The run waits for room, and somebody is asked for more. `renews_at` is ISO-8601 UTC.
   */
  'budget.breached': {
    step: string;
    budget_id: string;
    account: string;
    scope: string;
    dimension: string;
    window: string;
    asked: number;
    used: number;
    reserved: number;
    there_is: number;
    renews_at: string | null;
    agent_id: string | null;
  };
  /** What the run is pinned to is not in this build; it waits for it under the name `wait`. */
  'run.definition_missing': { wait: string; definition: string; missing: string[] };
  'agent.handed_off': { in_turn: string; from: string; to: string; reason: string };
  /** The message of this run is handed to the run `into`, which is answering in the same session. */
  'run.steering': { into: string };
  /** This run took the message of another run of its session and answers it too. */
  'run.steered': { by: string; in_turn: string };
  'run.stopped': { reason: string };
  /** A person is to allow an action; `action_hash` is what that is bound to. The run may wait for several at once. */
  'approval.requested': {
    approval_id: string;
    step: string;
    title: string;
    request_type: string;
    action_type: string;
    action_hash: string;
    args: JsonObject;
    agent_id: string | null;
    priority: string;
    quorum: number;
    assignees: string[];
    expires_at: string;
  };
  /** One of several people who must approve did; `edited` when the arguments are not those asked for. */
  'approval.voted': {
    approval_id: string;
    by: string;
    action_hash: string;
    votes: number;
    quorum: number;
    edited: boolean;
  };
  /** The end of it. `args` only when they were edited; `decided_by` is empty when time decided. */
  'approval.decided': {
    approval_id: string;
    status: 'approved' | 'rejected' | 'timeout';
    decided_by: string[];
    action_hash?: string;
    edited?: boolean;
    args?: JsonObject;
    notes?: string;
    reason?: string;
  };
  'approval.escalated': {
    approval_id: string;
    from: string;
    to: string;
    assigned_to: string | null;
    by: string;
    reason: string;
    expires_at: string;
  };
  /** An approver asks back; `number` counts the questions about this approval. */
  'approval.asked': { approval_id: string; number: number; question: string; by: string };
  'approval.answered': { approval_id: string; number: number; answer: string; by: string };
  /** A node of a graph; `visit` counts from 1. Steps and turns of the visit begin with `<node>/<visit>`. */
  'node.started': { node: string; visit: number; node_type: string; title?: string };
  'node.completed': { node: string; visit: number; node_type: string; output: JsonValue };
  /** `continued`: the graph goes on from it all the same. */
  'node.failed': { node: string; visit: number; node_type: string; error: RunFailure; continued: boolean };
  /** No way leads to it any more. */
  'node.skipped': { node: string; node_type: string };
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
