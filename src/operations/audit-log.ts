/**
 * The audit log as operations: looking something up, taking it along as lines of JSON, its signed state, proofs about
 * it, and whether what is stored is still what was written.
 */
import { z } from 'zod';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Audit } from '../governance/audit/audit.ts';
import { readVerifierKey } from '../governance/audit/checkpoint.ts';
import { type AuditEntry, auditActions } from '../governance/audit/entry.ts';
import { exportPage, referencesIn } from '../governance/audit/export.ts';
import { type ReadLine, readLine } from '../governance/audit/export-reading.ts';
import { cloudEventOf, ocsfOf } from '../governance/audit/export-view.ts';
import { verifyExport } from '../governance/audit/verification.ts';
import type { Caller } from '../runs/run.ts';
import { checkSpan } from './asked-span.ts';
import { agentId, askedTime, cursor, flag, freeForm, nextCursor, pageSize, protocolId, time } from './field.ts';
import { type Operation, overseerOf, realize, specify } from './operation.ts';

const MAX_LINES = 5000;
const number = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const word = z.string().nullable();

const entry = z
  .object({
    seq: z.int().meta({ description: 'Its number in the log of the tenant; there are no gaps' }),
    id: z.string(),
    event: z.literal('RACI_AUDIT'),
    action: z.enum(auditActions),
    timestamp: time,
    tenant_id: z.string(),
    actor: z.object({ type: z.string(), id: z.string() }).meta({ description: 'Who did it; a person by reference' }),
    Primary_Plane_ID: word,
    fabric_preset: word,
    task_id: word,
    task_type: word,
    agent_id: word,
    job_id: word,
    run_id: word,
    message_id: word,
    target_system: word,
    action_type: word,
    from_agent: word,
    to_agent: word,
    raci_responsible: z.string(),
    raci_accountable: z.string(),
    raci_consulted: z.array(z.string()),
    raci_informed: z.array(z.string()),
    outcome: z.enum(['success', 'failure', 'denied', 'cancelled', 'pending']),
    reason: word,
    simulation: z.boolean(),
    trace_id: word,
    details: freeForm,
    prev_hash: hash,
    hash,
  })
  .meta({ id: 'RaciAuditEntry', description: 'An entry of the audit log; `hash` is of all the others' });

const example: JsonObject = {
  seq: 1,
  id: '0b6a2f5e-6c1d-4c52-9a58-1f3f1f6f0a11',
  event: 'RACI_AUDIT',
  action: 'TASK_SUBMIT',
  timestamp: '2026-02-01T10:00:00.412Z',
  tenant_id: 'acme',
  actor: { type: 'user', id: 'anonymous' },
  Primary_Plane_ID: null,
  fabric_preset: null,
  task_id: '7a0ec3f1-7e1b-4a53-9d0e-56e3c4bd3f7e',
  task_type: 'agent_run',
  agent_id: 'ceo',
  job_id: null,
  run_id: null,
  message_id: null,
  target_system: null,
  action_type: null,
  from_agent: null,
  to_agent: null,
  raci_responsible: 'AOA Runtime',
  raci_accountable: 'Platform',
  raci_consulted: ['Agents'],
  raci_informed: ['Audit Log'],
  outcome: 'success',
  reason: null,
  simulation: false,
  trace_id: null,
  details: { priority: 'HIGH', status: 'pending' },
  prev_hash: '0'.repeat(64),
  hash: '9c1d'.repeat(16),
};

export const listAuditLog = specify({
  name: 'audit.list',
  summary: 'What was done, by whom, and who answers for it, newest first',
  description: 'Everything up to the call is in it. A user sees what belongs to their own work.',
  input: z.object({
    action: z.enum(auditActions).optional(),
    task_id: protocolId.optional(),
    agent_id: agentId.optional(),
    run_id: protocolId.optional(),
    since: askedTime.optional(),
    until: askedTime.optional(),
    cursor,
    limit: pageSize,
  }),
  output: z.object({
    items: z.array(entry),
    total: z.int().meta({ description: 'How many there are on this page' }),
    next_cursor: nextCursor,
    people: z
      .record(z.string(), z.string())
      .meta({ description: 'Who is behind the references in the entries, of those who are not forgotten' }),
  }),
  rest: { method: 'GET', path: '/api/v1/aoa/audit', status: 200, family: 'detail' },
  example: { output: { items: [example], total: 1, next_cursor: null, people: {} } },
});

