/**
 * Perpetual: work without an end. The agents take turns in cycles, each seeing what everybody said last; between the
 * cycles the run waits `config.cycle_interval_seconds` without holding a worker. A signal `stop` lets the turn that
 * runs come to its end and then ends the run as completed and *stopped*; `config.max_cycles` ends it as well. After
 * every cycle the run's steps are forgotten and its state kept, so that its history stays as small as one cycle. An
 * agent that fails is asked again in the next cycle; with an explicit `continue_on_error: false` it fails the run.
 */
import type { Agent } from '../agents/agent.ts';
import type { Assignment, Contribution } from '../agents/brief.ts';
import { sumOfUsages } from '../agents/price.ts';
import { isoTime } from '../core/clock.ts';
import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { Signal } from '../engine/engine.ts';
import { type Account, viewAccount, withAttempt } from './account.ts';
import { dayOf, purposeOf } from './assignment.ts';
import { type Attempt, attemptTurn, runFailureOf } from './attempt.ts';
import { createInbox, type Inbox } from './inbox.ts';
import type { OrchestrationSetting, Pattern } from './pattern.ts';
import { configOf, continuesOnError, idsOf, invalid, type Plan, someOf, wholeNumber } from './plan.ts';

/** The signal that lets a perpetual run end. */
export const STOP_SIGNAL = 'stop';

const USUAL_INTERVAL_SECONDS = 30;
const MAX_INTERVAL_SECONDS = 7 * 24 * 3600;

export interface PerpetualPlan extends Plan {
  readonly intervalMs: number;
  readonly maxCycles: number;
}

export const perpetual: Pattern<PerpetualPlan> = { name: 'perpetual', version: 1, hearsMessages: true, plan, run };

function plan(request: JsonObject, all: readonly Agent[]): PerpetualPlan {
  const agents = someOf(all);
  const config = configOf(request);
  if (request['task'] === undefined && purposeOf(request['purpose']) === undefined) {
    throw invalid('purpose', 'given where there is no task: what the work is for', null);
  }
  const maxCycles = wholeNumber(config, 'max_cycles') ?? Number.POSITIVE_INFINITY;
  return {
    workflow: 'perpetual',
    agents,
    phases: [agents.map(({ agent_id }) => `cycle-1/${agent_id}`)],
    roundCount: 1,
    plannedTurns: maxCycles * agents.length,
    skipped: [],
    continueOnError: continuesOnError(config, true),
    intervalMs: secondsOf(config) * 1000,
    maxCycles,
  };
}

function secondsOf({ cycle_interval_seconds: value }: JsonObject): number {
  if (value === undefined || value === null) return USUAL_INTERVAL_SECONDS;
  if (typeof value === 'number' && value >= 0 && value <= MAX_INTERVAL_SECONDS) return value;
  throw invalid('config.cycle_interval_seconds', `a number of seconds from 0 to ${MAX_INTERVAL_SECONDS}`, value);
}

/** What a checkpoint keeps. */
type State = {
  /** The last cycle that is over. */
  cycle: number;
  accounts: Record<string, Account>;
  meter: JsonObject;
  inbox: JsonObject;
  /** When the next cycle begins, ISO-8601 UTC. */
  next: string;
};

async function run(setting: OrchestrationSetting, plan: PerpetualPlan, assignment: Assignment): Promise<JsonObject> {
  const { scope, clock, meter } = setting;
  const earlier = scope.checkpointed === undefined ? undefined : (scope.checkpointed as unknown as State);
  const accounts: Record<string, Account> = { ...earlier?.accounts };
  let pause = earlier;
  recountTurns(setting, plan, earlier?.cycle ?? 0);
  const inbox = createInbox(scope, plan, earlier?.inbox);
  for (let cycle = (earlier?.cycle ?? 0) + 1; ; cycle++) {
    // A checkpoint stands between a cycle and the pause after it, so a resumed run pauses first.
    const stop = pause === undefined ? undefined : await pauseUntil(setting, cycle, pause.next);
    if (stop !== undefined) return finish(setting, plan, accounts, cycle - 1, reasonOf(stop));
    // The work may go on for months: each cycle has a day of its own.
    const ofToday = pause === undefined ? assignment : { ...assignment, today: dayOf(pause.next) };
    for (const agent of plan.agents) {
      const attempt = await takeTurn(setting, plan, ofToday, accounts, { agent, cycle, inbox });
      accounts[agent.agent_id] = withAttempt(accounts[agent.agent_id], attempt);
      const [asked] = await scope.poll(`${attempt.turn.name}/stop`, STOP_SIGNAL);
      if (asked !== undefined) return finish(setting, plan, accounts, cycle, reasonOf(asked));
    }
    if (cycle >= plan.maxCycles) return finish(setting, plan, accounts, cycle, 'max_cycles');
    const next = await scope.step(`cycle-${cycle}/next`, async () => isoTime(clock.now() + plan.intervalMs));
    pause = { cycle, accounts, meter: meter.state(), inbox: inbox.state(), next };
    await scope.checkpoint(pause as unknown as JsonObject);
  }
}

