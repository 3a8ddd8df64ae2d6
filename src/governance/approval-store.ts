/** Approvals in PostgreSQL: reading them for people, and the row-locked writes that `approval-change.ts` is made of. */
import { type Selectable, type SelectQueryBuilder, sql } from 'kysely';
import { AosError } from '../core/errors.ts';
import { type Caller, reachOf } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { Schema } from '../store/schema.ts';
import type { ApprovalTable } from '../store/tables/approval.ts';
import type { Approval, ApprovalKey, ApprovalStatus } from './approval.ts';
import { principal } from './person.ts';

const OPEN = ['pending', 'escalated'] as const satisfies readonly ApprovalStatus[];

export interface ApprovalFilter {
  /** `open` stands for pending and escalated. */
  readonly status?: ApprovalStatus | 'open' | undefined;
  readonly runId?: string | undefined;
  readonly taskId?: string | undefined;
  readonly agentId?: string | undefined;
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface ApprovalPage {
  /** Newest first. */
  readonly items: readonly Approval[];
  /** How many there are on all pages. */
  readonly total: number;
  readonly nextCursor: string | null;
}

export interface LockedApproval {
  readonly approval: Approval;
  readonly revision: number;
}

export interface ApprovalStore {
  /**
   * The approval of that id, if it is of the caller's tenant and meant for the caller: everybody where it has no
   * assignees, else these and those who requested it. A caller without user is the operator and sees all of the tenant.
   */
  find(id: string, caller: Caller): Promise<Approval | undefined>;
  /** A page of those that `find` would find. */
  list(caller: Caller, filter: ApprovalFilter): Promise<ApprovalPage>;
  /** The approval, whoever it is meant for. */
  load(key: ApprovalKey, within?: StoreScope): Promise<Approval | undefined>;
  /** Writes a new one; harmless when it is there already. @returns whether it was new */
  insert(within: StoreScope, approval: Approval): Promise<boolean>;
  /** Locks it for the rest of the transaction. Whoever locks its run as well does that first. */
  lock(within: StoreScope, key: ApprovalKey): Promise<LockedApproval | undefined>;
  save(within: StoreScope, locked: LockedApproval): Promise<void>;
  /** Open ones whose time is over at `at` (epoch milliseconds), the longest over first. */
  due(at: number, limit: number): Promise<readonly ApprovalKey[]>;
  /** Open ones whose run has ended. */
  orphans(limit: number): Promise<readonly ApprovalKey[]>;
  /** When the next open one's time is over, in epoch milliseconds. */
  nextExpiry(): Promise<number | undefined>;
}

export function createApprovalStore({ db, tenant }: Pick<Database, 'db' | 'tenant'>): ApprovalStore {
  const visible = (caller: Caller) => {
    const ofTenant = tenant(caller.tenantId).selectFrom('approvals').where('tenant_id', '=', caller.tenantId);
    if (reachOf(caller) === '') return ofTenant;
    const name = [principal(caller.userId)];
    return ofTenant.where(({ or, eb }) => or([eb('audience', 'is', null), eb('audience', '@>', sql.val(name))]));
  };

  return {
    async find(id, caller) {
      return toApproval(await visible(caller).select('state').where('id', '=', id).executeTakeFirst());
    },
    async list(caller, filter) {
      const { limit, cursor } = filter;
      const matching = matchFilter(visible(caller), filter);
      const page = cursor === undefined ? matching : matching.where('number', '<', checkCursor(cursor));
      const [rows, { total }] = await Promise.all([
        page
          .select(['state', 'number'])
          .orderBy('number', 'desc')
          .limit(limit + 1)
          .execute(),
        matching.select(({ fn }) => fn.countAll<string>().as('total')).executeTakeFirstOrThrow(),
      ]);
      const shown = rows.slice(0, limit);
      return {
        items: shown.map(approvalOf),
        total: Number(total),
        nextCursor: rows.length > limit ? (shown.at(-1)?.number ?? null) : null,
      };
    },
    async load(key, within = db) {
      const row = await within
        .selectFrom('approvals')
        .select('state')
        .where((eb) => eb.and(rowOf(key)))
        .executeTakeFirst();
      return toApproval(row);
    },
    async insert(within, approval) {
      const { numInsertedOrUpdatedRows: written } = await within
        .insertInto('approvals')
        .values({
          id: approval.id,
          run_id: approval.runId,
          tenant_id: approval.tenantId,
          task_id: approval.taskId,
          agent_id: approval.agentId,
          revision: 1,
          ...changing(approval),
        })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'id']).doNothing())
        .executeTakeFirstOrThrow();
      return written === 1n;
    },
    async lock(within, key) {
      const row = await within
        .selectFrom('approvals')
        .select(['state', 'revision'])
        .where((eb) => eb.and(rowOf(key)))
        .forUpdate()
        .executeTakeFirst();
      return row && { approval: approvalOf(row), revision: row.revision };
    },
    async save(within, { approval, revision }) {
      await within
        .updateTable('approvals')
        .set({ revision, ...changing(approval) })
        .where((eb) => eb.and(rowOf(approval)))
        .execute();
    },
    async due(at, limit) {
      const rows = await db
        .selectFrom('approvals')
        .select(['tenant_id', 'id'])
        .where('status', 'in', OPEN)
        .where('expires_at', '<=', new Date(at))
        .orderBy('expires_at')
        .limit(limit)
        .execute();
      return rows.map(keyOf);
    },
    async orphans(limit) {
      const rows = await db
        .selectFrom('approvals')
        .innerJoin('runs', (join) =>
          join.onRef('runs.tenant_id', '=', 'approvals.tenant_id').onRef('runs.id', '=', 'approvals.run_id'),
        )
        .select(['approvals.tenant_id', 'approvals.id'])
        .where('approvals.status', 'in', OPEN)
        .where('runs.completed_at', 'is not', null)
        .limit(limit)
        .execute();
      return rows.map(keyOf);
    },
    async nextExpiry() {
      const { next } = await db
        .selectFrom('approvals')
        .select(({ fn }) => fn.min('expires_at').as('next'))
        .where('status', 'in', OPEN)
        .executeTakeFirstOrThrow();
      return next === null ? undefined : new Date(next).getTime();
    },
  };
}

