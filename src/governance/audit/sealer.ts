/**
 * Gives what happened its place in the log. Facts are written in the transactions in which they happen and locked by
 * nobody; here, after the commit, one at a time per tenant, each becomes its entries: numbered, linked and hashed, in one
 * transaction with the end of the log. So writers never wait for one another, and a fact that was committed is told once,
 * whatever dies when.
 */
import { sql } from 'kysely';
import { newUuid } from '../../core/ids.ts';
import type { JsonObject } from '../../core/json.ts';
import type { StoreScope } from '../../store/database.ts';
import { type EntryWords, LOG_START, type Responsibility, sealEntry } from './entry.ts';
import { type Draft, draftsOf, type Fact } from './fact.ts';
import { appendLeaf } from './merkle.ts';
import { refer } from './person.ts';
import type { Answerable } from './responsibility.ts';

/** Of facts in one transaction: it is held together in memory. */
const BATCH = 500;
/** What is longer is not looked into: an entry has ids and states, which are short. */
const MAX_DATA_BYTES = 32 * 1024;

/** Where a log ends. */
export interface Head {
  readonly size: number;
  readonly hash: string;
  readonly range: readonly string[];
}

/** What of a tenant's set-up an entry tells. */
export interface Surroundings {
  readonly responsibility: (tenantId: string, entry: Answerable) => Responsibility;
  /** Whether all that happens on this database is simulated. */
  readonly simulation: boolean;
  readonly plane: (tenantId: string) => Promise<PlaneInUse | undefined> | PlaneInUse | undefined;
}

/** The plane that a tenant prefers, and why. */
export interface PlaneInUse {
  readonly primaryPlaneId: string;
  readonly preset: string;
}

export interface Sealer {
  /** Tells everything that was committed before. @returns where the log ends then */
  seal(tenantId: string): Promise<Head>;
  /** Tenants of which something is still to be told. */
  waiting(): Promise<readonly string[]>;
  /** How much that is, and since when the oldest of it waits (epoch milliseconds). */
  backlog(): Promise<{ readonly facts: number; readonly since: number | undefined }>;
}

export function createSealer({ db, surroundings }: { db: StoreScope; surroundings: Surroundings }): Sealer {
  async function sealBatch(tenantId: string): Promise<{ head: Head; isLast: boolean }> {
    // Asked before the transaction: whoever holds one connection does not wait for another.
    const plane = await surroundings.plane(tenantId);
    return db.transaction().execute(async (trx) => {
      const head = await lockHead(trx, tenantId);
      const rows = await loadFacts(trx, tenantId);
      if (rows.length === 0) return { head, isLast: true };
      const drafts = rows.flatMap((row) =>
        row.type === 'entry' ? [row.data as unknown as Draft] : draftsOf(toFact(row)),
      );
      const references = await refer(trx, tenantId, namesOf(drafts));
      const { entries, head: next } = link({ tenantId, plane, head }, drafts, references);
      await sql`select aos.seal_audit(${tenantId}, ${head.size}, ${rows.map(({ pos }) => pos)}::bigint[],
        ${JSON.stringify(entries)}, ${next.size}, ${next.hash}, ${[...next.range]}::text[])`.execute(trx);
      return { head: next, isLast: rows.length < BATCH };
    });
  }

  function link(
    { tenantId, plane, head }: { tenantId: string; plane: PlaneInUse | undefined; head: Head },
    drafts: readonly Draft[],
    references: ReadonlyMap<string, string>,
  ) {
    let { size, hash, range } = head;
    const entries = drafts.map((draft) => {
      const { owner = '', people: _people, ...given } = draft;
      const raci = surroundings.responsibility(tenantId, draft);
      const words: EntryWords = {
        Primary_Plane_ID: plane?.primaryPlaneId ?? null,
        fabric_preset: plane?.preset ?? null,
        task_id: null,
        task_type: null,
        agent_id: null,
        job_id: null,
        run_id: null,
        message_id: null,
        target_system: null,
        action_type: null,
        from_agent: null,
        to_agent: null,
        raci_responsible: raci.responsible,
        raci_accountable: raci.accountable,
        raci_consulted: [...raci.consulted],
        raci_informed: [...raci.informed],
        reason: null,
        simulation: false,
        trace_id: null,
        ...given,
        ...withoutNames(draft, references),
        ...(surroundings.simulation && { simulation: true }),
      };
      const place = {
        seq: size + 1,
        id: newUuid(),
        event: 'RACI_AUDIT',
        tenant_id: tenantId,
        prev_hash: hash,
      } as const;
      const sealed = sealEntry({ ...words, ...place });
      range = appendLeaf(range, size, sealed.hash);
      size += 1;
      hash = sealed.hash;
      const { action, timestamp: at, task_id, agent_id, run_id } = words;
      const shown = { seq: size, hash, action, at, task_id, agent_id, run_id };
      return { ...shown, owner: references.get(owner) ?? null, body: sealed.text };
    });
    return { entries, head: { size, hash, range } };
  }

  return {
    async seal(tenantId) {
      // Most who ask find nothing new; and naming a tenant that nobody has heard of leaves no trace.
      const { rows } = await sql<HeadRow & { news: boolean }>`
        select h.size, h.hash, h.range, exists (select from aos.audit_facts f where f.tenant_id = ${tenantId}) as news
          from (select 1) one left join aos.audit_heads h on h.tenant_id = ${tenantId}`.execute(db);
      const [known] = rows;
      if (known?.news === false) return known.size === null ? EMPTY : toHead(known);
      for (;;) {
        const { head, isLast } = await sealBatch(tenantId);
        if (isLast) return head;
      }
    },
    async waiting() {
      const { rows } = await sql<{ tenant_id: string }>`select distinct tenant_id from aos.audit_facts`.execute(db);
      return rows.map(({ tenant_id: tenantId }) => tenantId);
    },
    async backlog() {
      const { rows } = await sql<{ facts: string; since: Date | null }>`
        select count(*) as facts, min(at) as since from aos.audit_facts`.execute(db);
      return { facts: Number(rows[0]?.facts ?? 0), since: rows[0]?.since?.getTime() };
    },
  };
}

