/** Messages between agents, their inboxes, and what they give one another to know (domain reference §4.1, §4.6). */
import { z } from 'zod';
import { a2aRest } from './a2a-agent-spec.ts';
import { askedFabric, expiry, messageType, patience, piiPolicy, region } from './a2a-field.ts';
import { fabricView, type MessageView, messageView } from './a2a-message-view.ts';
import { agentId, askedTime, eventNumber, freeForm, pageSize, protocolId, time } from './field.ts';
import { specify } from './operation.ts';

const T0 = '2026-02-01T10:00:00.000Z';
const FABRIC = {
  primary_plane_id: 'ipaas_acme',
  Primary_Plane_ID: 'ipaas_acme',
  fabric_preset: 'preset_2_ipaas_first',
  auto_enriched: true,
};

const PING = {
  id: '0d9f7a3e-2f0b-4e6c-8d1a-6a1f0f3b9c01',
  type: 'ping',
  from_agent: 'ceo',
  to_agent: 'cfo',
  correlation_id: 'board-7',
  in_reply_to: null,
  payload: {},
  timestamp: T0,
  created_at: T0,
  expires_at: null,
  fabric_context: FABRIC,
  metadata: {},
  protocol_version: '1.1',
  seq: null,
} satisfies MessageView;

const PONG = {
  ...PING,
  id: '5b1c2d3e-4f5a-4b6c-9d7e-8f9a0b1c2d3e',
  type: 'pong',
  from_agent: 'cfo',
  to_agent: 'ceo',
  in_reply_to: PING.id,
  payload: { agent_id: 'cfo', health_status: 'healthy', answered_by: 'server' },
} satisfies MessageView;

export const askedMessage = z.object({
  id: protocolId
    .max(200)
    .nullish()
    .meta({ description: 'Repeating a message with its id is harmless; new when left out' }),
  type: messageType,
  from_agent: agentId,
  to_agent: agentId.nullish().meta({ description: 'Left out: this server' }),
  correlation_id: protocolId.nullish(),
  in_reply_to: protocolId.nullish().meta({ description: 'Of an answer: the message it answers' }),
  payload: freeForm.nullish(),
  timestamp: askedTime.nullish(),
  created_at: askedTime.nullish(),
  expires_at: expiry,
  fabric_context: askedFabric,
  metadata: freeForm.nullish().meta({ description: 'May hold `fabric_context`, too' }),
  protocol_version: z.string().max(20).nullish(),
  pii_policy: piiPolicy,
  region,
  wait: patience.meta({ description: 'Seconds to wait for the answer; 5 for execute, else 0 when left out' }),
});

export type AskedMessage = z.output<typeof askedMessage>;

export const sendMessage = specify({
  name: 'a2a.send',
  summary: 'Send a message from an agent to another',
  description:
    'What this server answers itself (discover, capability_query, status_query, cancel, ping, work for its own agents, ' +
    'execute) is answered at once or within `wait`; what another agent answers waits in its inbox, and the answer in ' +
    'that of `from_agent`. An answer that was waited for is in the inbox as well, under the same id. Refused with ' +
    '`EXPIRED`, `PLANE_MISMATCH`, `PII_BLOCKED` (422).',
  input: askedMessage,
  output: z.object({
    message_id: z.string(),
    status: z.enum(['answered', 'delivered']),
    message: messageView,
    reply: messageView.nullable(),
    delegation_id: z.string().nullable(),
    context_id: z.string().nullable(),
    scan: freeForm.nullable().meta({ description: 'What screening for personal data found' }),
  }),
  rest: a2aRest('POST', '/messages'),
  errors: ['not_found', 'conflict', 'unprocessable', 'forbidden', 'overloaded'],
  example: {
    input: { type: 'PING', from_agent: 'ceo', to_agent: 'cfo' },
    output: {
      message_id: PING.id,
      status: 'answered',
      message: PING,
      reply: PONG,
      delegation_id: null,
      context_id: null,
      scan: null,
    },
  },
});

