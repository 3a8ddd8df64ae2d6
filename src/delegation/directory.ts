/**
 * The directory of a tenant: the agents that this server runs, and those that were registered. Nobody sees, changes or
 * speaks for an agent of another tenant; an agent that a user registered is that user's.
 */
import type { Selectable } from 'kysely';
import type { Agent } from '../agents/agent.ts';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Audit } from '../governance/audit/audit.ts';
import type { Feed } from '../runs/feed.ts';
import { type Caller, reachOf } from '../runs/run.ts';
import type { Database, StoreScope } from '../store/database.ts';
import type { AgentCardTable } from '../store/tables/delegation.ts';
import { type AgentCard, type AgentHealth, cardOfOurs, type ListedAgent } from './agent-card.ts';

export interface AgentDirectory {
  /** Every agent of a tenant, in no order. */
  list(tenantId: string): Promise<readonly ListedAgent[]>;
  find(tenantId: string, agentId: string): Promise<ListedAgent | undefined>;
  /** @throws AosError not_found (AGENT_NOT_FOUND) */
  need(tenantId: string, agentId: string): Promise<ListedAgent>;
  /**
   * The agent, for a caller who may speak for it: whoever registered it, or the operator. For an agent of this server
   * everybody of the tenant may.
   * @throws AosError not_found (AGENT_NOT_FOUND), the same as when there is none
   */
  speaker(caller: Caller, agentId: string): Promise<ListedAgent>;
  /**
   * Puts a card into the directory, new or in place of the one there is. Of an agent of this server it changes how the
   * others see it; who runs it stays.
   * @throws AosError conflict (AGENT_EXISTS) when somebody else registered it
   */
  register(caller: Caller, agentId: string, card: AgentCard): Promise<ListedAgent>;
  /** @throws AosError not_found when there is none that the caller may take out */
  unregister(caller: Caller, agentId: string): Promise<void>;
  noteHealth(place: AgentPlace, health: AgentHealth, detail: string | null, nextAt: Date): Promise<void>;
  /** Registered agents that are to be asked how they are now. */
  due(limit: number): Promise<readonly ListedAgent[]>;
}

export interface AgentPlace {
  readonly tenantId: string;
  readonly id: string;
}

export interface DirectoryParts {
  readonly database: Pick<Database, 'db' | 'tenant'>;
  /** The agents of this server that a caller may know of, disabled ones included. */
  readonly ours: (caller: Caller) => readonly Agent[];
  readonly audit: Pick<Audit, 'write'>;
  readonly feed: Pick<Feed, 'write'>;
  readonly clock: Clock;
}

