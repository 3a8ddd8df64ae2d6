/**
 * What an orchestration is going to do, worked out before it begins and from the request alone: phases one after the
 * other, the turns of a phase at the same time. The plan is what progress is measured against.
 */
import { type Agent, leadOf } from '../agents/agent.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';

export const workflows = ['sequential', 'collaborative'] as const;
export type Workflow = (typeof workflows)[number];

const DEFAULT_ROUNDS = 2;
const MAX_ROUNDS = 10;

export interface PlannedTurn {
  /** Step name, unique in the run. */
  readonly name: string;
  readonly agent: Agent;
  /** From 1; the synthesis belongs to the last round. */
  readonly round: number;
}

export interface Plan {
  readonly workflow: Workflow;
  readonly agents: readonly Agent[];
  /** Rounds of all agents, the synthesis not counted. */
  readonly rounds: readonly (readonly PlannedTurn[])[];
  /** The turn that makes one result of all; a line of agents has none. */
  readonly synthesis: PlannedTurn | undefined;
  readonly plannedTurns: number;
  /** Agents that `max_turns` leaves without a turn. */
  readonly skipped: readonly Agent[];
  /** Whether the run goes on when an agent fails, as long as any agent answers. */
  readonly continueOnError: boolean;
}

/**
 * The plan of a request.
 *
 * `config.max_turns` bounds the turns of the run. A collaboration gives up its later rounds first, then the synthesis,
 * then the agents at the end of the list; a line gives up the agents at its end.
 * `config.continue_on_error` is false when left out of a line (every agent builds on the ones before it), and true
 * when left out of a collaboration (the others still have their say).
 * @throws AosError invalid_request
 */
export function planOf(workflow: string, agents: readonly Agent[], config: JsonObject): Plan {
  const [first, ...others] = agents;
  if (first === undefined) throw invalid('agent_ids', 'at least one agent', []);
  const maxTurns = wholeNumber(config, 'max_turns', Number.MAX_SAFE_INTEGER);
  switch (workflow) {
    case 'sequential':
      return sequentialPlan([first, ...others], maxTurns, yesOrNo(config, 'continue_on_error') ?? false);
    case 'collaborative': {
      const rounds = wholeNumber(config, 'rounds', MAX_ROUNDS) ?? DEFAULT_ROUNDS;
      return collaborativePlan([first, ...others], rounds, maxTurns, yesOrNo(config, 'continue_on_error') ?? true);
    }
    default:
      throw invalid('workflow', `one of ${workflows.join(', ')}`, workflow);
  }
}

/** The plan as the log tells it. */
export function planEvent(plan: Plan): JsonObject {
  return {
    workflow: plan.workflow,
    agent_ids: idsOf(plan.agents),
    rounds: plan.workflow === 'collaborative' ? plan.rounds.length : 1,
    phases: [...plan.rounds, ...(plan.synthesis === undefined ? [] : [[plan.synthesis]])].map((phase) =>
      phase.map((turn) => turn.name),
    ),
    planned_turns: plan.plannedTurns,
    ...(plan.skipped.length === 0 ? {} : { skipped: idsOf(plan.skipped) }),
  };
}

export function idsOf(agents: readonly Agent[]): string[] {
  return agents.map((agent) => agent.agent_id);
}

type SomeAgents = readonly [Agent, ...Agent[]];

function sequentialPlan(agents: SomeAgents, maxTurns = agents.length, continueOnError: boolean): Plan {
  const acting = agents.slice(0, maxTurns);
  return {
    workflow: 'sequential',
    agents,
    rounds: acting.map((agent, index) => [{ name: `step-${index + 1}/${agent.agent_id}`, agent, round: 1 }]),
    synthesis: undefined,
    plannedTurns: acting.length,
    skipped: agents.slice(maxTurns),
    continueOnError,
  };
}

function collaborativePlan(
  agents: SomeAgents,
  askedRounds: number,
  maxTurns = Number.MAX_SAFE_INTEGER,
  continueOnError: boolean,
): Plan {
  const acting = agents.slice(0, maxTurns);
  const affordable = Math.floor((maxTurns - 1) / agents.length);
  const rounds = Math.max(1, Math.min(askedRounds, affordable));
  const hasSynthesis = maxTurns > rounds * agents.length;
  const lead = leadOf(agents);
  return {
    workflow: 'collaborative',
    agents,
    rounds: Array.from({ length: rounds }, (_, index) =>
      acting.map((agent) => ({ name: `round-${index + 1}/${agent.agent_id}`, agent, round: index + 1 })),
    ),
    synthesis: hasSynthesis ? { name: `synthesis/${lead.agent_id}`, agent: lead, round: rounds } : undefined,
    plannedTurns: rounds * acting.length + (hasSynthesis ? 1 : 0),
    skipped: agents.slice(maxTurns),
    continueOnError,
  };
}

function wholeNumber(config: JsonObject, name: string, max: number): number | undefined {
  const value = config[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw invalid(
    `config.${name}`,
    max === MAX_ROUNDS ? `a whole number from 1 to ${max}` : 'a whole number from 1',
    value,
  );
}

function yesOrNo(config: JsonObject, name: string): boolean | undefined {
  const value = config[name];
  if (value === undefined || value === null || typeof value === 'boolean') return value ?? undefined;
  throw invalid(`config.${name}`, 'true or false', value);
}

function invalid(where: string, expected: string, got: JsonValue): AosError {
  return new AosError('invalid_request', `"${where}" must be ${expected}, got ${JSON.stringify(got)}`);
}
