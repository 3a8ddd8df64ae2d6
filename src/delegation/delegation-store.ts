/** Delegations as rows: what is read, by whom, and how a row becomes a delegation. Changes are made by the desk. */
import { type Kysely, type RawBuilder, type Selectable, sql } from 'kysely';
import { AosError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import { type Caller, partsOfKey, type RunKey, reachOf, runKey } from '../runs/run.ts';
import type { StoreScope } from '../store/database.ts';
import type { Schema } from '../store/schema.ts';
import type { DelegationTable } from '../store/tables/delegation.ts';
import type { ListedAgent } from './agent-card.ts';
import {
  type Budget,
  type Delegation,
  type DelegationKey,
  type DelegationKind,
  type DelegationStatus,
  delegationStatuses,
  usualBudget,
} from './delegation.ts';
import { isOwner } from './directory.ts';

/** A row, with what its task adds. */
export type DelegationRow = Selectable<DelegationTable> & { run_id: string | null };

export interface DelegationFilter {
  readonly agent: ListedAgent;
  readonly direction: 'sent' | 'received';
  readonly status?: DelegationStatus | undefined;
  readonly limit: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}

export interface DelegationPage {
  /** Newest first. */
  readonly items: readonly Delegation[];
  readonly nextCursor: string | null;
  /** Of all pages. */
  readonly total: number;
}

export interface DelegationFigures {
  readonly byStatus: Readonly<Record<DelegationStatus, number>>;
  readonly total: number;
  readonly tokens: number;
  readonly costUsd: number;
  /** Of those that completed, in milliseconds; null when none did. */
  readonly averageMs: number | null;
}

/** A delegation under way whose task is at work is in progress. */
const status = sql<string>`case when d.status = 'accepted' and t.started_at is not null then 'in_progress' else d.status end`;

function rows(where: RawBuilder<unknown>, tail: RawBuilder<unknown> = sql``): RawBuilder<DelegationRow> {
  return sql<DelegationRow>`
    select d.id, d.number, d.tenant_id, d.user_id, d.from_agent, d.to_agent, d.capability, d.kind, d.priority,
           ${status} as status, d.input, d.context, d.reason, d.shared_state, d.chain, d.max_steps, d.max_cost_usd,
           d.timeout_seconds, d.correlation_id, d.message_id, d.parent_delegation_id, d.parent_run_id, d.task_id,
           d.fabric, d.scan, d.created_at, d.accept_by, d.deadline_at, d.accepted_at, d.completed_at, d.result,
           d.output_context, d.error_code, d.error, d.tokens_used, d.cost_usd, d.steps_executed,
           case when t.started_at is not null then t.id || '.' || t.attempt end as run_id
      from aos.delegations d left join aos.tasks t on t.tenant_id = d.tenant_id and t.id = d.task_id
     where ${where} ${tail}`;
}

export async function selectDelegations(
  within: StoreScope,
  where: RawBuilder<unknown>,
  tail?: RawBuilder<unknown>,
): Promise<readonly Delegation[]> {
  const found = await rows(where, tail).execute(within);
  return found.rows.map(toDelegation);
}

export async function loadDelegation(within: StoreScope, key: DelegationKey): Promise<Delegation | undefined> {
  return (await selectDelegations(within, isIt(key)))[0];
}

/** Locks it for a change. */
export async function lockDelegation(within: StoreScope, key: DelegationKey): Promise<Delegation | undefined> {
  return (await selectDelegations(within, isIt(key), sql`for no key update of d`))[0];
}

function isIt({ id, caller }: DelegationKey): RawBuilder<unknown> {
  return sql`d.tenant_id = ${caller.tenantId} and d.id = ${id}`;
}

/** Those that were handed on by a delegation. */
export function isPartOf({ id, caller }: DelegationKey): RawBuilder<unknown> {
  return sql`d.tenant_id = ${caller.tenantId} and d.parent_delegation_id = ${id}`;
}

/** What hands it on, and what it has handed on: what they may or did spend. */
export async function spentBy(within: StoreScope, parent: Delegation): Promise<readonly Budget[]> {
  const children = await selectDelegations(within, sql`${isPartOf(parent)} and d.status <> 'rejected'`);
  const own = parent.runId === null ? [] : [await spentByRun(within, runKey(parent.caller.tenantId, parent.runId))];
  return [...own, ...children.map(spentOn)];
}

/** What a run that is no delegation's has spent, and what it has handed on may or did. */
export async function spentInRun(within: StoreScope, run: RunKey): Promise<readonly Budget[]> {
  const { tenantId, runId } = partsOfKey(run);
  const children = await selectDelegations(
    within,
    sql`d.tenant_id = ${tenantId} and d.parent_run_id = ${runId} and d.parent_delegation_id is null and d.status <> 'rejected'`,
  );
  return [await spentByRun(within, run), ...children.map(spentOn)];
}

/** What is open may still spend all it was given; what said nothing counts as if it had. */
function spentOn({ completedAt, budget, steps, costUsd }: Delegation): Budget {
  return completedAt === null ? budget : { steps: steps ?? budget.steps, costUsd: costUsd ?? budget.costUsd };
}

async function spentByRun(within: StoreScope, run: RunKey): Promise<Budget> {
  const { tenantId, runId } = partsOfKey(run);
  const { rows: found } = await sql<{ cost: number; steps: string }>`
    select coalesce(sum((data->'usage'->>'cost_usd')::numeric) filter (where type = 'turn.completed'), 0)::float8 as cost,
           count(*) filter (where type = 'tool.called') as steps
      from aos.run_events
     where tenant_id = ${tenantId} and run_id = ${runId} and type in ('turn.completed', 'tool.called')`.execute(within);
  return { steps: Number(found[0]?.steps ?? 0), costUsd: found[0]?.cost ?? 0 };
}

/** Delegations that an agent has taken, or may take, and not ended. */
export async function countOpen(within: StoreScope, tenantId: string, agentId: string): Promise<number> {
  const { open } = await within
    .selectFrom('delegations')
    .select(({ fn }) => fn.countAll<string>().as('open'))
    .where('tenant_id', '=', tenantId)
    .where('to_agent', '=', agentId)
    .where('completed_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(open);
}

/** Those that an agent handed on or was given, as far as the caller may see them. */
export async function listDelegations(
  db: StoreScope,
  caller: Caller,
  { agent, direction, status: wanted, limit, cursor }: DelegationFilter,
): Promise<DelegationPage> {
  if (cursor !== undefined && !/^\d{1,18}$/.test(cursor)) {
    throw new AosError('invalid_request', `"cursor" must be the next_cursor of the page before, got "${cursor}"`);
  }
  const column = direction === 'sent' ? sql`d.from_agent` : sql`d.to_agent`;
  const seesAll = reachOf(caller) === '' || (!agent.isOurs && isOwner(agent, caller));
  const conditions = [
    sql`d.tenant_id = ${agent.tenantId}`,
    sql`${column} = ${agent.id}`,
    ...(seesAll ? [] : [sql`d.user_id = ${caller.userId}`]),
    ...(wanted === undefined ? [] : [sql`${status} = ${wanted}`]),
  ];
  const all = sql.join(conditions, sql` and `);
  const [found, counted] = await Promise.all([
    selectDelegations(
      db,
      cursor === undefined ? all : sql`${all} and d.number < ${cursor}`,
      sql`order by d.number desc limit ${limit + 1}`,
    ),
    sql<{ total: number }>`
      select count(*)::integer as total from aos.delegations d left join aos.tasks t on t.tenant_id = d.tenant_id and t.id = d.task_id
       where ${all}`.execute(db),
  ]);
  const items = found.slice(0, limit);
  const nextCursor = found.length > limit ? (items.at(-1)?.number ?? null) : null;
  return { items, nextCursor, total: counted.rows[0]?.total ?? 0 };
}

export async function delegationFigures(db: Kysely<Schema>, caller: Caller): Promise<DelegationFigures> {
  const { tenantId } = caller;
  const userId = reachOf(caller);
  const { rows: found } = await sql<FigureRow>`
    select ${status} as status, count(*)::integer as count, coalesce(sum(d.tokens_used), 0)::float8 as tokens,
           coalesce(sum(d.cost_usd), 0)::float8 as cost,
           (sum(extract(epoch from d.completed_at - coalesce(d.accepted_at, d.created_at)))
              filter (where d.status = 'completed') * 1000)::float8 as took
      from aos.delegations d left join aos.tasks t on t.tenant_id = d.tenant_id and t.id = d.task_id
     where d.tenant_id = ${tenantId} and (${userId} = '' or d.user_id = ${userId}) group by 1`.execute(db);
  const count = (one: string) => found.find((row) => row.status === one)?.count ?? 0;
  const byStatus = Object.fromEntries(delegationStatuses.map((one) => [one, count(one)])) as Record<
    DelegationStatus,
    number
  >;
  const took = found.reduce((sum, row) => sum + (row.took ?? 0), 0);
  return {
    byStatus,
    total: found.reduce((sum, row) => sum + row.count, 0),
    tokens: found.reduce((sum, row) => sum + row.tokens, 0),
    costUsd: found.reduce((sum, row) => sum + row.cost, 0),
    averageMs: byStatus.completed === 0 ? null : Math.round(took / byStatus.completed),
  };
}

type FigureRow = { status: string; count: number; tokens: number; cost: number; took: number | null };

/** Kind and status are written only by this room, from the words they are read back as. */
function toDelegation(row: DelegationRow): Delegation {
  const { error_code: code, error } = row;
  return {
    id: row.id,
    number: row.number,
    caller: { tenantId: row.tenant_id, userId: row.user_id },
    from: row.from_agent,
    to: row.to_agent,
    capability: row.capability,
    kind: row.kind as DelegationKind,
    priority: row.priority,
    status: row.status as DelegationStatus,
    input: row.input,
    context: row.context,
    reason: row.reason,
    sharedState: row.shared_state,
    chain: row.chain,
    budget: { steps: row.max_steps ?? usualBudget.steps, costUsd: row.max_cost_usd ?? usualBudget.costUsd },
    timeoutSeconds: row.timeout_seconds,
    correlationId: row.correlation_id,
    messageId: row.message_id,
    parentId: row.parent_delegation_id,
    parentRunId: row.parent_run_id,
    taskId: row.task_id,
    runId: row.run_id,
    fabric: row.fabric,
    scan: row.scan,
    createdAt: row.created_at.toISOString(),
    acceptBy: row.accept_by.toISOString(),
    deadlineAt: row.deadline_at.toISOString(),
    acceptedAt: row.accepted_at?.toISOString() ?? null,
    completedAt: row.completed_at?.toISOString() ?? null,
    result: row.result as JsonValue,
    outputContext: row.output_context,
    failure: code === null ? null : { code, message: error ?? '' },
    tokens: row.tokens_used,
    costUsd: row.cost_usd,
    steps: row.steps_executed,
  };
}
