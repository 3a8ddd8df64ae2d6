/**
 * What may be asked at this door: an orchestration (several agents, a workflow, a task) or a chat turn (a message to
 * one agent). The schemas are also what `openapi.json` is made of, so what is documented is what is checked.
 */
import { z } from 'zod';
import { AGENT_ID } from '../agents/agent.ts';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { parseJsonText } from '../core/json-text.ts';
import { checkSchema, nameOfKind } from '../core/schema-check.ts';
import { secondMessagePolicies } from '../dispatch/second-message.ts';
import { readRequestText } from '../host/request-text.ts';
import type { RunKind } from '../runs/run.ts';

/** As large as a WebSocket message may be. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;
const BODY = 'the request body';
const MAX_REASON_LENGTH = 500;
const MAX_AGENTS = 32;
const MAX_TIMEOUT_SECONDS = 7 * 24 * 3600;

/** The body is JSON already, so what is free-form needs no second look. */
const freeForm = z.record(z.string(), z.unknown());
const agentId = z.string().regex(AGENT_ID, { error: 'must be 1 to 128 of the characters A-Z a-z 0-9 . _ : -' });
const background = z.boolean().default(false).meta({
  description: 'true: answer 202 at once; the run goes on and is read by GET /invocations/{id}',
});

const simulation = z.boolean().optional().meta({
  description: 'true: nothing reaches anything outside; models, planes, tools and callbacks are simulated',
});

const runConfig = z
  .looseObject({
    timeout_seconds: z
      .number()
      .positive()
      .max(MAX_TIMEOUT_SECONDS)
      .optional()
      .meta({ description: 'The run ends as timed_out when it takes longer' }),
    rounds: z
      .int()
      .min(1)
      .max(10)
      .optional()
      .meta({ description: 'collaborative: rounds before the synthesis; 2 when left out' }),
    max_turns: z
      .int()
      .min(1)
      .optional()
      .meta({ description: 'At most so many turns; planned rounds are given up first' }),
    continue_on_error: z.boolean().optional().meta({
      description:
        'Whether the run goes on when an agent fails; when left out: sequential and handoff false, the others true',
    }),
    on_error: z
      .enum(['fail', 'continue'], { error: 'must be fail or continue' })
      .optional()
      .meta({ description: 'The same as continue_on_error, in words' }),
    synthesis: z
      .boolean()
      .optional()
      .meta({ description: 'concurrent: whether the lead makes one result of the answers; false when left out' }),
    speaker: z
      .enum(['round-robin', 'model'], { error: 'must be round-robin or model' })
      .optional()
      .meta({ description: 'group-chat: who decides who speaks next; in turn when left out' }),
    start: agentId.optional().meta({ description: 'handoff: who begins; the first of agent_ids when left out' }),
    delegates: z.record(agentId, z.array(agentId)).optional().meta({
      description: 'handoff: whom each agent may hand over to; everybody to everybody when left out',
    }),
    cycle_interval_seconds: z
      .number()
      .min(0)
      .max(MAX_TIMEOUT_SECONDS)
      .optional()
      .meta({ description: 'perpetual: the pause between cycles; 30 when left out' }),
    max_cycles: z.int().min(1).optional().meta({ description: 'perpetual: at most so many cycles' }),
    max_tokens: z.int().min(1).optional().meta({ description: 'The run waits for a decision when it used so many' }),
    max_cost_usd: z.number().positive().optional().meta({ description: 'The same for its cost in US dollars' }),
    max_tool_calls: z.int().min(1).optional().meta({ description: 'The same for calls of tools' }),
    max_depth: z.int().min(0).optional().meta({ description: 'How deep sub-runs may be nested; 4 when left out' }),
    loop_guard: z
      .boolean()
      .optional()
      .meta({ description: 'Whether the run waits for a decision when it goes in circles; true when left out' }),
  })
  .meta({ id: 'RunConfig', description: 'Settings of one run; other members are kept with the run' });

const purpose = z.union([
  z.string().min(1),
  z.looseObject({ purpose: z.string().min(1), purpose_scope: z.string().optional() }),
]);

export const orchestrationBody = z
  .strictObject({
    agent_ids: z
      .array(agentId)
      .min(1)
      .max(MAX_AGENTS)
      .refine((ids) => new Set(ids).size === ids.length, { error: 'must name each agent once' })
      .optional()
      .meta({
        description: 'The agents that take part, by their ids in the registry; a graph names its own',
        uniqueItems: true,
      }),
    workflow: z.string().default('collaborative').meta({ description: 'How the agents work together' }),
    task: freeForm.optional().meta({
      description: 'What is to be done; by convention { "type": string, "data": object }, otherwise free-form',
    }),
    graph: freeForm.optional().meta({ description: 'graph: its nodes and edges' }),
    config: runConfig.default({}),
    purpose: purpose.optional().meta({
      description:
        'What the work is for; given to every agent. Without a task the work is perpetual: it goes on in cycles until it is stopped',
    }),
    context: freeForm.optional().meta({ description: 'Facts every agent is given beside the task' }),
    simulation,
    background,
  })
  .meta({ id: 'Orchestration', description: 'Several agents work on a task' });

