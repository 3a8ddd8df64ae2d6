/**
 * Who did what: the trail, read off the logs of runs, and the ledger of decisions that clients write.
 */
import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import { newUuid } from '../core/ids.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { Schema } from '../store/schema.ts';
import { askedTime, cursor, freeForm, nextCursor, pageSize, time } from './field.ts';
import { type Operation, realize, specify } from './operation.ts';
import type { KeptRecord, RecordStore } from './record-store.ts';

const entry = z
  .object({
    id: z.string(),
    event_type: z.string(),
    subject_id: z.string().meta({ description: 'Who did it' }),
    subject_type: z.string().meta({ description: 'user, agent, run, job, task or system' }),
    action: z.string(),
    severity: z.enum(['low', 'medium', 'high']),
    target: z.string().nullable().meta({ description: 'What it was done to: the id of a run' }),
    context: freeForm,
    timestamp: time,
  })
  .meta({ id: 'AuditEntry', description: 'An entry of the audit trail; `hash` chains the entries of a run' });

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
          id: 'e6121e78-c096-4390-875d-9a77c9bf2ee1#1',
          event_type: 'run.queued',
          subject_id: 'u1',
          subject_type: 'user',
          action: 'ORCHESTRATION_SUBMIT',
          severity: 'low',
          target: 'e6121e78-c096-4390-875d-9a77c9bf2ee1',
          context: { seq: 1, hash: '9c1d…', trace_id: null },
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

/** What the seed systems call what happened; the rest is its own name in capitals. */
const ACTIONS: Readonly<Record<string, string>> = {
  'run.queued': 'ORCHESTRATION_SUBMIT',
  'run.started': 'ORCHESTRATION_START',
  'run.completed': 'ORCHESTRATION_COMPLETE',
  'run.failed': 'ORCHESTRATION_FAIL',
  'run.timed_out': 'ORCHESTRATION_FAIL',
  'run.cancelled': 'ORCHESTRATION_CANCEL',
  'run.stopped': 'ORCHESTRATION_STOP',
  'tool.called': 'TOOL_CALL',
  'approval.requested': 'APPROVAL_REQUEST',
};

export function createAuditOperations({
  db,
  records,
}: {
  db: Kysely<Schema>;
  records: RecordStore;
}): readonly Operation[] {
  return [
    realize(getAuditTrail, async ({ start_time: start, end_time: end, limit, cursor: from }, { caller }) => {
      const before = from === undefined ? undefined : readCursor(from);
      const { rows } = await sql<TrailRow>`
        select e.run_id, e.seq, e.type, e.at, e.actor, e.trace_id, e.hash, e.prev_hash, e.xid::text as xid, e.pos
          from aos.run_events e join aos.runs r on r.id = e.run_id
         where e.tenant_id = ${caller.tenantId} and e.type <> 'turn.delta'
           and (${caller.userId} = '' or r.user_id = ${caller.userId})
           ${start === undefined ? sql`` : sql`and e.at >= ${new Date(start)}`}
           ${end === undefined ? sql`` : sql`and e.at <= ${new Date(end)}`}
           ${before === undefined ? sql`` : sql`and (e.xid, e.pos) < (${before.xid}::xid8, ${before.pos}::bigint)`}
         order by e.xid desc, e.pos desc limit ${limit + 1}`.execute(db);
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        entries: page.map(viewEntry),
        total: page.length,
        next_cursor: rows.length > limit && last !== undefined ? `${last.xid}.${last.pos}` : null,
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

type TrailRow = {
  run_id: string;
  seq: number;
  type: string;
  at: Date;
  actor: string;
  trace_id: string | null;
  hash: string;
  prev_hash: string;
  xid: string;
  pos: string;
};

function viewEntry({ run_id: runId, seq, type, at, actor, trace_id: traceId, hash, prev_hash: prev }: TrailRow) {
  const [kind = 'system', ...name] = actor.split(':');
  return {
    id: `${runId}#${seq}`,
    event_type: type,
    subject_id: name.join(':') || kind,
    subject_type: kind,
    action: ACTIONS[type] ?? type.replaceAll('.', '_').toUpperCase(),
    severity: severityOf(type),
    target: runId,
    context: { seq, hash, prev_hash: prev, trace_id: traceId },
    timestamp: at.toISOString(),
  };
}

function severityOf(type: string): 'low' | 'medium' | 'high' {
  if (/\.(failed|timed_out|dead)$/.test(type)) return 'high';
  return /cancel|approval|tool|limit/.test(type) ? 'medium' : 'low';
}

function readCursor(cursor: string): { xid: string; pos: string } {
  const [, xid = '0', pos = '0'] = /^(\d{1,18})\.(\d{1,18})$/.exec(cursor) ?? [];
  return { xid, pos };
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
