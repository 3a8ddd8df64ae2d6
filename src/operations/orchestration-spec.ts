/**
 * The orchestration API of the seed systems: paths, statuses and members as their clients know them.
 */
import { z } from 'zod';
import { callbackAddress, cursor, eventNumber, flag, nextCursor, pageSize, protocolId, reason, time } from './field.ts';
import { type RestRoute, specify } from './operation.ts';
import { submission } from './orchestration-request.ts';
import { orchestrationUpdate } from './orchestration-update.ts';
import { orchestrationResult, orchestrationStatus, statusWords } from './orchestration-view.ts';

const BASE = '/api/orchestrations';
const one = z.object({ orchestration_id: protocolId });
const ID = 'e6121e78-c096-4390-875d-9a77c9bf2ee1';

const rest = (method: RestRoute['method'], path: string, status = 200): RestRoute => ({
  method,
  path: `${BASE}${path}`,
  status,
  family: 'flat',
});

const pending = {
  orchestration_id: ID,
  status: 'pending',
  agent_ids: ['ceo', 'cfo', 'cmo'],
  kind: 'finite',
  workflow: 'collaborative',
  purpose: null,
  progress: 0,
  waiting_for: null,
  created_at: '2026-02-01T10:00:00.000Z',
  updated_at: '2026-02-01T10:00:00.000Z',
  completed_at: null,
  error: null,
  simulated: true,
  simulation: false,
  last_update: 1,
  links: {
    self: `${BASE}/${ID}`,
    result: `${BASE}/${ID}/result`,
    updates: `${BASE}/${ID}/updates`,
    invocation: `/invocations/${ID}`,
  },
};

export const submitOrchestration = specify({
  name: 'orchestrations.submit',
  summary: 'Start an orchestration',
  description:
    'With a `task` it is finite and ends by itself; with a `purpose` alone it is perpetual and goes on until it is ' +
    'stopped. The same `orchestration_id` with the same work answers the orchestration as it is; with other work it ' +
    'is a conflict.',
  input: submission,
  output: orchestrationStatus,
  rest: { ...rest('POST', '', 202), location: (output) => `${BASE}/${String(output['orchestration_id'])}` },
  errors: ['conflict', 'overloaded'],
  example: {
    input: {
      orchestration_id: ID,
      agent_ids: ['ceo', 'cfo', 'cmo'],
      workflow: 'collaborative',
      task: { type: 'strategic_review', data: { quarter: 'Q1-2026' } },
      config: {},
      callback_url: null,
    },
    output: pending,
  },
});

export const listOrchestrations = specify({
  name: 'orchestrations.list',
  summary: 'The orchestrations, newest first',
  input: z.object({ status: z.enum(statusWords).optional(), limit: pageSize, cursor }),
  output: z.object({ items: z.array(orchestrationStatus), next_cursor: nextCursor }),
  rest: rest('GET', ''),
  example: { output: { items: [pending], next_cursor: null } },
});

export const getOrchestration = specify({
  name: 'orchestrations.get',
  summary: 'An orchestration as it is',
  input: one,
  output: orchestrationStatus,
  rest: rest('GET', '/{orchestration_id}'),
  errors: ['not_found'],
  example: { output: { ...pending, status: 'running', progress: 0.43, last_update: 17 } },
});

export const getOrchestrationResult = specify({
  name: 'orchestrations.result',
  summary: 'What an orchestration produced',
  description: 'Refused (409, with the `status`) until it has completed, failed or been stopped.',
  input: one.extend({
    partial: flag.meta({
      description: 'true: also of one that is under way or cancelled, as far as there is something',
    }),
  }),
  output: orchestrationResult,
  rest: rest('GET', '/{orchestration_id}/result'),
  errors: ['not_found', 'conflict'],
  example: {
    output: {
      orchestration_id: ID,
      status: 'completed',
      agent_ids: ['ceo', 'cfo', 'cmo'],
      results: { ceo: { status: 'completed', output: { position: '…' }, turns: 2, duration_seconds: 0.8 } },
      summary: '…',
      created_at: '2026-02-01T10:00:00.000Z',
      completed_at: '2026-02-01T10:00:03.100Z',
      duration_seconds: 3.1,
      error: null,
      usage: { tokens_input: 900, tokens_output: 400, cost_usd: 0 },
    },
  },
});