/** The share that is done must not fall because the cycles before a checkpoint are forgotten. */
function recountTurns({ progress }: OrchestrationSetting, { agents, maxCycles }: PerpetualPlan, cycles: number): void {
  if (!Number.isFinite(maxCycles)) return;
  for (let cycle = 1; cycle <= cycles; cycle++) {
    for (const { agent_id } of agents) progress.count(`cycle-${cycle}/${agent_id}`);
  }
}

/** @returns the signal that stops the run, when it comes before the time */
function pauseUntil({ scope }: OrchestrationSetting, cycle: number, until: string): Promise<Signal | undefined> {
  return scope.wait({ name: `cycle-${cycle}/pause`, signal: STOP_SIGNAL, reason: 'timer', until, detail: { cycle } });
}

async function takeTurn(
  setting: OrchestrationSetting,
  plan: PerpetualPlan,
  assignment: Assignment,
  accounts: Readonly<Record<string, Account>>,
  { agent, cycle, inbox }: { readonly agent: Agent; readonly cycle: number; readonly inbox: Inbox },
): Promise<Attempt> {
  const latest: Contribution[] = plan.agents.flatMap((one) => {
    const text = accounts[one.agent_id]?.output;
    return typeof text === 'string' ? [{ agent: one, text }] : [];
  });
  const turn = { name: `cycle-${cycle}/${agent.agent_id}`, agent, round: cycle };
  const peers = idsOf(latest.map((word) => word.agent).filter((one) => one !== agent));
  const messages = await inbox.take(agent.agent_id, turn.name);
  const attempt = await attemptTurn(setting, turn, peers, () => ({
    kind: 'cycle',
    agent,
    assignment,
    cycle,
    latest,
    messages,
  }));
  if (attempt.status === 'failed' && !plan.continueOnError) throw runFailureOf(turn, attempt.error);
  return attempt;
}

async function finish(
  { scope, model }: OrchestrationSetting,
  { agents }: PerpetualPlan,
  accounts: Readonly<Record<string, Account>>,
  cycles: number,
  reason: string,
): Promise<JsonObject> {
  await scope.emit('stopped', { type: 'run.stopped', data: { reason } });
  const all = Object.values(accounts);
  const words = agents.flatMap((agent) => {
    const output = accounts[agent.agent_id]?.output;
    return typeof output === 'string' ? [`${agent.agent_id}: ${output}`] : [];
  });
  return {
    workflow: 'perpetual',
    status: 'stopped',
    stop_reason: reason,
    cycles,
    agent_ids: idsOf(agents),
    results: Object.fromEntries(agents.map(({ agent_id }) => [agent_id, viewAccount(accounts[agent_id])])),
    summary: [
      `Stopped after ${cycles} ${cycles === 1 ? 'cycle' : 'cycles'}.`,
      words.length === 0 ? 'No agent had spoken.' : `The last words:\n\n${words.join('\n\n')}`,
    ].join(' '),
    turns: all.reduce((sum, { turns }) => sum + turns, 0),
    usage: sumOfUsages(all.map(({ usage }) => usage)),
    progress: 1,
    model: model.name,
    simulated: model.simulated,
  };
}

function reasonOf({ payload }: Signal): string {
  const reason = isJsonObject(payload) ? payload['reason'] : undefined;
  return typeof reason === 'string' && reason !== '' ? reason : 'stopped by request';
}
