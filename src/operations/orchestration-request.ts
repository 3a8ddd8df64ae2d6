/**
 * What may be asked of the orchestration API, by either generation of clients, and the work it becomes.
 */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import { agentId, callbackAddress, freeForm, protocolId } from './field.ts';

const mcpServer = z.looseObject({
  server_name: z.string().min(1),
  secrets: freeForm.optional().meta({ description: 'Never stored, never logged', writeOnly: true }),
});

const purpose = z.union(
  [z.string().min(1), z.looseObject({ purpose: z.string().min(1), purpose_scope: z.string().optional() })],
  { error: 'must be a text or an object with the text purpose' },
);

export const submission = z
  .object({
    orchestration_id: protocolId
      .nullish()
      .meta({ description: "The caller's name for it, which makes repeating the call harmless; else a new UUID" }),
    agent_ids: z
      .array(agentId, { error: 'agent_ids must be a non-empty list' })
      .max(32)
      .refine((ids) => new Set(ids).size === ids.length, { error: 'agent_ids must name each agent once' })
      .default([])
      .meta({ description: 'The agents that take part; may be empty only beside a graph', uniqueItems: true }),
    workflow: z.string().min(1).max(100).default('collaborative').meta({ description: 'How the agents work together' }),
    task: freeForm.nullish().meta({
      description: 'Finite work; by convention { "type": string, "data": object }, otherwise free-form',
    }),
    purpose: purpose.nullish().meta({
      description: 'Without a task: perpetual work, which goes on until it is stopped. With one: what the task is for',
    }),
    graph: freeForm.nullish().meta({ description: 'For the workflow graph: nodes and edges' }),
    context: freeForm.nullish().meta({ description: 'Facts every agent is given' }),
    config: freeForm.nullish().meta({
      description:
        'Settings: timeout_seconds, rounds, max_turns, continue_on_error, cycle_interval_seconds, max_cycles …',
    }),
    callback_url: callbackAddress
      .nullish()
      .meta({ description: 'Where the result is sent when the orchestration has ended' }),
    simulation: z.boolean().nullish().meta({
      description: 'true: nothing reaches anything outside; models, planes, tools and callbacks are simulated',
    }),
    mcp_servers: z
      .record(z.string(), z.array(mcpServer))
      .nullish()
      .meta({ description: 'By agent: the configured MCP servers it may use' }),
  })
  .meta({ id: 'OrchestrationSubmission', description: 'An orchestration to be started' });

export type Submission = z.output<typeof submission>;

/** Settings with bounds, which every workflow reads alike. */
const sharedConfig = z.looseObject({
  timeout_seconds: z
    .number()
    .positive()
    .max(7 * 24 * 3600)
    .nullish(),
});

/**
 * The work a submission asks for, without what is not there: the same submission is always the same work.
 * @throws AosError invalid_request when it has neither task nor purpose, or names a server that is not configured
 */
export function workOf(asked: Submission, mcpServers: readonly string[]): JsonObject {
  const { task, purpose, context, graph, callback_url: callbackUrl, mcp_servers: servers } = asked;
  if (asked.agent_ids.length === 0 && !graph && !isJsonObject(asked.config?.['graph'])) {
    throw new AosError('invalid_request', 'agent_ids must be a non-empty list', { reason: 'INVALID_ORCHESTRATION' });
  }
  if (!task && !purpose) {
    throw new AosError('invalid_request', 'an orchestration needs a task (finite) or a purpose (perpetual)', {
      reason: 'INVALID_ORCHESTRATION',
    });
  }
  const config = asked.config ?? {};
  const checked = sharedConfig.safeParse(config);
  if (!checked.success) {
    throw new AosError('invalid_request', 'config.timeout_seconds must be a number of seconds, at most a week', {
      reason: 'INVALID_ORCHESTRATION',
    });
  }
  const chosen = Object.entries(servers ?? {}).map(([agent, list]) => [
    agent,
    list.map((server) => server.server_name),
  ]);
  const unknown = chosen.flatMap(([, names]) => names ?? []).filter((name) => !mcpServers.includes(String(name)));
  if (unknown.length > 0) {
    throw new AosError(
      'invalid_request',
      `MCP server ${unknown.map((name) => `'${name}'`).join(', ')} not configured`,
      {
        reason: 'UNKNOWN_MCP_SERVER',
        facts: { available: [...mcpServers] },
      },
    );
  }
  return {
    agent_ids: asked.agent_ids,
    workflow: asked.workflow,
    config: config as JsonObject,
    ...(task && { task: task as JsonObject }),
    ...(purpose && { purpose: purpose as JsonValue }),
    ...(graph && { graph: graph as JsonObject }),
    ...(context && Object.keys(context).length > 0 && { context: context as JsonObject }),
    ...(asked.simulation === true && { simulation: true }),
    ...(callbackUrl && { callback_url: callbackUrl }),
    // Which servers, never with which secrets.
    ...(chosen.length > 0 && { mcp_servers: Object.fromEntries(chosen) }),
  };
}

/** The work that a task's payload asks for: the same body as over HTTP. @throws AosError invalid_request */
export function workOfPayload(payload: JsonObject, mcpServers: readonly string[]): JsonObject {
  return workOf(checkSchema(submission, payload, 'the payload'), mcpServers);
}
