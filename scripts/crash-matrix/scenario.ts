/**
 * The work whose processes are killed: every sample orchestration, every pattern, and everything else that is promised to
 * survive. Each is started as a client starts it, so that asking again does no harm, and ends by itself.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../src/core/json.ts';
import type { PatientClient } from './patient-client.ts';

export interface Stage {
  readonly client: PatientClient;
  /** Somebody who receives callbacks. */
  readonly receiverUrl: string;
}

export interface Scenario {
  readonly name: string;
  /** The id of the invocation, if it is one: it is followed to its end as well. */
  readonly invocation?: string;
  /** Whether the model is slow enough that its answers are told in several pieces; else each is told at once. */
  readonly slow?: boolean;
  /** The file with its agents, when they are not those of the package. */
  readonly registry?: string;
  /** Asks for the work until it is heard. */
  start(stage: Stage): Promise<void>;
}

const task = { type: 'strategic_review', data: { quarter: 'Q1-2026', revenue: 4_200_000, costs: 3_900_000 } };
const agent_ids = ['ceo', 'cfo', 'cmo'];
const purpose = 'Keep the company solvent.';

function invocation(name: string, body: JsonObject): Scenario {
  const id = `matrix-${name}`;
  const headers = { 'x-agent-invocation-id': id, 'x-agent-user-id': 'ann' };
  return {
    name,
    invocation: id,
    async start({ client }) {
      const path = `/invocations?agent_session_id=${id}-session`;
      await client.call('POST', path, { ...body, background: true }, headers);
    },
  };
}

function pattern(workflow: string, config: JsonObject = {}): Scenario {
  return invocation(workflow, { agent_ids, workflow, task, config });
}

const graph: JsonObject = {
  nodes: [
    { id: 'draft', type: 'agent', agent_id: 'ceo', instructions: 'Draft a plan for {{input.task.data.quarter}}' },
    { id: 'price', type: 'agent', agent_id: 'cfo', instructions: 'Price the plan' },
    { id: 'pitch', type: 'agent', agent_id: 'cmo', instructions: 'Pitch the plan' },
    { id: 'sum', type: 'tool', tool: 'calculator', arguments: { expression: '17 * 23' } },
    { id: 'all', type: 'join' },
    { id: 'sign', type: 'approval', title: 'Sign the plan', arguments: { price: '{{nodes.sum.output.result}}' } },
    {
      id: 'review',
      type: 'orchestration',
      request: { agent_ids: ['cfo', 'cmo'], workflow: 'sequential', task: { type: 'review', data: { signed: true } } },
    },
  ],
  edges: [
    { from: 'draft', to: 'price' },
    { from: 'draft', to: 'pitch' },
    { from: 'draft', to: 'sum' },
    { from: 'price', to: 'all' },
    { from: 'pitch', to: 'all' },
    { from: 'sum', to: 'all' },
    { from: 'all', to: 'sign' },
    { from: 'sign', to: 'review' },
  ],
};

function submittedTask(name: string, submission: JsonObject): Scenario {
  return {
    name,
    async start({ client }) {
      await client.call('POST', '/api/v1/aoa/tasks', { task_id: `matrix-${name}`, ...submission });
    },
  };
}

const job: Scenario = {
  name: 'job',
  async start({ client }) {
    // A job has no name of the client's to be asked for twice by: look before asking again.
    await client.until(async () => {
      const { items } = await client.call('GET', '/api/v1/aoa/jobs');
      if (Array.isArray(items) && items.length > 0) return true;
      await client.once('POST', '/api/v1/aoa/jobs', {
        name: 'matrix',
        schedule_type: 'once',
        run_at: new Date(Date.now() + 200).toISOString(),
        allow_past: true,
        task_type: 'agent_run',
        agent_id: 'cfo',
        payload: { input: 'what is 17 * 23?' },
      });
      return false;
    });
  },
};

const delegation: Scenario = {
  name: 'delegation',
  async start({ client }) {
    await client.call('POST', '/api/v1/a2a/messages', {
      id: 'matrix-delegation',
      type: 'delegate',
      from_agent: 'ceo',
      to_agent: 'cfo',
      payload: { input: 'what is 17 * 23?' },
    });
  },
};

const callback: Scenario = {
  name: 'callback',
  async start({ client, receiverUrl }) {
    await client.call('POST', '/api/orchestrations', {
      orchestration_id: 'matrix-callback',
      agent_ids: ['cfo'],
      workflow: 'sequential',
      task,
      callback_url: `${receiverUrl}/result`,
    });
  },
};

const delegatingAgents = fileURLToPath(new URL('delegating-agents.json', import.meta.url));
const boardReview = new URL('../../samples/board-review/request.json', import.meta.url);

export const scenarios: readonly Scenario[] = [
  invocation('board-review', JSON.parse(readFileSync(boardReview, 'utf8')) as JsonObject),
  pattern('sequential'),
  pattern('concurrent', { synthesis: true }),
  pattern('collaborative', { rounds: 1 }),
  pattern('hierarchical'),
  pattern('group-chat', { max_turns: 4 }),
  pattern('handoff'),
  invocation('graph', { workflow: 'graph', task, graph }),
  invocation('perpetual', {
    agent_ids: ['ceo', 'cfo'],
    workflow: 'perpetual',
    purpose,
    config: { max_cycles: 2, cycle_interval_seconds: 0.2 },
  }),
  { ...invocation('chat', { message: 'Hello, my name is Ada.' }), slow: true },
  invocation('chat-tool', { message: 'what is 17 * 23?', agent_id: 'cfo' }),
  invocation('chat-approval', { message: 'record the decision: we stay in Berlin', agent_id: 'ceo' }),
  submittedTask('task-agent', { task_type: 'agent_run', agent_id: 'cfo', payload: { input: 'what is 17 * 23?' } }),
  submittedTask('task-orchestration', {
    task_type: 'orchestration',
    payload: { agent_ids: ['cfo', 'cmo'], workflow: 'sequential', task },
  }),
  job,
  callback,
  delegation,
  {
    ...invocation('chat-delegate', { message: 'delegate to cfo: what is 17 * 23?', agent_id: 'ceo' }),
    registry: delegatingAgents,
  },
];
