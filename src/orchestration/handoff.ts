/**
 * Handoff: one agent has the matter at a time; it answers, or hands over to one of its delegates. Who may hand over to
 * whom is `config.delegates` (`{"triage": ["billing", "support"]}`); without it, everybody to everybody. An agent that
 * names somebody it may not is told so and asked once more, then the run fails. The first agent of the request begins,
 * or `config.start`; the answer of the last is the summary.
 */
import type { Agent } from '../agents/agent.ts';
import type { Assignment, Contribution } from '../agents/brief.ts';
import { AosError } from '../core/errors.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import { type Attempt, attemptTurn, runFailureOf } from './attempt.ts';
import type { OrchestrationSetting, Pattern } from './pattern.ts';
import { configOf, continuesOnError, idsOf, invalid, type Plan, someOf, wholeNumber } from './plan.ts';
import { resultOf } from './result.ts';

const USUAL_TURNS = 12;

export interface HandoffPlan extends Plan {
  readonly start: Agent;
  /** Whom each agent may hand over to, by agent id. */
  readonly delegates: ReadonlyMap<string, readonly Agent[]>;
}

export const handoff: Pattern<HandoffPlan> = { name: 'handoff', version: 1, plan, run };

function plan(request: JsonObject, all: readonly Agent[]): HandoffPlan {
  const agents = someOf(all);
  const config = configOf(request);
  const { start = agents[0].agent_id } = config;
  const first = agents.find(({ agent_id }) => agent_id === start);
  if (first === undefined) throw invalid('config.start', `one of ${idsOf(agents).join(', ')}`, start);
  return {
    workflow: 'handoff',
    agents,
    phases: [],
    roundCount: 1,
    plannedTurns: wholeNumber(config, 'max_turns') ?? USUAL_TURNS,
    skipped: [],
    continueOnError: continuesOnError(config, false),
    start: first,
    delegates: delegatesOf(config, agents),
  };
}

function delegatesOf(config: JsonObject, agents: readonly Agent[]): ReadonlyMap<string, readonly Agent[]> {
  const given = config['delegates'];
  if (given === undefined || given === null) {
    return new Map(agents.map((agent) => [agent.agent_id, agents.filter((other) => other !== agent)]));
  }
  if (!isJsonObject(given)) throw invalid('config.delegates', 'an object of lists of agent ids', given);
  const known = idsOf(agents);
  return new Map(
    Object.entries(given).map(([from, to]) => {
      if (!known.includes(from))
        throw invalid('config.delegates', `from agents of the run (${known.join(', ')})`, from);
      if (!Array.isArray(to)) throw invalid(`config.delegates.${from}`, 'a list of agent ids', to);
      const unknown = to.find((id) => typeof id !== 'string' || !known.includes(id) || id === from);
      if (unknown !== undefined) {
        throw invalid(`config.delegates.${from}`, `other agents of the run (${known.join(', ')})`, unknown);
      }
      return [from, agents.filter(({ agent_id }) => to.includes(agent_id))];
    }),
  );
}

/** The matter on its way: who has it, from whom and why. */
interface Matter {
  readonly holder: Agent;
  readonly received: { readonly from: Agent; readonly reason: string } | undefined;
}

