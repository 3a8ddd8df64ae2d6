/**
 * The log of a tenant as lines of JSON that prove themselves: a beginning that says what went before, the entries as they
 * were hashed, the checkpoints where they were made, and, when asked for, who the people in the entries are. Pages joined
 * in order are one export.
 */
import { canonicalJson, type JsonObject } from '../../core/json.ts';
import type { Audit } from './audit.ts';
import { type AuditEntry, LOG_START } from './entry.ts';
import type { Person } from './person.ts';

/** The first line of a page. */
export type ExportBeginning = {
  event: 'AUDIT_EXPORT';
  tenant_id: string;
  /** Number of the entry before, 0 for the first page. */
  after: number;
  /** Its hash. */
  prev_hash: string;
  /** The range of the Merkle tree up to it. */
  range: string[];
  /** Whether the log is signed: a whole export of it ends with a checkpoint then. */
  signed: boolean;
};

export type ExportedCheckpoint = { event: 'AUDIT_CHECKPOINT'; tenant_id: string; size: number; note: string };

export type ExportedPerson = {
  event: 'AUDIT_PERSON';
  tenant_id: string;
  reference: string;
  name: string;
  salt: string;
};

export interface ExportPage {
  readonly lines: readonly string[];
  /** The entries among the lines. */
  readonly entries: readonly AuditEntry[];
  /** Number of the last entry: what to send as `after` for the next page. */
  readonly last: number;
  readonly isLast: boolean;
}

export interface ExportWish {
  readonly after: number;
  readonly limit: number;
  readonly withPeople?: boolean;
}

/** @throws AosError invalid_request when the log does not reach to `after` */
export async function exportPage(audit: Audit, tenantId: string, wish: ExportWish): Promise<ExportPage> {
  const { after, limit, withPeople = false } = wish;
  const isSigned = audit.verifierKey !== undefined;
  const { size: sealed } = await audit.seal(tenantId);
  const before = await audit.trail.rangeAt(tenantId, after);
  // So that an export ends with a signature over all of it: what comes in after that belongs to the next.
  const isLastNow = sealed > 0 && sealed - after <= limit;
  const { size } = isSigned && isLastNow ? await audit.checkpoint(tenantId) : { size: sealed };
  const entries = await audit.trail.after(tenantId, after, Math.min(limit, Math.max(0, size - after)));
  const last = entries.at(-1)?.seq ?? after;
  const isLast = last >= size;
  const notes = await audit.trail.checkpoints(tenantId, after, last);
  const people = withPeople ? await audit.people(tenantId, referencesIn(entries)) : [];
  const beginning: ExportBeginning = {
    event: 'AUDIT_EXPORT',
    tenant_id: tenantId,
    after,
    prev_hash: before.hash ?? LOG_START,
    range: [...before.range],
    signed: isSigned,
  };
  const checkpoints = new Map(notes.map(({ size: at, note }) => [at, note]));
  const lines = [
    beginning,
    ...people.map((person) => personLine(tenantId, person)),
    ...entries.flatMap((entry): JsonObject[] => {
      const note = checkpoints.get(entry.seq);
      return note === undefined ? [entry] : [entry, checkpointLine(tenantId, entry.seq, note)];
    }),
  ];
  return { lines: lines.map(canonicalJson), entries, last, isLast };
}

function checkpointLine(tenantId: string, size: number, note: string): ExportedCheckpoint {
  return { event: 'AUDIT_CHECKPOINT', tenant_id: tenantId, size, note };
}

function personLine(tenantId: string, { reference, name, salt }: Person): ExportedPerson {
  return { event: 'AUDIT_PERSON', tenant_id: tenantId, reference, name, salt };
}

export function referencesIn(entries: readonly AuditEntry[]): Set<string> {
  const text = entries.map(({ actor, details }) => JSON.stringify([actor.id, details])).join('\n');
  return new Set(text.match(/person:[0-9a-f]{64}/g));
}