export const chatBody = z
  .strictObject({
    message: z.string().refine((message) => message.trim() !== '', { error: 'must not be empty' }),
    agent_id: agentId.optional().meta({ description: 'Who answers; the chief executive when left out' }),
    agent_ids: z.array(agentId).length(1).optional().meta({ description: 'The same as agent_id, as a list of one' }),
    second_message: z
      .enum(secondMessagePolicies, { error: `must be one of ${secondMessagePolicies.join(', ')}` })
      .optional()
      .meta({
        description:
          "What happens while an earlier message of the session is being answered: it is refused (reject), answered afterwards (enqueue), answered in its place (interrupt), or handed to the run that is answering (steer); the agent's choice, else enqueue, when left out",
      }),
    simulation,
    background,
  })
  .meta({ id: 'Chat', description: 'One agent answers a message; the session remembers the conversation' });

/** A body that has been understood: the work it asks for, and whether the caller wants to wait for it. */
export interface InvocationRequest {
  readonly kind: RunKind;
  /** The work alone: two bodies that ask the same work are equal here, whatever way of answering they ask for. */
  readonly work: JsonObject;
  readonly background: boolean;
}

const EXAMPLES =
  'send { "message": "…" } to talk to an agent, or { "agent_ids": ["ceo", "cfo"], "workflow": "collaborative", "task": { … } } to start an orchestration';

/**
 * Reads the body of `POST /invocations`.
 * @throws AosError invalid_request (what is wrong, where) or payload_too_large
 */
export async function readBody(request: Request): Promise<JsonValue> {
  return parseJsonText(await readRequestText(request, MAX_BODY_BYTES), BODY);
}

/** Understands a body that is JSON already. @throws AosError invalid_request */
export function parseInvocationRequest(body: JsonValue): InvocationRequest {
  if (!isJsonObject(body)) {
    throw new AosError(
      'invalid_request',
      `the request body must be a JSON object, got ${nameOfKind(body)}: ${EXAMPLES}`,
    );
  }
  if ('message' in body) {
    if ('task' in body || 'workflow' in body) {
      throw new AosError(
        'invalid_request',
        `the request body has both message (a chat turn) and ${'task' in body ? 'task' : 'workflow'} (an orchestration): ${EXAMPLES}`,
      );
    }
    return chatRequest(body);
  }
  if (['task', 'agent_ids', 'workflow', 'purpose', 'graph'].some((member) => member in body)) {
    return orchestrationRequest(body);
  }
  throw new AosError('invalid_request', `the request body has neither message nor task: ${EXAMPLES}`);
}

function chatRequest(body: JsonObject): InvocationRequest {
  const {
    background,
    agent_id,
    agent_ids,
    message,
    second_message,
    simulation: simulated,
  } = checkSchema(chatBody, body, BODY);
  const named = agent_id ?? agent_ids?.[0];
  if (agent_id !== undefined && agent_ids !== undefined && agent_ids[0] !== agent_id) {
    throw new AosError(
      'invalid_request',
      `agent_id "${agent_id}" and agent_ids ["${agent_ids[0]}"] differ: send one of them`,
    );
  }
  const work = {
    message,
    ...(named === undefined ? {} : { agent_id: named }),
    ...(second_message === undefined ? {} : { second_message }),
    ...(simulated === true ? { simulation: true } : {}),
  };
  return { kind: 'chat', work, background };
}

function orchestrationRequest(body: JsonObject): InvocationRequest {
  const { background, ...work } = checkSchema(orchestrationBody, body, BODY);
  if (work.agent_ids === undefined && work.graph === undefined) {
    throw new AosError('invalid_request', 'the request body cannot be used: "agent_ids" is missing: expected a list');
  }
  if (work.task === undefined && work.purpose === undefined && work.graph === undefined) {
    throw new AosError(
      'invalid_request',
      `the request body has neither task (work that ends) nor purpose (work that goes on until it is stopped): ${EXAMPLES}`,
    );
  }
  // What was checked is JSON; dropping members that are undefined makes the type say so too.
  return { kind: 'orchestration', work: JSON.parse(JSON.stringify(work)) as JsonObject, background };
}

export const cancelBody = z
  .strictObject({
    reason: z.string().optional().meta({ description: 'Why; kept with the run and told to its followers' }),
  })
  .meta({ id: 'Cancel' });

/** Reads the body of a cancel, which may be absent. @throws AosError invalid_request */
export async function readCancelReason(request: Request): Promise<string> {
  const text = await readRequestText(request, MAX_BODY_BYTES);
  return parseCancelReason(text.trim() === '' ? {} : parseJsonText(text, BODY));
}

/** @throws AosError invalid_request */
export function parseCancelReason(body: JsonValue): string {
  if (!isJsonObject(body)) {
    throw new AosError(
      'invalid_request',
      `the body of a cancel must be empty or { "reason": "…" }, got ${nameOfKind(body)}`,
    );
  }
  const { reason = '' } = checkSchema(cancelBody, body, BODY);
  // Control characters have no meaning in a reason, and the store's text columns take no U+0000.
  const clean = reason
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON_LENGTH)
    .toWellFormed();
  return clean === '' ? 'cancelled by the caller' : clean;
}
