/**
 * A graph as a request writes it down: nodes that do something and edges that say what comes after what. What the schema
 * cannot say (edges that lead somewhere, cycles with an end) is `graph-rules.ts`; when a node's turn comes is
 * `graph-plan.ts`.
 */
import { z } from 'zod';
import { AGENT_ID } from '../agents/agent.ts';
import { autoActions } from '../governance/approval.ts';
import { approvalPriorities } from '../governance/escalation.ts';
import { conditionSchema } from './graph-condition.ts';
import { pathSchema } from './graph-reference.ts';

export const MAX_NODES = 200;
const MAX_EDGES = 1_000;
const MAX_VISITS = 100;
const MAX_ITEMS = 100;
export const DEFAULT_ITEMS = 16;
const MAX_TIMEOUT_SECONDS = 7 * 24 * 3600;

const nodeId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: 'must be 1 to 64 of the characters A-Z a-z 0-9 _ -' })
  .refine((id) => id !== '__proto__', { error: 'must be another name' });
const text = z.string().min(1);
const template = z.json().meta({ description: 'Any JSON; {{path}} in its texts stands for what the path leads to' });
const who = z.array(text).min(1).max(50);

/** What people are asked: for an approval node, and for a node that requires one. */
const question = {
  title: text.optional().meta({ description: 'May hold {{path}}' }),
  description: text.optional().meta({ description: 'May hold {{path}}' }),
  assignees: who.optional().meta({ description: 'Who may decide; everybody of the tenant when left out' }),
  expires_in_seconds: z.number().positive().max(MAX_TIMEOUT_SECONDS).optional(),
  auto_action: z.enum(autoActions).optional().meta({ description: 'What happens when nobody decides in time' }),
  priority: z.enum(approvalPriorities).optional(),
  quorum: z.int().min(1).max(50).optional(),
  escalate_to: text.optional(),
};
const approvalQuestion = z.strictObject(question);
export type ApprovalQuestionSpec = z.infer<typeof approvalQuestion>;

const forEach = z
  .strictObject({
    path: pathSchema,
    max_items: z
      .int()
      .min(1)
      .max(MAX_ITEMS)
      .default(DEFAULT_ITEMS)
      .meta({ description: 'A longer list fails the node' }),
  })
  .meta({ description: 'Once for each item of a list, at the same time; in paths: item and index' });

const onError = z
  .union([
    z.enum(['fail', 'continue']),
    z.strictObject({
      retry: z.int().min(1).max(10).meta({ description: 'So many times more' }),
      else: z.enum(['fail', 'continue']).default('fail'),
    }),
  ])
  .meta({
    description:
      'fail: the run fails with the node (default). continue: the node counts as failed, its edges are looked at',
  });

/** What every node may have. */
const anyNode = {
  id: nodeId,
  title: text.optional(),
  on_error: onError.default('fail'),
  max_visits: z.int().min(1).max(MAX_VISITS).optional().meta({
    description: 'Every cycle needs a node that has it. An edge to a node that was visited so often is no way any more',
  }),
  timeout_seconds: z.number().positive().max(MAX_TIMEOUT_SECONDS).optional().meta({
    description: 'The node fails when it takes longer; the time a run is out of memory counts for waits only',
  }),
  requires_approval: z
    .union([z.boolean(), approvalQuestion])
    .optional()
    .meta({ description: 'Somebody has to agree, to exactly what the node is going to do, before it is done' }),
};

const agentNode = z.strictObject({
  ...anyNode,
  type: z.literal('agent'),
  agent_id: z.string().regex(AGENT_ID),
  instructions: text.optional().meta({ description: 'What to do here; may hold {{path}}' }),
  output: z
    .enum(['text', 'json'])
    .default('text')
    .meta({ description: 'json: the answer is read as JSON (also in a code block); another answer fails the node' }),
  for_each: forEach.optional(),
});

const toolNode = z.strictObject({
  ...anyNode,
  type: z.literal('tool'),
  tool: text,
  arguments: z.record(z.string(), template).default({}),
  for_each: forEach.optional(),
});

const approvalNode = z.strictObject({
  ...anyNode,
  ...question,
  type: z.literal('approval'),
  title: text.meta({ description: 'May hold {{path}}' }),
  action: text.optional().meta({ description: 'A word for what is going to be done; the id when left out' }),
  arguments: z
    .record(z.string(), template)
    .default({})
    .meta({ description: 'What it is going to be done with; the approval is bound to it, an approver may edit it' }),
  on_reject: z.enum(['fail', 'continue']).default('fail').meta({
    description: 'fail: a rejection fails the node. continue: it is an output (approved: false) that edges can tell',
  }),
});

const inputNode = z.strictObject({
  ...anyNode,
  type: z.literal('input'),
  prompt: text.optional().meta({ description: 'What is wanted; may hold {{path}}' }),
  signal: text.max(100).optional().meta({ description: 'The name of the signal that brings it; the id when left out' }),
  otherwise: template
    .optional()
    .meta({ description: 'The output when timeout_seconds pass first; without it the node fails then' }),
});

const transformNode = z.strictObject({
  ...anyNode,
  type: z.literal('transform'),
  value: template.optional(),
  merge: z
    .array(pathSchema)
    .min(1)
    .max(100)
    .optional()
    .meta({ description: 'Objects are laid over each other, lists put together, texts joined as paragraphs' }),
  for_each: forEach.optional(),
});

const orchestrationNode = z.strictObject({
  ...anyNode,
  type: z.literal('orchestration'),
  request: z.record(z.string(), template).meta({ description: 'A whole orchestration: agent_ids, workflow, task …' }),
  for_each: forEach.optional(),
});

const joinNode = z.strictObject({
  ...anyNode,
  type: z.literal('join'),
  wait: z
    .union([z.enum(['all', 'any']), z.strictObject({ count: z.int().min(1) })])
    .default('all')
    .meta({ description: 'all: every branch that is still alive. any: the first. count: so many of them' }),
});

export const nodeSchema = z
  .discriminatedUnion('type', [
    agentNode,
    toolNode,
    approvalNode,
    inputNode,
    transformNode,
    orchestrationNode,
    joinNode,
  ])
  .meta({ id: 'GraphNode' });

const edgeSchema = z
  .strictObject({
    from: nodeId,
    to: nodeId,
    when: conditionSchema.optional(),
    default: z.boolean().default(false).meta({ description: 'Taken when no other edge of the node is' }),
  })
  .meta({ id: 'GraphEdge' });

export const graphSchema = z
  .strictObject({
    nodes: z.array(nodeSchema).min(1).max(MAX_NODES),
    edges: z.array(edgeSchema).max(MAX_EDGES).default([]),
    start: z
      .array(nodeId)
      .min(1)
      .optional()
      .meta({ description: 'Where it begins; the nodes that no edge leads to when left out' }),
    output: template.optional().meta({ description: "The run's summary; the outputs of the last nodes when left out" }),
  })
  .meta({ id: 'Graph', description: 'Nodes that do something, and edges that say what comes after what' });

export type Graph = z.infer<typeof graphSchema>;
export type GraphNode = z.infer<typeof nodeSchema>;
export type GraphEdge = z.infer<typeof edgeSchema>;
export type NodeOf<Type extends GraphNode['type']> = Extract<GraphNode, { type: Type }>;
