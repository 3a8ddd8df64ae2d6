/**
 * The events of a run as schemas, for the documents that describe them. The compiler holds each to the type of the
 * event itself, so that what is documented is what is written.
 */
import { z } from 'zod';
import type { JsonValue } from '../core/json.ts';
import { type EventData, type EventType, terminalEvents } from '../runs/event.ts';
import { runKinds, waitReasons } from '../runs/run.ts';
import { failureSchema } from './view.ts';

const text = z.string();
/** Free-form; its shape is its maker's. */
const object = z.record(z.string(), z.unknown() as z.ZodType<JsonValue>);
const turn = text.meta({ description: 'The stable name of the turn, such as round-1/ceo' });
const share = z.number().min(0).max(1).meta({ description: 'Share of the run that is done' });
const usage = z.object({
  tokens_input: z.int(),
  tokens_output: z.int(),
  cost_usd: z.number().nullable().meta({ description: 'null when the price is not known' }),
});

/** Any JSON; its shape is the tool's. */
const json = z.unknown() as z.ZodType<JsonValue>;
const toolCall = {
  turn,
  agent_id: text,
  step: text.meta({ description: "The tool call's own step of the run" }),
  tool_call_id: text,
  tool: text,
};
const settledBy = text.meta({ description: 'Who said what became of a call that was cut off' }).exactOptional();

const nodeVisit = {
  node: text.meta({ description: 'The id of a node of the graph' }),
  visit: z.int().min(1),
  node_type: text,
};

