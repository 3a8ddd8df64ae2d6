/**
 * An agent: who it is, what it is for and how it is told to work. The members are those of the registry format
 * (one entry of `{"agents": […]}`); whatever else a registry says about an agent stays in `config`.
 */
import type { JsonObject } from '../core/json.ts';

/** What an agent id may look like. Stricter than any id we make, so that ids are safe in step names and event keys. */
export const AGENT_ID = /^[A-Za-z0-9._:-]{1,128}$/;

/** The type whose first bearer in a run leads it: plans in hierarchies, synthesises in collaborations. */
export const LEADERSHIP_TYPE = 'LeadershipAgent';

export interface Agent {
  readonly agent_id: string;
  readonly agent_type: string;
  readonly purpose: string;
  readonly adapter_name: string;
  readonly capabilities: readonly string[];
  /** Free-form; `title` and `instructions` (a text, or a list of lines) are read by this runtime. */
  readonly config: JsonObject;
  readonly enabled: boolean;
}

/** What people call the agent: its title when the registry gives one, else its id in capitals. */
export function titleOf(agent: Agent): string {
  const title = agent.config['title'];
  return typeof title === 'string' && title !== '' ? title : agent.agent_id.toUpperCase();
}

/** How the agent is told to work. Entries without instructions get theirs from their purpose and capabilities. */
export function instructionsOf(agent: Agent): string {
  const given = agent.config['instructions'];
  if (typeof given === 'string' && given.trim() !== '') return given;
  if (Array.isArray(given) && given.length > 0) return given.join('\n');
  const skills = agent.capabilities.map((capability) => capability.replaceAll('_', ' '));
  return [
    `You are ${titleOf(agent)}. Your purpose: ${agent.purpose}`,
    ...(skills.length === 0 ? [] : [`You are asked for your ${skills.join(', ')}.`]),
    'Answer from that role, concretely and briefly. Do not make up facts: say what is missing.',
  ].join('\n');
}

/** The agent that leads a group: the first of the leadership type, else the first. */
export function leadOf<T extends Agent>(agents: readonly [T, ...T[]]): T {
  return agents.find((agent) => agent.agent_type === LEADERSHIP_TYPE) ?? agents[0];
}
