/**
 * The catalogue of a living server: the agents of the registry file, and those that clients have registered since,
 * which are kept in the database and known to every process on it. Those that a tenant has registered are its own.
 */
import type { Agent } from '../agents/agent.ts';
import type { AgentCatalogue, AgentSet, AgentStock } from '../agents/catalogue.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Caller } from '../runs/run.ts';
import type { Database } from '../store/database.ts';
import type { KeptRecord, RecordStore } from './record-store.ts';

const CHANNEL = 'aos_agents';

export interface NewAgent {
  readonly agentId: string;
  readonly name: string;
  readonly purpose: string;
  readonly agentType: string;
  readonly adapterName: string;
  readonly capabilities: readonly string[];
  readonly tools: readonly string[];
  /** What the client asked for; kept, not used: this server has one model. */
  readonly model: string;
}

export interface AgentRegister extends AgentStock {
  /** The agents of the registry file, which every tenant has. */
  readonly shipped: AgentCatalogue;
  /** The agents a tenant may know of, disabled ones included: the file's and its own. */
  visibleTo(caller: Caller): readonly Agent[];
  /**
   * Adds an agent, or changes one that this tenant registered before.
   * @throws AosError conflict when the id is the registry file's
   */
  register(agent: NewAgent, caller: Caller): Promise<KeptRecord>;
  /** Reads what is registered and listens for more. */
  start(): Promise<void>;
  stop(): void;
}

export interface AgentRegisterParts {
  readonly shipped: AgentCatalogue;
  readonly records: RecordStore;
  readonly notifications: Database['notifications'];
  /** The tools there are: of those an agent was registered with, it has these. */
  readonly toolNames: readonly string[];
}

export function createAgentRegister(parts: AgentRegisterParts): AgentRegister {
  const { shipped, records, notifications, toolNames } = parts;
  /** By tenant, the newest first. */
  let registered: ReadonlyMap<string, readonly Agent[]> = new Map();
  let unlisten: (() => void) | undefined;

  async function refresh(): Promise<void> {
    const kept = await records.all('agent');
    // Since it was registered, the file may have come to name one of that id.
    const own = kept.filter(({ id }) => !isShipped(id));
    const byTenant = Map.groupBy(own, ({ tenantId }) => tenantId);
    registered = new Map(
      [...byTenant].map(([tenantId, all]) => [tenantId, all.toReversed().map((one) => agentOf(one, toolNames))]),
    );
  }

  const isShipped = (id: string) => shipped.all.some((agent) => agent.agent_id === id);

  function of(tenantId: string): AgentSet {
    const own = registered.get(tenantId) ?? [];
    return {
      all: [...shipped.all, ...own],
      enabled: [...shipped.enabled, ...own],
      find: (id) => shipped.find(id) ?? own.find(({ agent_id }) => agent_id === id),
    };
  }

  return {
    shipped,
    of,
    visibleTo: ({ tenantId }) => of(tenantId).all,
    async register(agent, caller) {
      if (isShipped(agent.agentId)) {
        throw new AosError('conflict', `Agent '${agent.agentId}' is registered already: choose another agent_id`, {
          reason: 'AGENT_EXISTS',
        });
      }
      const { agentId, ...data } = agent;
      const kept = await records.put(caller.tenantId, 'agent', agentId, data as unknown as JsonObject);
      await refresh();
      notifications.announce(CHANNEL, agentId, agentId);
      return kept;
    },
    async start() {
      const again = () => void refresh().catch(() => {});
      unlisten = await notifications.listen(CHANNEL, { heard: again, missed: again });
      await refresh();
    },
    stop() {
      unlisten?.();
    },
  };
}

function agentOf({ id, data }: KeptRecord, toolNames: readonly string[]): Agent {
  const list = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);
  return {
    agent_id: id,
    agent_type: String(data['agentType']),
    purpose: String(data['purpose']),
    adapter_name: String(data['adapterName']),
    capabilities: list(data['capabilities']),
    config: { title: String(data['name']), tools: list(data['tools']).filter((name) => toolNames.includes(name)) },
    enabled: true,
  };
}
