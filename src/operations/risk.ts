/**
 * The risk register of client programs. How severe a risk is follows from how likely it is and how hard it would hit.
 */
import { z } from 'zod';
import { type Clock, isoTime } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import { newUuid } from '../core/ids.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { Caller } from '../runs/run.ts';
import { freeForm, protocolId, time } from './field.ts';
import { type Operation, realize, specify } from './operation.ts';
import type { KeptRecord, RecordStore } from './record-store.ts';

const categories = [
  'financial',
  'operational',
  'strategic',
  'compliance',
  'security',
  'reputational',
  'technical',
  'market',
] as const;
const riskStatuses = ['identified', 'assessing', 'mitigating', 'monitoring', 'resolved', 'accepted'] as const;
const severities = ['critical', 'high', 'medium', 'low', 'info'] as const;
type Severity = (typeof severities)[number];

/** From 0..1 likelihood and 0..1 impact. */
export function severityOf(likelihood: number, impact: number): Severity {
  const score = likelihood * impact;
  if (score >= 0.8) return 'critical';
  if (score >= 0.6) return 'high';
  if (score >= 0.3) return 'medium';
  return score >= 0.1 ? 'low' : 'info';
}

const share = z.number().min(0).max(1);
const risk = z
  .object({
    id: protocolId,
    title: z.string(),
    description: z.string(),
    category: z.enum(categories),
    status: z.enum(riskStatuses),
    owner: z.string(),
    assessment: z
      .object({
        likelihood: share,
        impact: share,
        severity: z.enum(severities),
        assessed_at: time,
        assessor: z.string().nullable(),
        notes: z.string().nullable(),
      })
      .nullable(),
    mitigation_plan: z.string().nullable(),
    tags: z.array(z.string()),
    context: freeForm,
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Risk', description: 'A risk of the register' });

const one = z.object({ risk_id: protocolId });
const text = z.string().max(20_000);
const flat = { status: 200, family: 'flat' } as const;

export const registerRisk = specify({
  name: 'risks.register',
  summary: 'Enter a risk into the register',
  input: z.object({
    title: text.min(1),
    description: text.default(''),
    category: z.enum(categories).default('operational'),
    owner: text.default(''),
    tags: z.array(z.string().max(200)).max(100).default([]),
    context: freeForm.default({}),
  }),
  output: risk,
  screens: ['title', 'description', 'tags', 'context'],
  rest: { ...flat, method: 'POST', path: '/api/risks', status: 201 },
  example: { input: { title: 'A supplier fails', category: 'operational', owner: 'coo' } },
});

export const listRisks = specify({
  name: 'risks.list',
  summary: 'The risks of the register, newest first',
  input: z.object({ status: z.enum(riskStatuses).optional(), category: z.enum(categories).optional() }),
  output: z.object({ risks: z.array(risk) }),
  rest: { ...flat, method: 'GET', path: '/api/risks' },
});

export const assessRisk = specify({
  name: 'risks.assess',
  summary: 'Say how likely a risk is and how hard it would hit',
  input: one.extend({
    likelihood: share,
    impact: share,
    assessor: text.nullish(),
    notes: text.nullish(),
  }),
  output: risk,
  screens: ['notes'],
  rest: { ...flat, method: 'POST', path: '/api/risks/{risk_id}/assess' },
  errors: ['not_found'],
  example: { input: { likelihood: 0.5, impact: 0.9 } },
});

export const changeRiskStatus = specify({
  name: 'risks.status',
  summary: 'Set the status of a risk',
  input: one.extend({ status: z.enum(riskStatuses) }),
  output: risk,
  rest: { ...flat, method: 'POST', path: '/api/risks/{risk_id}/status' },
  errors: ['not_found'],
  example: { input: { status: 'monitoring' } },
});

export const mitigateRisk = specify({
  name: 'risks.mitigate',
  summary: 'Write down what is done about a risk',
  input: one.extend({ plan: text.min(1) }),
  output: risk,
  screens: ['plan'],
  rest: { ...flat, method: 'POST', path: '/api/risks/{risk_id}/mitigate' },
  errors: ['not_found'],
  example: { input: { plan: 'Find a second supplier' } },
});

export const riskSpecs = [registerRisk, listRisks, assessRisk, changeRiskStatus, mitigateRisk];

export function createRiskOperations(parts: {
  readonly records: RecordStore;
  readonly clock: Clock;
}): readonly Operation[] {
  const { records, clock } = parts;

  async function change(id: string, { tenantId }: Caller, members: JsonObject) {
    const record = await records.find(tenantId, 'risk', id);
    if (record === undefined) throw new AosError('not_found', `Risk '${id}' not found`, { reason: 'RISK_NOT_FOUND' });
    return viewRisk(await records.put(tenantId, 'risk', id, { ...record.data, ...members }));
  }

  return [
    realize(registerRisk, async (asked, { caller }) => {
      const data = { ...asked, status: 'identified', assessment: null, mitigation_plan: null };
      return viewRisk(await records.put(caller.tenantId, 'risk', newUuid(), data as JsonObject));
    }),
    realize(listRisks, async ({ status, category }, { caller }) => {
      const { items } = await records.list(caller.tenantId, 'risk', 500);
      const risks = items.map(viewRisk);
      const fits = (one: z.infer<typeof risk>) =>
        (status === undefined || one.status === status) && (category === undefined || one.category === category);
      return { risks: risks.filter(fits) };
    }),
    realize(assessRisk, async ({ risk_id: id, likelihood, impact, assessor, notes }, { caller }) => {
      const assessment = {
        likelihood,
        impact,
        severity: severityOf(likelihood, impact),
        assessed_at: isoTime(clock.now()),
        assessor: assessor ?? null,
        notes: notes ?? null,
      };
      return change(id, caller, { assessment, status: 'assessing' });
    }),
    realize(changeRiskStatus, async ({ risk_id: id, status }, { caller }) => change(id, caller, { status })),
    realize(mitigateRisk, async ({ risk_id: id, plan }, { caller }) =>
      change(id, caller, { mitigation_plan: plan, status: 'mitigating' }),
    ),
  ];
}

function viewRisk({ id, data, createdAt, updatedAt }: KeptRecord): z.infer<typeof risk> {
  const { assessment, mitigation_plan: plan } = data;
  return {
    id,
    title: String(data['title']),
    description: String(data['description']),
    category: categories.find((category) => category === data['category']) ?? 'operational',
    status: riskStatuses.find((status) => status === data['status']) ?? 'identified',
    owner: String(data['owner']),
    assessment: isJsonObject(assessment) ? (assessment as z.infer<typeof risk>['assessment']) : null,
    mitigation_plan: typeof plan === 'string' ? plan : null,
    tags: (data['tags'] ?? []) as string[],
    context: (data['context'] ?? {}) as JsonObject,
    created_at: createdAt,
    updated_at: updatedAt,
  };
}
