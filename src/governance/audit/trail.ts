/** The log of a tenant as it is read: entries by filter, pages of the whole, its checkpoints, and proofs about it. */
import { sql } from 'kysely';
import { AosError } from '../../core/errors.ts';
import type { TenantScopes } from '../../store/tenant-scopes.ts';
import type { AuditEntry, EntryBody } from './entry.ts';
import { appendLeaf, consistencyProof, inclusionProof, rangeOf, rootOf } from './merkle.ts';

export interface AuditFilter {
  readonly action?: string | undefined;
  readonly taskId?: string | undefined;
  readonly agentId?: string | undefined;
  readonly runId?: string | undefined;
  /** Epoch milliseconds; both ends belong to it. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Only what belongs to this user's work. */
  readonly ownedBy?: string | undefined;
  /** Entries with smaller numbers. */
  readonly before?: number | undefined;
  readonly limit: number;
}

export interface KeptCheckpoint {
  readonly size: number;
  /** ISO-8601 UTC. */
  readonly at: string;
  /** The signed note. */
  readonly note: string;
}

export interface Proof {
  readonly size: number;
  /** Root of the tree of `size` entries, hex. */
  readonly root: string;
  readonly proof: readonly string[];
}

export interface Trail {
  /** Newest first; one more than asked for when there are more. */
  find(tenantId: string, filter: AuditFilter): Promise<readonly AuditEntry[]>;
  /** Up to `limit` entries after a number, in order. */
  after(tenantId: string, seq: number, limit: number): Promise<readonly AuditEntry[]>;
  /** Checkpoints of a size above `above` and up to `upTo`, the smallest first. */
  checkpoints(tenantId: string, above: number, upTo: number): Promise<readonly KeptCheckpoint[]>;
  newestCheckpoint(tenantId: string): Promise<KeptCheckpoint | undefined>;
  /** The range of the tree of the first `size` entries, and the hash of the last of them. */
  rangeAt(
    tenantId: string,
    size: number,
  ): Promise<{ readonly range: readonly string[]; readonly hash: string | undefined }>;
  /** That entry `seq` is in the log of `size` entries. Costs a look at all their hashes. */
  proveInclusion(tenantId: string, seq: number, size: number): Promise<Proof>;
  /** That the log of `from` entries is the beginning of the log of `size` entries. */
  proveConsistency(tenantId: string, from: number, size: number): Promise<Proof>;
}

export function createTrail(tenant: TenantScopes): Trail {
  async function leaves(tenantId: string, above: number, upTo: number): Promise<string[]> {
    const rows = await tenant(tenantId)
      .selectFrom('audit_entries')
      .select('hash')
      .where('tenant_id', '=', tenantId)
      .where('seq', '>', String(above))
      .where('seq', '<=', String(upTo))
      .orderBy('seq')
      .execute();
    return rows.map(({ hash }) => hash);
  }

  async function whole(tenantId: string, size: number): Promise<string[]> {
    const all = await leaves(tenantId, 0, size);
    if (all.length === size) return all;
    throw new AosError('invalid_request', `the log has ${all.length} entries, so there is no proof about ${size}`);
  }

  return {
    async find(tenantId, { action, taskId, agentId, runId, since, until, ownedBy, before, limit }) {
      let query = tenant(tenantId)
        .selectFrom('audit_entries')
        .select(['body', 'hash'])
        .where('tenant_id', '=', tenantId);
      if (action !== undefined) query = query.where('action', '=', action);
      if (taskId !== undefined) query = query.where('task_id', '=', taskId);
      if (agentId !== undefined) query = query.where('agent_id', '=', agentId);
      if (runId !== undefined) query = query.where('run_id', '=', runId);
      if (since !== undefined) query = query.where('at', '>=', new Date(since));
      if (until !== undefined) query = query.where('at', '<=', new Date(until));
      if (before !== undefined) query = query.where('seq', '<', String(before));
      if (ownedBy !== undefined) {
        query = query.where('owner', '=', (person) =>
          person
            .selectFrom('audit_people')
            .select('reference')
            .where('tenant_id', '=', tenantId)
            .where('name', '=', ownedBy),
        );
      }
      return (await query.orderBy('seq', 'desc').limit(limit).execute()).map(toEntry);
    },
    async after(tenantId, seq, limit) {
      const rows = await tenant(tenantId)
        .selectFrom('audit_entries')
        .select(['body', 'hash'])
        .where('tenant_id', '=', tenantId)
        .where('seq', '>', String(seq))
        .orderBy('seq')
        .limit(limit)
        .execute();
      return rows.map(toEntry);
    },
    async checkpoints(tenantId, above, upTo) {
      const rows = await tenant(tenantId)
        .selectFrom('audit_checkpoints')
        .select(['size', 'at', 'note'])
        .where('tenant_id', '=', tenantId)
        .where('size', '>', String(above))
        .where('size', '<=', String(upTo))
        .orderBy('size')
        .execute();
      return rows.map(toCheckpoint);
    },
    async newestCheckpoint(tenantId) {
      const row = await tenant(tenantId)
        .selectFrom('audit_checkpoints')
        .select(['size', 'at', 'note'])
        .where('tenant_id', '=', tenantId)
        .orderBy('size', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row && toCheckpoint(row);
    },
    async rangeAt(tenantId, size) {
      const { rows } = await sql<{ size: string; range: string[] }>`
        select size, range from aos.audit_checkpoints
         where tenant_id = ${tenantId} and size <= ${size} order by size desc limit 1`.execute(tenant(tenantId));
      const known = { size: Number(rows[0]?.size ?? 0), range: rows[0]?.range ?? [] };
      const rest = await leaves(tenantId, known.size, size);
      if (known.size + rest.length < size) {
        throw new AosError('invalid_request', `the log has fewer than ${size} entries`);
      }
      const range = rest.reduce((grown, leaf, place) => appendLeaf(grown, known.size + place, leaf), known.range);
      return { range, hash: rest.at(-1) ?? (await leaves(tenantId, size - 1, size))[0] };
    },
    async proveInclusion(tenantId, seq, size) {
      const all = await whole(tenantId, size);
      if (seq > size) throw new AosError('invalid_request', `entry ${seq} is not in a log of ${size} entries`);
      return { size, root: rootOf(rangeOf(all)), proof: inclusionProof(all, seq - 1) };
    },
    async proveConsistency(tenantId, from, size) {
      if (from > size)
        throw new AosError('invalid_request', `a log of ${from} entries is not the beginning of ${size}`);
      const all = await whole(tenantId, size);
      return { size, root: rootOf(rangeOf(all)), proof: consistencyProof(all, from) };
    },
  };
}

function toEntry({ body, hash }: { body: string; hash: string }): AuditEntry {
  return { ...(JSON.parse(body) as EntryBody), hash };
}

function toCheckpoint({ size, at, note }: { size: string; at: Date; note: string }): KeptCheckpoint {
  return { size: Number(size), at: at.toISOString(), note };
}
