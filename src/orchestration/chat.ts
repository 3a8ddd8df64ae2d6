/**
 * A chat turn: one agent answers one message, knowing the session's conversation. The message is remembered before the
 * answer is made and the answer after it, each as a step of its own: the conversation holds exactly what was said.
 *
 * Messages that steer the run (a signal each, sent by the gate) are taken before it ends, remembered and answered in
 * the same run. The run that such a message began with comes to its turn afterwards, sees that it was answered, and
 * ends saying where; one that was not taken in time answers for itself. So no message is lost or answered twice.
 */

import type { Agent } from '../agents/agent.ts';
import type { AgentSet } from '../agents/catalogue.ts';
import { sumOfUsages } from '../agents/price.ts';
import type { SessionKey, SessionMemory } from '../agents/session.ts';
import type { TurnOutcome } from '../agents/turn.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { RunEvent } from '../runs/event.ts';
import type { EventLog } from '../runs/event-log.ts';
import { type RunKey, runKey } from '../runs/run.ts';
import { dayOf } from './assignment.ts';
import { type AttemptSetting, attemptTurn } from './attempt.ts';

/** The signal that brings a message of the same session to a run: `{run_id, message}`. */
export const STEER_SIGNAL = 'steer';

/** Who answers a chat that names nobody: this agent, or the first there is. */
const CHAT_AGENT = 'ceo';

export interface ChatParts {
  readonly memory: SessionMemory;
  /** The logs of other runs of the session. */
  readonly events?: Pick<EventLog, 'read'>;
}

/** A message to be answered, and the run that asked. */
interface Message {
  readonly runId: string;
  readonly text: string;
}

export function chatAgentOf(stock: AgentSet, { agent_id: id }: JsonObject): Agent {
  const named = typeof id === 'string' && id !== '' ? id : undefined;
  const agent = named === undefined ? (stock.find(CHAT_AGENT) ?? stock.enabled[0]) : stock.find(named);
  if (agent !== undefined) return agent;
  throw new AosError(
    'invalid_request',
    named === undefined ? 'the agent registry has no enabled agent to answer' : `there is no agent "${named}"`,
  );
}

export function chatPlanEvent({ agent_id }: Agent): JsonObject {
  return { agent_ids: [agent_id], phases: [['chat/1']], planned_turns: 1 };
}

/** @returns the result of the run */
export async function runChat(setting: AttemptSetting, parts: ChatParts, agent: Agent): Promise<JsonObject> {
  const { scope } = setting;
  const { run } = scope;
  const elsewhere = await answeredElsewhere(setting, parts);
  if (elsewhere !== undefined) return elsewhere;

  const outcomes: TurnOutcome[] = [];
  const steeredBy: string[] = [];
  let messages: readonly Message[] = [{ runId: run.id, text: String(run.request['message'] ?? '') }];
  for (let nth = 1; messages.length > 0; nth++) {
    outcomes.push(await answer(setting, parts.memory, agent, nth, messages));
    messages = await steeringMessages(setting, nth + 1);
    steeredBy.push(...messages.map(({ runId }) => runId));
  }
  const last = outcomes.at(-1);
  if (last === undefined) throw new Error(`the chat ${run.id} made no answer`);
  const { output: message, model, simulated } = last;
  return {
    message,
    agent_id: agent.agent_id,
    usage: sumOfUsages(outcomes.map((outcome) => outcome.usage)),
    model,
    simulated,
    ...(steeredBy.length === 0 ? {} : { steered_by: steeredBy }),
  };
}

/** Answers the messages in one turn, after what the session holds. */
async function answer(
  setting: AttemptSetting,
  memory: SessionMemory,
  agent: Agent,
  nth: number,
  messages: readonly Message[],
): Promise<TurnOutcome> {
  const { scope } = setting;
  const { run } = scope;
  const session: SessionKey = { ...run.caller, sessionId: run.sessionId };
  const name = `chat/${nth}`;
  let asked = 0;
  for (const [index, { runId, text }] of messages.entries()) {
    const step = index === 0 ? `${name}/asked` : `${name}/asked-${index + 1}`;
    asked = await scope.step(step, () => memory.add({ ...session, runId, role: 'user', content: text }), {
      effect: 'write',
    });
  }
  const attempt = await attemptTurn(setting, { name, agent, round: nth }, [], async () => ({
    kind: 'chat',
    agent,
    messages: await memory.recall(session, asked),
    today: dayOf(run.createdAt),
  }));
  if (attempt.status === 'failed') throw new AosError(attempt.error.code, attempt.error.message);
  const { output } = attempt.outcome;
  // Under the last of the messages: the memory has one answer for each run.
  const { runId } = messages.at(-1) ?? { runId: run.id };
  await scope.step(`${name}/answered`, () => memory.add({ ...session, runId, role: 'assistant', content: output }), {
    effect: 'write',
  });
  return attempt.outcome;
}

/** Messages that came while the last answer was made; the log says whose they are before they are answered. */
async function steeringMessages({ scope }: AttemptSetting, nth: number): Promise<readonly Message[]> {
  const turn = `chat/${nth}`;
  const signals = await scope.poll(`${turn}/steering`, STEER_SIGNAL);
  const messages = signals.flatMap(({ payload: { run_id: runId, message } }) =>
    typeof runId === 'string' && typeof message === 'string' ? [{ runId, text: message }] : [],
  );
  for (const { runId } of messages) {
    await scope.emit(`${turn}/steered:${runId}`, { type: 'run.steered', data: { by: runId, in_turn: turn } });
  }
  return messages;
}

/** The result of a run whose message another run of the session has answered; undefined when it has to answer itself. */
async function answeredElsewhere({ scope }: AttemptSetting, { events }: ChatParts): Promise<JsonObject | undefined> {
  // The log of a run that is taken up for the first time holds its admission, and more only when it was handed over.
  const begun = scope.recorded('chat/1/asked') !== undefined;
  if (events === undefined || begun || scope.run.lastEvent <= 1) return undefined;
  const answered = await scope.step<JsonObject>('chat/steering', async () => {
    const handed = (await scope.history()).find((event) => event.type === 'run.steering');
    if (handed?.type !== 'run.steering') return {};
    const { into } = handed.data;
    const others = await allEvents(events, runKey(scope.run.caller.tenantId, into));
    const taken = others.find((event) => event.type === 'run.steered' && event.data.by === scope.run.id);
    if (taken?.type !== 'run.steered') return {};
    const answer = others.find((event) => event.type === 'turn.completed' && event.data.turn === taken.data.in_turn);
    // The other run took the message and then failed to answer: this one has to.
    if (answer?.type !== 'turn.completed') return {};
    return { steered: into, message: answer.data.output, agent_id: answer.data.agent_id };
  });
  return 'steered' in answered ? answered : undefined;
}

async function allEvents(events: Pick<EventLog, 'read'>, run: RunKey): Promise<readonly RunEvent[]> {
  const all: RunEvent[] = [];
  for (;;) {
    const page = await events.read(run, all.at(-1)?.seq ?? 0);
    if (page.length === 0) return all;
    all.push(...page);
  }
}
