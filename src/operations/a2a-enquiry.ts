/** Messages that ask after something: who is there and what they can do, how something is. Nothing changes by them. */
import { z } from 'zod';
import { type Clock, isoTime } from '../core/clock.ts';
import { jsonOf } from '../core/json.ts';
import { checkSchema } from '../core/schema-check.ts';
import type { DelegationDesk } from '../delegation/delegation-desk.ts';
import { countOpen } from '../delegation/delegation-store.ts';
import type { AgentDirectory } from '../delegation/directory.ts';
import { discover } from '../delegation/discovery.ts';
import type { Database } from '../store/database.ts';
import { viewCapability, viewCard } from './a2a-card-view.ts';
import { type Correspondence, type Handlers, SERVER } from './a2a-correspondence.ts';
import { askedFilter, filterFrom } from './a2a-field.ts';
import { protocolId } from './field.ts';

const about = z.object({ delegation_id: protocolId.nullish(), agent_id: z.string().max(200).nullish() });
const capabilityQuery = z.object({
  agent_id: z.string().max(200).nullish(),
  capability_id: z.string().max(200).nullish(),
});
/** Strict: a filter that is misspelt and left out would find everybody. */
const discovery = z.strictObject({ filter: z.strictObject(askedFilter.shape).nullish() });

export interface EnquiryParts {
  readonly database: Pick<Database, 'tenant'>;
  readonly correspondence: Correspondence;
  readonly desk: Pick<DelegationDesk, 'find'>;
  readonly directory: AgentDirectory;
  readonly clock: Clock;
}

export function createEnquiries(parts: EnquiryParts): Handlers {
  const { desk, directory, clock } = parts;
  const { admit, letterOf, spoken, keep, posted, note } = parts.correspondence;
  const { tenant } = parts.database;

  return {
    async discover(call) {
      const { filter } = checkSchema(discovery, call.payload, 'the payload');
      const asked = filter ?? askedFilter.parse({});
      const { limit, offset } = asked;
      const isForeign = asked.tenant_id != null && asked.tenant_id !== call.caller.tenantId;
      const all = isForeign ? [] : discover(await directory.list(call.caller.tenantId), filterFrom(asked));
      const agents = all.slice(offset, offset + limit).map((agent) => jsonOf(viewCard(agent)));
      const payload = { agents, total: all.length, has_more: all.length > offset + limit };
      return spoken(call, await admit(call), { type: 'discover_response', payload });
    },
    async capability_query(call) {
      const { agent_id: agentId, capability_id: wanted } = checkSchema(capabilityQuery, call.payload, 'the payload');
      const { tenantId } = call.caller;
      const admitted = await admit(call);
      const agent = agentId == null ? call.to : await directory.find(tenantId, agentId);
      const among = agent !== undefined ? [agent] : agentId == null ? await directory.list(tenantId) : [];
      const able = among.flatMap(({ id, card }) =>
        card.capabilities
          .filter((capability) => wanted == null || capability.id === wanted)
          .map((capability) => ({ ...jsonOf(viewCapability(capability)), agent_id: id })),
      );
      if (able.length > 0)
        return spoken(call, admitted, { type: 'capability_response', payload: { capabilities: able } });
      const what = wanted == null ? `agent ${agentId}` : `the capability "${wanted}"`;
      return spoken(call, admitted, { type: 'error', payload: { error: `${what} was not found`, code: 'NOT_FOUND' } });
    },
    async status_query(call) {
      const { delegation_id: id, agent_id: agentId } = checkSchema(about, call.payload, 'the payload');
      const admitted = await admit(call);
      const letter = letterOf(call, admitted);
      if (id != null) {
        const delegation = await desk.find(call.caller, id);
        await note(
          tenant(call.caller.tenantId),
          'A2A_STATUS_QUERY',
          letter,
          delegation === undefined ? { reason: 'NOT_FOUND' } : {},
        );
        if (delegation === undefined) {
          return spoken(call, admitted, {
            type: 'error',
            payload: { error: `Delegation ${id} not found`, code: 'NOT_FOUND' },
          });
        }
        const { status, result, failure } = delegation;
        const payload = {
          delegation_id: id,
          status,
          result,
          error: failure?.message ?? null,
          code: failure?.code ?? null,
        };
        return spoken(call, admitted, { type: 'status_response', payload });
      }
      const agent = agentId == null ? (call.to ?? call.from) : await directory.find(call.caller.tenantId, agentId);
      await note(
        tenant(call.caller.tenantId),
        'A2A_STATUS_QUERY',
        letter,
        agent === undefined ? { reason: 'NOT_FOUND' } : {},
      );
      if (agent === undefined) {
        return spoken(call, admitted, {
          type: 'error',
          payload: { error: `Agent ${agentId} not found`, code: 'NOT_FOUND' },
        });
      }
      const payload = {
        agent_id: agent.id,
        agent_name: agent.card.name,
        health_status: agent.health,
        active_delegations: await countOpen(tenant(call.caller.tenantId), call.caller.tenantId, agent.id),
      };
      return spoken(call, admitted, { type: 'status_response', payload });
    },
    async ping(call) {
      const { to, waitMs } = call;
      const admitted = await admit(call);
      if (to !== undefined && !to.isOurs && waitMs > 0) {
        return posted(call, await keep(call, letterOf(call, admitted), undefined), () => true);
      }
      const payload = {
        agent_id: to?.id ?? SERVER,
        health_status: to?.health ?? 'healthy',
        answered_by: 'server',
        timestamp: isoTime(clock.now()),
      };
      return spoken(call, admitted, { type: 'pong', payload });
    },
  };
}
