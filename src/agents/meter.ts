/**
 * What counts the work of a run and may hold it back: limits of tokens, cost and turns, and the guard against loops.
 * Its calls may pause the run durably, so they stand between steps, never inside one. They are repeated when the run
 * is resumed, with the same values in the same order within a turn.
 */
import type { JsonObject } from '../core/json.ts';
import type { TurnUsage } from '../runs/event.ts';

export interface Meter {
  /** Before each model call of a turn. Resolves when it may be made. */
  check(): Promise<void>;
  /** After each model call: what it used. `turn` is the turn's name. */
  spend(turn: string, usage: TurnUsage): Promise<void>;
  /** Before each tool call. Resolves when it may be made. */
  toolCall(name: string, args: JsonObject): Promise<void>;
}

/** Counts nothing and holds nothing back. */
export const unmetered: Meter = {
  async check() {},
  async spend() {},
  async toolCall() {},
};
