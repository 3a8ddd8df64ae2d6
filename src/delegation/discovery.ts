/** Who can do it: agents of a directory by filter. All filters must hold; pure. */
import type { AgentHealth, AgentKind, AgentRole, CapabilityKind, ListedAgent } from './agent-card.ts';

/** What is left out, or is an empty list, asks for nothing. */
export interface AgentFilter {
  readonly ids?: readonly string[] | undefined;
  readonly kinds?: readonly AgentKind[] | undefined;
  readonly roles?: readonly AgentRole[] | undefined;
  /** All of them. */
  readonly capabilities?: readonly string[] | undefined;
  /** All of them, on the card itself or on one of its capabilities. */
  readonly tags?: readonly string[] | undefined;
  /** At least one capability of one of these kinds. */
  readonly capabilityKinds?: readonly CapabilityKind[] | undefined;
  readonly minTrust?: number | undefined;
  readonly certifiedOnly?: boolean | undefined;
  readonly canDelegate?: boolean | undefined;
  readonly canAccept?: boolean | undefined;
  readonly health?: AgentHealth | undefined;
  /** True when left out. */
  readonly excludeUnhealthy?: boolean | undefined;
}

/** Those that fit, the most trusted first, then by id. */
export function discover(agents: readonly ListedAgent[], filter: AgentFilter): readonly ListedAgent[] {
  return agents.filter((agent) => fits(agent, filter)).toSorted(byTrust);
}

export function byTrust(one: ListedAgent, other: ListedAgent): number {
  return other.card.trust - one.card.trust || (one.id < other.id ? -1 : one.id > other.id ? 1 : 0);
}

export function fits(agent: ListedAgent, filter: AgentFilter): boolean {
  const { card, health } = agent;
  const { excludeUnhealthy = true } = filter;
  const isAmong = <T>(value: T, wanted: readonly T[] | undefined) =>
    wanted === undefined || wanted.length === 0 || wanted.includes(value);
  const tags = new Set([...card.tags, ...card.capabilities.flatMap((capability) => capability.tags)]);
  return (
    isAmong(agent.id, filter.ids) &&
    isAmong(card.kind, filter.kinds) &&
    isAmong(card.role, filter.roles) &&
    (filter.capabilities ?? []).every((id) => can(agent, id)) &&
    (filter.tags ?? []).every((tag) => tags.has(tag)) &&
    ((filter.capabilityKinds ?? []).length === 0 ||
      card.capabilities.some(({ kind }) => isAmong(kind, filter.capabilityKinds))) &&
    card.trust >= (filter.minTrust ?? 0) &&
    (filter.certifiedOnly !== true || card.certification === 'certified') &&
    (filter.canDelegate === undefined || card.canDelegate === filter.canDelegate) &&
    (filter.canAccept === undefined || card.canAccept === filter.canAccept) &&
    (filter.health === undefined || health === filter.health) &&
    // Whoever asks for the unhealthy gets them.
    (!excludeUnhealthy || health !== 'unhealthy' || filter.health === 'unhealthy')
  );
}

export function can({ card }: ListedAgent, capability: string): boolean {
  return card.capabilities.some(({ id }) => id === capability);
}
