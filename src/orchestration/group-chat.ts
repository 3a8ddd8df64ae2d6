/**
 * Group chat: one speaks at a time and everybody hears everything. Who speaks next is decided by rule, in turn; with
 * `config.speaker: 'model'` the lead decides before every word, in a turn of its own. The discussion ends when a
 * speaker ends with the line that says it is done, or with the last of `config.max_turns` words; the summary is the
 * last word. By default a speaker that fails is passed over, and the run succeeds when anybody said anything.
 */
import { type Agent, leadOf } from '../agents/agent.ts';
import type { Assignment, Contribution } from '../agents/brief.ts';
import { DONE_MARK } from '../agents/teamwork.ts';
import type { JsonObject } from '../core/json.ts';
import { type Attempt, attemptTurn, runFailureOf } from './attempt.ts';
import { createInbox } from './inbox.ts';
import type { OrchestrationSetting, Pattern } from './pattern.ts';
import { configOf, continuesOnError, idsOf, oneOf, type Plan, type SomeAgents, someOf, wholeNumber } from './plan.ts';
import { resultOf } from './result.ts';
import { checkFailures } from './synthesis.ts';

const ROUNDS = 3;
const MAX_WORDS = 200;

export interface GroupChatPlan extends Plan {
  readonly agents: SomeAgents;
  readonly words: number;
  readonly speaker: 'round-robin' | 'model';
}

export const groupChat: Pattern<GroupChatPlan> = { name: 'group-chat', version: 1, hearsMessages: true, plan, run };

function plan(request: JsonObject, all: readonly Agent[]): GroupChatPlan {
  const agents = someOf(all);
  const config = configOf(request);
  const words = wholeNumber(config, 'max_turns', MAX_WORDS) ?? Math.min(ROUNDS * agents.length, MAX_WORDS);
  const speaker = oneOf(config, 'speaker', ['round-robin', 'model']) ?? 'round-robin';
  const choosing = speaker === 'model' && agents.length > 2;
  return {
    workflow: 'group-chat',
    agents,
    phases: [],
    roundCount: 1,
    // The first word is the first agent's, whoever decides about the others.
    plannedTurns: words + (choosing ? words - 1 : 0),
    skipped: [],
    continueOnError: continuesOnError(config, true),
    words,
    speaker: choosing ? 'model' : 'round-robin',
  };
}

async function run(setting: OrchestrationSetting, plan: GroupChatPlan, assignment: Assignment): Promise<JsonObject> {
  const { agents, words } = plan;
  const attempts: Attempt[] = [];
  const choices: Attempt[] = [];
  const transcript: Contribution[] = [];
  const inbox = createInbox(setting.scope, plan);
  let ended = 'max_turns';
  let speaker: Agent = agents[0];
  for (let nth = 1; nth <= words; nth++) {
    if (nth > 1) speaker = await nextSpeaker(setting, plan, assignment, { nth, last: speaker, transcript, choices });
    const agent = speaker;
    const turn = { name: `word-${nth}/${agent.agent_id}`, agent, round: Math.ceil(nth / agents.length) };
    const heard = [...transcript];
    const peers = [...new Set(heard.map((word) => word.agent.agent_id))].filter((id) => id !== agent.agent_id);
    const messages = await inbox.take(agent.agent_id, turn.name);
    const attempt = await attemptTurn(setting, turn, peers, () => ({
      kind: 'discussion',
      agent,
      assignment,
      group: agents,
      transcript: heard,
      left: words - nth,
      messages,
    }));
    attempts.push(attempt);
    if (attempt.status === 'failed') {
      if (!plan.continueOnError) throw runFailureOf(turn, attempt.error);
      continue;
    }
    const { output } = attempt.outcome;
    transcript.push({ agent, text: output });
    if (saysDone(output)) {
      ended = 'done';
      break;
    }
    await setting.meter.said(agent.agent_id, output);
  }
  checkFailures(attempts, true);
  const summary = withoutMark(transcript.at(-1)?.text ?? '');
  return resultOf({
    setting,
    plan,
    attempts,
    beside: choices,
    summary,
    extra: { ended, transcript: transcript.map(({ agent, text }) => ({ agent_id: agent.agent_id, text })) },
  });
}

interface Floor {
  readonly nth: number;
  readonly last: Agent;
  readonly transcript: readonly Contribution[];
  readonly choices: Attempt[];
}

/** In turn; or whom the lead names, and in turn again when it names nobody there is. */
async function nextSpeaker(
  setting: OrchestrationSetting,
  { agents, speaker }: GroupChatPlan,
  assignment: Assignment,
  { nth, last, transcript, choices }: Floor,
): Promise<Agent> {
  const next = agents[(agents.indexOf(last) + 1) % agents.length] ?? agents[0];
  if (speaker === 'round-robin') return next;
  const lead = leadOf(agents);
  const candidates = agents.filter((agent) => agent !== last);
  const turn = { name: `choice-${nth}/${lead.agent_id}`, agent: lead, round: Math.ceil(nth / agents.length) };
  const attempt = await attemptTurn(setting, turn, idsOf(candidates), () => ({
    kind: 'selection',
    agent: lead,
    assignment,
    candidates,
    transcript,
  }));
  choices.push(attempt);
  return attempt.status === 'completed' ? (namedIn(attempt.outcome.output, candidates) ?? next) : next;
}

/** The candidate whose id comes first in the text, as a word of its own. */
export function namedIn(text: string, candidates: readonly Agent[]): Agent | undefined {
  const words = text
    .toLowerCase()
    .split(/[^a-z0-9._:-]+/)
    .map((word) => word.replace(/[.:]+$/, ''));
  return candidates
    .map((agent) => ({ agent, at: words.indexOf(agent.agent_id.toLowerCase()) }))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at)[0]?.agent;
}

/** Whether the last line says so, and nothing else. */
export function saysDone(text: string): boolean {
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  return /^[\s*_`>]*(\[done\]|done)[.!\s*_`]*$/i.test(line);
}

function withoutMark(text: string): string {
  if (!saysDone(text)) return text;
  const rest = text.trimEnd().split('\n').slice(0, -1).join('\n').trimEnd();
  return rest === '' ? DONE_MARK : rest;
}
