/** Exports of logs that were never in a database, for tests that damage them. */
import fc from 'fast-check';
import { canonicalJson, type JsonObject, type JsonValue } from '../../src/core/json.ts';
import { type CheckpointSigner, originOf } from '../../src/governance/audit/checkpoint.ts';
import { auditActions, type EntryBody, LOG_START, sealEntry } from '../../src/governance/audit/entry.ts';
import { appendLeaf, rootOf } from '../../src/governance/audit/merkle.ts';

export const TENANT = 'acme';

export interface LogShape {
  readonly details: readonly JsonObject[];
  /** After every so many entries there is a checkpoint, and after the last. */
  readonly checkpointEvery: number;
  /** How many of the entries the export leaves out at its beginning. */
  readonly after: number;
}

export const logShape: fc.Arbitrary<LogShape> = fc
  .record({
    details: fc.array(fc.dictionary(fc.string(), fc.jsonValue() as fc.Arbitrary<JsonValue>, { maxKeys: 3 }), {
      minLength: 4,
      maxLength: 24,
    }),
    checkpointEvery: fc.integer({ min: 1, max: 30 }),
    after: fc.integer({ min: 0, max: 12 }),
  })
  // As JSON reads it back: no -0, no members called __proto__.
  .map((shape) => JSON.parse(JSON.stringify(shape)) as LogShape)
  .map((shape) => ({ ...shape, after: Math.min(shape.after, shape.details.length - 4) }));

export function bodyOf(seq: number, prevHash: string, details: JsonObject): EntryBody {
  return {
    seq,
    id: `00000000-0000-4000-8000-${String(seq).padStart(12, '0')}`,
    event: 'RACI_AUDIT',
    action: auditActions[seq % auditActions.length] ?? 'TASK_SUBMIT',
    timestamp: new Date(1_770_000_000_000 + seq * 1000).toISOString(),
    tenant_id: TENANT,
    actor: { type: 'agent', id: 'ceo' },
    Primary_Plane_ID: 'ipaas_acme',
    fabric_preset: 'preset_2_ipaas_first',
    task_id: `task-${seq}`,
    task_type: 'fabric_action',
    agent_id: 'ceo',
    job_id: null,
    run_id: null,
    message_id: null,
    target_system: 'crm',
    action_type: 'update',
    from_agent: null,
    to_agent: null,
    raci_responsible: 'ActionRouter',
    raci_accountable: 'Security',
    raci_consulted: ['Compliance'],
    raci_informed: ['Audit Log'],
    outcome: 'success',
    reason: null,
    simulation: false,
    trace_id: null,
    details,
    prev_hash: prevHash,
  };
}

export interface BuiltLog {
  /** Lines of the entries of the export. */
  readonly entries: readonly string[];
  readonly beginning: string;
  /** Notes by the size they are of. */
  readonly notes: ReadonlyMap<number, string>;
}

/** @param change what becomes of a body before it is hashed; all that follows is linked to it */
export function buildLog(
  { details, checkpointEvery, after }: LogShape,
  signer: CheckpointSigner,
  change: (body: EntryBody) => EntryBody = (body) => body,
): BuiltLog {
  let [prevHash, range]: [string, readonly string[]] = [LOG_START, []];
  let beginning = '';
  const entries: string[] = [];
  const notes = new Map<number, string>();
  for (const [place, each] of details.entries()) {
    if (place === after) {
      beginning = canonicalJson({
        event: 'AUDIT_EXPORT',
        tenant_id: TENANT,
        after,
        prev_hash: prevHash,
        range: [...range],
      });
    }
    const body = change(bodyOf(place + 1, prevHash, each));
    const { hash } = sealEntry(body);
    if (place >= after) entries.push(canonicalJson({ ...body, hash }));
    range = appendLeaf(range, place, hash);
    prevHash = hash;
    const size = place + 1;
    if (size > after && (size % checkpointEvery === 0 || size === details.length)) {
      notes.set(size, signer.sign({ origin: originOf(TENANT), size, root: rootOf(range) }));
    }
  }
  return { entries, beginning, notes };
}

/** The lines as an export has them, with the checkpoints in their places. */
export function joinLog({ entries, beginning, notes }: BuiltLog): string[] {
  return [
    beginning,
    ...entries.flatMap((line) => {
      const { seq } = JSON.parse(line) as { seq: number };
      const note = notes.get(seq);
      if (note === undefined) return [line];
      return [line, canonicalJson({ event: 'AUDIT_CHECKPOINT', tenant_id: TENANT, size: seq, note })];
    }),
  ];
}
