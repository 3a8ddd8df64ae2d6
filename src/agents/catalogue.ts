/**
 * The catalogue of agents: a registry file, read and checked once at start. A faulty file stops the start with one
 * sentence per fault, because an agent that silently misses is found only when somebody needs it.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { AGENT_ID, type Agent } from './agent.ts';
import { toolNamesOf, unknownTool } from './tool.ts';

/** Agents that work can be given to. */
export interface AgentSet {
  /** Every agent, disabled ones included, in the order of the file. */
  readonly all: readonly Agent[];
  /** The enabled agents, in the order of the file. */
  readonly enabled: readonly Agent[];
  /** The enabled agent of this id; a disabled one is not found. */
  find(agentId: string): Agent | undefined;
}

/** The agents of every tenant. Their ids are its own: an agent of another tenant may have the same. */
export interface AgentStock {
  of(tenantId: string): AgentSet;
}

/** The agents of a registry file, which every tenant has. */
export interface AgentCatalogue extends AgentSet, AgentStock {
  /** The file it came from. */
  readonly path: string;
}

/** The registry cannot be used. The message names the file and every fault: which entry, what was expected, what came. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
}

const text = z.string().min(1, { error: 'a text that is not empty' });
const instructions = z.union([text, z.array(z.string()).min(1)], { error: 'a text or a list of lines' });
const toolNames = z.array(text);
const limit = z.int().min(0);
const entry = z.object({
  agent_id: z.string().regex(AGENT_ID, { error: '1 to 128 of the characters A-Z a-z 0-9 . _ : -' }),
  agent_type: text,
  purpose: text,
  adapter_name: text,
  capabilities: z.array(text).default([]),
  config: z
    .record(z.string(), z.json())
    .default({})
    .refine(
      (config) => config['instructions'] === undefined || instructions.safeParse(config['instructions']).success,
      { path: ['instructions'], error: 'a text or a list of lines' },
    )
    .refine((config) => config['tools'] === undefined || toolNames.safeParse(config['tools']).success, {
      path: ['tools'],
      error: 'a list of names of tools',
    })
    .refine((config) => config['max_tool_calls'] === undefined || limit.safeParse(config['max_tool_calls']).success, {
      path: ['max_tool_calls'],
      error: 'a whole number, 0 or more',
    }),
  enabled: z.boolean().default(true),
});
const registry = z.object({ agents: z.array(entry).min(1, { error: 'at least one agent' }) });

/**
 * Reads and checks a registry file.
 * @param path the file; the registry that ships with the package when left out
 * @param tools names of the tools there are; which ones agents name is not checked when left out
 * @throws RegistryError
 */
export async function loadCatalogue(
  path: string = shippedRegistry(),
  tools?: readonly string[],
): Promise<AgentCatalogue> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (cause) {
    throw new RegistryError(
      `the agent registry ${path} cannot be read (${errorCode(cause)}): check AGENT_REGISTRY_PATH, or unset it to use the agents that ship with the package`,
      { cause },
    );
  }
  return parseCatalogue(content, path, tools);
}

/** Checks the text of a registry file; `path` is for messages, `tools` as for `loadCatalogue`. */
export function parseCatalogue(content: string, path: string, tools?: readonly string[]): AgentCatalogue {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (cause) {
    throw new RegistryError(`the agent registry ${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = registry.safeParse(json);
  const faults = parsed.success
    ? [...repeatedIds(parsed.data.agents), ...(tools === undefined ? [] : unknownTools(parsed.data.agents, tools))]
    : parsed.error.issues.map((issue) => faultOf(issue, json));
  if (!parsed.success || faults.length > 0) {
    throw new RegistryError(
      faults.length === 1
        ? `the agent registry ${path} has a fault: ${faults[0]}`
        : `the agent registry ${path} has ${faults.length} faults:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
    );
  }
  return catalogueOf(parsed.data.agents, path);
}

function catalogueOf(all: readonly Agent[], path: string): AgentCatalogue {
  const enabled = all.filter((agent) => agent.enabled);
  const byId = new Map(enabled.map((agent) => [agent.agent_id, agent]));
  const agents = { all, enabled, find: (agentId: string) => byId.get(agentId) };
  return { path, ...agents, of: () => agents };
}

function repeatedIds(agents: readonly Agent[]): string[] {
  return agents.flatMap((agent, index) => {
    const first = agents.findIndex((other) => other.agent_id === agent.agent_id);
    return first === index
      ? []
      : [`agents[${index}].agent_id: expected an id of its own, got "${agent.agent_id}", which agents[${first}] has`];
  });
}

function unknownTools(agents: readonly Agent[], tools: readonly string[]): string[] {
  return agents.flatMap((agent, index) =>
    toolNamesOf(agent)
      .filter((name) => !tools.includes(name))
      .map(
        (name) => `agents[${index}].config.tools (agent "${agent.agent_id}"): names the ${unknownTool(name, tools)}`,
      ),
  );
}

const NAME_OF_TYPE: Record<string, string> = {
  string: 'a text',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  boolean: 'true or false',
};

/** One finding of the schema as: where (with the agent's id when it is known), what was expected, what came. */
function faultOf(issue: z.core.$ZodIssue, json: unknown): string {
  const path = issue.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  const expected = issue.code === 'invalid_type' ? (NAME_OF_TYPE[issue.expected] ?? issue.expected) : issue.message;
  return `${where(path, issue.path, json)}: expected ${expected}, got ${described(valueAt(json, issue.path))}`;
}

function where(path: string, keys: readonly PropertyKey[], json: unknown): string {
  if (path === '') return 'the whole file';
  const id = keys[0] === 'agents' && keys.length > 2 ? valueAt(json, [...keys.slice(0, 2), 'agent_id']) : undefined;
  return `${path.slice(1)}${typeof id === 'string' ? ` (agent "${id}")` : ''}`;
}

function valueAt(json: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    json,
  );
}

function described(value: unknown): string {
  if (value === undefined) return 'nothing';
  const json = JSON.stringify(value);
  return json.length > 80 ? `${json.slice(0, 79)}…` : json;
}

function errorCode(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown reason';
}

/** `agents/registry.json` of this package, found upwards so that sources and build output find the same file. */
function shippedRegistry(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'agents', 'registry.json');
    if (existsSync(candidate)) return candidate;
  }
  throw new RegistryError(
    'the agent registry that ships with this package (agents/registry.json) is missing: install it again',
  );
}
