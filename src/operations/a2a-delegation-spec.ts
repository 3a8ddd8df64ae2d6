/** Delegations as resources (domain reference §4.5). */
import { z } from 'zod';
import type { JsonObject } from '../core/json.ts';
import { delegationStatuses } from '../delegation/delegation.ts';
import { a2aRest } from './a2a-agent-spec.ts';
import { delegationView } from './a2a-delegation-view.ts';
import { askedDelegation, askedFabric, expiry, patience, piiPolicy, region } from './a2a-field.ts';
import { agentId, cursor, freeForm, nextCursor, pageSize, protocolId, reason } from './field.ts';
import { specify } from './operation.ts';

const ID = '3c0a1d52-7f0e-4b7c-9a55-0f1f5b0a9d21';

const example = {
  id: ID,
  delegation_id: ID,
  tenant_id: 'acme',
  status: 'accepted',
  from_agent: 'ceo',
  to_agent: 'cfo',
  delegator_id: 'ceo',
  delegatee_id: 'cfo',
  capability_id: 'execute',
  delegation_type: 'full',
  priority: 7,
  input: 'Check the cash position for March.',
  context: {
    original_input: 'Check the cash position for March.',
    original_context: { quarter: 'Q1' },
    delegation_reason: 'numbers',
    delegated_capability: 'execute',
    max_steps: 10,
    max_cost_usd: 0.5,
    timeout_seconds: 300,
    delegation_chain: ['ceo'],
    shared_state: {},
  },
  result: null,
  output_context: null,
  error: null,
  error_code: null,
  tokens_used: null,
  cost_usd: null,
  steps_executed: null,
  duration_ms: null,
  correlation_id: 'board-7',
  message_id: 'f2a8e1b0-3d3c-4c64-8a16-3a5a8a2f1f10',
  parent_delegation_id: null,
  parent_run_id: null,
  task_id: '7a0e4d0e-6a53-4c0c-9a3b-1f4f3f0f7d11',
  run_id: null,
  fabric_context: {
    primary_plane_id: 'ipaas_acme',
    Primary_Plane_ID: 'ipaas_acme',
    fabric_preset: 'preset_2_ipaas_first',
    auto_enriched: true,
  },
  scan: null,
  created_at: '2026-02-01T10:00:00.000Z',
  accepted_at: '2026-02-01T10:00:00.000Z',
  completed_at: null,
  deadline_at: '2026-02-01T10:05:00.000Z',
} satisfies JsonObject;

export const delegateWork = specify({
  name: 'a2a.delegate',
  summary: 'Hand work from an agent to another',
  description:
    'An agent of this server does it as a run; another finds it in its inbox, accepts or rejects it, and brings the ' +
    'result. Without a delegatee the most trusted agent with the capability gets it. Refused with `SELF_DELEGATION`, ' +
    '`DELEGATION_CYCLE`, `DELEGATION_DEPTH`, `NOT_DELEGABLE`, `BUDGET_EXCEEDED` (422), `DELEGATEE_BUSY` (409), ' +
    '`CROSS_TENANT` (404).',
  input: askedDelegation.extend({
    agent_id: agentId.meta({ description: 'Who hands it on' }),
    to_agent: agentId.nullish(),
    delegatee_id: agentId.nullish().meta({ description: 'The same as to_agent' }),
    message_id: protocolId.max(200).nullish().meta({ description: 'Makes repeating the call harmless' }),
    correlation_id: protocolId.nullish(),
    expires_at: expiry,
    fabric_context: askedFabric,
    metadata: freeForm.nullish(),
    pii_policy: piiPolicy,
    region,
    wait: patience,
  }),
  output: delegationView,
  rest: {
    ...a2aRest('POST', '/agents/{agent_id}/delegate', 202),
    location: (output) => `/api/v1/a2a/delegations/${String(output['id'])}`,
  },
  errors: ['not_found', 'conflict', 'unprocessable', 'forbidden', 'overloaded'],
  example: {
    input: { to_agent: 'cfo', input: 'Check the cash position for March.', priority: 7, max_cost_usd: 0.5 },
    output: example,
  },
});

const one = z.object({ delegation_id: protocolId });

export const getDelegation = specify({
  name: 'a2a.delegation',
  summary: 'A delegation as it is',
  input: one,
  output: delegationView,
  rest: a2aRest('GET', '/delegations/{delegation_id}'),
  errors: ['not_found'],
  example: { output: example },
});

export const cancelDelegation = specify({
  name: 'a2a.cancel',
  summary: 'End a delegation, and what it was handed on to, as cancelled',
  description: 'Its run is aborted at once. Refused (409, with the `status`) when it has ended.',
  input: one.extend({ reason }),
  output: delegationView,
  rest: a2aRest('POST', '/delegations/{delegation_id}/cancel'),
  governs: { kind: 'a2a', type: 'cancel' },
  errors: ['not_found', 'conflict'],
  example: { input: { reason: 'not needed' }, output: { ...example, status: 'cancelled', error_code: 'CANCELLED' } },
});

const listInput = z.object({
  agent_id: agentId,
  status_filter: z
    .preprocess((value) => (typeof value === 'string' ? value.toLowerCase() : value), z.enum(delegationStatuses))
    .optional(),
  limit: pageSize,
  cursor,
});
const listOutput = z.object({ delegations: z.array(delegationView), total: z.int(), next_cursor: nextCursor });
const listExample = { delegations: [example], total: 1, next_cursor: null };

export const sentDelegations = specify({
  name: 'a2a.sent',
  summary: 'What an agent handed on, newest first',
  input: listInput,
  output: listOutput,
  rest: a2aRest('GET', '/agents/{agent_id}/delegations/sent'),
  errors: ['not_found'],
  example: { output: listExample },
});

export const receivedDelegations = specify({
  name: 'a2a.received',
  summary: 'What an agent was given, newest first',
  input: listInput,
  output: listOutput,
  rest: a2aRest('GET', '/agents/{agent_id}/delegations/received'),
  errors: ['not_found'],
  example: { output: listExample },
});

export const delegationStats = specify({
  name: 'a2a.delegation_stats',
  summary: 'What became of delegations',
  input: z.object({}),
  output: z.object({
    total_delegations: z.int(),
    active_delegations: z.int(),
    by_status: z.record(z.enum(delegationStatuses), z.int()),
    success_rate: z.number().nullable(),
    average_duration_ms: z.number().nullable(),
    total_tokens_used: z.number(),
    total_cost_usd: z.number(),
    tenant_id: z.string(),
  }),
  rest: a2aRest('GET', '/stats/delegations'),
  example: {
    output: {
      total_delegations: 1,
      active_delegations: 1,
      by_status: {
        pending: 0,
        accepted: 1,
        rejected: 0,
        in_progress: 0,
        completed: 0,
        failed: 0,
        cancelled: 0,
        timeout: 0,
      },
      success_rate: null,
      average_duration_ms: null,
      total_tokens_used: 0,
      total_cost_usd: 0,
      tenant_id: 'acme',
    },
  },
});

export const a2aDelegationSpecs = [
  delegateWork,
  getDelegation,
  cancelDelegation,
  sentDelegations,
  receivedDelegations,
  delegationStats,
];