/** What each type of event carries, beside the members all have. */
export const eventData = {
  'run.queued': z.object({
    kind: z.enum(runKinds),
    workflow: text.exactOptional(),
    agent_ids: z.array(text).exactOptional(),
    simulated: z.boolean(),
    simulation: z.boolean().exactOptional().meta({ description: 'Whether nothing of it reaches anything outside' }),
    fork_of: z.object({ run_id: text, step: text }).exactOptional(),
  }),
  'run.started': z.object({ plan: object.meta({ description: 'What is going to happen' }) }),
  'turn.started': z.object({
    turn,
    agent_id: text,
    round: z.int(),
    model: text,
    simulated: z.boolean(),
    peers: z.array(text).exactOptional(),
  }),
  'turn.delta': z.object({
    turn,
    agent_id: text,
    offset: z.int().meta({ description: "UTF-16 units of the turn's text before this piece" }),
    text,
  }),
  'turn.completed': z.object({
    turn,
    agent_id: text,
    round: z.int(),
    output: text,
    usage,
    model: text,
    simulated: z.boolean(),
    tool_calls: z.int().exactOptional(),
    duration_ms: z.number(),
    progress: share.exactOptional(),
  }),
  'turn.failed': z.object({ turn, agent_id: text, round: z.int(), error: failureSchema }),
  'turn.restarted': z.object({ turn, agent_id: text }),
  'tool.called': z.object({ ...toolCall, effect: z.enum(['read', 'write', 'external']), arguments: json }),
  'tool.completed': z.object({ ...toolCall, result: json, duration_ms: z.number(), settled_by: settledBy }),
  'tool.failed': z.object({
    ...toolCall,
    error: z.object({ code: text, message: text.meta({ description: 'What the model was told' }) }),
    duration_ms: z.number(),
    settled_by: settledBy,
  }),
  'governance.decided': z.object({
    step: text,
    verdict: z.enum(['allow', 'deny', 'hold']),
    outcome: z.boolean().meta({ description: 'The end of a hold, after people decided' }),
    rule: text.meta({ description: 'What decided: <check>/<rule>' }),
    reason: text,
    accountable: text.nullable().meta({ description: 'The party that answers for it' }),
    responsible: z.array(text),
    action: text.meta({ description: 'Its name, such as fabric:crm:update' }),
    kind: text,
    type: text,
    target: text.nullable(),
    action_class: text.nullable(),
    effect: z.enum(['read', 'write', 'external']),
    entity_id: text.nullable(),
    agent_id: text.nullable(),
    user_id: text,
    environment: text,
    args_hash: text.meta({ description: 'SHA-256 of the canonical JSON of the arguments' }),
    facts: object.meta({ description: 'The arguments that the policy keeps, by path' }),
    cost_usd: z.number().nullable(),
    checks: z.array(text),
    policy: text.nullable().meta({ description: 'Hash of the policy' }),
    raci: text.nullable().meta({ description: 'Hash of the RACI matrix' }),
    demands: z
      .array(z.object({ rule: text, parties: z.array(text), assignees: z.array(text), quorum: z.int() }))
      .exactOptional(),
    approved_by: z.array(text).exactOptional(),
    edited: z.boolean().exactOptional(),
    shadow: z
      .object({ kind: z.enum(['deny', 'hold']), rule: text, reason: text })
      .meta({ description: 'What rules that are only watched would have said' })
      .exactOptional(),
  }),
  'screening.found': z
    .object({
      where: text.meta({ description: 'The step or the turn' }),
      direction: z.enum(['in', 'out']),
      policy: z.enum(['WARN', 'REDACT', 'BLOCK', 'ALLOW']),
      taken: z.enum(['warned', 'redacted', 'blocked']),
      types: z.array(text),
      risk: text,
      count: z.int(),
      paths: z.array(text).meta({ description: 'Where in the data; empty text: the text itself' }),
      agent_id: text.exactOptional(),
    })
    .meta({ description: 'Personal data was found; what kinds and where, never a value' }),
  'run.waiting': z.object({
    reason: z.enum(waitReasons),
    waits: z.array(
      z.object({
        name: text,
        reason: z.enum(waitReasons),
        until: text.meta({ format: 'date-time' }).exactOptional(),
        detail: object.exactOptional(),
      }),
    ),
  }),
  'run.resumed': z.object({}),
  'run.progress': z.object({ progress: share }),
  'run.limit_reached': z.object({
    wait: text.meta({ description: 'The name of the signal that answers' }),
    limit: text.meta({ description: 'turns, tokens, cost_usd, tool_calls or loop' }),
    used: z.number(),
    max: z.number(),
    what: text.exactOptional(),
    until: text.meta({ format: 'date-time' }),
  }),
  'budget.breached': z.object({
    step: text,
    budget_id: text,
    account: text.meta({ description: 'Window, and whom the budget counts in it' }),
    scope: text,
    dimension: text,
    window: text,
    asked: z.number(),
    used: z.number(),
    reserved: z.number().meta({ description: 'Set aside for steps that are under way' }),
    there_is: z.number().meta({ description: 'The limit with its top-ups' }),
    renews_at: text.meta({ format: 'date-time' }).nullable(),
    agent_id: text.nullable(),
  }),
  'run.definition_missing': z.object({ wait: text, definition: text, missing: z.array(text) }),
  'agent.handed_off': z.object({ in_turn: turn, from: text, to: text, reason: text }),
  'run.steering': z.object({ into: text }),
  'run.steered': z.object({ by: text, in_turn: turn }),
  'run.stopped': z.object({ reason: text }),
  'approval.requested': z.object({
    approval_id: text,
    step: text,
    title: text,
    request_type: text,
    action_type: text.meta({ description: 'What is to be done, such as the name of a tool' }),
    action_hash: text.meta({ description: 'SHA-256 of the canonical JSON of {action_type, args}' }),
    args: object,
    agent_id: text.nullable(),
    priority: text,
    quorum: z.int(),
    assignees: z.array(text),
    expires_at: text.meta({ format: 'date-time' }),
  }),
  'approval.voted': z.object({
    approval_id: text,
    by: text,
    action_hash: text,
    votes: z.int(),
    quorum: z.int(),
    edited: z.boolean(),
  }),
  'approval.decided': z.object({
    approval_id: text,
    status: z.enum(['approved', 'rejected', 'timeout']),
    decided_by: z.array(text).meta({ description: 'Empty when time decided' }),
    action_hash: text.exactOptional(),
    edited: z.boolean().exactOptional(),
    args: object.meta({ description: 'As an approver edited them' }).exactOptional(),
    notes: text.exactOptional(),
    reason: text.exactOptional(),
  }),
  'approval.escalated': z.object({
    approval_id: text,
    from: text,
    to: text,
    assigned_to: text.nullable(),
    by: text,
    reason: text,
    expires_at: text.meta({ format: 'date-time' }),
  }),
  'approval.asked': z.object({ approval_id: text, number: z.int(), question: text, by: text }),
  'approval.answered': z.object({ approval_id: text, number: z.int(), answer: text, by: text }),
  'node.started': z.object({ ...nodeVisit, title: text.exactOptional() }),
  'node.completed': z.object({ ...nodeVisit, output: json }),
  'node.failed': z.object({ ...nodeVisit, error: failureSchema, continued: z.boolean() }),
  'node.skipped': z.object({ node: text, node_type: text }),
  'run.cancel_requested': z.object({ reason: text }),
  'run.completed': z.object({ result: object }),
  'run.failed': z.object({ error: failureSchema }),
  'run.cancelled': z.object({ reason: text }),
  'run.timed_out': z.object({ error: failureSchema }),
} as const satisfies { [Type in EventType]: z.ZodType<EventData[Type]> };

const members = {
  invocation_id: text,
  seq: z.int().min(1).meta({ description: 'Counts 1, 2, 3 … without gaps within the run' }),
  at: text.meta({ format: 'date-time' }),
};

const events = Object.entries(eventData).map(([type, data]) =>
  z.object({ ...members, type: z.literal(type), ...data.shape }).meta({ id: `Event.${type}` }),
);

/** Any event, as the data of a server-sent event and as a WebSocket message. */
export const eventSchema = z.union(events).meta({
  id: 'Event',
  discriminator: { propertyName: 'type' },
  description: `One numbered fact of a run. After ${terminalEvents.join(', ')} nothing follows`,
});

export const errorSchema = z
  .object({
    error: z.object({
      code: text,
      message: text.meta({ description: 'What was expected, what came, what to do' }),
      details: z.array(z.looseObject({ code: text, message: text })).optional(),
    }),
  })
  .meta({ id: 'Error' });
