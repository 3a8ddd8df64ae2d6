/**
 * What one agent has done so far in work without an end: kept over checkpoints, while the turns it came from are
 * forgotten.
 */
import { sumOfUsages } from '../agents/price.ts';
import type { JsonObject, JsonValue } from '../core/json.ts';
import type { TurnUsage } from '../runs/event.ts';
import type { Attempt } from './attempt.ts';

export type Account = {
  turns: number;
  output: string | null;
  error: JsonObject | null;
  started_at: string | null;
  completed_at: string | null;
  /** Milliseconds. */
  duration: number;
  usage: TurnUsage;
};

export function withAttempt(before: Account | undefined, attempt: Attempt): Account {
  const so: Account = before ?? {
    turns: 0,
    output: null,
    error: null,
    started_at: null,
    completed_at: null,
    duration: 0,
    usage: { tokens_input: 0, tokens_output: 0, cost_usd: 0 },
  };
  if (attempt.status === 'failed') return { ...so, turns: so.turns + 1, error: { ...attempt.error } };
  const { output, usage, started_at, completed_at } = attempt.outcome;
  return {
    turns: so.turns + 1,
    output,
    error: null,
    started_at: so.started_at ?? started_at,
    completed_at,
    duration: so.duration + Date.parse(completed_at) - Date.parse(started_at),
    usage: sumOfUsages([so.usage, usage]),
  };
}

/** As the result of a run tells it. */
export function viewAccount(account: Account | undefined): JsonValue {
  const { output = null, error = null, turns = 0, started_at = null, completed_at = null } = account ?? {};
  return {
    status: output !== null ? 'completed' : error !== null ? 'failed' : 'skipped',
    output: output === null ? null : { position: output },
    error,
    turns,
    started_at,
    completed_at,
    duration_seconds: account === undefined || started_at === null ? null : account.duration / 1000,
    usage: account?.usage ?? sumOfUsages([]),
  };
}
