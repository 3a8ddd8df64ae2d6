/**
 * Who did what: the trail in the words of the seed system, read off the audit log, and the ledger of decisions that clients write.
 */
import { z } from 'zod';
import { newUuid } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Audit } from '../governance/audit/audit.ts';
import type { AuditEntry } from '../governance/audit/entry.ts';
import { checkSpan } from './asked-span.ts';
import { namesIn, readCursor } from './audit-log.ts';
import { askedTime, cursor, freeForm, nextCursor, pageSize, time } from './field.ts';
import { type Operation, overseerOf, realize, specify } from './operation.ts';
import type { KeptRecord, RecordStore } from './record-store.ts';

const entry = z
  .object({
    id: z.string(),
    event_type: z.string(),
    subject_id: z.string().meta({ description: 'Who did it' }),
    subject_type: z.string().meta({ description: 'user, agent, run, job, task or system' }),
    action: z.string(),
    severity: z.enum(['low', 'medium', 'high']),
    target: z
      .string()
      .nullable()
      .meta({ description: 'What it was done to: a system, or the id of a task, run or job' }),
    context: freeForm,
    timestamp: time,
  })
  .meta({
    id: 'AuditEntry',
    description: 'An entry of the audit trail; `context` has its number and hash in the audit log',
  });

export const getAuditTrail = specify({
  name: 'audit.trail',
  summary: 'What was done, by whom, newest first',
  input: z.object({
    start_time: askedTime.optional(),
    end_time: askedTime.optional(),
    limit: pageSize,
    cursor,
  }),
  output: z.object({ entries: z.array(entry), total: z.int(), next_cursor: nextCursor }),
  rest: { method: 'GET', path: '/api/audit/trail', status: 200, family: 'flat' },
  example: {
    output: {
      entries: [
        {
          id: '0b6a2f5e-6c1d-4c52-9a58-1f3f1f6f0a11',
          event_type: 'ORCHESTRATION_SUBMIT',
          subject_id: 'u1',
          subject_type: 'user',
          action: 'ORCHESTRATION_SUBMIT',
          severity: 'low',
          target: 'e6121e78-c096-4390-875d-9a77c9bf2ee1',
          context: { seq: 1, hash: '9c1d…', trace_id: null, run_id: 'e6121e78-c096-4390-875d-9a77c9bf2ee1' },
          timestamp: '2026-02-01T10:00:00.000Z',
        },
      ],
      total: 1,
      next_cursor: null,
    },
  },
});

const decision = z
  .looseObject({
    id: z.string(),
    orchestration_id: z.string().nullable(),
    agent_id: z.string().nullable(),
    decision_type: z.string(),
    title: z.string(),
    description: z.string(),
    rationale: z.string().nullable(),
    outcome: z.string().nullable(),
    confidence: z.number().nullable(),
    context: freeForm,
    created_at: time,
  })
  .meta({ id: 'DecisionRecord', description: 'A decision somebody wrote down' });

const text = z.string().max(20_000);

export const recordDecision = specify({
  name: 'audit.record-decision',
  summary: 'Write a decision into the ledger',
  input: z.looseObject({
    orchestration_id: text.nullish(),
    agent_id: text.nullish(),
    decision_type: text.default(''),
    title: text.default(''),
    description: text.default(''),
    rationale: text.nullish(),
    outcome: text.nullish(),
    confidence: z.number().nullish(),
    context: freeForm.default({}),
  }),
  output: decision,
  screens: ['title', 'description', 'rationale', 'outcome', 'context'],
  rest: { method: 'POST', path: '/api/audit/decisions', status: 201, family: 'flat' },
  example: { input: { title: 'Raise prices', decision_type: 'pricing', agent_id: 'cfo' } },
});

export const listDecisions = specify({
  name: 'audit.decisions',
  summary: 'The decisions of the ledger, newest first',
  input: z.object({
    orchestration_id: z.string().max(300).optional(),
    agent_id: z.string().max(300).optional(),
    limit: pageSize,
  }),
  output: z.object({ decisions: z.array(decision) }),
  rest: { method: 'GET', path: '/api/audit/decisions', status: 200, family: 'flat' },
});

export const auditSpecs = [getAuditTrail, recordDecision, listDecisions];

export function createAuditOperations({
  audit,
  records,
}: {
  audit: Audit;
  records: RecordStore;
}): readonly Operation[] {
  return [
    realize(getAuditTrail, async ({ start_time: since, end_time: until, limit, cursor: from }, context) => {
      checkSpan({ since, until }, ['start_time', 'end_time']);
      const { tenantId, userId } = overseerOf(context);
      await audit.seal(tenantId);
      const found = await audit.trail.find(tenantId, {
        since,
        until,
        ownedBy: userId === '' ? undefined : userId,
        before: from === undefined ? undefined : readCursor(from),
        limit: limit + 1,
      });
      const page = found.slice(0, limit);
      const names = await namesIn(audit, tenantId, page);
      return {
        entries: page.map((each) => viewEntry(each, names)),
        total: page.length,
        next_cursor: found.length > limit ? String(page.at(-1)?.seq) : null,
      };
    }),
    realize(recordDecision, async (asked, { caller }) =>
      viewDecision(await records.put(caller.tenantId, 'decision', newUuid(), asked as JsonObject)),
    ),
    realize(listDecisions, async ({ orchestration_id: orchestration, agent_id: agent, limit }, { caller }) => {
      const { items } = await records.list(caller.tenantId, 'decision', 500);
      const wanted = items.filter(
        ({ data }) =>
          (orchestration === undefined || data['orchestration_id'] === orchestration) &&
          (agent === undefined || data['agent_id'] === agent),
      );
      return { decisions: wanted.slice(0, limit).map(viewDecision) };
    }),
  ];
}

function viewEntry(entry: AuditEntry, names: Readonly<Record<string, string>>) {
  const { id, action, timestamp, actor, seq, hash, outcome, trace_id: traceId, details } = entry;
  const { task_id: task, run_id: run, job_id: job, target_system: system } = entry;
  return {
    id,
    event_type: action,
    subject_id: names[actor.id] ?? actor.id,
    subject_type: actor.type,
    action,
    severity: severityOf(entry),
    target: system ?? task ?? run ?? job,
    context: { seq, hash, trace_id: traceId, task_id: task, run_id: run, job_id: job, outcome, details },
    timestamp,
  };
}

function severityOf({ action, outcome }: AuditEntry): 'low' | 'medium' | 'high' {
  if (outcome === 'failure' || outcome === 'denied') return 'high';
  return /^(APPROVAL|TOOL|ROUTE|PII|PRESET)_|CANCEL/.test(action) ? 'medium' : 'low';
}

function viewDecision({ id, data, createdAt }: KeptRecord): z.infer<typeof decision> {
  const word = (name: string): string | null => {
    const value: JsonValue | undefined = data[name];
    return typeof value === 'string' ? value : null;
  };
  return {
    ...data,
    id,
    orchestration_id: word('orchestration_id'),
    agent_id: word('agent_id'),
    decision_type: word('decision_type') ?? '',
    title: word('title') ?? '',
    description: word('description') ?? '',
    rationale: word('rationale'),
    outcome: word('outcome'),
    confidence: typeof data['confidence'] === 'number' ? data['confidence'] : null,
    context: (data['context'] ?? {}) as JsonObject,
    created_at: createdAt,
  };
}