/** The columns that say which row an approval is. */
function rowOf({ tenantId, id }: ApprovalKey) {
  return { tenant_id: tenantId, id };
}

function keyOf({ tenant_id: tenantId, id }: { readonly tenant_id: string; readonly id: string }): ApprovalKey {
  return { tenantId, id };
}

function matchFilter<O>(
  query: SelectQueryBuilder<Schema, 'approvals', O>,
  { status, runId, taskId, agentId }: ApprovalFilter,
): SelectQueryBuilder<Schema, 'approvals', O> {
  return query
    .$if(status === 'open', (all) => all.where('status', 'in', OPEN))
    .$if(status !== undefined && status !== 'open', (all) => all.where('status', '=', status ?? ''))
    .$if(runId !== undefined, (all) => all.where('run_id', '=', runId ?? ''))
    .$if(taskId !== undefined, (all) => all.where('task_id', '=', taskId ?? ''))
    .$if(agentId !== undefined, (all) => all.where('agent_id', '=', agentId ?? ''));
}

/** The columns that change with the approval. */
function changing(approval: Approval) {
  const { status, expiresAt, assignees, requesters } = approval;
  const audience = assignees.length === 0 ? null : [...assignees, ...requesters].map(principal);
  return { status, expires_at: new Date(expiresAt), audience, state: JSON.stringify(approval) };
}

function toApproval(row: Pick<Selectable<ApprovalTable>, 'state'> | undefined): Approval | undefined {
  return row && approvalOf(row);
}

/** Only this file writes the column, from an Approval. */
function approvalOf({ state }: Pick<Selectable<ApprovalTable>, 'state'>): Approval {
  return state as unknown as Approval;
}

/** Cursors are numbers of rows, so small enough for the database. */
function checkCursor(cursor: string): string {
  if (/^\d{1,18}$/.test(cursor)) return cursor;
  throw new AosError('invalid_request', `"cursor" must be the next_cursor of the page before, got "${cursor}"`);
}