async function run(setting: OrchestrationSetting, plan: HandoffPlan, assignment: Assignment): Promise<JsonObject> {
  const attempts: Attempt[] = [];
  const path: JsonObject[] = [];
  let matter: Matter = { holder: plan.start, received: undefined };
  for (let nth = 1; ; nth++) {
    const { holder } = matter;
    const step = await hold(setting, plan, assignment, matter, nth, attempts);
    if (step === undefined) break;
    const { to, reason, turn } = step;
    path.push({ from: holder.agent_id, to: to.agent_id, reason });
    await setting.scope.emit(`${turn}:handed-off`, {
      type: 'agent.handed_off',
      actor: `agent:${holder.agent_id}`,
      data: { in_turn: turn, from: holder.agent_id, to: to.agent_id, reason },
    });
    await setting.meter.handedOver(holder.agent_id, to.agent_id);
    matter = { holder: to, received: { from: holder, reason } };
  }
  const last = attempts.at(-1);
  const answered = attempts.findLast((attempt) => attempt.status === 'completed');
  if (last?.status === 'failed' && (answered === undefined || !plan.continueOnError)) {
    throw runFailureOf(last.turn, last.error);
  }
  return resultOf({
    setting,
    plan,
    attempts,
    summary: answered === undefined ? '' : withoutHandover(answered.outcome.output),
    extra: { answered_by: answered?.turn.agent.agent_id ?? null, handoffs: path },
  });
}

interface Handover {
  readonly to: Agent;
  readonly reason: string;
  readonly turn: string;
}

/** An agent with the matter: its turn, and a second one when it names somebody it may not. @returns undefined when it keeps it */
async function hold(
  setting: OrchestrationSetting,
  plan: HandoffPlan,
  assignment: Assignment,
  { holder, received }: Matter,
  nth: number,
  attempts: Attempt[],
): Promise<Handover | undefined> {
  const delegates = plan.delegates.get(holder.agent_id) ?? [];
  const earlier: Contribution[] = attempts.flatMap((attempt) =>
    attempt.status === 'completed'
      ? [{ agent: attempt.turn.agent, text: withoutHandover(attempt.outcome.output) }]
      : [],
  );
  const ask = async (name: string, refused: string | undefined) => {
    const turn = { name, agent: holder, round: nth };
    const peers = [...new Set(earlier.map(({ agent }) => agent.agent_id))];
    const attempt = await attemptTurn(setting, turn, peers, () => ({
      kind: 'delegation',
      agent: holder,
      assignment,
      delegates,
      earlier,
      received,
      refused,
    }));
    attempts.push(attempt);
    if (attempt.status === 'failed') return undefined;
    const wanted = handoverIn(attempt.outcome.output);
    return wanted === undefined ? undefined : { ...wanted, turn: name };
  };
  const name = `hold-${nth}/${holder.agent_id}`;
  const first = await ask(name, undefined);
  if (first === undefined) return undefined;
  const to = delegateOf(first.to, delegates);
  if (to !== undefined) return { ...first, to };
  const second = await ask(`${name}/again`, first.to);
  if (second === undefined) return undefined;
  const other = delegateOf(second.to, delegates);
  if (other !== undefined) return { ...second, to: other };
  throw new AosError(
    'handoff_refused',
    `${holder.agent_id} wants to hand over to "${second.to}", which it may not (${delegates.length === 0 ? 'it has no delegates' : `its delegates: ${idsOf(delegates).join(', ')}`}): name it in config.delegates, or instruct the agent otherwise`,
  );
}

function delegateOf(id: string, delegates: readonly Agent[]): Agent | undefined {
  return delegates.find(({ agent_id }) => agent_id.toLowerCase() === id.toLowerCase());
}

/** The last line of the form `HANDOFF: <agent id> <reason>`. */
const HANDOVER = /^[ \t>*_`-]*HANDOFF:[ \t*_`"'<]*(?<to>[A-Za-z0-9._:-]{1,128})[ \t>*_`"':,—–-]*(?<reason>.*)$/gim;

export function handoverIn(text: string): { readonly to: string; readonly reason: string } | undefined {
  const groups = [...text.matchAll(HANDOVER)].at(-1)?.groups;
  const to = groups?.['to']?.replace(/[.:]+$/, '') ?? '';
  if (to === '') return undefined;
  const reason = (groups?.['reason'] ?? '').trim();
  return { to, reason: reason === '' ? 'no reason given' : reason };
}

function withoutHandover(text: string): string {
  const rest = text.replace(HANDOVER, '').trim();
  return rest === '' ? text.trim() : rest;
}