export const exportAuditLog = specify({
  name: 'audit.export',
  summary: 'The audit log in order, as lines of JSON',
  description:
    'With `Accept: application/x-ndjson` the answer is the lines themselves, and the header `X-Next-After` says how to go ' +
    'on. Pages of `ndjson` joined in order are what `aos audit verify` reads; the last ends with a checkpoint. The other ' +
    'formats are for other systems: CloudEvents 1.0 with the entry, or with an OCSF 1.3.0 API Activity, as data.',
  input: z.object({
    after: number.default(0).meta({ description: 'Number of the last entry one has' }),
    limit: z.coerce.number().int().min(1).max(MAX_LINES).default(1000),
    format: z.enum(['ndjson', 'cloudevents', 'ocsf']).default('ndjson'),
    people: flag.meta({ description: 'Whether to say who is behind the references (`ndjson`)' }),
  }),
  output: z.object({
    lines: z.array(z.string()),
    total: z.int().meta({ description: 'How many entries are in the lines' }),
    next_after: z.int().nullable().meta({ description: 'What to send as `after` for more; null: no more' }),
  }),
  rest: {
    method: 'GET',
    path: '/api/v1/aoa/audit/export',
    status: 200,
    family: 'detail',
    lines: ({ lines, next_after: next }) => ({
      lines: lines as string[],
      headers: next == null ? {} : { 'x-next-after': String(next) },
    }),
  },
  errors: ['forbidden'],
});

export const signAuditLog = specify({
  name: 'audit.checkpoint',
  summary: 'The audit log as it is now, signed',
  access: 'admin',
  description:
    'Size and Merkle root (RFC 6962), signed with Ed25519 in the text form of C2SP tlog-checkpoint. Keep it elsewhere: it ' +
    'shows whether the log was cut or made anew.',
  input: z.object({}),
  output: z.object({
    tenant_id: z.string(),
    size: z.int(),
    at: time,
    note: z.string().meta({ description: 'The signed note' }),
    verifier_key: z.string().meta({ description: '`<name>+<id>+<base64 of the key>`' }),
  }),
  rest: { method: 'GET', path: '/api/v1/aoa/audit/checkpoint', status: 200, family: 'detail' },
  errors: ['conflict'],
});

export const verifyAuditLog = specify({
  name: 'audit.verify',
  summary: 'Whether the stored audit log is what was written',
  description: 'Every entry, their order, and all checkpoints this server has. `aos audit verify` does it offline.',
  input: z.object({}),
  output: z.object({
    valid: z.boolean(),
    entries: z.int(),
    signed_up_to: z.int(),
    finding: z
      .object({ problem: z.string(), seq: z.int().nullable(), sentence: z.string() })
      .nullable()
      .meta({ description: 'The first bad record' }),
    notes: z.array(z.string()).meta({ description: 'What could not be checked' }),
  }),
  rest: { method: 'GET', path: '/api/v1/aoa/audit/verify', status: 200, family: 'detail' },
});

export const proveAuditLog = specify({
  name: 'audit.proof',
  summary: 'A proof that an entry is in the log, or that the log only grew',
  description:
    '`seq`: entry `seq` is in the log of `size` entries. `from`: the log of `from` entries is its beginning.',
  input: z.object({
    seq: number.min(1).optional(),
    from: number.optional(),
    size: number.min(1).optional().meta({ description: 'By default the whole log' }),
  }),
  output: z.object({
    size: z.int(),
    root: hash,
    proof: z.array(hash).meta({ description: 'RFC 6962 audit path or consistency proof, the lowest first' }),
  }),
  rest: { method: 'GET', path: '/api/v1/aoa/audit/proof', status: 200, family: 'detail' },
});

export const forgetPerson = specify({
  name: 'audit.forget',
  governs: { kind: 'admin', type: 'person_forget' },
  access: 'admin',
  summary: 'Forget who a person in the audit log is',
  description:
    'Entries keep their references, which stand for nobody any more, and the log verifies as before. What runs, tasks and ' +
    'conversations hold is theirs and stays. Should the person come back, they are somebody else.',
  input: z.object({ person: z.string().min(1).max(500).meta({ description: 'The user, as callers are named' }) }),
  output: z.object({ forgotten: z.boolean().meta({ description: 'false: the log knows nobody of that name' }) }),
  rest: { method: 'POST', path: '/api/v1/aoa/audit/forget', status: 200, family: 'detail' },
  errors: ['forbidden'],
  example: { input: { person: 'ann@example.com' }, output: { forgotten: true } },
});

