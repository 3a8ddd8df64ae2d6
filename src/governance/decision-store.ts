/**
 * The decisions that were made, wherever they are kept: those of runs are events of their logs, others have a table.
 * They answer who was accountable for what was done to a system, and are what a what-if decides again.
 */
import { sql } from 'kysely';
import type { GovernanceDecision } from '../runs/event.ts';
import type { Caller } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { GovernedAction } from './action.ts';

export interface KeptDecision extends GovernanceDecision {
  /** Where it stands: `<run>#<event>`, or `decision#<number>` for what happened in no run. */
  readonly id: string;
  readonly runId: string | null;
  readonly tenantId: string;
  /** ISO-8601 UTC. */
  readonly at: string;
}

export interface DecisionFilter {
  /** A system, e.g. `crm`. */
  readonly target?: string | undefined;
  /** An action's name, e.g. `tool:refund`. */
  readonly action?: string | undefined;
  readonly agentId?: string | undefined;
  /** Epoch milliseconds, from and before. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly runId?: string | undefined;
  /** Newest first up to this many. */
  readonly limit: number;
}

/** What one party answered for. */
export interface Accountability {
  readonly accountable: string | null;
  readonly action: string;
  readonly agentId: string | null;
  readonly allowed: number;
  readonly denied: number;
  readonly held: number;
  /** People who agreed to some of it. */
  readonly approvedBy: readonly string[];
  /** ISO-8601 UTC. */
  readonly firstAt: string;
  readonly lastAt: string;
}

export interface DecisionStore {
  /** Keeps a decision about what happens in no run. */
  add(action: GovernedAction, decision: GovernanceDecision): Promise<void>;
  list(caller: Caller, filter: DecisionFilter): Promise<readonly KeptDecision[]>;
  /** Who was accountable for everything done to a system between two times, with what became of it. */
  accountable(caller: Caller, filter: Omit<DecisionFilter, 'limit'>): Promise<readonly Accountability[]>;
}

type DecisionRow = { id: string; run_id: string | null; tenant_id: string; at: Date; data: GovernanceDecision };

/** Keeps a decision in a transaction of what it is about. @param place.at epoch milliseconds */
export async function keepDecision(
  within: StoreScope,
  { caller, runId, at }: Pick<GovernedAction, 'caller' | 'runId' | 'at'>,
  decision: GovernanceDecision,
): Promise<void> {
  await within
    .insertInto('governance_decisions')
    .values({ tenant_id: caller.tenantId, run_id: runId, at: new Date(at), data: JSON.stringify(decision) })
    .execute();
}

export function createDecisionStore({ database }: { database: Pick<Database, 'tenant'> }): DecisionStore {
  const { tenant } = database;

  /** Both places as one, of what the caller may see. */
  function kept({ tenantId, userId }: Caller, filter: Omit<DecisionFilter, 'limit'>) {
    const { target, action, agentId, since, until, runId } = filter;
    const conditions = sql.join(
      [
        sql`d.tenant_id = ${tenantId}`,
        ...(userId === '' ? [] : [sql`d.data->>'user_id' = ${userId}`]),
        ...(target === undefined ? [] : [sql`d.data->>'target' = ${target}`]),
        ...(action === undefined ? [] : [sql`d.data->>'action' = ${action}`]),
        ...(agentId === undefined ? [] : [sql`d.data->>'agent_id' = ${agentId}`]),
        ...(since === undefined ? [] : [sql`d.at >= ${new Date(since)}`]),
        ...(until === undefined ? [] : [sql`d.at < ${new Date(until)}`]),
        ...(runId === undefined ? [] : [sql`d.run_id = ${runId}`]),
      ],
      sql` and `,
    );
    return sql`
      select * from (
        select e.run_id || '#' || e.seq as id, e.run_id, e.tenant_id, e.at, e.data from aos.run_events e
         where e.type = 'governance.decided'
        union all
        select 'decision#' || g.number, g.run_id, g.tenant_id, g.at, g.data from aos.governance_decisions g
      ) d where ${conditions}`;
  }

  return {
    add: ({ caller, runId, at }, decision) => keepDecision(tenant(caller.tenantId), { caller, runId, at }, decision),
    async list(caller, filter) {
      const { rows } = await sql<DecisionRow>`
        select * from (${kept(caller, filter)}) k order by at desc, id desc limit ${filter.limit}`.execute(
        tenant(caller.tenantId),
      );
      return rows.map(({ id, run_id: runId, tenant_id: tenantId, at, data }) => ({
        ...data,
        id,
        runId,
        tenantId,
        at: at.toISOString(),
      }));
    },
    async accountable(caller, filter) {
      // A hold that ended is told twice: by the hold, which is counted as held, and by its outcome.
      const { rows } = await sql<AccountabilityRow>`
        select data->>'accountable' as accountable, data->>'action' as action, data->>'agent_id' as agent_id,
               count(*) filter (where data->>'verdict' = 'allow')::integer as allowed,
               count(*) filter (where data->>'verdict' = 'deny')::integer as denied,
               count(*) filter (where data->>'verdict' = 'hold')::integer as held,
               coalesce(json_agg(data->'approved_by') filter (where data->'approved_by' is not null), '[]') as approved,
               min(at) as first_at, max(at) as last_at
          from (${kept(caller, filter)}) k
         group by 1, 2, 3 order by 1 nulls last, 2, 3 nulls last`.execute(tenant(caller.tenantId));
      return rows.map((row) => ({
        accountable: row.accountable,
        action: row.action,
        agentId: row.agent_id,
        allowed: row.allowed,
        denied: row.denied,
        held: row.held,
        approvedBy: [...new Set(row.approved.flat())].toSorted(),
        firstAt: row.first_at.toISOString(),
        lastAt: row.last_at.toISOString(),
      }));
    },
  };
}

type AccountabilityRow = {
  accountable: string | null;
  action: string;
  agent_id: string | null;
  allowed: number;
  denied: number;
  held: number;
  approved: string[][];
  first_at: Date;
  last_at: Date;
};
