/**
 * Messages that come for the agents of a run while it goes on: each is taken once, by the agent it is for, before its
 * next turn. Patterns that have an inbox say so with `hearsMessages`.
 */
import { isJsonObject, type JsonObject, type JsonValue } from '../core/json.ts';
import type { RunScope } from '../engine/engine.ts';
import { idsOf, type Plan } from './plan.ts';

/** The signal that brings a message: `{agent_id?, message}`; without an agent it is for whoever speaks next. */
export const MESSAGE_SIGNAL = 'message';

export interface Inbox {
  /** The messages for an agent that have come before this turn of its own. */
  take(agentId: string, turn: string): Promise<readonly string[]>;
  /** What a checkpoint has to keep: messages that were taken from the run and not yet by their agent. */
  state(): JsonObject;
}

/** @param restored as `state` gave it before a checkpoint */
export function createInbox(scope: Pick<RunScope, 'poll'>, { agents }: Plan, restored?: JsonValue): Inbox {
  const known = new Set(idsOf(agents));
  const waiting = new Map<string, string[]>(
    Object.entries(isJsonObject(restored) ? restored : {}).map(([id, list]) => [
      id,
      Array.isArray(list) ? list.map(String) : [],
    ]),
  );
  return {
    async take(agentId, turn) {
      for (const { payload } of await scope.poll(`${turn}/messages`, MESSAGE_SIGNAL)) {
        const { agent_id: named, message } = payload;
        if (typeof message !== 'string' || message === '') continue;
        const to = typeof named === 'string' && known.has(named) ? named : agentId;
        waiting.set(to, [...(waiting.get(to) ?? []), message]);
      }
      const messages = waiting.get(agentId) ?? [];
      waiting.delete(agentId);
      return messages;
    },
    state: () => Object.fromEntries(waiting),
  };
}
