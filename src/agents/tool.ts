/**
 * A tool: something an agent may have done in the course of a turn. The model asks for it by name with arguments; the
 * turn checks them, asks for an approval where one is required, and runs the tool as a durable step of its own.
 */
import type { Context } from '@opentelemetry/api';
import { z } from 'zod';
import type { Clock } from '../core/clock.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { RunScope } from '../engine/engine.ts';
import type { Caller } from '../runs/run.ts';
import type { Agent } from './agent.ts';

/**
 * What a tool does to the world: `read` changes nothing and may be repeated; `write` changes what this runtime stores,
 * once per idempotency key; `external` changes something outside, which may not be told twice.
 */
export type ToolEffect = 'read' | 'write' | 'external';

/** What a tool gets beside its input. */
export interface ToolContext {
  /** Fires when the run is to end or the tool's time is up. */
  readonly signal: AbortSignal;
  /** Stays the same when the same call is run again after a crash. */
  readonly idempotencyKey: string;
  readonly clock: Clock;
  readonly caller: Caller;
  readonly sessionId: string;
  /** Whether nothing may reach anything outside. */
  readonly simulation: boolean;
}

/** What a tool gets whose work is steps of the run. */
export interface ToolSteps {
  readonly scope: RunScope;
  /** Unique in the run; the names of its steps and waits begin with it and a slash. */
  readonly name: string;
  /** Who uses it; '' when no agent does. */
  readonly agentId: string;
  readonly traceContext: Context;
}

export interface Tool<Input = unknown> {
  /** 1 to 64 of a-z 0-9 _ and -. */
  readonly name: string;
  /** Runs are pinned to it: to be changed when the same call would mean something else. */
  readonly version: string;
  /** For the model: what it does, when to use it. */
  readonly description: string;
  /** An object; its description is what the model is shown. */
  readonly input: z.ZodType<Input>;
  readonly effect: ToolEffect;
  /** Another effect than `effect` for some inputs, e.g. one that only reads. */
  effectOf?(input: Input): ToolEffect;
  readonly timeoutMs: number;
  /** Whether somebody has to agree before it runs; never when left out. */
  requiresApproval?(input: Input): boolean;
  /**
   * @returns what the model is told; its end is cut off when it is long
   * @throws AosError whose message the model is told; of anything else it is told only that it failed
   */
  run(input: Input, context: ToolContext): Promise<JsonValue>;
  /**
   * For a tool whose work is durable steps and waits of the run itself, called in place of `run` and outside of any
   * step: it must take the same way whenever it is executed. What it does is judged where it does it, not as the tool.
   * @throws AosError as `run`; the scope's reason when the run is to end
   */
  asSteps?(input: Input, steps: ToolSteps): Promise<JsonValue>;
  /**
   * Stands in for `run` in simulated runs, where the effect is `external`: reaches nothing outside and gives the same for
   * the same. Without it the model is told that the call was simulated.
   */
  simulate?(input: Input, context: ToolContext): Promise<JsonValue>;
}

/** A tool as a model is offered it. */
export interface ToolDescription {
  readonly name: string;
  readonly description: string;
  /** JSON schema of an object. */
  readonly parameters: JsonObject;
}

export interface ToolSet {
  readonly all: readonly Tool[];
  find(name: string): Tool | undefined;
  /**
   * The tools an agent names in `config.tools`, in its order; none by default.
   * @throws AosError unsupported when it names one that is not there
   */
  forAgent(agent: Agent): readonly Tool[];
  /** The version of each tool by its name: what a run is pinned to. */
  readonly versions: Readonly<Record<string, string>>;
}

const TOOL_NAME = /^[a-z0-9_-]{1,64}$/;

/** Tools under their names. @throws Error when a name is taken twice or is none */
export function createToolSet(tools: readonly Tool[]): ToolSet {
  const byName = new Map<string, Tool>();
  for (const tool of tools) {
    if (!TOOL_NAME.test(tool.name)) throw new Error(`a tool's name is 1 to 64 of a-z 0-9 _ -, got "${tool.name}"`);
    if (byName.has(tool.name)) throw new Error(`two tools have the name "${tool.name}"`);
    byName.set(tool.name, tool);
  }
  return {
    all: tools,
    find: (name) => byName.get(name),
    forAgent: (agent) =>
      toolNamesOf(agent).map((name) => {
        const tool = byName.get(name);
        if (tool !== undefined) return tool;
        throw new AosError('unsupported', `${agent.agent_id} names the ${unknownTool(name, [...byName.keys()])}`);
      }),
    versions: Object.fromEntries(tools.map(({ name, version }) => [name, version])),
  };
}

/** What an agent's registry entry names as its tools. */
export function toolNamesOf(agent: Pick<Agent, 'config'>): readonly string[] {
  const names = agent.config['tools'];
  return Array.isArray(names) ? [...new Set(names.filter((name) => typeof name === 'string'))] : [];
}

/** For the end of a sentence: which tool is missing, and which there are. */
export function unknownTool(name: string, known: readonly string[]): string {
  return `tool "${name}", which there is not (there ${known.length === 0 ? 'is none' : `are: ${known.join(', ')}`})`;
}

/** Made once per tool: a schema takes longer to describe than most tools to run. */
const descriptions = new WeakMap<Tool, ToolDescription>();

/** A tool as it is offered to a model. */
export function describeTool(tool: Tool): ToolDescription {
  const known = descriptions.get(tool);
  if (known !== undefined) return known;
  const { name, description, input } = tool;
  const { $schema: _, ...parameters } = z.toJSONSchema(input, { io: 'input' });
  const made = { name, description, parameters: parameters as JsonObject };
  descriptions.set(tool, made);
  return made;
}