export function createAgentDirectory({ database, ours, audit, feed, clock }: DirectoryParts): AgentDirectory {
  const { db, tenant } = database;
  const oursOf = (tenantId: string) => ours({ tenantId, userId: '' }).filter(({ enabled }) => enabled);

  function listed(agent: Agent | undefined, row: Selectable<AgentCardTable> | undefined, tenantId: string) {
    if (agent === undefined) return row === undefined ? undefined : toListed(row, false);
    if (row !== undefined) return { ...toListed(row, true), health: 'healthy' as const, healthDetail: null };
    return ownListing(agent, tenantId);
  }

  async function find(tenantId: string, agentId: string): Promise<ListedAgent | undefined> {
    const row = await tenant(tenantId)
      .selectFrom('agent_cards')
      .selectAll()
      .where('tenant_id', '=', tenantId)
      .where('agent_id', '=', agentId)
      .executeTakeFirst();
    const agent = oursOf(tenantId).find(({ agent_id: id }) => id === agentId);
    return listed(agent, row, tenantId);
  }

  async function need(tenantId: string, agentId: string): Promise<ListedAgent> {
    const agent = await find(tenantId, agentId);
    if (agent !== undefined) return agent;
    throw unknownAgent(agentId);
  }

  async function tell(trx: StoreScope, caller: Caller, agentId: string, isThere: boolean): Promise<void> {
    await audit.write(trx, {
      tenantId: caller.tenantId,
      action: isThere ? 'AGENT_REGISTER' : 'AGENT_UNREGISTER',
      actor: { type: 'user', id: caller.userId || 'anonymous' },
      outcome: 'success',
      agent_id: agentId,
      owner: caller.userId,
    });
    const type = isThere ? 'agent.registered' : 'agent.unregistered';
    await feed.write(trx, { tenantId: caller.tenantId, type, subject: agentId, data: { agent_id: agentId } });
  }

  return {
    find,
    need,
    async list(tenantId) {
      const rows = await tenant(tenantId)
        .selectFrom('agent_cards')
        .selectAll()
        .where('tenant_id', '=', tenantId)
        .execute();
      const agents = new Map(oursOf(tenantId).map((agent) => [agent.agent_id, agent]));
      const known = new Set(rows.map(({ agent_id: id }) => id));
      return [
        ...rows.flatMap((row) => listed(agents.get(row.agent_id), row, tenantId) ?? []),
        ...[...agents.values()]
          .filter(({ agent_id: id }) => !known.has(id))
          .map((agent) => ownListing(agent, tenantId)),
      ];
    },
    async speaker(caller, agentId) {
      const agent = await need(caller.tenantId, agentId);
      if (agent.isOurs || isOwner(agent, caller)) return agent;
      throw unknownAgent(agentId);
    },
    async register(caller, agentId, card) {
      const { tenantId, userId } = caller;
      const now = new Date(clock.now());
      const row = await tenant(tenantId)
        .transaction()
        .execute(async (trx) => {
          const values = {
            card: JSON.stringify(card),
            health: 'unknown',
            health_detail: null,
            checked_at: null,
            probe_at: probeAddress(card) === undefined ? null : now,
            updated_at: now,
          };
          const written = await trx
            .insertInto('agent_cards')
            .values({ tenant_id: tenantId, agent_id: agentId, user_id: userId, registered_at: now, ...values })
            .onConflict((conflict) =>
              conflict
                .columns(['tenant_id', 'agent_id'])
                .doUpdateSet(values)
                .where(({ eb, or }) =>
                  or([
                    eb('agent_cards.user_id', '=', userId),
                    eb('agent_cards.user_id', '=', ''),
                    eb.val(userId === ''),
                  ]),
                ),
            )
            .returningAll()
            .executeTakeFirst();
          if (written !== undefined) await tell(trx, caller, agentId, true);
          return written;
        });
      if (row === undefined) {
        throw new AosError('conflict', `Agent '${agentId}' is registered already: choose another agent_id`, {
          reason: 'AGENT_EXISTS',
        });
      }
      return need(tenantId, agentId);
    },
    async unregister(caller, agentId) {
      const { tenantId } = caller;
      await tenant(tenantId)
        .transaction()
        .execute(async (trx) => {
          let gone = trx.deleteFrom('agent_cards').where('tenant_id', '=', tenantId).where('agent_id', '=', agentId);
          const user = reachOf(caller);
          if (user !== '') gone = gone.where('user_id', 'in', [user, '']);
          if ((await gone.executeTakeFirst()).numDeletedRows === 0n) throw unknownAgent(agentId);
          await tell(trx, caller, agentId, false);
        });
    },
    async noteHealth({ tenantId, id }, health, detail, nextAt) {
      await tenant(tenantId)
        .updateTable('agent_cards')
        .set({ health, health_detail: detail, checked_at: new Date(clock.now()), probe_at: nextAt })
        .where('tenant_id', '=', tenantId)
        .where('agent_id', '=', id)
        .execute();
    },
    async due(limit) {
      const rows = await db
        .selectFrom('agent_cards')
        .selectAll()
        .where('probe_at', '<=', new Date(clock.now()))
        .orderBy('probe_at')
        .limit(limit)
        .execute();
      return rows.map((row) => toListed(row, false));
    },
  };
}

/** Whether the agent is the caller's; a caller without user is the operator of the tenant. */
export function isOwner({ tenantId, ownerId }: ListedAgent, caller: Caller): boolean {
  return tenantId === caller.tenantId && (reachOf(caller) === '' || ownerId === '' || ownerId === caller.userId);
}

export function unknownAgent(agentId: string): AosError {
  return new AosError('not_found', `Agent ${agentId} not found`, { reason: 'AGENT_NOT_FOUND' });
}

/** Where an agent is asked how it is; undefined when it has no address that can be asked over HTTP. */
export function probeAddress({ endpoints }: AgentCard): string | undefined {
  const endpoint = endpoints.find(({ protocol }) => protocol === 'https');
  return endpoint && `${endpoint.url.replace(/\/+$/, '')}/${endpoint.healthCheckPath.replace(/^\/+/, '')}`;
}

function ownListing(agent: Agent, tenantId: string): ListedAgent {
  return {
    id: agent.agent_id,
    tenantId,
    card: cardOfOurs(agent),
    isOurs: true,
    ownerId: '',
    health: 'healthy',
    healthDetail: null,
    checkedAt: null,
    registeredAt: null,
    updatedAt: null,
  };
}

function toListed(row: Selectable<AgentCardTable>, isOurs: boolean): ListedAgent {
  return {
    id: row.agent_id,
    tenantId: row.tenant_id,
    // Written by `register` and by nobody else.
    card: row.card as JsonObject & AgentCard,
    isOurs,
    ownerId: row.user_id,
    health: row.health as AgentHealth,
    healthDetail: row.health_detail,
    checkedAt: row.checked_at?.toISOString() ?? null,
    registeredAt: row.registered_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}
