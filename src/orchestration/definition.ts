/**
 * What a run is pinned to from its admission on: the pattern in its version, the agents as they were, the versions of
 * their tools. It is stored under the hash of its content, once for all runs that share it. A build that lacks a
 * version does not guess: the run waits until a build has it.
 */
import { createHash } from 'node:crypto';
import type { Agent } from '../agents/agent.ts';
import { toolNamesOf } from '../agents/tool.ts';
import { canonicalJson, isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';

export interface Definition {
  /** `name@version` of the pattern; `chat@1` for a chat. */
  readonly workflow: string;
  readonly agents: readonly Agent[];
  /** The graph of a run that is one. */
  readonly graph?: JsonObject;
  /** Version by name, of the tools these agents may use. */
  readonly tools: Readonly<Record<string, string>>;
}

/** What a chat is pinned to in the place of a pattern. */
export const CHAT_WORKFLOW = 'chat@1';

/** What a build has. */
export interface Build {
  /** Keys of its patterns, `name@version`. */
  readonly workflows: readonly string[];
  readonly tools: Readonly<Record<string, string>>;
}

/** What this build has. */
export function buildOf(workflows: readonly string[], tools: Readonly<Record<string, string>> = {}): Build {
  return { workflows: [CHAT_WORKFLOW, ...workflows], tools };
}

/**
 * A definition of today: the agents' tools in the versions there are. Tools that are not there are not pinned.
 * @param ownTools of the pattern, beside the agents'
 */
export function definitionOf(
  workflow: string,
  agents: readonly Agent[],
  toolVersions: Readonly<Record<string, string>> = {},
  graph?: JsonObject,
  ownTools: readonly string[] = [],
): Definition {
  const names = [...new Set([...agents.flatMap(toolNamesOf), ...ownTools])].toSorted();
  const tools = names.flatMap((name) => {
    const version = toolVersions[name];
    return version === undefined ? [] : [[name, version] as const];
  });
  return { workflow, agents, tools: Object.fromEntries(tools), ...(graph === undefined ? {} : { graph }) };
}

/** What of a definition a build does not have, in words. */
export function missingIn(definition: Definition, build: Build): string[] {
  const { workflow, tools } = definition;
  return [
    ...(build.workflows.includes(workflow) ? [] : [`the workflow ${workflow}`]),
    ...Object.entries(tools)
      .filter(([name, version]) => build.tools[name] !== version)
      .map(([name, version]) => `the tool ${name} in version ${version}`),
  ];
}

export function contentOf(definition: Definition): JsonObject {
  return JSON.parse(JSON.stringify(definition)) as JsonObject;
}

/** SHA-256 of the canonical JSON, hex. */
export function hashOf(content: JsonObject): string {
  return createHash('sha256').update(canonicalJson(content)).digest('hex');
}

/** Reads back what `contentOf` made. */
export function definitionIn(content: JsonObject): Definition {
  const { workflow, agents, tools, graph } = content;
  return {
    workflow: String(workflow),
    // Only the gate writes these, from agents of the catalogue.
    agents: (Array.isArray(agents) ? agents : []) as unknown as readonly Agent[],
    tools: Object.fromEntries(Object.entries(objectIn(tools)).map(([name, version]) => [name, String(version)])),
    ...(isJsonObject(graph) ? { graph } : {}),
  };
}

function objectIn(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}
