/**
 * A chat turn: one agent answers one message, knowing the session's conversation. The message is remembered before the
 * answer is made and the answer after it, each as a step of its own: the conversation holds exactly what was said.
 */
import type { Agent } from '../agents/agent.ts';
import type { SessionMemory } from '../agents/session.ts';
import type { TurnSetting } from '../agents/turn.ts';
import { AosError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { attemptTurn } from './attempt.ts';

export interface ChatRequest {
  readonly agent: Agent;
  readonly message: string;
  /** ISO date. */
  readonly today: string;
}

export const CHAT_TURN = 'chat/1';

export async function runChat(setting: TurnSetting, memory: SessionMemory, request: ChatRequest): Promise<JsonObject> {
  const { scope } = setting;
  const { run } = scope;
  const { agent, message, today } = request;
  const session = { userId: run.caller.userId, sessionId: run.sessionId };
  const remember = (role: 'user' | 'assistant', content: string) => () =>
    memory.add({ ...session, runId: run.id, role, content });

  const asked = await scope.step('chat/1/asked', remember('user', message));
  const attempt = await attemptTurn(setting, { name: CHAT_TURN, agent, round: 1 }, [], async () => ({
    kind: 'chat',
    agent,
    messages: await memory.recall(session, asked),
    today,
  }));
  if (attempt.status === 'failed') throw new AosError(attempt.error.code, attempt.error.message);
  const { output, usage, model, simulated } = attempt.outcome;
  await scope.step('chat/1/answered', remember('assistant', output));
  return { message: output, agent_id: agent.agent_id, usage, model, simulated };
}