export const getMessage = specify({
  name: 'a2a.message',
  summary: 'A message that was kept, and its newest answer',
  input: z.object({ message_id: protocolId }),
  output: z.object({ message: messageView, reply: messageView.nullable() }),
  rest: a2aRest('GET', '/messages/{message_id}'),
  errors: ['not_found'],
  example: { output: { message: PING, reply: PONG } },
});

export const readInbox = specify({
  name: 'a2a.inbox',
  summary: 'The messages to an agent, in order',
  description:
    'Only for whoever registered the agent; of an agent of this server everybody sees what belongs to their own work. ' +
    'Messages that have expired are left out.',
  input: z.object({
    agent_id: agentId,
    after: eventNumber.meta({ description: 'The number of the last message one has' }),
    wait: z.coerce.number().min(0).max(60).default(0).meta({ description: 'Seconds to wait when there is none' }),
    limit: pageSize,
  }),
  output: z.object({
    agent_id: agentId,
    messages: z.array(messageView),
    next_after: z.int().meta({ description: 'What to send as `after` to go on' }),
  }),
  rest: {
    ...a2aRest('GET', '/agents/{agent_id}/inbox'),
    stream: {
      description: 'One message per event, its number as `id`, its type as `event`. A comment every 15 s of silence.',
      unasked: 'json',
      resume: 'after',
      example: `id: 1\nevent: ping\ndata: ${JSON.stringify({ ...PING, seq: 1 })}\n\n`,
    },
  },
  errors: ['not_found'],
  example: { output: { agent_id: 'cfo', messages: [{ ...PING, seq: 1 }], next_after: 1 } },
});

const shared = z
  .object({
    context_id: z.string(),
    from_agent: agentId,
    to_agent: agentId,
    correlation_id: z.string(),
    context: freeForm.meta({ description: 'As it was let through' }),
    version: z.int(),
    created_at: time,
    updated_at: time,
    expires_at: time.nullable(),
    scan: freeForm.nullable(),
  })
  .meta({ id: 'SharedContext', description: 'What an agent gave another to know' });
const SHARED = {
  context_id: 'c7a5c1f2-0b1d-4f57-9a64-0f0e5f6f7a10',
  from_agent: 'ceo',
  to_agent: 'cfo',
  correlation_id: 'board-7',
  context: { customer: '[EMAIL]' },
  version: 1,
  created_at: T0,
  updated_at: T0,
  expires_at: null,
  scan: { pii_detected: true, policy_action_taken: 'redacted' },
};

export const shareContext = specify({
  name: 'a2a.share',
  summary: 'Give an agent something to know',
  description:
    'Screened for personal data first; what was let through is what the agent gets, in its inbox and with work of the ' +
    'same `correlation_id`. BLOCK refuses with `PII_BLOCKED` (422) and the scan.',
  input: z.object({
    from_agent: agentId,
    to_agent: agentId.nullish(),
    target_agent_id: agentId.nullish().meta({ description: 'The same as to_agent' }),
    context: freeForm,
    message_id: protocolId.max(200).nullish(),
    correlation_id: protocolId.nullish(),
    expires_at: expiry,
    fabric_context: askedFabric,
    metadata: freeForm.nullish(),
    pii_policy: piiPolicy,
    region,
  }),
  output: shared.extend({ message_id: z.string(), fabric_context: fabricView }),
  rest: a2aRest('POST', '/context', 201),
  errors: ['not_found', 'conflict', 'unprocessable', 'forbidden'],
  example: {
    input: { from_agent: 'ceo', to_agent: 'cfo', context: { customer: 'jo@example.com' }, pii_policy: 'REDACT' },
    output: { ...SHARED, message_id: PING.id, fabric_context: FABRIC },
  },
});

export const getContext = specify({
  name: 'a2a.context',
  summary: 'What was given to an agent to know, as it is now',
  input: z.object({ context_id: protocolId }),
  output: shared,
  rest: a2aRest('GET', '/context/{context_id}'),
  errors: ['not_found'],
  example: { output: SHARED },
});

export const a2aMessageSpecs = [sendMessage, getMessage, readInbox, shareContext, getContext];
