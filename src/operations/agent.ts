/**
 * The catalogue of agents as clients browse and extend it, and talking to one of them. An answer is a chat run like any
 * other: it has an invocation, a session and a log.
 */

import { z } from 'zod';
import type { Agent } from '../agents/agent.ts';
import type { Clock } from '../core/clock.ts';
import { isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import type { Gate } from '../dispatch.ts';
import type { Engine } from '../engine/engine.ts';
import { hearsMessages } from '../orchestration/patterns.ts';
import type { EventLog } from '../runs/event-log.ts';
import { type Caller, isTerminal, type Run } from '../runs/run.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { AgentRegister } from './agent-register.ts';
import { agentId, freeForm, givenName, protocolId, time } from './field.ts';
import { type Operation, type OperationContext, realize, specify } from './operation.ts';

/** How long an agent may take to answer the one who asks. */
const ASK_LIMIT_MS = 300_000;

const entry = z
  .object({
    agent_id: agentId,
    agent_type: z.string(),
    purpose: z.string(),
    adapter_name: z.string(),
    capabilities: z.array(z.string()),
    config: freeForm,
    enabled: z.boolean(),
  })
  .meta({ id: 'Agent', description: 'An entry of the registry of agents' });

const CEO = {
  agent_id: 'ceo',
  agent_type: 'LeadershipAgent',
  purpose: 'Lead the company',
  adapter_name: 'leadership',
  capabilities: ['strategic_planning'],
  config: {},
  enabled: true,
};

const byId = z.object({ agent_id: agentId });

export const listAgents = specify({
  name: 'agents.list',
  summary: 'The agents that can be given work',
  input: z.object({ agent_type: z.string().optional().meta({ description: 'Exactly this type' }) }),
  output: z.object({ agents: z.array(entry) }),
  rest: { method: 'GET', path: '/api/realm/agents', aliases: ['/api/agents'], status: 200, family: 'flat' },
  example: { output: { agents: [CEO] } },
});

export const getAgent = specify({
  name: 'agents.get',
  summary: 'One agent',
  input: byId,
  output: entry,
  rest: {
    method: 'GET',
    path: '/api/realm/agents/{agent_id}',
    aliases: ['/api/agents/{agent_id}'],
    status: 200,
    family: 'flat',
  },
  errors: ['not_found'],
  example: { output: CEO },
});

export const getRealmConfig = specify({
  name: 'realm.config',
  summary: 'The registry of agents, disabled ones included',
  input: z.object({}),
  output: z.object({ agents: z.array(entry) }),
  rest: { method: 'GET', path: '/api/realm/config', status: 200, family: 'flat' },
  example: { output: { agents: [CEO] } },
});

export const registerAgent = specify({
  name: 'agents.register',
  summary: 'Add an agent to the catalogue',
  description: 'It takes part from then on, also after a restart. Registering it again changes it.',
  input: z.object({
    agent_id: agentId,
    purpose: z.string().min(1).max(4000).optional(),
    name: givenName.optional(),
    agent_type: z.string().min(1).max(100).default('RegisteredAgent'),
    adapter_name: z.string().max(200).optional(),
    capabilities: z.array(z.string().max(200)).max(100).default([]),
    model: z.string().max(200).default('gpt-4o').meta({ description: 'Kept and shown; this server has one model' }),
    tools: z
      .array(z.union([z.string().max(64), freeForm]))
      .max(64)
      .default([]),
  }),
  output: z.object({
    ...entry.shape,
    name: z.string(),
    model: z.string(),
    tools: z.array(z.unknown()),
    foundry_agent_id: z.string().nullable().meta({ description: 'null: it is this server that runs it' }),
    registered_at: time,
    managed_by: z.string(),
  }),
  rest: { method: 'POST', path: '/api/agents/register', status: 200, family: 'flat' },
  errors: ['conflict'],
  example: { input: { agent_id: 'auditor', purpose: 'Find what does not add up', capabilities: ['audit'] } },
});

export const askAgent = specify({
  name: 'agents.ask',
  summary: 'Ask an agent and wait for its answer',
  input: byId.extend({
    message: z.string().refine((text) => text.trim() !== '', { error: 'must not be empty' }),
    context: freeForm.nullish(),
    session_id: protocolId.optional().meta({ description: 'The conversation it belongs to; a new one when left out' }),
  }),
  output: z.object({
    agent_id: agentId,
    message: z.string().meta({ description: 'What the agent answers' }),
    context: freeForm,
    timestamp: time,
    invocation_id: protocolId,
    session_id: protocolId,
    simulated: z.boolean(),
  }),
  rest: { method: 'POST', path: '/api/agents/{agent_id}/ask', status: 200, family: 'flat' },
  errors: ['not_found', 'conflict', 'model_failed', 'overloaded', 'shutting_down', 'timed_out'],
  example: { input: { message: 'Where do we stand?' } },
});

const sent = z.object({ message_id: protocolId, agent_id: agentId, status: z.literal('sent') });

export const sendToAgent = specify({
  name: 'agents.send',
  summary: 'Give an agent a message without waiting for its answer',
  description: 'Takes any object; its member `message`, else all of it, is what the agent reads.',
  input: z.looseObject({ agent_id: agentId }),
  output: sent,
  rest: { method: 'POST', path: '/api/agents/{agent_id}/send', status: 202, family: 'flat' },
  errors: ['not_found', 'overloaded'],
  example: { input: { message: 'The numbers of March are in.' } },
});

export const messageAgent = specify({
  name: 'agents.message',
  summary: 'Give an agent a message, within an orchestration or by itself',
  input: byId.extend({
    message: z.string().refine((text) => text.trim() !== '', { error: 'must not be empty' }),
    orchestration_id: protocolId.nullish(),
    direction: z.string().max(100).default('foundry_to_agent'),
  }),
  output: z.object({
    message_id: protocolId,
    agent_id: agentId,
    orchestration_id: protocolId.nullable(),
    content: z.string(),
    direction: z.string(),
    status: z.enum(['delivered', 'sent']),
    timestamp: time,
    managed_by: z.string(),
  }),
  rest: { method: 'POST', path: '/api/agents/{agent_id}/message', status: 200, family: 'flat' },
  errors: ['not_found', 'conflict', 'overloaded'],
  example: { input: { message: 'Please look at cash first.' } },
});

export const agentSpecs = [listAgents, getAgent, getRealmConfig, registerAgent, askAgent, sendToAgent, messageAgent];

const MANAGED_BY = 'aos-agent-server';

export interface AgentParts {
  readonly agents: AgentRegister;
  readonly gate: Gate;
  readonly runs: Pick<RunStore, 'findInTenant'>;
  readonly events: Pick<EventLog, 'follow'>;
  readonly engine: Pick<Engine, 'signal'>;
  readonly clock: Clock;
}

export function createAgentOperations(parts: AgentParts): readonly Operation[] {
  const { agents, gate, runs, events, engine, clock } = parts;

  function find(id: string, caller: Caller): Agent {
    const agent = agents.visibleTo(caller).find((one) => one.agent_id === id && one.enabled);
    if (agent !== undefined) return agent;
    throw new AosError('not_found', `Agent '${id}' not found`, { reason: 'AGENT_NOT_FOUND' });
  }

  async function chat(agent: Agent, message: string, { caller, callId }: OperationContext, sessionId = newUuid()) {
    const body = { message, agent_id: agent.agent_id };
    const { run } = await gate.submit({ id: newUuid(), kind: 'chat', sessionId, caller, body, callId });
    return run;
  }

  /** The run once it has ended. @throws AosError what it failed with, or that there was no answer in time */
  async function answered(run: Run, caller: Caller, signal: AbortSignal): Promise<Run> {
    const patience = new AbortController();
    const timer = clock.after(ASK_LIMIT_MS, () => patience.abort());
    for await (const _event of events.follow(run.id, run.lastEvent, AbortSignal.any([signal, patience.signal])));
    timer.cancel();
    const last = (await runs.findInTenant(run.id, caller)) ?? run;
    const facts = { invocation_id: run.id };
    if (last.status === 'completed') return last;
    if (!isTerminal(last.status)) {
      const [code, why] = patience.signal.aborted
        ? (['timed_out', 'the agent has not answered yet'] as const)
        : (['shutting_down', 'the server is stopping'] as const);
      throw new AosError(code, `${why}: read GET /invocations/${run.id}`, { facts });
    }
    const { code, message } = last.error ?? { code: 'cancelled' as const, message: 'the question was cancelled' };
    throw new AosError(code, message, { facts });
  }

  return [
    realize(listAgents, async ({ agent_type: type }, { caller }) => {
      const enabled = agents.visibleTo(caller).filter((agent) => agent.enabled);
      return { agents: enabled.filter((agent) => type === undefined || agent.agent_type === type).map(viewAgent) };
    }),
    realize(getAgent, async ({ agent_id: id }, { caller }) => viewAgent(find(id, caller))),
    realize(getRealmConfig, async (_input, { caller }) => ({ agents: agents.visibleTo(caller).map(viewAgent) })),
    realize(registerAgent, async (asked, { caller }) => {
      const name = asked.name ?? asked.agent_id;
      const kept = await agents.register(
        {
          agentId: asked.agent_id,
          name,
          purpose: asked.purpose ?? `Contribute as ${name}`,
          agentType: asked.agent_type,
          adapterName: asked.adapter_name ?? asked.agent_id,
          capabilities: asked.capabilities,
          tools: asked.tools.filter((tool) => typeof tool === 'string'),
          model: asked.model,
        },
        caller,
      );
      return {
        ...viewAgent(find(asked.agent_id, caller)),
        name,
        model: asked.model,
        tools: asked.tools,
        foundry_agent_id: null,
        registered_at: kept.createdAt,
        managed_by: MANAGED_BY,
      };
    }),
    realize(askAgent, async ({ agent_id: id, message, context, session_id: session }, call) => {
      const asked =
        context && Object.keys(context).length > 0 ? `${message}\n\nContext: ${JSON.stringify(context)}` : message;
      const run = await chat(find(id, call.caller), asked, call, session);
      const { result, completedAt, simulated } = await answered(run, call.caller, call.signal);
      return {
        agent_id: id,
        message: String(result?.['message'] ?? ''),
        context: context ?? {},
        timestamp: completedAt ?? isoTime(clock.now()),
        invocation_id: run.id,
        session_id: run.sessionId,
        simulated,
      };
    }),
    realize(sendToAgent, async ({ agent_id: id, ...rest }, call) => {
      const { message } = rest;
      const text = typeof message === 'string' && message.trim() !== '' ? message : JSON.stringify(rest);
      const run = await chat(find(id, call.caller), text, call);
      return { message_id: run.id, agent_id: id, status: 'sent' as const };
    }),
    realize(messageAgent, async ({ agent_id: id, message, orchestration_id: within, direction }, call) => {
      const { caller } = call;
      const agent = find(id, caller);
      const facts = {
        agent_id: id,
        content: message,
        direction,
        timestamp: isoTime(clock.now()),
        managed_by: MANAGED_BY,
      };
      if (!within) {
        const run = await chat(agent, message, call);
        return { ...facts, message_id: run.id, orchestration_id: null, status: 'sent' as const };
      }
      const orchestration = await runs.findInTenant(within, caller);
      if (orchestration?.kind !== 'orchestration') {
        throw new AosError('not_found', `Orchestration '${within}' not found`, { reason: 'ORCHESTRATION_NOT_FOUND' });
      }
      if (!hearsMessages(orchestration.request)) {
        throw new AosError('conflict', `The agents of orchestration '${within}' take no messages while it runs`, {
          reason: 'NOT_LISTENING',
        });
      }
      const messageId = newUuid();
      const payload = { agent_id: id, message, direction };
      const actor = `user:${caller.userId}`;
      if (!(await engine.signal(within, { id: messageId, name: 'message', payload, actor }))) {
        throw new AosError('conflict', `Orchestration '${within}' has ended: it takes no message any more`, {
          reason: 'ORCHESTRATION_TERMINAL',
        });
      }
      return { ...facts, message_id: messageId, orchestration_id: within, status: 'delivered' as const };
    }),
  ];
}

function viewAgent(agent: Agent): z.infer<typeof entry> {
  return { ...agent, capabilities: [...agent.capabilities] };
}
