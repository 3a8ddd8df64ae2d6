/**
 * The catalogue of agents and talking to one of them, as the seed systems' clients ask for it.
 */
import { z } from 'zod';
import { agentId, freeForm, givenName, protocolId, time } from './field.ts';
import { specify } from './operation.ts';

export const agentEntry = z
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
  output: z.object({ agents: z.array(agentEntry) }),
  rest: { method: 'GET', path: '/api/realm/agents', aliases: ['/api/agents'], status: 200, family: 'flat' },
  example: { output: { agents: [CEO] } },
});

export const getAgent = specify({
  name: 'agents.get',
  summary: 'One agent',
  input: byId,
  output: agentEntry,
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
  output: z.object({ agents: z.array(agentEntry) }),
  rest: { method: 'GET', path: '/api/realm/config', status: 200, family: 'flat' },
  example: { output: { agents: [CEO] } },
});

export const registerAgent = specify({
  name: 'agents.register',
  governs: { kind: 'admin', type: 'agent_register' },
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
    ...agentEntry.shape,
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
