/** The governance API: who answers for what, the rules, what was decided, and what would have been under other rules. */
import { z } from 'zod';
import { presets } from '../fabric/preset.ts';
import { BUDGET_ID, budgetSchema } from '../governance/budget/budget.ts';
import { documentKinds } from '../governance/rulebook.ts';
import { presetText } from './fabric-spec.ts';
import { askedTime, freeForm, pageSize, time } from './field.ts';
import { specify } from './operation.ts';

const PATH = '/api/v1/governance';

/** The documents of a tenant that the governance API reads and replaces. */
const kinds = [...documentKinds, 'screening'] as const;

const documentView = z
  .object({
    kind: z.enum(kinds),
    hash: z.string().meta({ description: 'SHA-256 of the document' }),
    document: freeForm,
    enforced: z.boolean().meta({ description: 'Whether this server judges actions at all' }),
    environment: z.string(),
  })
  .meta({
    id: 'GovernanceDocument',
    description: 'A RACI matrix, a policy or rules for personal data that hold for the tenant',
  });

const kind = z.enum(kinds).meta({
  description: 'raci: who answers for what; policy: the rules; screening: what is done with personal data',
});

export const getGovernanceDocument = specify({
  name: 'governance.document',
  summary: 'The RACI matrix, the policy or the rules for personal data that hold',
  input: z.object({ kind }),
  output: documentView,
  rest: { method: 'GET', path: `${PATH}/documents/{kind}`, status: 200, family: 'detail' },
  example: {
    output: {
      kind: 'raci',
      hash: '5f0c…',
      document: { version: 1, parties: {}, activities: [] },
      enforced: true,
      environment: 'production',
    },
  },
});

export const putGovernanceDocument = specify({
  name: 'governance.replace',
  governs: { kind: 'admin', type: 'rules_change' },
  summary: 'Replace the RACI matrix, the policy or the rules for personal data of the tenant',
  access: 'admin',
  description:
    'Refused with a sentence for every fault; what held before goes on holding then. Every version is kept. ' +
    'Rules for personal data: `action` and `floor` (ALLOW, WARN, REDACT, BLOCK), `types`, `threshold`, `allowed`, `regions`.',
  input: z.object({ kind, document: freeForm }),
  output: documentView,
  rest: { method: 'PUT', path: `${PATH}/documents/{kind}`, status: 200, family: 'detail' },
  example: {
    input: {
      document: {
        version: 1,
        name: 'ours',
        rules: [{ id: 'refunds', effect: 'hold', actions: ['tool:refund'], reason: 'Somebody agrees to a refund.' }],
      },
    },
  },
});

export const listGovernanceVersions = specify({
  name: 'governance.versions',
  summary: 'The versions of a document that the tenant gave, newest first',
  input: z.object({ kind, limit: pageSize }),
  output: z.object({
    items: z.array(z.object({ hash: z.string(), written_by: z.string(), written_at: time, document: freeForm })),
  }),
  rest: { method: 'GET', path: `${PATH}/documents/{kind}/versions`, status: 200, family: 'detail' },
  example: { output: { items: [] } },
});

const decided = z
  .object({
    id: z.string(),
    run_id: z.string().nullable(),
    at: time,
    step: z.string(),
    verdict: z.enum(['allow', 'deny', 'hold']),
    outcome: z.boolean().meta({ description: 'The end of a hold, after people decided' }),
    rule: z.string(),
    reason: z.string(),
    accountable: z.string().nullable(),
    responsible: z.array(z.string()),
    action: z.string(),
    target: z.string().nullable(),
    effect: z.enum(['read', 'write', 'external']),
    entity_id: z.string().nullable(),
    agent_id: z.string().nullable(),
    user_id: z.string(),
    environment: z.string(),
    args_hash: z.string(),
    facts: freeForm,
    cost_usd: z.number().nullable(),
    policy: z.string().nullable(),
    raci: z.string().nullable(),
    approved_by: z.array(z.string()),
  })
  .meta({ id: 'GovernanceDecision', description: 'What was said to an action; of its arguments the hash' });