async function lockHead(within: StoreScope, tenantId: string): Promise<Head> {
  const { rows } = await sql<HeadRow>`select size, hash, range from aos.lock_audit(${tenantId})`.execute(within);
  const [row] = rows;
  if (row === undefined) throw new Error(`the audit log of ${tenantId} has no end`);
  return toHead(row);
}

interface HeadRow {
  size: string | null;
  hash: string;
  range: string[];
}

const EMPTY: Head = { size: 0, hash: LOG_START, range: [] };

function toHead({ size, hash, range }: HeadRow): Head {
  return { size: Number(size), hash, range };
}

interface FactRow {
  pos: string;
  type: string;
  subject: string;
  at: Date;
  actor: string | null;
  user_id: string;
  trace_id: string | null;
  seq: number | null;
  hash: string | null;
  data: JsonObject | null;
  kind: string | null;
  run_user: string | null;
  simulation: boolean | null;
  root_id: string | null;
  task_type: string | null;
  task_agent: string | null;
  submission: JsonObject | null;
  fabric: JsonObject | null;
  action_task: string | null;
}

/** The oldest facts, with what is stored of their runs and tasks: of a run's result nothing is needed. */
async function loadFacts(within: StoreScope, tenantId: string): Promise<readonly FactRow[]> {
  const { rows } = await sql<FactRow>`
    select f.pos, f.type, f.subject, f.at, f.actor, f.user_id, f.trace_id, f.seq, f.hash,
      case when f.data is not null then f.data when octet_length(e.data::text) <= ${MAX_DATA_BYTES} then e.data end as data,
      r.kind, r.user_id as run_user, r.simulation, r.root_id, t.task_type, t.agent_id as task_agent,
      case when octet_length(t.submission::text) <= ${MAX_DATA_BYTES} then t.submission end as submission,
      t.fabric, a.task_id as action_task
      from aos.audit_facts f
      left join aos.runs r on f.seq is not null and r.tenant_id = f.tenant_id and r.id = f.subject
      left join aos.run_events e on f.seq is not null and f.type <> 'run.completed'
        and e.tenant_id = f.tenant_id and e.run_id = f.subject and e.seq = f.seq
      left join aos.tasks t on f.seq is null and f.type like 'task.%' and t.tenant_id = f.tenant_id
        and t.id = f.subject
      left join aos.fabric_actions a on f.seq is null and f.type like 'route.%' and a.tenant_id = f.tenant_id
        and a.id = f.subject
     where f.tenant_id = ${tenantId} order by f.pos limit ${BATCH}`.execute(within);
  return rows;
}

function toFact(row: FactRow): Fact {
  const { type, subject, actor, seq, hash, kind } = row;
  const { user_id: userId, trace_id: traceId, run_user: runUser, root_id: rootId, task_type: taskType } = row;
  return {
    type,
    subject,
    at: row.at.toISOString(),
    actor,
    userId,
    traceId,
    seq,
    hash,
    // A task carries the plane and the preset that it was submitted under.
    data: { ...placeIn(row.fabric), ...row.data },
    ...(row.action_task !== null && { taskId: row.action_task }),
    ...(kind !== null && {
      run: { kind, userId: runUser ?? '', simulation: row.simulation ?? false, rootId: rootId ?? subject },
    }),
    ...(taskType !== null && {
      task: { type: taskType, agentId: row.task_agent ?? '', submission: row.submission ?? {} },
    }),
  };
}

function placeIn(fabric: JsonObject | null): JsonObject {
  const { Primary_Plane_ID: plane = null, fabric_preset: preset = null } = fabric ?? {};
  return { Primary_Plane_ID: plane, fabric_preset: preset };
}

const NOBODY = 'anonymous';

function namesOf(drafts: readonly Draft[]): Set<string> {
  const names = new Set<string>();
  for (const { actor, people = {}, owner = '' } of drafts) {
    if (actor.type === 'user' && actor.id !== NOBODY) names.add(actor.id);
    for (const name of Object.values(people).flat()) names.add(name);
    names.add(owner);
  }
  names.delete('');
  return names;
}

/** Actor and details with references in place of names. */
function withoutNames({ actor, people = {}, details = {} }: Draft, references: ReadonlyMap<string, string>) {
  const referTo = (name: string) => references.get(name) ?? NOBODY;
  const named = Object.entries(people).map(([key, name]) => [
    key,
    Array.isArray(name) ? name.map(referTo) : referTo(name),
  ]);
  return {
    actor: actor.type === 'user' ? { type: actor.type, id: referTo(actor.id) } : actor,
    details: { ...details, ...Object.fromEntries(named) },
  };
}