export const auditLogSpecs = [listAuditLog, exportAuditLog, signAuditLog, verifyAuditLog, proveAuditLog, forgetPerson];

export function createAuditLogOperations({ audit }: { audit: Audit }): readonly Operation[] {
  return [
    realize(listAuditLog, async ({ cursor: from, limit, ...asked }, context) => {
      checkSpan(asked);
      const { tenantId, userId } = overseerOf(context);
      await audit.seal(tenantId);
      const found = await audit.trail.find(tenantId, {
        action: asked.action,
        taskId: asked.task_id,
        agentId: asked.agent_id,
        runId: asked.run_id,
        since: asked.since,
        until: asked.until,
        ownedBy: userId === '' ? undefined : userId,
        before: from === undefined ? undefined : readCursor(from),
        limit: limit + 1,
      });
      const items = found.slice(0, limit);
      return {
        items,
        total: items.length,
        next_cursor: found.length > limit ? String(items.at(-1)?.seq) : null,
        people: await namesIn(audit, tenantId, items),
      };
    }),
    realize(exportAuditLog, async ({ after, limit, format, people }, context) => {
      const caller = overseerOf(context);
      refuseUsers(caller);
      const page = await exportPage(audit, caller.tenantId, { after, limit, withPeople: people });
      const view = format === 'ocsf' ? ocsfOf : cloudEventOf;
      return {
        lines: format === 'ndjson' ? [...page.lines] : page.entries.map((each) => JSON.stringify(view(each))),
        total: page.entries.length,
        next_after: page.isLast ? null : page.last,
      };
    }),
    realize(signAuditLog, async (_input, { caller: { tenantId } }) => {
      const { size, at, note } = await audit.checkpoint(tenantId);
      return { tenant_id: tenantId, size, at, note, verifier_key: audit.verifierKey ?? '' };
    }),
    realize(verifyAuditLog, async (_input, { caller: { tenantId } }) => {
      const key = audit.verifierKey === undefined ? undefined : readVerifierKey(audit.verifierKey);
      const verdict = verifyExport(await readStored(audit, tenantId), { key });
      const { finding } = verdict;
      return {
        valid: finding === undefined,
        entries: verdict.entries,
        signed_up_to: verdict.signedUpTo,
        finding:
          finding === undefined
            ? null
            : { problem: finding.problem, seq: finding.seq ?? null, sentence: finding.sentence },
        notes: [...verdict.warnings],
      };
    }),
    realize(forgetPerson, async ({ person }, { caller: { tenantId, userId } }) => ({
      forgotten: await audit.forget(tenantId, person, { type: 'user', id: userId || 'anonymous' }),
    })),
    realize(proveAuditLog, async ({ seq, from, size }, { caller: { tenantId } }) => {
      if ((seq === undefined) === (from === undefined)) {
        throw new AosError(
          'invalid_request',
          'ask with one of "seq" (is it in the log?) and "from" (did it only grow?)',
        );
      }
      const whole = size ?? (await audit.seal(tenantId)).size;
      const proved =
        seq === undefined
          ? await audit.trail.proveConsistency(tenantId, from ?? 0, whole)
          : await audit.trail.proveInclusion(tenantId, seq, whole);
      return { ...proved, proof: [...proved.proof] };
    }),
  ];
}

async function readStored(audit: Audit, tenantId: string): Promise<readonly ReadLine[]> {
  const lines: ReadLine[] = [];
  for (let after = 0; ; ) {
    const page = await exportPage(audit, tenantId, { after, limit: MAX_LINES });
    for (const text of page.lines) lines.push(readLine(text, lines.length + 1));
    // What is written meanwhile belongs to the next time, and a log that was cut has no more than this.
    if (page.isLast || page.entries.length === 0) return lines;
    after = page.last;
  }
}

/** Names by reference, of people who are not forgotten. */
export async function namesIn(audit: Audit, tenantId: string, entries: readonly AuditEntry[]) {
  const people = await audit.people(tenantId, referencesIn(entries));
  return Object.fromEntries(people.map(({ reference, name }) => [reference, name]));
}

/** A log cannot be shown in part: it is the tenant's, and its operator's to take. */
function refuseUsers({ userId }: Caller): void {
  if (userId === '') return;
  throw new AosError(
    'forbidden',
    'The whole audit log is for an administrator of the tenant, and this call is of a user.',
  );
}

export function readCursor(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new AosError('invalid_request', `"${text}" is no cursor: use the next_cursor of the page before`);
}