const between = {
  target: z.string().max(200).optional().meta({ description: 'A system, such as crm' }),
  action: z.string().max(300).optional().meta({ description: 'Its name, such as fabric:crm:update' }),
  agent_id: z.string().max(200).optional(),
  run_id: z.string().max(256).optional(),
  since: askedTime.optional(),
  until: askedTime.optional(),
};

export const listGovernanceDecisions = specify({
  name: 'governance.decisions',
  summary: 'What was decided about actions, newest first',
  input: z.object({ ...between, limit: pageSize }),
  output: z.object({ items: z.array(decided) }),
  rest: { method: 'GET', path: `${PATH}/decisions`, status: 200, family: 'detail' },
  example: { output: { items: [] } },
});

export const getAccountable = specify({
  name: 'governance.accountable',
  summary: 'Who was accountable for everything done to a system between two times',
  description: 'From the decisions as they were made then, whatever the matrix says now.',
  input: z.object(between),
  output: z.object({
    items: z.array(
      z.object({
        accountable: z.string().nullable(),
        action: z.string(),
        agent_id: z.string().nullable(),
        allowed: z.int(),
        denied: z.int(),
        held: z.int(),
        approved_by: z.array(z.string()).meta({ description: 'People who agreed to some of it' }),
        first_at: time,
        last_at: time,
      }),
    ),
  }),
  rest: { method: 'GET', path: `${PATH}/accountable`, status: 200, family: 'detail' },
  example: {
    output: {
      items: [
        {
          accountable: 'Security',
          action: 'fabric:crm:update',
          agent_id: 'ceo',
          allowed: 3,
          denied: 1,
          held: 2,
          approved_by: ['dana'],
          first_at: '2026-02-01T10:00:00.000Z',
          last_at: '2026-02-03T10:00:00.000Z',
        },
      ],
    },
  },
});

const difference = z.object({
  id: z.string(),
  at: time,
  action: z.string(),
  agent_id: z.string().nullable(),
  before: z.string(),
  after: z.string(),
  reason: z.string(),
});

export const askWhatIf = specify({
  name: 'governance.what-if',
  summary: 'Decide recorded actions again under other rules, and show the difference',
  access: 'read',
  description:
    'Nothing is changed and nobody is asked. What the new rules look at must have been kept with the decisions ' +
    '(`keep` of the policy); others are told as undecidable.',
  input: z.object({
    policy: freeForm.optional().meta({ description: 'In place of the one that holds' }),
    raci: freeForm.optional().meta({ description: 'In place of the one that holds' }),
    preset: presetText.optional().meta({ description: `In place of the one that holds: one of ${presets.join(', ')}` }),
    budget: z
      .object({ limit_usd: z.number().min(0), per: z.enum(['tenant', 'agent', 'run']).default('tenant') })
      .optional(),
    budgets: z
      .record(z.string().regex(BUDGET_ID), budgetSchema)
      .optional()
      .meta({ description: 'In place of those that hold, by their ids: of tool calls and of money' }),
    ...between,
    limit: z.coerce.number().int().min(1).max(10_000).default(1000).meta({ description: 'The newest this many' }),
  }),
  output: z
    .object({
      decided: z.int(),
      unchanged: z.int(),
      newly_blocked: z.array(difference),
      newly_gated: z.array(difference),
      newly_allowed: z.array(difference),
      rerouted: z.array(difference).meta({ description: 'before and after are planes' }),
      reassigned: z.array(difference).meta({ description: 'before and after are accountable parties' }),
      undecidable: z.array(difference).meta({ description: 'after names the arguments that were not kept' }),
      cost_usd: z.object({ before: z.number(), after: z.number() }),
      approvals: z.array(z.object({ person: z.string(), before: z.int(), after: z.int() })),
    })
    .meta({ id: 'WhatIfReport' }),
  rest: { method: 'POST', path: `${PATH}/what-if`, status: 200, family: 'detail' },
  errors: ['unprocessable'],
  example: { input: { preset: 'preset_4_event_bus_first', budget: { limit_usd: 100, per: 'agent' } } },
});

export const governanceSpecs = [
  getGovernanceDocument,
  putGovernanceDocument,
  listGovernanceVersions,
  listGovernanceDecisions,
  getAccountable,
  askWhatIf,
];