export const cancelOrchestration = specify({
  name: 'orchestrations.cancel',
  governs: { kind: 'run', type: 'cancel' },
  summary: 'End an orchestration at once',
  description: 'Reaches the model call it is in. Answers when it has ended, at the latest after 2 s.',
  input: one.extend({ reason }),
  output: orchestrationStatus,
  rest: rest('POST', '/{orchestration_id}/cancel'),
  errors: ['not_found', 'conflict'],
  example: { input: {}, output: { ...pending, status: 'cancelled', progress: 0.43, error: 'cancelled by the caller' } },
});

export const stopOrchestration = specify({
  name: 'orchestrations.stop',
  governs: { kind: 'run', type: 'stop' },
  summary: 'Let a perpetual orchestration finish the turns it is in, and end',
  description: 'Answers when it has stopped, at the latest after 10 s. Finite work cannot be stopped: cancel it.',
  input: one.extend({ reason }),
  output: orchestrationStatus,
  rest: rest('POST', '/{orchestration_id}/stop'),
  errors: ['not_found', 'conflict'],
  example: { input: {}, output: { ...pending, kind: 'perpetual', status: 'stopped', progress: 1, purpose: '…' } },
});

const update = {
  orchestration_id: ID,
  seq: 9,
  agent_id: 'cfo',
  update_type: 'output',
  output: '…',
  timestamp: '2026-02-01T10:00:01.200Z',
  metadata: { event: 'turn.completed', turn: 'round-1/cfo', round: 1, progress: 0.43 },
};

export const orchestrationUpdates = specify({
  name: 'orchestrations.updates',
  summary: 'What has happened in an orchestration, and what happens next',
  description:
    'A list by default; with `wait` it answers when there is something new. With `Accept: text/event-stream` it ' +
    'replays the updates after the given number and follows the orchestration to its end.',
  input: one.extend({
    after: eventNumber.meta({ description: 'Only updates after this number' }),
    wait: z.coerce
      .number()
      .min(0)
      .max(60)
      .default(0)
      .meta({ description: 'Seconds to wait for an update when there is none yet' }),
    limit: pageSize.default(200),
  }),
  output: z.object({
    orchestration_id: protocolId,
    status: z.enum(statusWords),
    updates: z.array(orchestrationUpdate),
    next_after: z.int().meta({ description: 'What to send as `after` to go on' }),
  }),
  rest: {
    ...rest('GET', '/{orchestration_id}/updates'),
    stream: {
      description: 'One update per message; `id` is its `seq`, `event` its `update_type`. Ends with the orchestration.',
      unasked: 'json',
      resume: 'after',
      example: `id: 9\nevent: output\ndata: ${JSON.stringify(update)}\n\n`,
    },
  },
  errors: ['not_found'],
  example: { output: { orchestration_id: ID, status: 'running', updates: [update], next_after: 9 } },
});

export const subscribeToOrchestration = specify({
  name: 'orchestrations.subscribe',
  summary: 'Note that a program wants to hear of an orchestration',
  description: 'With a `callback_url` the result is sent there when the orchestration has ended.',
  input: one.extend({
    subscription_id: protocolId.nullish(),
    subscriber: z.string().max(200).nullish(),
    callback_url: callbackAddress.nullish(),
  }),
  output: z.object({
    id: protocolId,
    orchestration_id: protocolId,
    subscriber: z.string().nullable(),
    status: z.literal('active'),
    callback_url: z.string().nullable(),
    created_at: time,
  }),
  rest: rest('POST', '/{orchestration_id}/subscribe', 201),
  errors: ['not_found', 'conflict'],
  example: {
    input: { subscription_id: 'sub-1' },
    output: {
      id: 'sub-1',
      orchestration_id: ID,
      subscriber: null,
      status: 'active',
      callback_url: null,
      created_at: '2026-02-01T10:00:00.000Z',
    },
  },
});

export const orchestrationSpecs = [
  submitOrchestration,
  listOrchestrations,
  getOrchestration,
  getOrchestrationResult,
  cancelOrchestration,
  stopOrchestration,
  orchestrationUpdates,
  subscribeToOrchestration,
];
