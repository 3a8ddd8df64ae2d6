/**
 * Hierarchical: the lead plans and gives everybody a part, the others do their parts at the same time, the lead makes
 * one result of them. The lead is the first agent of the leadership type, else the first. Somebody whose part cannot be
 * read from the plan gets the whole plan. The run succeeds when any of the workers did its part; with an explicit
 * `continue_on_error: false` the first failure fails it.
 */
import { type Agent, leadOf } from '../agents/agent.ts';
import type { Assignment, Brief } from '../agents/brief.ts';
import type { JsonObject } from '../core/json.ts';
import { assignmentsIn } from './assignments.ts';
import { type Attempt, attemptTurn, runFailureOf, settleAll } from './attempt.ts';
import type { OrchestrationSetting, Pattern } from './pattern.ts';
import {
  configOf,
  continuesOnError,
  type PlannedTurn,
  type RoundPlan,
  roundPlan,
  someOf,
  wholeNumber,
} from './plan.ts';
import { checkFailures, conclude, latestOf } from './synthesis.ts';

export interface HierarchyPlan extends RoundPlan {
  readonly leading: PlannedTurn;
  readonly working: readonly PlannedTurn[];
}

export const hierarchical: Pattern<HierarchyPlan> = { name: 'hierarchical', version: 1, plan, run };

/** `config.max_turns` takes away the synthesis first, then the workers at the end of the list. */
function plan(request: JsonObject, all: readonly Agent[]): HierarchyPlan {
  const agents = someOf(all);
  const config = configOf(request);
  const maxTurns = wholeNumber(config, 'max_turns') ?? Number.MAX_SAFE_INTEGER;
  const lead = leadOf(agents);
  const workers = agents.filter((agent) => agent !== lead);
  const leading = { name: `lead/${lead.agent_id}`, agent: lead, round: 1 };
  const working = workers.slice(0, maxTurns - 1).map((agent) => ({ name: `work/${agent.agent_id}`, agent, round: 2 }));
  return {
    ...roundPlan({
      workflow: 'hierarchical',
      agents,
      rounds: working.length === 0 ? [[leading]] : [[leading], working],
      roundCount: working.length === 0 ? 1 : 3,
      hasSynthesis: working.length > 0 && maxTurns > agents.length,
      continueOnError: continuesOnError(config, true),
    }),
    leading,
    working,
  };
}

async function run(setting: OrchestrationSetting, plan: HierarchyPlan, assignment: Assignment): Promise<JsonObject> {
  const { leading, working } = plan;
  const { agent: lead } = leading;
  const workers = working.map(({ agent }) => agent);
  const led = await attemptTurn(setting, leading, [], () =>
    workers.length === 0
      ? { kind: 'position', agent: lead, assignment, group: plan.agents }
      : { kind: 'assign', agent: lead, assignment, workers },
  );
  if (led.status === 'failed' && (!plan.continueOnError || workers.length === 0))
    throw runFailureOf(leading, led.error);
  const parts = led.status === 'completed' ? assignmentsIn(led.outcome.output, workers) : new Map<string, string>();
  const worked = await settleAll(
    working.map((turn) =>
      attemptTurn(setting, turn, led.status === 'completed' ? [lead.agent_id] : [], () =>
        partOf(turn.agent, led, parts.get(turn.agent.agent_id), plan, assignment),
      ),
    ),
  );
  if (worked.length > 0) checkFailures(worked, plan.continueOnError);
  return conclude({
    setting,
    plan,
    assignment,
    attempts: [led, ...worked],
    contributions: latestOf(worked.length > 0 ? worked : [led]),
    unsynthesised: 'There was no turn left for the lead to bring them together (max_turns).',
    extra: { lead: lead.agent_id, assignments: Object.fromEntries(parts) },
  });
}

/** Without a plan of the lead's, everybody works by itself. */
function partOf(
  agent: Agent,
  led: Attempt,
  part: string | undefined,
  plan: HierarchyPlan,
  assignment: Assignment,
): Brief {
  return led.status === 'completed'
    ? { kind: 'work', agent, assignment, lead: led.turn.agent, plan: led.outcome.output, part }
    : { kind: 'position', agent, assignment, group: plan.agents };
}
