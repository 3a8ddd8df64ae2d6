/**
 * What an orchestration is going to do, worked out before it begins and from the request alone: phases one after the
 * other, the turns of a phase at the same time. The plan is what progress is measured against. Each pattern makes its
 * own and may add what it needs to it; what they share, and how settings of a run are read, is here.
 */
import { type Agent, leadOf } from '../agents/agent.ts';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';

export interface PlannedTurn {
  /** Step name, unique in the run. */
  readonly name: string;
  readonly agent: Agent;
  /** From 1; the synthesis belongs to the last round. */
  readonly round: number;
}

export interface Plan {
  /** Name of the pattern. */
  readonly workflow: string;
  readonly agents: readonly Agent[];
  /** Names of the turns as far as they are known beforehand. */
  readonly phases: readonly (readonly string[])[];
  /** How often the group goes round; 1 where that says nothing. */
  readonly roundCount: number;
  /** At most so many turns; `Infinity` for work without an end. */
  readonly plannedTurns: number;
  /** Agents that `max_turns` leaves without a turn. */
  readonly skipped: readonly Agent[];
  /** Whether the run goes on when an agent fails, as long as any agent answers. */
  readonly continueOnError: boolean;
}

/** A plan whose turns are all known beforehand. */
export interface RoundPlan extends Plan {
  /** Rounds of all agents, the synthesis not counted. */
  readonly rounds: readonly (readonly PlannedTurn[])[];
  /** The turn that makes one result of all, where there is one. */
  readonly synthesis: PlannedTurn | undefined;
}

export type SomeAgents = readonly [Agent, ...Agent[]];

/** The plan as the log tells it. */
export function planEvent(plan: Plan): JsonObject {
  return {
    workflow: plan.workflow,
    agent_ids: idsOf(plan.agents),
    rounds: plan.roundCount,
    phases: plan.phases.map((phase) => [...phase]),
    ...(Number.isFinite(plan.plannedTurns) ? { planned_turns: plan.plannedTurns } : {}),
    ...(plan.skipped.length === 0 ? {} : { skipped: idsOf(plan.skipped) }),
  };
}

/** A plan of known turns: the members all such plans derive from their rounds and synthesis. */
export function roundPlan(parts: {
  readonly workflow: string;
  readonly agents: SomeAgents;
  readonly rounds: readonly (readonly PlannedTurn[])[];
  readonly roundCount?: number;
  readonly hasSynthesis: boolean;
  readonly continueOnError: boolean;
}): RoundPlan {
  const { workflow, agents, rounds, roundCount = 1, hasSynthesis, continueOnError } = parts;
  const lead = leadOf(agents);
  const synthesis = hasSynthesis ? { name: `synthesis/${lead.agent_id}`, agent: lead, round: roundCount } : undefined;
  const phases = [...rounds, ...(synthesis === undefined ? [] : [[synthesis]])];
  const acting = new Set(rounds.flat().map(({ agent }) => agent));
  return {
    workflow,
    agents,
    rounds,
    synthesis,
    phases: phases.map((phase) => phase.map(({ name }) => name)),
    roundCount,
    plannedTurns: phases.flat().length,
    skipped: agents.filter((agent) => !acting.has(agent)),
    continueOnError,
  };
}

export function idsOf(agents: readonly Agent[]): string[] {
  return agents.map((agent) => agent.agent_id);
}

/** The agents of a request, of which there must be some. @throws AosError invalid_request */
export function someOf(agents: readonly Agent[]): SomeAgents {
  const [first, ...others] = agents;
  if (first === undefined) throw invalid('agent_ids', 'at least one agent', []);
  return [first, ...others];
}

export function configOf({ config }: JsonObject): JsonObject {
  return isJsonObject(config) ? config : {};
}

/** @throws AosError invalid_request */
export function wholeNumber(config: JsonObject, name: string, max = Number.MAX_SAFE_INTEGER): number | undefined {
  const value = config[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw invalid(
    `config.${name}`,
    max === Number.MAX_SAFE_INTEGER ? 'a whole number from 1' : `a whole number from 1 to ${max}`,
    value,
  );
}

/** @throws AosError invalid_request */
export function yesOrNo(config: JsonObject, name: string): boolean | undefined {
  const value = config[name];
  if (value === undefined || value === null || typeof value === 'boolean') return value ?? undefined;
  throw invalid(`config.${name}`, 'true or false', value);
}

/** @throws AosError invalid_request */
export function oneOf<T extends string>(config: JsonObject, name: string, words: readonly T[]): T | undefined {
  const value = config[name];
  if (value === undefined || value === null) return undefined;
  const word = words.find((known) => known === value);
  if (word !== undefined) return word;
  throw invalid(`config.${name}`, `one of ${words.join(', ')}`, value);
}

/**
 * What happens to the run when an agent fails: `config.continue_on_error`, or in words `config.on_error: fail | continue`.
 * @param otherwise for this pattern, when the request says nothing
 * @throws AosError invalid_request
 */
export function continuesOnError(config: JsonObject, otherwise: boolean): boolean {
  const word = oneOf(config, 'on_error', ['fail', 'continue']);
  return yesOrNo(config, 'continue_on_error') ?? (word === undefined ? otherwise : word === 'continue');
}

export function invalid(where: string, expected: string, got: JsonValue): AosError {
  return new AosError('invalid_request', `"${where}" must be ${expected}, got ${JSON.stringify(got)}`);
}
