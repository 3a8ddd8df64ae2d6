/**
 * A pattern: one way in which agents work together. It plans from the request alone, before anything runs, and then
 * runs the plan. A run is pinned to the version of the pattern it began with: a change that would make a resumed run
 * ask for other steps than it did before is a new version, and the old one stays until its last run has ended.
 */
import type { Agent } from '../agents/agent.ts';
import type { Assignment } from '../agents/brief.ts';
import type { TurnSetting } from '../agents/turn.ts';
import type { JsonObject } from '../core/json.ts';
import type { ApprovalDesk } from '../governance/approval-desk.ts';
import type { Plan } from './plan.ts';
import type { RunMeter } from './run-meter.ts';

/** What a pattern works with: everything a turn needs, and what concerns the run as a whole. */
export interface OrchestrationSetting extends TurnSetting {
  readonly meter: RunMeter;
  /** Who is asked where a graph wants an approval; such a node fails when left out. */
  readonly approvals?: ApprovalDesk;
  /** The validated body of the work request. */
  readonly request: JsonObject;
  /** The agents as they were when the run was admitted; undefined for an id that is not among them. */
  readonly agentOfRun: (agentId: string) => Agent | undefined;
}

/** `P` is the pattern's own kind of plan: `run` only ever gets what its own `plan` made. */
export interface Pattern<P extends Plan = Plan> {
  readonly name: string;
  /** From 1. */
  readonly version: number;
  /** Whether its agents take messages while it runs; not when left out. */
  readonly hearsMessages?: boolean;
  /** Agents that a request of this pattern names elsewhere than in `agent_ids`. */
  agentIds?(request: JsonObject): readonly string[];
  /**
   * The tools it uses by itself, beside those of its agents; pinned like those.
   * @throws AosError invalid_request
   */
  toolNames?(request: JsonObject): readonly string[];
  /**
   * Pure: the same request and agents give the same plan.
   * @throws AosError invalid_request
   */
  plan(request: JsonObject, agents: readonly Agent[]): P;
  /** @returns the result of the run */
  run(setting: OrchestrationSetting, plan: P, assignment: Assignment): Promise<JsonObject>;
}

/** Patterns by `name@version`. */
export type PatternRegistry = Readonly<Record<string, Pattern>>;

/** What a run is pinned to, e.g. `collaborative@1`. */
export function patternKey({ name, version }: Pick<Pattern, 'name' | 'version'>): string {
  return `${name}@${version}`;
}

export function registryOf(list: readonly Pattern[]): PatternRegistry {
  return Object.fromEntries(list.map((pattern) => [patternKey(pattern), pattern]));
}

/** The newest version of a pattern, which new runs begin with. */
export function newestPattern(registry: PatternRegistry, name: string): Pattern | undefined {
  return Object.values(registry)
    .filter((pattern) => pattern.name === name)
    .sort((one, other) => other.version - one.version)[0];
}
