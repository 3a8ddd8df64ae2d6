/**
 * The catalogue of a living server: the agents of the registry file, and those that clients have registered since,
 * which are kept in the database and known to every process on it. An id belongs to whoever had it first.
 */
import type { Agent } from '../agents/agent.ts';
import type { AgentCatalogue } from '../agents/catalogue.ts';
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

export interface AgentRegister extends AgentCatalogue {
  /** The agents a tenant may know of, disabled ones included: the file's and its own. */
  visibleTo(caller: Caller): readonly Agent[];
  /**
   * Adds an agent, or changes one that this tenant registered before.
   * @throws AosError conflict when the id is the registry file's or another tenant's
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
  let registered: ReadonlyMap<string, { readonly agent: Agent; readonly tenantId: string }> = new Map();

  let unlisten: (() => void) | undefined;

  async function refresh(): Promise<void> {
    const kept = await records.all('agent');
    const agents = kept.map((record) => ({ agent: agentOf(record, toolNames), tenantId: record.tenantId }));
    // The oldest of an id wins, should two processes have taken it at once.
    registered = new Map(agents.toReversed().map((entry) => [entry.agent.agent_id, entry]));
  }

  const listed = () => [...registered.values()].filter(({ agent }) => !isShipped(agent.agent_id));
  const isShipped = (id: string) => shipped.all.some((agent) => agent.agent_id === id);

  return {
    path: shipped.path,
    get all() {
      return [...shipped.all, ...listed().map(({ agent }) => agent)];
    },
    get enabled() {
      return [...shipped.enabled, ...listed().map(({ agent }) => agent)];
    },
    find(agentId) {
      return shipped.find(agentId) ?? listed().find(({ agent }) => agent.agent_id === agentId)?.agent;
    },
    visibleTo({ tenantId }) {
      const own = listed().filter((entry) => entry.tenantId === tenantId);
      return [...shipped.all, ...own.map(({ agent }) => agent)];
    },
    async register(agent, caller) {
      await refresh();
      const owner = registered.get(agent.agentId)?.tenantId ?? caller.tenantId;
      if (isShipped(agent.agentId) || owner !== caller.tenantId) {
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
